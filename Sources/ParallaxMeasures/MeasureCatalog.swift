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
    RTDLite(),
    RTDLite(directed: true),
    IMD(),
    IMD(trace: .lanczos()),
    MagnitudeDifference(),
    UniformityDifference(),
    ConcentricityDifference(),
  ]

  /// The measure of that name; nil where there is none.
  public static subscript(name: String) -> (any Measure)? {
    measures.first { $0.name == name }
  }
}
