extension SimilarityResult {
  /// A site and the site of another model that it is most similar to.
  public struct Partner: Codable, Sendable, Equatable {
    /// The row.
    public var site: Int
    /// The column of the largest value; nil where the whole row is undefined.
    public var partner: Int?
    /// The largest value.
    public var value: Double?
    /// The lower end of its 95 % interval.
    public var low: Double?
    /// The upper end.
    public var high: Double?
  }

  /// The strongest partner among model `b`'s sites of each site of model `a`.
  ///
  /// With itself, a site's partner is another site. Ties go to the earlier site.
  public func partners(_ a: Int, _ b: Int) -> [Partner] {
    guard let matrix = matrix(a, b) else { return [] }
    return matrix.values.enumerated().map { row, values in
      var best: (column: Int, value: Double)?
      for (column, value) in values.enumerated() where a != b || column != row {
        if let value, best.map({ value > $0.value }) ?? true { best = (column, value) }
      }
      let ends = interval(
        best?.value, error: best.flatMap { matrix.errors?[row][$0.column] })
      return Partner(
        site: row, partner: best?.column, value: best?.value, low: ends?.low, high: ends?.high)
    }
  }

  /// The path from the first pair of sites to the last, forward in both models, whose mean similarity is
  /// largest.
  ///
  /// - Returns: pairs (row, column); empty where no cell is defined. An undefined cell on the
  ///   way counts neither for nor against a path.
  public func path(_ a: Int, _ b: Int) -> [(row: Int, column: Int)] {
    MatchedPath.best(matrix(a, b)?.values ?? [])
  }
}
