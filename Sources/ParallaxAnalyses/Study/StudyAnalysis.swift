import ParallaxResults

/// An analysis whose result has a place in a run folder.
public protocol StudyAnalysis: Accumulator {
  /// Other forms of the models that it wants to see in the same pass, such as one with a part taken out.
  var companions: [Subject] { get }
  /// What it read beside the images of the run, such as others to compare them with.
  var sources: [Provenance.Source] { get }

  /// Writes the result to `results/NAME.json`, and what belongs to it to `tensors/`, once the pass has ended.
  ///
  /// - Parameter run: the folder.
  /// - Returns: every number of the result as rows of `results.csv`.
  /// - Throws: `ResultsError.unwritable`, and what the analysis refuses.
  func write(into run: RunFolder) throws -> [TidyRow]
}

extension StudyAnalysis {
  /// None.
  public var companions: [Subject] { [] }
  /// None.
  public var sources: [Provenance.Source] { [] }
}

/// An analysis that goes on computing once the pass has ended: it can be stopped then, and tells how far it is.
///
/// Whoever runs it sets both; a new analysis only declares them.
public protocol LongAnalysis: StudyAnalysis {
  /// Asked now and then; where it says yes, the run stops and what was found stays.
  var isInterrupted: () -> Bool { get set }
  /// Told what is computed and how much of it is done, from 0 to 1.
  var progress: (_ part: String, _ share: Double) -> Void { get set }
}

/// A long analysis that finds one piece after another, each of which is kept once it is there: a run that is killed goes on with the next.
public protocol PiecewiseAnalysis: LongAnalysis {
  /// Called where ``Accumulator/state()`` holds more than before; it may write that to disk.
  var keep: () throws -> Void { get set }

  /// Tries what must work at every place, such as a derivative, before the first piece is begun.
  ///
  /// - Throws: `AnalysisError.site` with the place at which it does not.
  func rehearse() throws
}

extension PiecewiseAnalysis {
  /// Nothing to try.
  public func rehearse() throws {}
}

extension SimilarityAnalysis: StudyAnalysis {
  /// Writes `results/similarity.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each pair of sites.
  /// - Throws: `MeasureError.tooFew`, `ResultsError.unwritable`.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
