/// The measures that are known by name.
public enum MeasureCatalog {
  /// One line a measure.
  public static let measures: [any Measure] = [
    CKA(),
    CKA(estimator: .biased),
    CKA(kernel: .rbf(0.5)),
    CKA(kernel: .rbf(0.5), estimator: .biased),
    AngularCKA(),
    HSIC(),
    HSIC(estimator: .biased),
    RSA(),
    RSA(.pearson),
    RSA(.kendall),
    RSA(.cosine),
    RSA(distance: .euclidean),
    RSA(.pearson, distance: .euclidean),
    RSA(.kendall, distance: .euclidean),
    RSA(.cosine, distance: .euclidean),
    RSMNormDifference(),
    RSMNormDifference(.triangle),
    RSMNormDifference(.spectral),
    DistanceCorrelation(),
    DistanceCorrelation(estimator: .biased),
    MutualKNN(),
    JaccardSimilarity(),
    NeighbourhoodOverlap(),
    SecondOrderCosineSimilarity(),
    RankSimilarity(),
    RankSimilarity(joint: true),
    CycleKNN(),
    LCSKNN(),
    EditKNN(),
    CKNNA(),
    InformationImbalance(),
    InformationImbalance(distance: .cosine),
    InformationImbalance(normalization: .zeroBased),
    SymmetricInformationImbalance(),
  ]

  /// The measure of that name; nil where there is none.
  public static subscript(name: String) -> (any Measure)? {
    measures.first { $0.name == name }
  }
}
