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
    CCA(),
    CCA(.squaredCorrelations),
    SVCCA(),
    PWCCA(),
    PWCCA(weights: .left),
    PWCCA(weights: .right),
    LinearRegression(),
    GULP(),
    GULP(squared: true),
    EigenspaceOverlap(),
    Procrustes(),
    Procrustes(normalized: false),
    ShapeMetric(),
    ShapeMetric(alpha: 0.5),
    ShapeMetric(alpha: 0),
    ShapeMetric(.euclidean, alpha: 0.5),
    ShapeMetric(.euclidean, alpha: 0),
    NBS(),
    PermutationProcrustes(),
    AlignedCosine(),
    CorrelationMatch(.hard),
    CorrelationMatch(.soft),
  ]

  /// The measure of that name; nil where there is none.
  public static subscript(name: String) -> (any Measure)? {
    measures.first { $0.name == name }
  }
}
