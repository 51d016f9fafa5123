import Parallax

/// The analyses that `study` runs in its pass: one line each.
enum AnalysisCatalog {
  /// Makes an analysis from what a job has.
  typealias Maker = @Sendable (Job.Material) throws -> any StudyAnalysis

  /// By name, in the order of the report.
  static let all: [(name: String, make: Maker)] = [
    ("similarity", similarity(SimilarityOptions()))
  ]

  /// CKA of all pairs of sites.
  static func similarity(_ options: SimilarityOptions) -> Maker {
    let (route, estimator) = (options.route, options.estimator)
    return { material in
      try SimilarityAnalysis(
        material.representations, of: material.subjects, images: material.images.samples.count,
        blockSize: material.blockSize, route: route, estimator: estimator, seed: material.seed)
    }
  }
}
