import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("The analysis of k* distributions")
struct KStarAnalysisTests {
  private func analysis(
    _ folder: TemporaryFolder, _ subjects: [Subject],
    _ set: ((inout KStarAnalysis.Options) -> Void)? = nil
  ) throws -> (KStarAnalysis, ImageSet) {
    let images = try ImageSet(folder.url.path)
    var options = KStarAnalysis.Options()
    set?(&options)
    let wanted = try subjects.flatMap { try $0.representations() }
    return (try KStarAnalysis(wanted, of: subjects, images: images, options: options), images)
  }

  @Test("blocks and the last site are looked at; k* is that of their features")
  func spaces() throws {
    let folder = try imageFolder(16, broken: [3])
    let subject = try smallSubject("small")
    let (analysis, images) = try analysis(folder, [subject])
    let recorder = Recorder(analysis.wanted)
    var pass = Pass(subjects: [subject], images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    _ = try pass.run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.images.count == 15 && result.classes == ["apes", "bees"])
    #expect(result.images == result.images.sorted())
    #expect(result.models[0].spaces.map(\.site) == ["blocks.0", "blocks.1", "blocks.2", "head"])
    #expect(result.models[0].spaces.map(\.depth).max() == 1)
    let seen = recorder.blocks.flatMap(\.samples)
    #expect(seen != seen.sorted())
    let order = seen.indices.sorted { seen[$0] < seen[$1] }
    for (index, space) in result.models[0].spaces.enumerated() {
      let features = Tensor.concatenated(try #require(recorder.features[index]), 0)
        .gathered(0, order)
      #expect(try KStar()(features, labels: result.labels).ranks == space.ranks)
      #expect(space.concepts.map(\.count) == [7, 8])
      #expect(space.neighbourhood.neighbours == 10 && space.neighbourhood.accuracy != nil)
      #expect((space.map == nil) == (index < 3))
    }
    let map = try #require(result.models[0].spaces.last?.map)
    #expect(map.images == Array(0..<15) && map.chains.count == 15)
    for (image, chain) in map.chains.enumerated() {
      let rank = result.models[0].spaces[3].ranks[image]
      #expect(chain.count == min(rank, 12))
      #expect(chain.dropLast().allSatisfy { result.labels[$0] == result.labels[image] })
      let breaker = try #require(result.models[0].spaces[3].breakers)[image]
      #expect(result.labels[breaker] != result.labels[image])
      if rank <= 12 { #expect(chain.last == breaker) }
    }
    #expect(map.trustworthiness != nil && result.refusals.isEmpty)
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "gamma macroMean" && $0.a == "small@head#flat" })
    #expect(rows.count { $0.measure == "skewness" } == 8)
    #expect(result.switches.contains { $0.name == "distance" && $0.origin == "paper" })
    #expect(result.findings.last?.quantity == "too few models: 1, expected 4 at least")
    #expect(result.findings.last?.verdict == .cannotTell)
    #expect(result.models[0].spaces.allSatisfy { $0.dtype == "float32" })
    #expect(rows.contains { $0.measure == "pattern" && $0.unit.contains("clustered") })
    #expect(rows.allSatisfy { $0.estimator.contains("float32") || $0.measure.contains("change") })
    // The change over depth has an interval, of the same images in both.
    let change = try #require(result.changes.first)
    #expect(change.kind == .depth && change.from == "small@blocks.0#cls")
    #expect(change.mean.low != nil && change.all == 2)
    #expect(result.findings.contains { $0.sentence.contains("fractures concepts less at head") })
  }

