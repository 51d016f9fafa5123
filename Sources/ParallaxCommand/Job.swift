import Foundation
import Parallax

/// One pass of some models over some images into a run folder, and its report.
struct Job {
  /// The report's title, which may depend on how many models there are.
  var title: (_ models: Int) -> String
  var output: String
  /// Whether an analysis for which models, sites or images do not suffice is left out, and the reason told.
  var leavesOut = false
  /// What models were trained to do, where the user says it.
  var objectives: [(name: String, objective: Objective)] = []
  /// The seed of an untrained twin's weights beside each model; nil for none.
  var untrained: UInt64?

  /// Changed forms of models that stand beside them.
  var surgery: SurgeryOptions?
  /// What models are called instead, in their order; empty for their own names.
  var names: [String] = []
  /// Whether all models have one architecture, so that one untrained twin will do.
  var isOneArchitecture = false
  /// Whether the models are loaded in float64 too where the user asks for it.
  var allowsDouble = false

  /// How often all images are seen.
  var passes = 1
  /// Whether an analysis uses just as many images as are read, so that the next stands in for one that is unreadable.
  var needsReadable = false

  /// What analyses are made of.
  struct Material {
    var subjects: [Subject]
    var representations: [Representation]
    /// Input and stem of the models whose sites nobody chose.
    var beginnings: [Representation]
    /// Those of models whose sites somebody chose.
    var named: [Representation] = []
    var images: ImageSet
    /// The models in float64, by name, where that was asked for.
    var precise: [String: any Model] = [:]
    /// What becomes of transparency.
    var alpha = ImageBuffer.Alpha.overWhite
    var blockSize: Int
    var seed: UInt64
    var progress: ProgressLine
  }

  /// A run that has ended.
  struct Finished {
    var run: RunFolder
    var summary: Summary
    var skipped: [SkippedImage]
    var seconds: Double

    /// What a person reads.
    var text: String {
      let images =
        "\(summary.images) images, \(summary.models.count) model\(summary.models.count == 1 ? "" : "s")"
      return "\(images), \(ProgressLine.duration(seconds))\nreport: \(summary.report)"
    }

    /// Prints what was asked for.
    ///
    /// - Parameters:
    ///   - form: a table, JSON, or for a person.
    ///   - lines: what a person reads first.
    /// - Throws: what `lines` throws, and `ResultsError` where the table has gone.
    func show(as form: OutputOptions, _ lines: () throws -> [String] = { [] }) throws {
      switch form.chosen {
      case .json: print(try json(summary))
      case .csv: print(try table(), terminator: "")
      case nil:
        for line in try lines() { print(line) }
        print(text)
      }
    }

    /// What `--csv` prints: all numbers of the run.
    func table() throws -> String {
      let table = run.url.appending(path: "results.csv").path
      guard let data = FileManager.default.contents(atPath: table) else {
        throw ResultsError.missing(path: table, what: "has gone since it was written")
      }
      return String(decoding: data, as: UTF8.self)
    }
  }

  /// What `--json` prints.
  struct Summary: Codable {
    var run, report: String
    var models: [String]
    var images, skipped: Int
    var seconds: Double
  }

  func run(
    _ addresses: [String], _ models: ModelOptions, _ images: ImageOptions, _ options: PassOptions,
    _ analyses: [AnalysisCatalog.Maker], _ progress: ProgressLine
  ) throws -> Finished {
    let start = Date()
    _ = try ModelOptions.checked(addresses)
    if !allowsDouble { try options.refuseDouble() }
    let javaScript = try Runs.javaScript()
    let set = try images.set(readable: needsReadable)
    Skipped.tell(set.skipped, progress)
    var chosen = try models.load(addresses, progress)
    if names.count == chosen.count, Set(names).count == names.count {
      for (index, name) in names.enumerated() { chosen[index].model.name = name }
    }
    var twins: [ModelOptions.Chosen] = []
    if let untrained {
      let own = isOneArchitecture ? Array(chosen.prefix(1)) : chosen
      twins = try models.twins(of: own, seed: untrained, progress)
    }
    let forms = try surgery?.derived(
      of: chosen, twins: twins, seed: untrained, models.loading, progress)
    guard options.dtype == "float32" || forms?.isEmpty ?? true else {
      throw CommandError(
        "--dtype \(options.dtype): expected float32 with --remove and --swap, which change models that run in it",
        code: 64)
    }
    chosen += twins + (forms ?? [])
    for (name, _) in objectives where !chosen.contains(where: { $0.model.name == name }) {
      throw CommandError(
        "--objective names '\(name)', expected one of "
          + chosen.map(\.model.name).joined(separator: ", "), code: 64)
    }
    var study = try Study(title(chosen.count), chosen.map(\.model), set)
    study.command = Runs.commandLine()
    study.version = Version.parallax
    study.seed = options.seed
    study.afterPass = { Skipped.tell($0.skipped, progress) }
    options.apply(to: &study.pass, images, progress)
    study.pass.passes = passes
    study.dtype = options.dtype
    for (place, subject) in study.pass.subjects.enumerated() {
      study.pass.subjects[place].objective =
        objectives.first { $0.name == subject.name }?.objective ?? subject.objective
    }
    var material = Material(
      subjects: study.pass.subjects,
      representations: try zip(chosen, study.pass.subjects).flatMap {
        try $0.representations(of: $1)
      },
      beginnings: zip(chosen, study.pass.subjects).flatMap {
        $0.wishes.allSatisfy { $0.pattern == nil } ? $1.beginnings : []
      },
      named: try zip(chosen, study.pass.subjects).flatMap {
        $0.wishes.allSatisfy { $0.pattern == nil } ? [] : try $0.representations(of: $1)
      }, images: set, alpha: images.alpha, blockSize: options.blockSize, seed: options.seed,
      progress: progress)
    if options.dtype == "float64" {
      for one in chosen {
        let isTwin = twins.contains { $0.model.name == one.model.name }
        material.precise[one.model.name] = try models.precise(one, twin: isTwin ? untrained : nil)
      }
    }
    let accumulators = try analyses.compactMap { make -> (any StudyAnalysis)? in
      do {
        let analysis = try make(material)
        if let long = analysis as? any LongAnalysis {
          long.isInterrupted = { Interruption.isAsked }
          long.progress = { progress.update(measure: $0, share: $1) }
        }
        return analysis
      } catch let error as AnalysisError where leavesOut {
        progress.note("an analysis is left out: \(error)")
        return nil
      }
    }
    guard !accumulators.isEmpty else {
      throw AnalysisError.nothingAsked("no analysis suits these models and images")
    }
    let folder = try Runs.prepared(output)
    let outcome: Pass.Outcome
    do { outcome = try study.run(accumulators, into: folder) } catch {
      progress.end()
      throw error
    }
    try folder.write(html: Report.html(of: folder, javaScript: javaScript))
    let skipped = set.skipped + outcome.skipped
    let seconds = Date().timeIntervalSince(start)
    return Finished(
      run: folder,
      summary: Summary(
        run: folder.url.path, report: folder.report.path,
        models: study.pass.subjects.map(\.name), images: outcome.samples.count,
        skipped: skipped.count, seconds: seconds), skipped: skipped, seconds: seconds)
  }
}
