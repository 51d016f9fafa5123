/// How similar the representations of some models are: one matrix for each model with itself and with
/// every other.
public struct SimilarityResult: Codable, Sendable, Equatable {
  /// A site whose similarity to anything is undefined, and why.
  public struct Refusal: Codable, Sendable, Equatable {
    /// `model@site#tokens`.
    public var address: String
    /// One sentence.
    public var reason: String

    /// A refusal from its parts.
    public init(address: String, reason: String) {
      (self.address, self.reason) = (address, reason)
    }
  }

  /// What shuffled pairs of images give: the level that chance reaches.
  public struct Baseline: Codable, Sendable, Equatable {
    /// The mean over cells and shuffles.
    public var mean: Double
    /// The level that 95 % of shuffled cells stay below.
    public var quantile95: Double
    /// The number of shuffles a cell.
    public var shuffles: Int

    /// A baseline from its parts.
    public init(mean: Double, quantile95: Double, shuffles: Int) {
      (self.mean, self.quantile95, self.shuffles) = (mean, quantile95, shuffles)
    }
  }

  /// The similarities of the sites of one model (rows) with those of another (columns).
  public struct Matrix: Codable, Sendable, Equatable {
    /// Index of the rows' model in `models`.
    public var a: Int
    /// Index of the columns' model in `models`; `a` itself for a model with itself.
    public var b: Int
    /// Row by row; nil where the value is undefined.
    public var values: [[Double?]]
    /// Standard errors, where they were estimated.
    public var errors: [[Double?]]?
    /// What shuffled pairs give; nil where it was not computed.
    public var shuffled: Baseline?

    /// A matrix from its parts.
    public init(
      a: Int, b: Int, values: [[Double?]], errors: [[Double?]]? = nil, shuffled: Baseline? = nil
    ) {
      (self.a, self.b, self.values) = (a, b, values)
      (self.errors, self.shuffled) = (errors, shuffled)
    }

    /// The matrix with rows and columns exchanged.
    public var transposed: Matrix {
      func turned(_ rows: [[Double?]]) -> [[Double?]] {
        (0..<(rows.first?.count ?? 0)).map { column in rows.map { $0[column] } }
      }
      return Matrix(
        a: b, b: a, values: turned(values), errors: errors.map(turned), shuffled: shuffled)
    }
  }

  /// The measure: `CKA`.
  public var measure: String
  /// `debiased` or `biased`.
  public var estimator: String
  /// `exact` (the whole set at once) or `minibatch` (sums over blocks, then one ratio).
  public var route: String
  /// Why that route.
  public var routeReason: String
  /// Images a block.
  public var blockSize: Int
  /// Images that entered.
  public var images: Int
  /// Blocks that entered; a last block of at most three images is left out.
  public var blocks: Int
  /// Images of blocks that were left out.
  public var imagesLeftOut: Int
  /// The element type of the activations.
  public var dtype: String
  /// The seed of the shuffles.
  public var seed: UInt64
  /// How standard errors were estimated; nil where they were not.
  public var errorMethod: String?
  /// The groups of blocks that standard errors come from; 0 where there are none.
  public var errorGroups: Int
  /// The models, in the order asked for.
  public var models: [ModelSites]
  /// For a ≤ b, each model with itself and every other.
  public var matrices: [Matrix]
  /// Sites without a value.
  public var refusals: [Refusal]
  /// What the numbers say, as ``conclusions(leavingOut:)`` found it.
  public var findings: [Finding]

  /// A result from its parts.
  public init(
    measure: String, estimator: String, route: String, routeReason: String, blockSize: Int,
    images: Int, blocks: Int, imagesLeftOut: Int, dtype: String, seed: UInt64,
    errorMethod: String?, errorGroups: Int = 0, models: [ModelSites], matrices: [Matrix],
    refusals: [Refusal],
    findings: [Finding] = []
  ) {
    (self.measure, self.estimator, self.route) = (measure, estimator, route)
    (self.routeReason, self.blockSize, self.images) = (routeReason, blockSize, images)
    (self.blocks, self.imagesLeftOut, self.dtype) = (blocks, imagesLeftOut, dtype)
    (self.seed, self.errorMethod, self.errorGroups) = (seed, errorMethod, errorGroups)
    self.models = models
    (self.matrices, self.refusals, self.findings) = (matrices, refusals, findings)
  }

  /// Half of a 95 % interval's width in standard errors: Student's t with one degree of freedom fewer than groups.
  public var intervalFactor: Double { StudentT.quantile975(degrees: errorGroups - 1) }

  /// The 95 % interval of a value; nil where there is no value or no error.
  public func interval(_ value: Double?, error: Double?) -> (low: Double, high: Double)? {
    value.flatMap { value in
      error.map { (value - intervalFactor * $0, value + intervalFactor * $0) }
    }
  }

  /// The matrix of model `a`'s sites (rows) with model `b`'s (columns), in either order.
  public func matrix(_ a: Int, _ b: Int) -> Matrix? {
    if let found = matrices.first(where: { $0.a == a && $0.b == b }) { return found }
    return matrices.first { $0.a == b && $0.b == a }?.transposed
  }
}