  @Test("of one space the last block is taken, and the last site")
  func oneSpace() throws {
    let subject = try smallSubject("small")
    let wanted = try subject.representations()
    let one = KStarAnalysis.chosen(wanted, [subject], among: [], 1)
    #expect(one.map(\.site.name) == ["blocks.2", "head"])
    #expect(
      KStarAnalysis.chosen(wanted, [subject], among: [], 2).map(\.site.name)
        == ["blocks.0", "blocks.2", "head"])
  }

  @Test("an interruption stops inside a space")
  func interruption() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let (analysis, images) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([analysis])
    var asked = 0
    analysis.isInterrupted = {
      asked += 1
      return asked > 2
    }
    #expect(throws: AnalysisError.interrupted) { try analysis.result() }
    #expect(asked == 3)
  }

  @Test("a state restores, and another width does not")
  func states() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let (first, images) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([first])
    let (second, _) = try analysis(folder, [subject])
    let state = Dictionary(uniqueKeysWithValues: first.state().map { ($0.name, $0.tensor) })
    #expect(second.restore(state))
    #expect(try second.result() == first.result())
    var narrow = state
    narrow["features.0"] = state["features.0"]?.sliced(1, 1)
    let (third, _) = try analysis(folder, [subject])
    #expect(!third.restore(narrow) && third.state().isEmpty)
  }

  @Test("superclasses, and classes that do not suffice")
  func classes() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    #expect(throws: AnalysisError.self) {
      try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal", "bees": "animal"] }
    }
    #expect(
      throws: AnalysisError.classes("the label map has no superclass for 'bees'")
    ) { try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal"] } }
    let (turned, images) = try analysis(folder, [subject]) {
      $0.superclasses = ["apes": "z", "bees": "a"]
    }
    _ = try Pass(subjects: [subject], images: images).run([turned])
    let (plain, _) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([plain])
    #expect(try turned.result().classes == ["a", "z"])
    #expect(
      try turned.result().models[0].spaces[0].ranks == plain.result().models[0].spaces[0].ranks)
    let few = try imageFolder(4)
    #expect(throws: AnalysisError.self) { try analysis(few, [subject]) }
    #expect(throws: AnalysisError.self) { try Concepts(of: [], superclasses: nil).check("x") }
  }

  @Test("tables of superclasses and of accuracies are read, or refused with their row")
  func tables() throws {
    let folder = try TemporaryFolder()
    func path(_ text: String) throws -> String {
      try folder.write(Array(text.utf8), "m.csv")
      return folder.url.appending(path: "m.csv").path
    }
    let map = try Concepts.superclasses(
      ofFile: path("class,superclass\nape,animal\n\"van, old\",\"a \"\"vehicle\"\"\"\n"))
    #expect(map == ["ape": "animal", "van, old": "a \"vehicle\""])
    let known = try Concepts.accuracies(ofFile: path("model,top-1 on ImageNet\nvit,81.2\nnet,70\n"))
    #expect(known.name == "top-1 on ImageNet" && known.ofModels == ["vit": 81.2, "net": 70])
    #expect(try Concepts.accuracies(ofFile: path("vit,0.5\n")).name == "accuracy")
    for (text, place) in [
      ("ape\n", "row 1"), ("ape,animal\nape,thing\n", "row 2"), ("", "names no class"),
      ("ape,animal,x\n", "row 1"),
    ] {
      do {
        _ = try Concepts.superclasses(ofFile: path(text))
        Issue.record("expected a refusal of \(text)")
      } catch { #expect("\(error)".contains(place)) }
    }
    for (text, place) in [
      ("vit,high\n", "row 1"), ("vit,1\nvit,2\n", "row 2"), ("model,value\n", "names no model"),
      ("vit,nan\n", "row 1"),
    ] {
      do {
        _ = try Concepts.accuracies(ofFile: path(text))
        Issue.record("expected a refusal of \(text)")
      } catch { #expect("\(error)".contains(place)) }
    }
  }

  @Test("images are counted among those of a bank")
  func banks() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14))
    let subject = try smallSubject("small")
    let (images, bankImages) = (try ImageSet(folder.url.path), try ImageSet(other.url.path))
    let wanted = try subject.representations()
    let chosen = KStarAnalysis.chosen(wanted, [subject], among: wanted, 6)
    #expect(chosen == wanted)
    let bank = try KStarBank(chosen, of: [subject], images: bankImages, queries: images)
    let analysis = try KStarAnalysis(
      wanted, of: [subject], images: images, among: wanted, bank: bank)
    let recorder = Recorder(chosen)
    _ = try Pass(subjects: [subject], images: images).run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.bank == 14 && result.models[0].spaces.last?.map == nil)
    let features = Tensor.concatenated(try #require(recorder.features[1]), 0)
    let expected = try KStar()(
      features, labels: [0, 0, 0, 0, 1, 1, 1, 1], bank: bank.features(wanted[1]),
      bankLabels: bank.labels(among: Concepts(["apes", "bees"])))
    #expect(result.models[0].spaces[1].ranks == expected.ranks)
    #expect(result.models[0].spaces[1].concepts.map(\.size) == [7, 7])
    #expect(result.models[0].spaces[1].breakers == nil)
    #expect(result.models[0].spaces.last?.mapNote?.contains("bank") == true)
    // The first eight pictures of the bank are the queries; of those the fifth to the seventh are apes there and bees here.
    let groups = result.models[0].spaces[0].coincident
    #expect(groups.map(\.images) == [[4], [5], [6]] && groups.allSatisfy { $0.pairs == 1 })
    #expect(groups.allSatisfy { group in group.bank.allSatisfy { bank.ids.contains($0) } })
    let lone = Concepts(["apes", "cats"])
    do {
      try bank.check(lone)
      Issue.record("expected a refusal")
    } catch {
      #expect("\(error)".contains("the bank has no image of the class 'cats': its k* would be 1"))
    }
  }

  @Test("a bank is checked before its pass, says what it could not read, and keeps its state")
  func bankPass() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14, broken: [3]))
    let subject = try smallSubject("small")
    let (images, bankImages) = (try ImageSet(folder.url.path), try ImageSet(other.url.path))
    let wanted = try subject.representations()
    var ran = false
    func bank(
      _ options: KStarAnalysis.Options = .init(), _ set: (inout Pass) -> Void = { _ in }
    ) throws -> KStarBank {
      ran = false
      return try KStarBank(
        wanted, of: [subject], images: bankImages, queries: images, options: options
      ) {
        ran = true
        set(&$0)
      }
    }
    var options = KStarAnalysis.Options()
    options.memoryLimit = 10
    #expect(throws: MeasureError.self) { try bank(options) }
    options = KStarAnalysis.Options()
    options.superclasses = ["apes": "x", "bees": "x"]
    #expect(throws: AnalysisError.self) { try bank(options) }
    #expect(!ran)
    #expect(throws: ImageError.self) { try bank { $0.strict = true } }
    let states = try TemporaryFolder()
    let held = try bank { $0.stateFolder = states.url }
    #expect(ran && held.count == 13 && held.ids.count == 13)
    #expect(held.source.skipped.count == 1 && held.source.count == 13 && !held.source.hash.isEmpty)
    #expect(states.names().count == 1)
    // Once more: no image is read again.
    let again = try bank {
      $0.stateFolder = states.url
      $0.isInterrupted = { true }
    }
    #expect(
      again.features(wanted[0]).scalars(Float.self) == held.features(wanted[0]).scalars(Float.self))
    held.forget()
    #expect(states.names().isEmpty)
  }

  @Test("noise is an image's own, whatever the batch, of the size that was asked for")
  func noise() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let model = CorruptedInputs(
      model: subject.model, corruption: .noise(1), mean: [0, 0, 0], std: [0.5, 0.5, 1], seed: 1)
    let x = RandomSource(seed: 2).normal([6, 3, 16, 16])
    let whole = model.corrupted(x)
    #expect(
      (model.corrupted(x.sliced(0, 3, 5)) - whole.sliced(0, 3, 5)).absolute().maximum()
        .item(Double.self) == 0)
    let size = (whole - x).sliced(1, 0, 2).squared().mean().item(Double.self).squareRoot()
    #expect(abs(size - 2) < 0.1)
    #expect(
      (whole - x).selected(0, 0).sum().item(Double.self)
        != (whole - x).selected(0, 1).sum().item(Double.self))
    let (analysis, images) = try analysis(folder, [subject]) {
      $0.corruptions = [.noise(0.1), .blur(1)]
    }
    #expect(analysis.companions.map(\.name) == ["small+noise0.1", "small+blur1.0"])
    _ = try Pass(subjects: [subject] + analysis.companions, images: images).run([analysis])
    let result = try analysis.result()
    #expect(result.models.map(\.original) == [nil, "small", "small"])
    #expect(result.models.map(\.corruption) == [nil, "noise 0.1", "blur 1.0"])
    #expect(result.plain.count == 1)
    // A number, an interval and a finding each.
    let changes = result.changes.filter { $0.kind == .corruption }
    #expect(changes.map(\.corruption) == ["noise 0.1", "blur 1.0"])
    #expect(changes.allSatisfy { $0.mean.low != nil && $0.from.hasPrefix("small@head") })
    for change in changes {
      let sentence =
        "\(change.corruption ?? "") on the images fractures the concepts of small at head"
      #expect(
        result.findings.count { $0.sentence == sentence && $0.value != nil && $0.low != nil } == 1)
    }
    #expect(
      result.switches.contains { $0.name == "corruption" && $0.value.contains("not clamped") })
    #expect(result.models[1].spaces.count == 4 && result.models[1].spaces.last?.map == nil)
    #expect(result.models[2].spaces[0].ranks != result.models[0].spaces[0].ranks)
    #expect(result.ranked.count + result.unranked.count == 1)
  }

  @Test(
    "corruptions are torchvision's and ImageNet-C's",
    arguments: [Corruption.blur(1.3), .contrast(0.4), .brightness(0.6)])
  func corruptions(_ corruption: Corruption) throws {
    let file = try Safetensors(fixtures.appending(path: "kstar/kstar.safetensors").path)
    let pixels = try #require(file["corrupted/pixels"])
    let (mean, std): ([Float], [Float]) = ([0.5, 0.4, 0.3], [0.2, 0.25, 0.5])
    let prepared =
      (pixels - Tensor(mean, shape: [1, 3, 1, 1])) / Tensor(std, shape: [1, 3, 1, 1])
    let model = CorruptedInputs(
      model: try smallSubject("small").model, corruption: corruption, mean: mean, std: std, seed: 0)
    let expected = try #require(file["corrupted/\(corruption)"])
    let difference = (model.corrupted(prepared) - expected).absolute().maximum().item(Double.self)
    #expect(difference < 2e-5, "\(difference)")
  }

  @Test("what no corruption is is none; one that images are too small for is refused")
  func corruptionLimits() throws {
    #expect(Corruption("noise", 0) == nil && Corruption("noise", 11) == nil)
    #expect(Corruption("contrast", 1) == nil && Corruption("jpeg", 0.5) == nil)
    #expect(Corruption("blur", 2) == .blur(2))
    let folder = try imageFolder(8)
    #expect(throws: AnalysisError.self) {
      try analysis(folder, [smallSubject("small")]) { $0.corruptions = [.blur(20)] }
    }
  }

  /// A file of features of models with concepts of given spreads.
  private func spaces(_ spreads: [(String, Double)], _ folder: TemporaryFolder) throws -> String {
    let labels = (0..<60).map { $0 % 6 }
    let centres = Tensor(
      labels.map { Double($0) * 10 } + labels.map { Double(($0 * 5) % 6) * 7 }, shape: [2, 60]
    ).transposed()
    let noise = RandomSource(seed: 4).normal([60, 2]).to(.float64)
    let path = folder.url.appending(path: "spaces.safetensors").path
    try Safetensors.write(
      spreads.map { ("\($0.0)@head", (centres + noise * $0.1).contiguous()) } + [
        ("labels", Tensor(labels.map(Int64.init), shape: [60]))
      ], to: path)
    return path
  }

  @Test("models whose concepts are all clustered are named, not dropped, and lead by the mean k*/n")
  func unranked() throws {
    let folder = try TemporaryFolder()
    let path = try spaces(
      [("perfect", 0.1), ("good", 0.3), ("poor", 6), ("bad", 20)], folder)
    let result = try FeatureFile(path).kStar(.init())
    #expect(Set(result.ranked.map(\.name)) == ["poor", "bad"])
    #expect(result.unranked.map(\.name) == ["good", "perfect"])
    let space = try #require(result.unranked[0].spaces.last)
    #expect(space.unskewed == "6 clustered" && space.basis.contains("over 0 of 6 concepts"))
    #expect(Array(result.rankedByMean.map(\.name).prefix(2)) == ["good", "perfect"])
    #expect(result.rankedByMean.count == 4)
    let perfect = try #require(result.findings.first { $0.sentence.contains("perfect holds") })
    #expect(perfect.verdict == .shows && perfect.value == 1)
    #expect(perfect.quantity.contains("no concept has a skewness: of 6 are 6 clustered"))
    let relation = try #require(result.findings.last)
    #expect(relation.quantity.contains("without Γ") && relation.quantity.contains("good, perfect"))
    let poor = try #require(result.findings.first { $0.sentence.contains("poor holds") })
    #expect(poor.quantity.contains("concepts"))
  }

  @Test(
    "given accuracies stand beside those of neighbours; of a model that is not there they are refused"
  )
  func accuracies() throws {
    let folder = try TemporaryFolder()
    let path = try spaces([("a", 6), ("b", 8), ("c", 12), ("d", 20)], folder)
    var options = KStarAnalysis.Options()
    options.accuracies = ("robust accuracy", ["a": 60, "b": 50, "c": 20, "d": 10])
    let result = try FeatureFile(path).kStar(options)
    #expect(result.accuracyName == "robust accuracy" && result.accuracies?["c"] == 20)
    let finding = try #require(result.findings.last)
    #expect(finding.sentence.contains("robust accuracy go together"))
    let pairs = KStarFindings(result: result).pairs { result.accuracies?[$0.name] }
    #expect(finding.value == KStarFindings.correlation(pairs.map(\.gamma), pairs.map(\.accuracy)))
    options.accuracies = ("robust accuracy", ["z": 1])
    #expect(throws: AnalysisError.self) { try FeatureFile(path).kStar(options) }
  }

  @Test("correlations over models have Fisher's interval, and directions of their own")
  func correlations() throws {
    let r = try #require(KStarFindings.correlation([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]))
    #expect(abs(r - 0.8) < 1e-12)
    let ends = try #require(KStarFindings.interval(r, count: 5))
    // SciPy's pearsonr(...).confidence_interval().
    #expect(abs(ends.0 - -0.2796) < 1e-3 && abs(ends.1 - 0.9862) < 1e-3)
    #expect(KStarFindings.correlation([1, 1, 1, 1], [1, 2, 3, 4]) == nil)
    #expect(KStarFindings.interval(0.5, count: 3) == nil)
  }
}

