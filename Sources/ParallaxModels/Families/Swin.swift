import ParallaxTensors

/// The Swin Transformer, first and second version: attention inside windows that shift from block to block.
///
/// timm's `SwinTransformer` and `SwinTransformerV2`. Maps have the channels last; what is inside
/// attention has the windows of all images as its first dimension. The second version normalises after
/// each branch, compares queries and keys by their angle, and computes the bias of an offset with a small MLP.
/// timm's `attn.softmax` is the site `attn.pattern` here, as in other families.
///
/// > Source: Liu et al., 2021, arXiv 2103.14030; Liu et al., 2021, arXiv 2111.09883.
public struct Swin: Model {
  /// What distinguishes one Swin from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The side of the images in pixels.
    public var imageSize = 224
    /// The side of a patch in pixels.
    public var patch = 4
    /// The width of the first stage; each further one is twice as wide.
    public var width = 96
    /// Blocks a stage.
    public var depths = [2, 2, 6, 2]
    /// Attention heads a block, a stage each.
    public var heads = [3, 6, 12, 24]
    /// The side of a window in tokens.
    public var window = 7
    /// The width inside the MLP over that of the stream.
    public var mlpRatio = 4.0
    /// Outputs of the head; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-5
    /// Whether it is the second version.
    public var isSecond = false
    /// The windows that the second version was trained with before, a stage each; 0 for the same.
    public var pretrainedWindows = [0, 0, 0, 0]

