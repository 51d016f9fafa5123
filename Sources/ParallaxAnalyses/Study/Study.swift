import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// One job: some models, some images, some analyses in one pass, one run folder.
///
/// ```swift
/// let clip = try Catalog.load(.name("clip-vit-base-patch16"))
/// let images = try ImageSet("photos")
/// var study = try Study("CLIP on my photos", [clip], images)
/// let sites = try study.representations()
/// let similarity = try SimilarityAnalysis(sites, of: study.pass.subjects, images: images.samples.count, blockSize: 64)
/// try study.run([similarity], into: RunFolder(URL(filePath: "runs/clip")))
/// ```
public struct Study {
  /// What the report is called.
  public var title: String
  /// The command that makes the run again, as typed in a shell.
  public var command = ""
  /// The version of Parallax, as the provenance names it.
  public var version = "0.1.0"
  /// The seed of every random choice.
  public var seed: UInt64 = 0
  /// The side in pixels of the images on the contact sheet; 0 for none.
  public var thumbnailSide = 72
  /// Images on the contact sheet, at most; they are spread over the classes.
  public var thumbnailLimit = 600
  /// Called with what was read and what was not, before results are made of it: what they refuse may follow from that.
  public var afterPass: (Pass.Outcome) -> Void = { _ in }
  /// The element type in which analyses that need derivatives compute; passes run in float32.
  public var dtype = "float32"
  /// The pass: models, images, block size, batch size, where its state is kept.
  public var pass: Pass
  private let models: [LoadedModel]

  /// A study of some models on some images.
  ///
  /// - Parameters:
  ///   - title: what the report is called.
  ///   - models: in the order of the figures.
  ///   - images: the data set.
  /// - Throws: `ImageError.preprocessing`, `AnalysisError.imageSize`, where a model cannot take the images that
  ///   its own preprocessing makes.
  public init(_ title: String, _ models: [LoadedModel], _ images: ImageSet) throws {
    self.title = title
    self.models = models
    pass = Pass(subjects: try models.map { try Subject($0) }, images: images)
    pass.order = .shuffled
  }

  /// All blocks of all models, with the tokens that suit each site.
  public func representations() throws -> [Representation] {
    try pass.subjects.flatMap { try $0.representations() }
  }

  /// Runs the pass and writes results, tables and provenance; the page is the report's affair.
  ///
  /// Nothing of a run is written before it has ended, but the state that a later call goes on from. That state stays
  /// until all results are written, so a full disk costs no more than the writing.
  ///
  /// - Parameters:
  ///   - analyses: what is to be computed; afterwards they hold their results.
  ///   - run: the folder.
  /// - Returns: what was read and what was not.
  /// - Throws: `AnalysisError.interrupted`, `ResultsError.unwritable`, and what images, models and analyses throw.
  @discardableResult
  public func run(_ analyses: [any StudyAnalysis], into run: RunFolder) throws -> Pass.Outcome {
    try run.create()
    let (start, isOld) = (Date(), run.exists)
    var pass = pass
    let seen = Set(analyses.flatMap { $0.wanted.map(\.model) })
    if seen.contains(Subject.picturesName) { pass.subjects.append(try Subject.pictures()) }
    pass.subjects += analyses.flatMap(\.companions)
    return try pass.run(analyses) { outcome in
      let passed = Date()
      afterPass(outcome)
      for case let one as any PiecewiseAnalysis in analyses { try one.rehearse() }
      var rows: [TidyRow] = []
      for analysis in analyses { rows += try analysis.write(into: run) }
      try run.write(rows)
      try run.write(contactSheet(outcome))
      try run.write(
        provenance(
          outcome, began: start,
          seconds: [
            "pass": passed.timeIntervalSince(start),
            "results": Date().timeIntervalSince(passed),
          ], sources: analyses.flatMap(\.sources)))
      if isOld { run.removeLeftovers(of: analyses.map(\.name), before: start) }
    }
  }

  private func provenance(
    _ outcome: Pass.Outcome, began: Date, seconds: [String: Double],
    sources: [Provenance.Source]
  ) -> Provenance {
    let images = pass.images
    var classes: [String: Int] = [:]
    for place in outcome.samples {
      if let name = images.samples[place].className { classes[name, default: 0] += 1 }
    }
    var found = Provenance(
      title: title, command: command,
      versions: ["parallax": version, "libtorch": LibTorch.version],
      models: zip(models, pass.subjects).map { model, subject in
        Provenance.Model(
          name: model.name, family: model.family, summary: model.summary,
          fingerprint: model.fingerprint, preprocessing: subject.preprocessing.fingerprint,
          origin: model.origin, licence: model.licence, caveat: model.caveat,
          parameters: model.parameterCount, seconds: outcome.seconds[model.name])
      },
      images: images.path, imagesHash: images.fingerprint, imageCount: outcome.samples.count,
      classes: classes,
      skipped: (images.skipped + outcome.skipped).map {
        Provenance.Skipped(path: $0.path, reason: $0.reason)
      },
      seed: seed, device: pass.subjects.first?.device.description ?? "cpu", dtype: dtype,
      batchSize: pass.batchSize, threads: Threads.count, date: began.ISO8601Format(),
      seconds: seconds)
    found.sources = sources.isEmpty ? nil : sources
    return found
  }

  /// Small pictures of the images, the same number of each class where there are too many for all.
  private func contactSheet(_ outcome: Pass.Outcome) -> SampleTable {
    let samples = outcome.samples.map { pass.images.samples[$0] }
    var turns: [String: Int] = [:]
    let ranked = samples.enumerated().map { place, sample -> (turn: Int, place: Int) in
      turns[sample.className ?? "", default: 0] += 1
      return (turns[sample.className ?? ""] ?? 0, place)
    }
    let shown = Set(
      ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }
        .prefix(thumbnailSide > 0 ? thumbnailLimit : 0).map(\.place))
    return SampleTable(
      rows: samples.enumerated().map { place, sample in
        SampleTable.Row(
          id: sample.id, className: sample.className, sha256: sample.sha256,
          thumbnail: shown.contains(place) ? thumbnail(sample) : nil)
      })
  }

  /// A picture that has become unreadable since the pass is no reason to lose the run.
  private func thumbnail(_ sample: Sample) -> Data? {
    let image = try? ImageBuffer(decoding: URL(filePath: sample.path), alpha: pass.alpha)
    return try? image?.thumbnail(side: thumbnailSide).jpegData(quality: 80)
  }
}