@Suite("Features of any origin")
struct FeatureFileTests {
  private func write(_ folder: TemporaryFolder, rows: Int = 12) throws -> Tensor {
    let x = RandomSource(seed: 4).normal([rows, 5])
    let path = folder.url.appending(path: "x.npy").path
    try Npy.write(rows: rows, rowShape: [5], dtype: .float32, to: path) { $0 == 0 ? x : nil }
    return x
  }

  @Test("arrays with labels of every kind give the same k*")
  func kinds() throws {
    let folder = try TemporaryFolder()
    let x = try write(folder)
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    let labels = (0..<12).map { Int64($0 % 2) }
    let numbers = Tensor(labels, shape: [12])
    try Npy.write(rows: 12, rowShape: [], dtype: .int64, to: path("y.npy")) {
      $0 == 0 ? numbers : nil
    }
    try folder.write(Array(labels.map { "\($0)\n" }.joined().utf8), "y.txt")
    try folder.write(
      Array(("id,class\n" + labels.map { "a,\($0)\n" }.joined()).utf8), "y.csv")
    try Safetensors.write([("labels", numbers)], to: path("y.safetensors"))
    try Safetensors.write(
      [("m@a#cls", x), ("m@b", x * 2), ("labels", numbers)], to: path("xy.safetensors"))
    let expected = try KStar()(x, labels: labels.map(Int.init)).ranks
    for name in ["y.npy", "y.txt", "y.csv", "y.safetensors"] {
      let result = try FeatureFile(path("x.npy"), labels: path(name)).kStar(.init())
      #expect(result.models.map(\.name) == ["x"])
      #expect(result.models[0].spaces[0].ranks == expected)
      #expect(result.classes == ["0", "1"] && result.images[3] == "row 3")
    }
    let both = try FeatureFile(path("xy.safetensors")).kStar(.init())
    #expect(both.models.map(\.name) == ["m"])
    #expect(both.models[0].spaces.map(\.site) == ["a", "b"])
    #expect(both.models[0].spaces.map(\.tokens) == ["cls", ""])
    #expect(both.models[0].spaces.allSatisfy { $0.ranks == expected })
  }

