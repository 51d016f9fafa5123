import ParallaxTensors

/// The Vision Transformer, and what CLIP and DINOv2 made of it.
///
/// Plain ViT: timm's `VisionTransformer`. CLIP's image tower adds a normalisation before the first block
/// and QuickGELU; DINOv2 adds LayerScale and takes images of any size by resizing its position
/// embeddings. Sites have timm's names, and each block the site `attn.pattern`, its attention weights.
///
/// > Source: Dosovitskiy et al., 2021, arXiv 2010.11929; Radford et al., 2021, arXiv 2103.00020;
/// > Oquab et al., 2023, arXiv 2304.07193.
public struct ViT: Model {
  /// What distinguishes one Vision Transformer from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The side in pixels of the images it was trained on.
    public var imageSize = 224
    /// The side of a patch in pixels.
    public var patch = 16
    /// The width of the residual stream.
    public var width = 768
    /// The number of blocks.
    public var depth = 12
    /// Attention heads a block.
    public var heads = 12
    /// The width inside the MLP over that of the stream.
    public var mlpRatio = 4.0
    /// Outputs of the head; 0 for none.
    public var classes = 1000
    /// Whether the head has a bias (CLIP's projection has none).
    public var headBias = true
    /// Whether there is a normalisation before the first block; the patch embedding then has no bias.
    public var preNorm = false
    /// The MLP's nonlinearity.
    public var activation = Activation.gelu
    /// Added to variances.
    public var epsilon = 1e-6
    /// Whether branches are scaled by learned numbers.
    public var layerScale = false
    /// Register tokens after the class token; they and it then have no position embedding.
    public var registers = 0
    /// How position embeddings are resized to another grid.
    public var positions = PositionResampling.antialiased

