/// The singular values of what layers do to small changes of a picture: of the Jacobian J = ∂O/∂a at that picture.
///
/// a: pixels in [0, 1], n of them; O: everything that a layer holds, D numbers.
///
/// > Source: Badger, 2022, arXiv 2211.06496, for the dimension test and the condition number; the local form is our reconstruction.
public struct SpectrumResult: Codable, Sendable, Equatable {
  /// A number that lies between two others, or is known: then they are equal.
  public struct Bounded: Codable, Sendable, Equatable {
    /// Not below this.
    public var low: Double
    /// Not above this.
    public var high: Double

    /// A number between two others.
    public init(_ low: Double, _ high: Double) { (self.low, self.high) = (low, high) }

    /// Whether it is known.
    public var isExact: Bool { low == high }
  }

  /// One layer at one picture.
  public struct Picture: Codable, Sendable, Equatable {
    /// Which of the images, from 0.
    public var image: Int
    /// `decomposition`, `gram` or `bidiagonalisation`.
    public var method: String
    /// Steps of a bidiagonalisation; nil where J was decomposed as a whole.
    public var steps: Int?
    /// σ₁ ≥ σ₂ ≥ … : all, or the leading ones whose residual is at most 5 % of them.
    public var values: [Double]
    /// The largest residual over its value.
    public var residual: Double
    /// Whether these are all min(D, n).
    public var isComplete: Bool
    /// ‖J‖²_F.
    public var squaredNorm: Double
    /// Its standard error; 0 where it is exact.
    public var squaredNormError: Double
    /// #{σ > τσ₁}.
    public var rank: Bounded
    /// exp(H(σ/Σσ)).
    public var effectiveRank: Bounded

    /// A picture's numbers.
    public init(
      image: Int, method: String, steps: Int?, values: [Double], residual: Double,
      isComplete: Bool, squaredNorm: Double, squaredNormError: Double, rank: Bounded,
      effectiveRank: Bounded
    ) {
      (self.image, self.method, self.steps, self.values) = (image, method, steps, values)
      (self.residual, self.isComplete) = (residual, isComplete)
      (self.squaredNorm, self.squaredNormError) = (squaredNorm, squaredNormError)
      (self.rank, self.effectiveRank) = (rank, effectiveRank)
    }

    /// σ₁/σ_i, i from 1; nil where σ_i is not known or 0.
    ///
    /// - Parameter index: i.
    /// - Returns: the condition number of the leading i directions.
    public func condition(at index: Int) -> Double? {
      guard index >= 1, values.indices.contains(index - 1), let first = values.first,
        values[index - 1] > 0
      else { return nil }
      return first / values[index - 1]
    }

    /// κ_r = σ₁/σ_r at the rank r; nil where the rank is only bounded.
    public var condition: Double? { rank.isExact ? condition(at: Int(rank.low)) : nil }

    /// ‖J‖²_F/σ₁², the stable rank: how many directions as strong as the first would hold as much; nil where J is 0.
    public var stableRank: Double? {
      values.first.flatMap { $0 > 0 ? squaredNorm / ($0 * $0) : nil }
    }

    /// The share of ‖J‖²_F that the first i values hold.
    ///
    /// - Parameter index: i.
    /// - Returns: a share up to 1; nil where J is 0.
    public func energy(of index: Int) -> Double? {
      guard squaredNorm > 0 else { return nil }
      return min(1, values.prefix(index).reduce(0) { $0 + $1 * $1 } / squaredNorm)
    }
  }

  /// A layer.
  public struct Layer: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// The stage that it belongs to.
    public var stage: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// D, the numbers of one image's embedding.
    public var features: Int
    /// Picture after picture.
    public var pictures: [Picture]