  @Test("layers of a .safetensors file are in the order in which people count")
  func naturalOrder() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([12, 5])
    let path = folder.url.appending(path: "x.safetensors").path
    let names = ["head", "blocks.10", "blocks.2", "blocks.0", "blocks.11"]
    try Safetensors.write(
      names.map { ($0, x) } + [("labels", Tensor((0..<12).map { Int64($0 % 2) }, shape: [12]))],
      to: path)
    let file = try FeatureFile(path)
    #expect(file.spaces.map(\.name) == ["blocks.0", "blocks.2", "blocks.10", "blocks.11", "head"])
    #expect(file.sources.map(\.role) == ["features"] && file.sources[0].hash.count == 64)
    let result = try file.kStar(.init())
    #expect(
      result.models[0].spaces.last?.site == "head" && result.models[0].spaces.last?.map != nil)
    #expect(
      result.switches.contains { $0.name == "sites" && $0.value.contains("digits as numbers") })
    // Eleven others, so many vote.
    #expect(result.switches.contains { $0.name == "neighbours that vote" && $0.value == "10" })
    for (a, b) in [
      ("a2", "a10"), ("a02", "a10"), ("a", "b"), ("a1", "a1b"), ("a1", "a01"), ("2", "a"),
    ] {
      #expect(NaturalOrder.precedes(a, b) && !NaturalOrder.precedes(b, a))
    }
    #expect(!NaturalOrder.precedes("a1", "a1"))
  }

  @Test("switches say what was done")
  func switches() throws {
    let folder = try TemporaryFolder()
    _ = try write(folder)
    let labels = (0..<12).map { "\($0 % 2)\n" }.joined()
    try folder.write(Array(labels.utf8), "y.txt")
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    var options = KStarAnalysis.Options()
    (options.metric, options.neighbours, options.resamples) = (.cosine, 500, 5)
    let result = try FeatureFile(path("x.npy"), labels: path("y.txt")).kStar(options)
    func value(_ name: String) -> String { result.switches.first { $0.name == name }?.value ?? "" }
    #expect(value("features").contains("of unit length"))
    #expect(value("neighbours that vote") == "11")
    #expect(value("intervals") == "none: 5 resamples, 20 are needed")
    let map = result.models[0].spaces[0].map
    #expect(map?.note == "of Euclidean distances, as the map is")
    #expect(result.models[0].spaces[0].concepts[0].dimensionNote == "of Euclidean distances alone")
  }

  @Test("a map that cannot be drawn is no reason to refuse the space")
  func noMap() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([12, 5]) * 1e25
    let path = folder.url.appending(path: "x.safetensors").path
    try Safetensors.write(
      [("x", x), ("labels", Tensor((0..<12).map { Int64($0 % 2) }, shape: [12]))], to: path)
    let space = try #require(try FeatureFile(path).kStar(.init()).models.first?.spaces.first)
    #expect(space.map == nil && space.mapNote?.contains("overflow") == true)
    #expect(space.breakers?.count == 12)
  }

  @Test("what does not fit is refused in a sentence")
  func refusals() throws {
    let folder = try TemporaryFolder()
    _ = try write(folder)
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    func refused(_ features: String, _ labels: String?, _ text: String) {
      do {
        _ = try FeatureFile(path(features), labels: labels.map(path)).kStar(.init())
        Issue.record("expected a refusal of \(features) \(labels ?? "")")
      } catch { #expect("\(error)".contains(text), "\(error)") }
    }
    try folder.write(Array("a\nb\n".utf8), "short.txt")
    try folder.write(Array(String(repeating: "a\n", count: 12).utf8), "one.txt")
    try folder.write(Array((0..<12).map { "c\($0)\n" }.joined().utf8), "single.txt")
    try folder.write(Array("x,y\na,b\n".utf8), "columns.csv")
    try folder.write(Array("no array".utf8), "bad.npy")
    let cut = Array(try folder.bytes("x.npy").dropLast(3))
    try folder.write(cut, "cut.npy")
    refused("x.npy", nil, "there are no classes; name a file of them with --labels")
    refused("x.npy", "short.txt", "expected a label for each of 12 images, found 2")
    refused("x.npy", "one.txt", "all images are of one class, 'a'")
    refused("x.npy", "single.txt", "the largest of 12 classes has 1 image, expected one with 3")
    refused("x.npy", "columns.csv", "none is called label or class")
    refused("x.npy", "x.npy", "expected whole numbers [images]")
    refused("bad.npy", "one.txt", "is no .npy file")
    refused("cut.npy", "one.txt", "needs 240 bytes")
    refused("none.npy", "one.txt", "there is no such file")
    refused("x.npy", "none.txt", "there is no such file of labels")
    refused("short.txt", "one.txt", "expected .npy, .safetensors")
    try FileManager.default.createDirectory(
      atPath: path("empty"), withIntermediateDirectories: true)
    refused("empty", nil, "has no index.json")
  }

  @Test("NaN is refused with the image's name, and other spaces go on")
  func notFinite() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([8, 3])
    let bad = Tensor.concatenated([x.sliced(0, 0, 5), x.sliced(0, 5, 6) / 0.0, x.sliced(0, 6)], 0)
    let path = folder.url.appending(path: "x.safetensors").path
    let labels = Tensor((0..<8).map { Int64($0 % 2) }, shape: [8])
    try Safetensors.write([("good", x), ("bad", bad), ("labels", labels)], to: path)
    let result = try FeatureFile(path).kStar(.init())
    #expect(result.refusals.map(\.address) == ["bad"])
    #expect(result.refusals[0].reason.contains("of row 5"))
    #expect(result.models[0].spaces.map(\.site) == ["good"])
  }
}
