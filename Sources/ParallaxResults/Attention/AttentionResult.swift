/// How far each head of each layer looks, and how widely it spreads its attention.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 4 and figures 3 and 4; ``switches`` says which choices are ours.
public struct AttentionResult: Codable, Sendable, Equatable {
  /// A number with its 95 % interval.
  public typealias Estimate = IntervalEstimate

  /// One head of a layer.
  public struct Head: Codable, Sendable, Equatable {
    /// The mean over images of its mean attention distance, in pixels; the interval is over images.
    public var distance: Estimate
    /// The standard deviation over images; nil where there are fewer than two.
    public var distanceDeviation: Double?
    /// The mean entropy of its attention, in nats; nil where it was not computed.
    public var entropy: Estimate
    /// Its standard deviation over images.
    public var entropyDeviation: Double?

    /// A head from its parts.
    public init(
      distance: Estimate, distanceDeviation: Double?, entropy: Estimate, entropyDeviation: Double?
    ) {
      (self.distance, self.distanceDeviation) = (distance, distanceDeviation)
      (self.entropy, self.entropyDeviation) = (entropy, entropyDeviation)
    }
  }

  /// One layer with attention.
  public struct Layer: Codable, Sendable, Equatable {
    /// The site of the pattern: `blocks.3.attn.pattern`.
    public var site: String
    /// Where it stands, from 0 (the first layer with attention) to 1 (the last).
    public var depth: Double
    /// Windows an image; 1 where all tokens see all.
    public var windows: Int
    /// Positions of the grid, from above downwards.
    public var rows: Int
    /// Positions of the grid, from left to right.
    public var columns: Int
    /// Pixels from one position to the next.
    public var step: Int
    /// The distance in pixels of attention that is the same everywhere.
    public var uniformDistance: Double
    /// Its entropy in nats.
    public var uniformEntropy: Double
    /// The heads, in the model's order.
    public var heads: [Head]

    /// A layer from its parts.
    public init(
      site: String, depth: Double, windows: Int, rows: Int, columns: Int, step: Int,
      uniformDistance: Double, uniformEntropy: Double, heads: [Head]
    ) {
      (self.site, self.depth, self.windows) = (site, depth, windows)
      (self.rows, self.columns, self.step) = (rows, columns, step)
      (self.uniformDistance, self.uniformEntropy) = (uniformDistance, uniformEntropy)
      self.heads = heads
    }

    /// The heads' numbers from the one that looks least far to the one that looks farthest; heads without a distance are
    /// left out.
    public var sorted: [Int] {
      heads.indices.filter { heads[$0].distance.value != nil }.sorted {
        (heads[$0].distance.value ?? 0, $0) < (heads[$1].distance.value ?? 0, $1)
      }
    }

    /// The site without what every pattern has: `blocks.3`.
    public var block: String {
      var parts = site.split(separator: ".").map(String.init)
      if parts.count > 1 { parts.removeLast() }
      if parts.count > 1, ["attn", "attention"].contains(parts[parts.count - 1]) {
        parts.removeLast()
      }
      return parts.joined(separator: ".")
    }
  }

  /// A model's layers.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// The images' sides in pixels.
    public var height: Int
    /// The images' sides in pixels.
    public var width: Int
    /// Tokens that are no patches.
    public var otherTokens: Int
    /// In execution order.
    public var layers: [Layer]

    /// A model from its parts.
    public init(
      name: String, family: String, height: Int, width: Int, otherTokens: Int, layers: [Layer]
    ) {
      (self.name, self.family) = (name, family)
      (self.height, self.width, self.otherTokens) = (height, width, otherTokens)
      self.layers = layers
    }

    /// Whether attention is kept inside windows somewhere.
    public var isWindowed: Bool { layers.contains { $0.windows > 1 } }
  }

  /// Images that entered.
  public var images: Int
  /// The element type of the activations.
  public var dtype: String
  /// The seed of the run; no number here depends on it.
  public var seed: UInt64
  /// Groups of images that were left out in turn for the findings' intervals; 0 for none.
  public var groups: Int
  /// What became of the weight on class, register and distillation tokens: `drop` or `renorm`.
  public var others: String
  /// The models that attend, in the order asked for.
  public var models: [Model]
  /// Every choice, and whose it is.
  public var switches: [Switch] = []
  /// Models that were left out, and layers without a value, with the reasons.
  public var refusals: [SimilarityResult.Refusal] = []
  /// What the numbers say about the paper's findings.
  public var findings: [Finding] = []
  /// Subsets of first layers' heads against early layers of other models; empty without a convolutional network.
  public var subsets: [Subsets] = []
  /// Attention over some images; empty where none were asked for.
  public var maps: [Map] = []

  /// A result from its parts.
  public init(
    images: Int, dtype: String, seed: UInt64, groups: Int, others: String, models: [Model]
  ) {
    (self.images, self.dtype, self.seed) = (images, dtype, seed)
    (self.groups, self.others, self.models) = (groups, others, models)
  }
}
