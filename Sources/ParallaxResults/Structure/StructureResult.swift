/// The structure of representations: CKA between all sub-layers of some models, and numbers that say how uniform each model
/// is, where it changes, and which layers of one model correspond to which of another.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 3 (the heat maps); the numbers are our choice.
public struct StructureResult: Codable, Sendable, Equatable {
  /// What a sub-layer is.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// Before the first block.
    case stem
    /// The output of a normalisation.
    case norm
    /// The output of an attention branch.
    case attention
    /// The hidden activations of a perceptron.
    case hidden
    /// The output of a perceptron's branch.
    case mlp
    /// The output of a convolution.
    case convolution
    /// A sum of skip connection and branch inside a block.
    case sum
    /// The output of a block.
    case block
  }

  /// One model's numbers.
  public struct Model: Codable, Sendable, Equatable {
    /// `transformer`, `convolutional`, ….
    public var design: String
    /// What each sub-layer is, in the order of the sites.
    public var kinds: [Kind]
    /// The block that each sub-layer belongs to, from 0; −1 before the first.
    public var units: [Int]
    /// Mean CKA of two different sub-layers: how uniform the model is.
    public var uniformity: IntervalEstimate
    /// Mean CKA between the sub-layers of the first third of the depth and those of the last.
    public var lowToHigh: IntervalEstimate
    /// How much more alike sub-layers of one kind are than sub-layers of two kinds, at equal distance in blocks.
    public var grid: IntervalEstimate
    /// How much more alike sub-layers on one side of the best cut are than those on two sides: the strength of two stages.
    public var cut: IntervalEstimate
    /// The sub-layer that the best cut comes before; nil where there are too few.
    public var cutAt: Int?
    /// The edge between neighbouring sub-layers, over a window on both sides: mean CKA within the sides less mean CKA
    /// across; one fewer than sites, nil where the window does not fit.
    public var edges: [Double?]
    /// Mean edge where an architecture's stage begins, less the mean edge elsewhere; undefined with one stage.
    public var stageEdges: IntervalEstimate

    /// A model's numbers from their parts.
    public init(
      design: String, kinds: [Kind], units: [Int], uniformity: IntervalEstimate,
      lowToHigh: IntervalEstimate,
      grid: IntervalEstimate, cut: IntervalEstimate, cutAt: Int?, edges: [Double?],
      stageEdges: IntervalEstimate
    ) {
      (self.design, self.kinds, self.units, self.uniformity) = (design, kinds, units, uniformity)
      (self.lowToHigh, self.grid, self.cut, self.cutAt) = (lowToHigh, grid, cut, cutAt)
      (self.edges, self.stageEdges) = (edges, stageEdges)
    }
  }

  /// Which layers of one model correspond to which of another.
  public struct Correspondence: Codable, Sendable, Equatable {
    /// Index of the model whose layers look for partners.
    public var a: Int
    /// Index of the model that they find them in.
    public var b: Int
    /// Spearman's correlation between a sub-layer's depth and that of its strongest partner.
    public var monotonicity: IntervalEstimate
    /// Mean relative depth of the strongest partners of `a`'s first, middle and last third.
    public var partnerDepths: [IntervalEstimate]
    /// Mean CKA with the strongest partner, for the same thirds.
    public var strengths: [IntervalEstimate]
    /// The depth of `b` that the best-matching path has reached at half of `a`'s depth.
    public var half: IntervalEstimate

    /// A correspondence from its parts.
    public init(
      a: Int, b: Int, monotonicity: IntervalEstimate, partnerDepths: [IntervalEstimate],
      strengths: [IntervalEstimate], half: IntervalEstimate
    ) {
      (self.a, self.b, self.monotonicity) = (a, b, monotonicity)
      (self.partnerDepths, self.strengths, self.half) = (partnerDepths, strengths, half)
    }
  }

  /// CKA of all pairs of sub-layers; its findings are empty.
  public var similarity: SimilarityResult
  /// Which sub-layers: `full` (six a transformer block) or `sparse` (four).
  public var layers: String
  /// Times that all images were seen, each time in other blocks.
  public var passes: Int
  /// Numbers of each model, in the order of `similarity.models`.
  public var models: [Model]
  /// Of all ordered pairs of two models.
  public var correspondences: [Correspondence]
  /// Choices and who made them.
  public var switches: [Switch]
  /// What the numbers say.
  public var findings: [Finding]

  /// A result from its parts.
  public init(
    similarity: SimilarityResult, layers: String, passes: Int, models: [Model],
    correspondences: [Correspondence], switches: [Switch], findings: [Finding]
  ) {
    (self.similarity, self.layers, self.passes) = (similarity, layers, passes)
    (self.models, self.correspondences) = (models, correspondences)
    (self.switches, self.findings) = (switches, findings)
  }

  /// Half the window of an edge, in sub-layers.
  public static let window = 6
}

extension StructureResult {
  /// Every number as rows of `results.csv`.
  public func tidyRows() -> [TidyRow] {
    let estimator = "\(similarity.estimator), minibatch"
    func row(
      _ measure: String, _ a: String, _ b: String = "", x: String = "",
      _ estimate: IntervalEstimate
    ) -> TidyRow {
      TidyRow(
        analysis: "structure", measure: measure, a: a, b: b, x: x, value: estimate.value,
        low: estimate.low, high: estimate.high, n: similarity.images, estimator: estimator)
    }
    var rows = similarity.tidyRows().map { row in
      var row = row
      row.analysis = "structure"
      return row
    }
    for (model, sites) in zip(models, similarity.models) {
      for (measure, estimate) in [
        ("uniformity", model.uniformity), ("low to high", model.lowToHigh), ("grid", model.grid),
        ("best cut", model.cut), ("stage edges", model.stageEdges),
      ] { rows.append(row(measure, sites.name, "", x: "", estimate)) }
      for (index, edge) in model.edges.enumerated() {
        rows.append(
          row(
            "edge", sites.address(index), sites.address(index + 1), x: "", IntervalEstimate(edge)))
      }
    }
    for pair in correspondences {
      let (a, b) = (similarity.models[pair.a].name, similarity.models[pair.b].name)
      rows.append(row("monotonicity of partners", a, b, pair.monotonicity))
      rows.append(row("depth of the path at half", a, b, x: "0.5", pair.half))
      for (third, name) in ["first third", "middle third", "last third"].enumerated() {
        rows.append(row("depth of partners", a, b, x: name, pair.partnerDepths[third]))
        rows.append(row("CKA with partners", a, b, x: name, pair.strengths[third]))
      }
    }
    return rows
  }
}
