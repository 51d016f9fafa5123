import Foundation

/// The residual stream: at each sum z + f(z) how much goes past the branch, z, and how much the branch adds, f(z).
///
/// Of each token or position ‖z‖/‖f(z)‖ and a cosine, over images; of models with a class token where along depth it and the
/// spatial tokens change roles; CKA of all layers with the skips of a block taken out.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 7, 8, E.1 and E.2.
public struct ResidualResult: Codable, Sendable, Equatable {
  /// What a branch does.
  public enum Part: String, Codable, Sendable, CaseIterable {
    /// Attention of tokens among themselves.
    case attention
    /// A perceptron on each token or position.
    case mlp
    /// A perceptron over the tokens of each channel.
    case mixing
    /// The long branch of a unit of convolutions.
    case branch
  }

  /// One sum z + f(z).
  public struct Connection: Codable, Sendable, Equatable {
    /// Its path: `blocks.3.residual2`.
    public var site: String
    /// The block that it lies in.
    public var block: String
    /// What its branch does.
    public var part: Part
    /// Where its block stands, from 0 (the first) to 1 (the last).
    public var depth: Double
    /// Rows of the grid of spatial tokens or positions; 0 where they fill none.
    public var rows: Int
    /// Columns of the grid.
    public var columns: Int
    /// Tokens before the spatial ones: class, registers, distillation.
    public var others: Int
    /// ‖z‖/‖f(z)‖, mean over spatial tokens.
    public var ratio = IntervalEstimate(nil)
    /// The same of the class token; undefined where there is none.
    public var classRatio = IntervalEstimate(nil)
    /// The cosine, mean over spatial tokens.
    public var cosine = IntervalEstimate(nil)
    /// The same of the class token.
    public var classCosine = IntervalEstimate(nil)
    /// Mean ‖z‖ over spatial tokens.
    public var skipNorm: Double?
    /// Mean ‖f(z)‖ over spatial tokens.
    public var branchNorm: Double?
    /// ‖z‖/‖f(z)‖ of each token: others first, then the grid row by row; of large maps the means of its cells.
    public var tokens: [Double?] = []
    /// The cosine of each token.
    public var cosines: [Double?] = []
    /// Rows of the grid that ``tokens`` has.
    public var shownRows = 0
    /// Its columns.
    public var shownColumns = 0
    /// log₂ of the ratios on the grid as a PNG, from −``ResidualResult/span`` (blue) to ``ResidualResult/span`` (orange); empty
    /// without a grid.
    public var picture = Data()
    /// Ratios of an image and token that are undefined, for ‖f(z)‖ is 0 or something is not finite.
    public var undefined = 0

    /// A connection without its numbers.
    public init(
      site: String, block: String, part: Part, depth: Double, rows: Int, columns: Int, others: Int
    ) {
      (self.site, self.block, self.part, self.depth) = (site, block, part, depth)
      (self.rows, self.columns, self.others) = (rows, columns, others)
    }
  }

  /// Where class and spatial tokens change roles: D = log₂ of the class token's ratio less log₂ of the spatial tokens', mean
  /// over the branches of a block.
  public struct Transition: Codable, Sendable, Equatable {
    /// Mean D over the first half of the blocks.
    public var early: IntervalEstimate
    /// Mean D over the second half.
    public var late: IntervalEstimate
    /// `early` less `late`.
    public var change: IntervalEstimate
    /// The relative depth where D goes from above 0 to below, linear between blocks; undefined where it does not.
    public var crossing: IntervalEstimate

    /// A transition from its parts.
    public init(
      early: IntervalEstimate, late: IntervalEstimate, change: IntervalEstimate,
      crossing: IntervalEstimate
    ) {
      (self.early, self.late, self.change, self.crossing) = (early, late, change, crossing)
    }
  }

  /// A model and its sums.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network: `ViT`, `ResNet`, ….
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// Whether the first token is a class token.
    public var hasClassToken: Bool
    /// Register and distillation tokens after it.
    public var registers: Int
    /// Its sums, in execution order.
    public var connections: [Connection]
    /// Where class and spatial tokens change roles; nil without a class token.
    public var transition: Transition?

    /// A model from its parts.
    public init(
      name: String, family: String, design: String, hasClassToken: Bool, registers: Int,
      connections: [Connection]
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.hasClassToken, self.registers) = (hasClassToken, registers)
      self.connections = connections
    }
  }

  /// CKA of all layers of a model, whole and without the skips of one block.
  public struct Removal: Codable, Sendable, Equatable {
    /// Index of the model.
    public var model: Int
    /// The block whose skips are zero.
    public var block: String
    /// The layers: of each sum its branch and the sum itself.
    public var layers: [String]
    /// How many layers lie before the block.
    public var before: Int
    /// How many lie in it.
    public var within: Int
    /// CKA of the whole model, row by row; nil where a layer has none.
    public var intact: [[Double?]]
    /// CKA without the skips.
    public var ablated: [[Double?]]
    /// Mean CKA of the whole model between layers before the block and after it.
    public var acrossIntact: IntervalEstimate
    /// The same without the skips.
    public var acrossAblated: IntervalEstimate
    /// Mean CKA of the whole model of pairs that are both before the block or both after it.
    public var insideIntact: IntervalEstimate
    /// The same without the skips.
    public var insideAblated: IntervalEstimate
    /// How much the gap between inside and across grows when the skips go.
    public var split: IntervalEstimate
    /// Images that entered.
    public var images: Int
    /// Blocks of images.
    public var blocks: Int

    /// A removal without numbers.
    public init(model: Int, block: String, layers: [String], before: Int, within: Int) {
      (self.model, self.block, self.layers) = (model, block, layers)
      (self.before, self.within) = (before, within)
      (intact, ablated, images, blocks) = ([], [], 0, 0)
      let none = IntervalEstimate(nil)
      (acrossIntact, acrossAblated) = (none, none)
      (insideIntact, insideAblated, split) = (none, none, none)
    }
  }

  /// Images that entered.
  public var images: Int
  /// Groups of images that were left out in turn for intervals; 0 for none.
  public var groups: Int
  /// The run's seed.
  public var seed: UInt64
  /// The element type of the activations.
  public var dtype: String
  /// `mean of ratios` or `ratio of means`.
  public var aggregation: String
  /// What the cosine is between: `z and z + f(z)` or `z and f(z)`.
  public var cosine: String
  /// The largest |log₂ ratio| that pictures tell apart.
  public var span: Double = 0
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, in the order asked for.
  public var models: [Model]
  /// Models with skips taken out.
  public var removals: [Removal] = []
  /// Models without residual connections and blocks that were left out, with the reasons.
  public var refusals: [SimilarityResult.Refusal] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without switches and findings.
  public init(
    images: Int, groups: Int, seed: UInt64, dtype: String, aggregation: String, cosine: String,
    models: [Model]
  ) {
    (self.images, self.groups, self.seed, self.dtype) = (images, groups, seed, dtype)
    (self.aggregation, self.cosine, self.models) = (aggregation, cosine, models)
  }
}