    /// Swin-T.
    public init() {}
  }

  /// The variant.
  public let configuration: Configuration
  let projection: PatchEmbedding
  let projectionNorm: LayerNorm
  let stages: [Stage]
  let norm: LayerNorm
  let head: Linear?

  /// A Swin with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    projection = try PatchEmbedding(w["patch_embed"], c.width, patch: c.patch)
    projectionNorm = try LayerNorm(w["patch_embed.norm"], c.width, epsilon: c.epsilon)
    stages = try c.depths.indices.map { try Stage(w["layers.\($0)"], c, stage: $0) }
    let last = c.width << (c.depths.count - 1)
    norm = try LayerNorm(w["norm"], last, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["head.fc"], last, c.classes) : nil
  }

  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }
  /// The size that windows and masks were made for.
  public var fixedImageSize: (height: Int, width: Int)? {
    (configuration.imageSize, configuration.imageSize)
  }

  /// The head's output `[batch, classes]`, or without a head the mean of the last map `[batch, width]`.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let input = tap("input", images, as: .map)  // [b, 3, h, w]
    let map = projection.map(input, tap["patch_embed"]).permuted(0, 2, 3, 1)
    // [b, h / 4, w / 4, c]
    var x = tap.through("patch_embed.norm", map, .norm, as: .positions) { projectionNorm($0) }
    x = tap("patch_embed", x, as: .positions)
    for (index, stage) in stages.enumerated() {
      let name = "layers.\(index)"
      if tap.isSatisfied { return x }
      if let merging = stage.merging {
        x = tap("\(name).downsample", merging(x, tap["\(name).downsample"]), as: .positions)
      }
      for (number, block) in stage.blocks.enumerated() {
        if tap.isSatisfied { return x }
        let site = "\(name).blocks.\(number)"
        x = tap.block(site, block(x, tap[site]), as: .positions)
      }
      x = tap(name, x, as: .positions)
    }
    if tap.isSatisfied { return x }
    x = tap.through("norm", x, .norm, as: .positions) { norm($0) }
    x = tap("head.global_pool", x.mean(over: [1, 2]))  // [b, c]
    return head.map { tap("head", tap("head.fc", $0(x))) } ?? x
  }

  /// Blocks on one grid, with the merging before them.
  struct Stage: Sendable {
    let merging: Merging?
    let blocks: [Block]

    init(_ w: Weights, _ c: Configuration, stage: Int) throws {
      let width = c.width << stage
      merging = stage > 0 ? try Merging(w["downsample"], width / 2, c) : nil
      var grid = c.imageSize / c.patch
      for _ in 0..<stage { grid = (grid + 1) / 2 }
      // A grid no larger than a window is one window, and nothing shifts.
      let side = min(grid, c.window)
      let indices = RelativePositions.indices(side: side)
      let index = Tensor(indices.map(Int64.init), shape: [indices.count]).to(w.device)
      let still = Windows(side: side, shift: 0, grid: grid, w.device)
      let shifted = Windows(
        side: side, shift: grid <= c.window ? 0 : c.window / 2, grid: grid, w.device)
      blocks = try (0..<c.depths[stage]).map {
        try Block(
          w["blocks.\($0)"], c, width, heads: c.heads[stage],
          pretrained: c.pretrainedWindows[stage], $0 % 2 == 0 ? still : shifted, index)
      }
    }
  }

  /// Four neighbours joined and projected to twice the width.
  struct Merging: Sendable {
    let norm: LayerNorm
    let reduction: Linear
    let isSecond: Bool

    init(_ w: Weights, _ width: Int, _ c: Configuration) throws {
      isSecond = c.isSecond
      norm = try LayerNorm(w["norm"], (isSecond ? 2 : 4) * width, epsilon: c.epsilon)
      reduction = try Linear(w["reduction"], 4 * width, 2 * width, bias: false)
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      let padded = input.padded([0, 0, 0, input.shape[2] % 2, 0, input.shape[1] % 2])
      let (b, h, w, c) = (padded.shape[0], padded.shape[1], padded.shape[2], padded.shape[3])
      let x = padded.reshaped(b, h / 2, 2, w / 2, 2, c).permuted(0, 1, 3, 4, 2, 5)
        .reshaped(b, h / 2, w / 2, 4 * c)
      if isSecond {
        let y = tap("reduction", reduction(x), as: .positions)
        return tap.through("norm", y, .norm, as: .positions) { norm($0) }
      }
      return tap(
        "reduction", reduction(tap.through("norm", x, .norm, as: .positions) { norm($0) }),
        as: .positions)
    }
  }

  /// Attention in windows and an MLP, each with a normalisation: before it, in the second version after it.
  struct Block: Sendable {
    let norm1: LayerNorm
    let attention: WindowAttention
    let norm2: LayerNorm
    let mlp: MLP
    let windows: Windows
    let isSecond: Bool

    init(
      _ w: Weights, _ c: Configuration, _ width: Int, heads: Int, pretrained: Int,
      _ windows: Windows, _ index: Tensor
    ) throws {
      (self.windows, isSecond) = (windows, c.isSecond)
      norm1 = try LayerNorm(w["norm1"], width, epsilon: c.epsilon)
      attention = try WindowAttention(
        w["attn"], width, heads: heads, side: windows.side, pretrained: pretrained,
        isSecond: c.isSecond, index)
      norm2 = try LayerNorm(w["norm2"], width, epsilon: c.epsilon)
      mlp = try MLP(w["mlp"], width, inner: Int(Double(width) * c.mlpRatio))
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      let shape = input.shape  // [b, h, w, c]
      func normed1(_ x: Tensor) -> Tensor {
        tap.through("norm1", x, .norm, as: .positions) { norm1($0) }
      }
      func normed2(_ x: Tensor) -> Tensor {
        tap.through("norm2", x, .norm, as: .patches) { norm2($0) }
      }
      func attended(_ x: Tensor) -> Tensor {
        let parts = windows.cut(x)  // [b · windows, tokens, c]
        let mixed = attention(parts, windows.mask, tap["attn"])
        return windows.joined(tap("attn", mixed, as: .windows), like: x)
      }
      func widened(_ x: Tensor) -> Tensor {
        tap("mlp", mlp(x, tap["mlp"], as: .patches), as: .patches)
      }
      let y = isSecond ? normed1(attended(input)) : attended(normed1(input))
      let map = tap.joined("residual1", input, y, .attention, as: .positions)
      let x = map.reshaped(shape[0], -1, shape[3])  // [b, h · w, c]
      let z = isSecond ? normed2(widened(x)) : widened(normed2(x))
      return tap.joined("residual2", map, z.reshaped(shape), .mlp, as: .positions)
    }
  }
}