    /// The plain ViT-B/16.
    public init() {}
  }

  /// How position embeddings are resized to the grid of an image; always bicubic.
  public enum PositionResampling: String, Sendable, Codable, Hashable {
    /// timm's `resample_abs_pos_embed`.
    case antialiased
    /// transformers' `interpolate_pos_encoding`, and ONNX's cubic `Resize`.
    case plain
  }

  /// The variant.
  public let configuration: Configuration
  let patchEmbedding: PatchEmbedding
  let classToken: Tensor
  let registerTokens: Tensor?
  let positions: Tensor
  let normPre: LayerNorm?
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear?

  /// A Vision Transformer with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    let grid = c.imageSize / c.patch
    let prefix = c.registers > 0 ? 0 : 1
    patchEmbedding = try PatchEmbedding(w["patch_embed"], c)
    classToken = try w("cls_token", 1, 1, c.width)
    registerTokens = c.registers > 0 ? try w("reg_token", 1, c.registers, c.width) : nil
    positions = try w("pos_embed", 1, grid * grid + prefix, c.width)
    normPre = c.preNorm ? try LayerNorm(w["norm_pre"], c.width, epsilon: c.epsilon) : nil
    blocks = try (0..<c.depth).map { try Block(w["blocks.\($0)"], c) }
    norm = try LayerNorm(w["norm"], c.width, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["head"], c.width, c.classes, bias: c.headBias) : nil
  }

  /// The class token, then registers, then patches.
  public var tokenLayout: TokenLayout? {
    TokenLayout(
      hasClassToken: true, registers: configuration.registers, patch: configuration.patch)
  }
  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }

  /// The head's output `[batch, classes]`, or without a head the normalised class token `[batch, width]`.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    let (rows, columns) = (
      x.shape[2] / configuration.patch, x.shape[3] / configuration.patch
    )
    x = tap("patch_embed", patchEmbedding(x, tap["patch_embed"]), as: .patches)  // [b, n, d]
    x = tap("pos_drop", embedded(x, rows, columns))  // [b, 1 + n, d]
    if let normPre { x = tap("norm_pre", normPre(x)) }
    for (index, block) in blocks.enumerated() {
      if tap.isSatisfied { return x }
      x = tap.block("blocks.\(index)", block(x, tap["blocks.\(index)"]))
    }
    if tap.isSatisfied { return x }
    guard tap.wants("norm") || head == nil else {
      // The class token is all that the head reads.
      x = norm(x.selected(1, 0))
      return head.map { tap("head", $0(x)) } ?? x
    }
    x = tap("norm", norm(x)).selected(1, 0)  // [b, d]
    return head.map { tap("head", $0(x)) } ?? x
  }

  /// Class token, registers and position embeddings joined to the patches.
  func embedded(_ patches: Tensor, _ rows: Int, _ columns: Int) -> Tensor {
    let (batch, width) = (patches.shape[0], configuration.width)
    let classes = classToken.expanded(batch, 1, width)
    let places = resized(rows, columns)
    guard let registerTokens else {
      return Tensor.concatenated([classes, patches], 1) + places
    }
    return Tensor.concatenated(
      [classes, registerTokens.expanded(batch, configuration.registers, width), patches + places],
      1)
  }

  /// The position embeddings for a grid of patches.
  func resized(_ rows: Int, _ columns: Int) -> Tensor {
    let grid = configuration.imageSize / configuration.patch
    if rows == grid, columns == grid { return positions }
    let prefix = configuration.registers > 0 ? 0 : 1
    let own = positions.sliced(1, prefix).reshaped(1, grid, grid, -1).permuted(0, 3, 1, 2)
    let other = own.bicubic(
      to: [rows, columns], antialias: configuration.positions == .antialiased)
    let flat = other.permuted(0, 2, 3, 1).reshaped(1, rows * columns, -1)
    return prefix == 0 ? flat : Tensor.concatenated([positions.sliced(1, 0, 1), flat], 1)
  }

  /// Patches cut out and projected: a convolution whose stride is its size.
  struct PatchEmbedding: Sendable {
    let weight: Tensor
    let bias: Tensor?
    let patch: Int

    init(_ w: Weights, _ c: Configuration) throws {
      patch = c.patch
      weight = try w("proj.weight", c.width, 3, c.patch, c.patch)
      bias = c.preNorm ? nil : try w("proj.bias", c.width)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let map = tap("proj", x.convolution(weight, bias, stride: [patch, patch]))
      return map.reshaped(map.shape[0], map.shape[1], -1).transposed(1, 2)
    }
  }

  /// x + attention(norm(x)), then x + MLP(norm(x)).
  struct Block: Sendable {
    let norm1: LayerNorm
    let attention: Attention
    let scale1: LayerScale?
    let norm2: LayerNorm
    let mlp: MLP
    let scale2: LayerScale?

    init(_ w: Weights, _ c: Configuration) throws {
      norm1 = try LayerNorm(w["norm1"], c.width, epsilon: c.epsilon)
      attention = try Attention(w["attn"], c)
      scale1 = c.layerScale ? try LayerScale(w["ls1"], c.width) : nil
      norm2 = try LayerNorm(w["norm2"], c.width, epsilon: c.epsilon)
      mlp = try MLP(w["mlp"], c)
      scale2 = c.layerScale ? try LayerScale(w["ls2"], c.width) : nil
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      var x = input  // [b, n, d]
      var y = tap("attn", attention(tap("norm1", norm1(x)), tap["attn"]))
      if let scale1 { y = tap("ls1", scale1(y)) }
      x = x + y
      y = tap("mlp", mlp(tap("norm2", norm2(x)), tap["mlp"]))
      if let scale2 { y = tap("ls2", scale2(y)) }
      return x + y
    }
  }

  /// Every token looks at every other, in several heads.
  struct Attention: Sendable {
    let qkv: Linear
    let projection: Linear
    let heads: Int

    init(_ w: Weights, _ c: Configuration) throws {
      heads = c.heads
      qkv = try Linear(w["qkv"], c.width, 3 * c.width)
      projection = try Linear(w["proj"], c.width, c.width)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let (b, n, d) = (x.shape[0], x.shape[1], x.shape[2])
      let parts = tap("qkv", qkv(x))  // [b, n, 3 d]
        .reshaped(b, n, 3, heads, d / heads).permuted(2, 0, 3, 1, 4).unbound(0)
      let (q, k, v) = (parts[0], parts[1], parts[2])  // [b, heads, n, d / heads]
      let mixed: Tensor
      if tap.wants("pattern") {
        let scores = q.times(k.transposed()) * (1 / Double(d / heads).squareRoot())
        mixed = tap("pattern", scores.softmax(-1), as: .pattern).times(v)
      } else {
        mixed = Tensor.attention(q, k, v)
      }
      return tap("proj", projection(mixed.transposed(1, 2).reshaped(b, n, d)))
    }
  }

  /// Two linear layers with a nonlinearity between them.
  struct MLP: Sendable {
    let fc1: Linear
    let activation: Activation
    let fc2: Linear

    init(_ w: Weights, _ c: Configuration) throws {
      let inner = Int(Double(c.width) * c.mlpRatio)
      fc1 = try Linear(w["fc1"], c.width, inner)
      activation = c.activation
      fc2 = try Linear(w["fc2"], inner, c.width)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      tap("fc2", fc2(tap("act", activation(tap("fc1", fc1(x))))))
    }
  }
}
