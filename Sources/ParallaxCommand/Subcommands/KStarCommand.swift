import ArgumentParser
import Foundation
import Parallax

struct KStarCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "kstar",
    abstract: "How latent spaces hold concepts: k* distributions of the images' classes.",
    discussion: """
      k* of an image is the rank of its first neighbour of another class, over the images of its own. Where the values of a \
      class are skewed to 0 the class is fractured, where to 1 clustered, between them it overlaps with others. Of every \
      model some blocks, evenly spread, and its last site are looked at, or what @SITES says. Beside it: how well neighbours \
      classify, hubs, silhouettes, intrinsic dimensions, and maps to look around in: by principal components and, of up to 1000 images \
      or with --map tsne, by exact t-SNE; of the last space, and of those that --map-layers names.

      Classes are the folders of the images, or the labels of a .csv list; --label-map FILE (class,superclass a line) makes \
      concepts of them. --bank FOLDER counts the images among those of another folder. --features FILE takes features of any \
      origin instead of models: a folder that extract wrote, .safetensors, or .npy with --labels. --corruption looks once more at \
      changed images, and says how far \u{393} and the mean k*/n move. --accuracy FILE (model,value a line) sets what somebody measured \
      beside \u{393}.

      Example:  parallax kstar clip-vit-base-patch16 efficientnet-lite0 --limit 240
      """)

  @Argument(help: ArgumentHelp("Models, MODEL@SITES or MODEL@SITES#TOKENS.", valueName: "model"))
  var addresses: [String] = []

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var kStar: KStarOptions

  @Option(
    help: ArgumentHelp(
      "Features instead of models: a folder that extract wrote, .safetensors or .npy.",
      valueName: "path"))
  var features: String?

  @Option(
    help: ArgumentHelp(
      "The features' classes: a label a line, .csv with a column label or class, .npy, .safetensors.",
      valueName: "file"))
  var labels: String?

  @Option(
    help: ArgumentHelp(
      "Count the images among those of another folder or list, such as the training set.",
      valueName: "path"))
  var bank: String?

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/kstar-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func validate() throws {
    guard features == nil || addresses.isEmpty else {
      throw ValidationError("models or --features, not both")
    }
    guard features != nil || !addresses.isEmpty else {
      throw ValidationError("expected a model at least, or --features")
    }
    guard features != nil || labels == nil else {
      throw ValidationError("--labels belongs to --features; images have classes by their folders")
    }
    if features != nil, let option = unusable {
      throw ValidationError("\(option) is for models; --features are there already")
    }
    guard features != nil || kStar.distance != .precomputed else {
      throw ValidationError("--distance precomputed: of models there is no matrix of distances")
    }
  }

  /// The first option that was set and means nothing of features that are there already.
  private var unusable: String? {
    let (loading, plain) = (models.loading, PassOptions.unset)
    let all: [(String, Bool)] = [
      ("--bank", bank != nil), ("--noise", kStar.noise != nil),
      ("--corruption", !kStar.corruption.isEmpty), ("--images", images.images != nil),
      ("--limit", images.limit != nil), ("--minimum-class-size", images.minimumClassSize != 1),
      ("--strict", images.strict), ("--alpha", images.alpha != .overWhite),
      ("--sites", models.sites != nil), ("--tokens", models.tokens != nil),
      ("--random-weights", loading.randomWeights != nil), ("--device", loading.device != "cpu"),
      ("--every-node", loading.everyNode), ("--as-shipped", loading.asShipped),
      ("--dtype", pass.dtype != plain.dtype), ("--batch-size", pass.batchSize != plain.batchSize),
      ("--block-size", pass.blockSize != plain.blockSize),
      ("--workers", pass.workers != plain.workers),
      ("--spaces", kStar.spaces != 6), ("--memory-limit", kStar.memoryLimit != 8),
    ]
    return all.first { $0.1 }?.0
  }

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let options = try kStar.options(seed: pass.seed)
    if let features { return try run(features, options, progress) }
    let names = try ModelOptions.checked(addresses)
    let held = try bank.map { path in
      try ImageSet(path, minimumClassSize: images.minimumClassSize, strict: images.strict)
    }
    let job = Job(
      title: { $0 == 1 ? "How one model holds concepts" : "How \($0) models hold concepts" },
      output: output ?? Runs.name("kstar", names))
    let finished = try job.run(
      addresses, models, images, pass,
      [
        AnalysisCatalog.kStar(options, bank: held) { [pass, images] in
          pass.apply(to: &$0, images, $1)
        }
      ], progress)
    try finished.show(as: form) {
      let result: KStarResult? = try finished.run.result(analysis: "kstar")
      return result.map(Self.lines) ?? []
    }
  }

  /// Features that are there already.
  private func run(
    _ path: String, _ options: KStarAnalysis.Options, _ progress: ProgressLine
  ) throws {
    let start = Date()
    let javaScript = try Runs.javaScript()
    let file = try FeatureFile(path, labels: labels)
    Interruption.listen()
    let kept = KeptSpaces(
      of: file, options, in: CacheFolder.url.appending(path: "states"), version: Version.parallax,
      resumes: pass.resume)
    let result: KStarResult
    do {
      result = try file.kStar(options, keeping: kept, isInterrupted: { Interruption.isAsked }) {
        progress.update(measure: "k*", share: $0)
      }
    } catch {
      progress.end()
      throw error
    }
    progress.end()
    if result.models.isEmpty, let first = result.refusals.first {
      throw CommandError("\(path), \(first.address): \(first.reason)", code: 65)
    }
    let stem = URL(filePath: path).deletingPathExtension().lastPathComponent
    let folder = try Runs.prepared(output ?? Runs.name("kstar", [stem]))
    try folder.write(result, analysis: "kstar")
    try folder.write(result.tidyRows())
    try folder.write(file.table())
    let seconds = Date().timeIntervalSince(start)
    var provenance = Provenance(
      title: "How features hold concepts", command: Runs.commandLine(),
      versions: ["parallax": Version.parallax, "libtorch": LibTorch.version], models: [],
      images: path, imagesHash: file.sources.first?.hash ?? "", imageCount: result.images.count,
      classes: Dictionary(
        zip(
          result.classes,
          result.classes.indices.map { place in
            result.labels.count { $0 == place }
          }), uniquingKeysWith: { first, _ in first }), skipped: [], seed: pass.seed,
      device: "cpu", dtype: file.spaces[0].features.dtype.description, batchSize: 0,
      threads: Threads.count, date: start.ISO8601Format(), seconds: ["results": seconds])
    provenance.sources = file.sources + (try kStar.sources())
    try folder.write(provenance)
    try folder.write(html: Report.html(of: folder, javaScript: javaScript))
    kept.forget()
    let finished = Job.Finished(
      run: folder,
      summary: Job.Summary(
        run: folder.url.path, report: folder.report.path, models: result.models.map(\.name),
        images: result.images.count, skipped: 0, seconds: seconds), skipped: [], seconds: seconds)
    try finished.show(as: form) { Self.lines(result) }
  }

  /// What a person reads: every space of every model, the models in order, what was refused and found.
  static func lines(_ result: KStarResult) -> [String] {
    var lines = [table(result).text]
    let (ranked, unranked) = (result.ranked, result.unranked)
    func last(_ models: [KStarResult.Model], _ text: (KStarResult.Space) -> String) -> String {
      models.compactMap { model in model.spaces.last.map { "\(model.name) \(text($0))" } }
        .joined(separator: "; ")
    }
    func number(_ one: IntervalEstimate) -> String {
      let ends = one.low.flatMap { low in
        one.high.map { String(format: " [%.2f, %.2f]", low, $0) }
      }
      return (one.value.map { String(format: "%.2f", $0) } ?? "–") + (ends ?? "")
    }
    if ranked.count + unranked.count > 1, !ranked.isEmpty {
      lines.append(
        "from the least fractured, by gamma: "
          + last(ranked) { "\(number($0.aggregates.macroMean)) \($0.basis)" })
    }
    if !unranked.isEmpty {
      lines.append(
        "without gamma, for no concept has a skewness: "
          + last(unranked) { "(\($0.lack))" })
    }
    if result.plain.count > 1 {
      lines.append(
        "from the most clustered, by mean k*/n over all concepts: "
          + last(result.rankedByMean) { number($0.aggregates.mean) })
    }
    if let note = KStarResult.leftOut(result.outsideClasses) { lines.append(note) }
    lines += result.refusals.map { "no value: \($0.address): \($0.reason)" }
    for model in result.models {
      for space in model.spaces where !space.coincident.isEmpty {
        lines.append(Self.coincident(space, model, result))
      }
    }
    return lines + result.findings.map(\.line)
  }

  private static func coincident(
    _ space: KStarResult.Space, _ model: KStarResult.Model, _ result: KStarResult
  ) -> String {
    let pairs = space.coincident.reduce(0) { $0 + $1.pairs }
    let group = space.coincident[0]
    let first = group.images.first
    let other =
      group.bank.first
      ?? group.images.first { place in first.map { result.labels[$0] } != result.labels[place] }
      .map { result.images[$0] }
    return
      "\(space.address(model.name)): \(pairs) pair\(pairs == 1 ? "" : "s") of images of different classes coincide, such as \(first.map { result.images[$0] } ?? "–") and \(other ?? "–")"
  }

  private static func table(_ result: KStarResult) -> Table {
    func number(_ value: Double?, _ digits: Int = 2) -> String {
      value.map { String(format: "%.\(digits)f", $0) } ?? "–"
    }
    let rows = result.models.flatMap { model in
      model.spaces.map { space -> [String] in
        let all = space.aggregates
        let interval =
          all.macroMean.low.map { "\(number($0)) to \(number(all.macroMean.high))" } ?? "–"
        // In brackets those of whose resamples too few have the pattern.
        func count(_ pattern: KStarResult.Pattern) -> String {
          let own = space.concepts.filter { $0.pattern == pattern }
          let open = result.resamples >= 20 ? own.count { !$0.isDecided } : 0
          return "\(own.count)" + (open > 0 ? " (\(open)?)" : "")
        }
        return [
          model.name, space.site, number(all.macroMean.value), interval,
          "\(space.withSkewness)/\(all.concepts)", count(.fractured), count(.overlapped),
          count(.clustered), number(all.mean.value),
          number(space.neighbourhood.accuracy.map { 100 * $0 }, 1),
          number(space.neighbourhood.silhouette), "\(space.tied)",
        ]
      }
    }
    let voters = Set(result.models.flatMap(\.spaces).map(\.neighbourhood.neighbours)).sorted()
    return Table(
      header: [
        "model", "site", "gamma", "95 %", "over", "fractured", "overlapped", "clustered",
        "mean k*/n", "\(voters.map(String.init).joined(separator: "/"))-NN %", "silhouette", "ties",
      ], rows: rows)
  }
}
