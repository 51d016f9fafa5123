import ArgumentParser
import Foundation
import Parallax
import Yams

/// A study as YAML says it.
struct StudyFile {
  var title: String
  var models: [String]
  var analyses: [String]
  /// Whether nobody said which analyses are meant: then those that suit are.
  private(set) var isOpen = true
  private var keys: [String: Node] = [:]
  private var path = ""

  /// Four pretrained models on the built-in images; beside what a pass answers, reconstructions of one image.
  static var builtIn: StudyFile {
    StudyFile(
      title: "How do four vision models see the same images?",
      models: [
        "clip-vit-base-patch16", "dinov2-small-saliency", "efficientnet-lite0", "mobilenetv2",
      ], analyses: AnalysisCatalog.all.map(\.name))
  }

  private init(title: String, models: [String], analyses: [String]) {
    (self.title, self.models, self.analyses) = (title, models, analyses)
  }

  static let known = [
    "title", "models", "images", "limit", "size", "sites", "tokens", "minimum_class_size", "alpha",
    "batch_size", "block_size", "seed", "device", "analyses", "strict", "random_weights",
    "measures", "route", "permutations", "groups", "memory_limit",
  ]

  /// Reads a file.
  init(path: String) throws {
    self.init(title: "", models: [], analyses: AnalysisCatalog.all.map(\.name))
    self.path = path
    guard let data = FileManager.default.contents(atPath: path) else {
      throw CommandError("\(path): there is no such study file", code: 66)
    }
    let root: Node?
    do { root = try Yams.compose(yaml: String(decoding: data, as: UTF8.self)) } catch {
      throw bad("not valid YAML: \("\(error)".split(separator: "\n").first ?? "")")
    }
    guard let mapping = root?.mapping else { throw bad("expected keys such as models and images") }
    for (key, value) in mapping {
      let name = key.string ?? ""
      guard Self.known.contains(name) else {
        throw bad(
          "no key is called '\(name)'; expected one of \(Self.known.joined(separator: ", "))")
      }
      keys[name] = value
    }
    models = try list("models")
    guard !models.isEmpty else { throw bad("'models' is missing; expected a list of models") }
    isOpen = keys["analyses"] == nil
    if !isOpen { analyses = try list("analyses") }
    let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
    title = try text("title") ?? stem
    models = models.map(besides)
  }

  /// Puts what the file says where the command line says nothing.
  func fill(
    _ models: inout ModelOptions, _ images: inout ImageOptions, _ pass: inout PassOptions,
    unless given: Given
  ) throws {
    if let value = try text("sites"), !given("--sites") { models.sites = value }
    if let value = try text("tokens"), !given("--tokens") { models.tokens = value }
    if let value = try text("device"), !given("--device") { models.loading.device = value }
    if let value = try number("random_weights"), !given("--random-weights") {
      models.loading.randomWeights = UInt64(value)
    }
    if let value = try text("size"), !given("--size") {
      models.loading.size = value
      do { _ = try models.loading.imageSize() } catch {
        throw bad("'size' is '\(value)', expected sides from 1 to 2048, such as 299 or 224x320")
      }
    }
    if let value = try text("images"), !given("--images") { images.images = beside(value) }
    if let value = try number("limit"), !given("--limit") { images.limit = value }
    if let value = try number("minimum_class_size"), !given("--minimum-class-size") {
      images.minimumClassSize = value
    }
    if let value = try text("alpha"), !given("--alpha") {
      guard let alpha = ImageBuffer.Alpha(rawValue: value) else {
        throw bad("'alpha' is '\(value)', expected white or drop")
      }
      images.alpha = alpha
    }
    if let value = keys["strict"], !given("--strict") {
      guard let flag = value.bool else { throw bad("'strict': expected true or false") }
      images.strict = flag
    }
    if let value = try number("batch_size"), !given("--batch-size", "-b") { pass.batchSize = value }
    if let value = try number("block_size"), !given("--block-size") { pass.blockSize = value }
    if let value = try number("seed"), !given("--seed") { pass.seed = UInt64(value) }
    // What was typed has been looked at before.
    if let outlier = images.outlier ?? pass.outlier { throw bad(outlier.asKey) }
  }

