import ParallaxResults

/// An analysis whose result has a place in a run folder.
public protocol StudyAnalysis: Accumulator {
  /// Other forms of the models that it wants to see in the same pass, such as one with a part taken out.
  var companions: [Subject] { get }

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