    /// A layer from its parts.
    public init(site: String, stage: String, depth: Double, features: Int, pictures: [Picture]) {
      (self.site, self.stage, self.depth) = (site, stage, depth)
      (self.features, self.pictures) = (features, pictures)
    }
  }

  /// A model and its layers.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// The name of the model of which this is a changed form; nil where it is none.
    public var derivedFrom: String?
    /// What was changed.
    public var change: String?
    /// Its layers in execution order.
    public var layers: [Layer] = []

    /// A model without layers.
    public init(
      name: String, family: String, design: String, height: Int, width: Int, twinOf: String?
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width, self.twinOf) = (height, width, twinOf)
    }

    /// n, the numbers of an image.
    public var inputs: Int { 3 * height * width }

    /// Whether D < n: then infinitely many pictures share each embedding, whatever the layer computes.
    ///
    /// The test is sufficient: D ≥ n does not make an embedding unique.
    ///
    /// - Parameter layer: one of the model's.
    /// - Returns: whether the layer is too small.
    public func isTooSmall(_ layer: Layer) -> Bool { layer.features < inputs }

    /// n − rank, the dimensions of pictures in which the layer does not see a small step.
    ///
    /// - Parameter picture: of one of the layers.
    /// - Returns: the nullity.
    public func nullity(_ picture: Picture) -> Bounded {
      Bounded(Double(inputs) - picture.rank.high, Double(inputs) - picture.rank.low)
    }
  }

  /// The ids of the images, in their order.
  public var images: [String]
  /// τ of the rank.
  public var threshold: Double
  /// Values that a bidiagonalisation looked for.
  public var count: Int
  /// k: the most values above the threshold that every layer has, at which condition numbers are compared.
  public var compared: Int
  /// The seed of first vectors and probes.
  public var seed: UInt64
  /// The element type of the products.
  public var dtype: String
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, untrained twins last.
  public var models: [Model] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    images: [String], threshold: Double, count: Int, compared: Int, seed: UInt64, dtype: String
  ) {
    (self.images, self.threshold, self.count) = (images, threshold, count)
    (self.compared, self.seed, self.dtype) = (compared, seed, dtype)
  }

  /// Every number as rows of `results.csv`: `b` is the image, `x` the layer's relative depth, and of the singular values the index.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.layers.flatMap { layer in
        let address = "\(model.name)@\(layer.site)"
        func row(
          _ measure: String, _ value: Double?, _ b: String = "", low: Double? = nil,
          high: Double? = nil, x: String? = nil, estimator: String = ""
        ) -> TidyRow {
          TidyRow(
            analysis: "spectrum", measure: measure, a: address, b: b, x: x ?? "\(layer.depth)",
            value: value, low: low, high: high, n: 1, estimator: estimator)
        }
        func row(_ measure: String, _ number: Bounded, _ b: String, _ estimator: String)
          -> TidyRow
        {
          row(
            measure, number.isExact ? number.low : nil, b, low: number.low, high: number.high,
            estimator: estimator)
        }
        return [
          row("features", Double(layer.features)), row("inputs", Double(model.inputs)),
          row("features over inputs", Double(layer.features) / Double(max(1, model.inputs))),
          row("too small to be unique", model.isTooSmall(layer) ? 1 : 0),
        ]
          + layer.pictures.flatMap { one in
            let b = images.indices.contains(one.image) ? images[one.image] : ""
            let way = one.method
            let error = one.squaredNormError
            return [
              row("sigma 1", one.values.first, b, estimator: way),
              row("rank", one.rank, b, way), row("nullity", model.nullity(one), b, way),
              row("effective rank", one.effectiveRank, b, way),
              row("condition at rank", one.condition, b, estimator: way),
              row("condition at \(compared)", one.condition(at: compared), b, estimator: way),
              row(
                "squared norm", one.squaredNorm, b,
                low: error > 0 ? one.squaredNorm - 2 * error : nil,
                high: error > 0 ? one.squaredNorm + 2 * error : nil, estimator: way),
              row("stable rank", one.stableRank, b, estimator: way),
              row("energy of the first \(compared)", one.energy(of: compared), b, estimator: way),
            ]
              + one.values.enumerated().map {
                row("sigma", $1, b, x: "\($0 + 1)", estimator: way)
              }
          }
      }
    }
  }
}