  /// The analyses by name.
  func makers() throws -> [AnalysisCatalog.Maker] {
    let measures = try measures()
    guard !analyses.isEmpty || measures != nil else {
      throw bad(
        "'analyses' asks for nothing; expected some of "
          + AnalysisCatalog.all.map(\.name).joined(separator: ", "))
    }
    if path.isEmpty { return AnalysisCatalog.all.map(\.make) + [AnalysisCatalog.demonstration] }
    let known = AnalysisCatalog.all + AnalysisCatalog.onDemand
    return try analyses.map { name in
      guard let found = known.first(where: { $0.name == name }) else {
        throw bad(
          "no analysis is called '\(name)'; expected "
            + known.map(\.name).joined(separator: ", "))
      }
      return found.make
    } + [measures].compactMap(\.self)
  }

  /// Measures of the catalog, where the file names some.
  private func measures() throws -> AnalysisCatalog.Maker? {
    let names = try list("measures").flatMap { $0.split(separator: ",").map(String.init) }
    guard !names.isEmpty else {
      for key in ["route", "permutations", "groups", "memory_limit"] where keys[key] != nil {
        throw bad("'\(key)' belongs to 'measures', which names none")
      }
      return nil
    }
    var measures: [any Measure] = []
    for name in names {
      let name = name.trimmingCharacters(in: .whitespaces)
      do {
        let next = try MeasuresCommand.measure(named: name)
        if !measures.contains(where: { $0.name == next.name }) { measures.append(next) }
      } catch let error as ValidationError { throw bad("'measures': \(error.message)") }
    }
    var route = MeasureRoute.automatic
    if let text = try text("route") {
      guard let known = MeasureRoute(rawValue: text) else {
        throw bad(
          "'route' is '\(text)', expected "
            + MeasureRoute.allCases.map(\.rawValue).joined(separator: ", "))
      }
      route = known
    }
    let (permutations, groups) = (try number("permutations"), try number("groups"))
    let limit = try number("memory_limit") ?? 8
    for (key, value, most) in [
      ("permutations", permutations ?? 0, 100_000), ("groups", groups ?? 0, 1000),
      ("memory_limit", limit, 1_000_000),
    ] where value > most { throw bad("'\(key)' is \(value), expected at most \(most)") }
    return AnalysisCatalog.measures(
      measures, route: route, permutations: permutations, groups: groups,
      memoryLimit: limit << 30)
  }

  /// A model's weights or folder are meant beside the study.
  private func besides(_ model: String) -> String {
    if let equals = model.firstIndex(of: "=") {
      let file = String(model[model.index(after: equals)...])
      return file.isEmpty ? model : model[...equals] + beside(file)
    }
    guard let name = try? Address(parsing: model).model,
      FileManager.default.fileExists(atPath: beside(name))
    else { return model }
    return beside(name) + model.dropFirst(name.count)
  }

  private func beside(_ file: String) -> String {
    file.hasPrefix("/")
      ? file : URL(filePath: path).deletingLastPathComponent().appending(path: file).path
  }

  private func text(_ key: String) throws -> String? {
    guard let node = keys[key] else { return nil }
    guard let text = node.string else { throw bad("'\(key)': expected a text") }
    return text
  }

  private func number(_ key: String) throws -> Int? {
    guard let node = keys[key] else { return nil }
    guard let number = node.int, number >= 0 else {
      throw bad("'\(key)': expected a whole number from 0")
    }
    return number
  }

  private func list(_ key: String) throws -> [String] {
    guard let node = keys[key] else { return [] }
    if let one = node.string { return [one] }
    guard let sequence = node.sequence else { throw bad("'\(key)': expected a list") }
    return try sequence.map {
      guard let text = $0.string else { throw bad("'\(key)': expected a list of texts") }
      return text
    }
  }

  private func bad(_ problem: String) -> CommandError {
    CommandError("\(path): \(problem)", code: 65)
  }
}

/// Which options were typed.
struct Given {
  private let words: [String]

  init(_ arguments: [String]) { words = arguments }

  func callAsFunction(_ names: String...) -> Bool {
    words.contains { word in names.contains { word == $0 || word.hasPrefix("\($0)=") } }
  }
}
