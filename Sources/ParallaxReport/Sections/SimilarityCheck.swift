import ParallaxResults

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct SimilarityCheck {
  let result: SimilarityResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    for a in result.models.indices {
      for b in result.models.indices where a <= b {
        let (rows, columns) = (result.models[a].sites.count, result.models[b].sites.count)
        guard let matrix = result.matrices.first(where: { $0.a == a && $0.b == b }) else {
          return "the matrix of models \(a) and \(b) is missing"
        }
        for cells in [matrix.values, matrix.errors ?? matrix.values] {
          guard rows > 0, columns > 0, cells.count == rows,
            cells.allSatisfy({ $0.count == columns })
          else { return "the matrix of models \(a) and \(b) is not \(rows) by \(columns)" }
        }
      }
    }
    return nil
  }
}
