import ParallaxMeasures
import ParallaxResults

/// Puts CKA of all pairs of representations in a row into one matrix for each two models.
struct SimilarityTable {
  /// The models; their sites one after another are the rows of the matrix.
  let models: [ModelSites]
  /// What refusals call each row.
  let addresses: [String]
  /// Why the route was taken.
  let reason: String
  let blockSize: Int
  let estimator: Estimator
  let seed: UInt64

  private var ranges: [Range<Int>] {
    var start = 0
    return models.map { model in
      defer { start += model.sites.count }
      return start..<start + model.sites.count
    }
  }

  /// The result, without findings.
  func result(_ matrix: CKAMatrix) -> SimilarityResult {
    let ranges = ranges
    var matrices: [SimilarityResult.Matrix] = []
    for a in ranges.indices {
      for b in a..<ranges.count {
        matrices.append(part(matrix, a, b, ranges[a], ranges[b]))
      }
    }
    let hasErrors = matrix.standardErrors != nil
    return SimilarityResult(
      measure: "CKA", estimator: estimator.rawValue, route: matrix.route.rawValue,
      routeReason: reason, blockSize: blockSize, images: matrix.images, blocks: matrix.blocks,
      imagesLeftOut: matrix.skipped.reduce(0) { $0 + $1.images }, dtype: "float32", seed: seed,
      errorMethod: hasErrors
        ? "delete-group jackknife over \(matrix.groups) groups of blocks" : nil,
      errorGroups: hasErrors ? matrix.groups : 0, models: models, matrices: matrices,
      refusals: matrix.refusals.map {
        SimilarityResult.Refusal(address: addresses[$0.index], reason: $0.description)
      })
  }

  private func part(
    _ matrix: CKAMatrix, _ a: Int, _ b: Int, _ rows: Range<Int>, _ columns: Range<Int>
  ) -> SimilarityResult.Matrix {
    let baseline = a == b ? nil : matrix.shuffled?.summary(rows: rows, columns: columns)
    return SimilarityResult.Matrix(
      a: a, b: b, values: rows.map { row in columns.map { matrix[row, $0] } },
      errors: matrix.standardErrors == nil
        ? nil : rows.map { row in columns.map { matrix.standardError(row, $0) } },
      shuffled: baseline.map {
        SimilarityResult.Baseline(
          mean: $0.mean, quantile95: $0.quantile95,
          shuffles: matrix.shuffled?.draws.count ?? 0)
      })
  }
}
