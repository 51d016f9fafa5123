import ParallaxTensors

/// The Vision Transformer, and what CLIP, DINOv2, DeiT and SigLIP made of it.
///
/// Plain ViT: timm's `VisionTransformer`. CLIP's image tower adds a normalisation before the first block
/// and QuickGELU; DINOv2 adds LayerScale and takes images of any size by resizing its position
/// embeddings; DeiT may have a second token, for distillation, with a head of its own; SigLIP has no
/// class token and pools by attention. Sites have timm's names, and each block the site `attn.pattern`,
/// its attention weights.
///
/// > Source: Dosovitskiy et al., 2021, arXiv 2010.11929; Radford et al., 2021, arXiv 2103.00020;
/// > Oquab et al., 2023, arXiv 2304.07193; Touvron et al., 2021, arXiv 2012.12877; Zhai et al., 2023,
/// > arXiv 2303.15343.
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
    /// Whether a distillation token with a head of its own follows the class token.
    public var distilled = false
    /// Whether that head is there; without it `head` reads the class token alone.
    public var hasDistillationHead = true
    /// What the head reads.
    public var pool = Pooling.token
    /// How position embeddings are resized to another grid.
    public var positions = PositionResampling.antialiased

    /// The plain ViT-B/16.
    public init() {}

    /// How many of the first tokens the heads read.
    var readTokens: Int { distilled && hasDistillationHead ? 2 : 1 }
    /// The width inside the MLP.
    var inner: Int { Int(Double(width) * mlpRatio) }
    /// Tokens before the patches that have a position embedding: those of a model without registers.
    var positionedPrefix: Int {
      registers > 0 ? 0 : (pool == .token ? 1 : 0) + (distilled ? 1 : 0)
    }
  }

  /// What the head reads of the tokens.
  public enum Pooling: String, Sendable, Codable, Hashable {
    /// The class token.
    case token
    /// What a learned query finds in the patches; there is no class token then.
    case attention = "map"
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
  let classToken: Tensor?
  let distillationToken: Tensor?
  let registerTokens: Tensor?
  let positions: Tensor
  let normPre: LayerNorm?
  let blocks: [Block]
  let norm: LayerNorm
  let pool: AttentionPool?
  let head: Linear?
  let distillationHead: Linear?

  /// A Vision Transformer with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    let grid = c.imageSize / c.patch
    patchEmbedding = try PatchEmbedding(
      w["patch_embed"], c.width, patch: c.patch, bias: !c.preNorm)
    classToken = c.pool == .token ? try w("cls_token", 1, 1, c.width) : nil
    distillationToken = c.distilled ? try w("dist_token", 1, 1, c.width) : nil
    registerTokens = c.registers > 0 ? try w("reg_token", 1, c.registers, c.width) : nil
    positions = try w("pos_embed", 1, grid * grid + c.positionedPrefix, c.width)
    normPre = c.preNorm ? try LayerNorm(w["norm_pre"], c.width, epsilon: c.epsilon) : nil
    blocks = try (0..<c.depth).map { try Block(w["blocks.\($0)"], c) }
    norm = try LayerNorm(w["norm"], c.width, epsilon: c.epsilon)
    pool = c.pool == .attention ? try AttentionPool(w["attn_pool"], c) : nil
    head = c.classes > 0 ? try Linear(w["head"], c.width, c.classes, bias: c.headBias) : nil
    distillationHead =
      c.readTokens == 2 && c.classes > 0 ? try Linear(w["head_dist"], c.width, c.classes) : nil
  }

  /// The class token, then the distillation token or registers, then patches.
  public var tokenLayout: TokenLayout? {
    TokenLayout(
      hasClassToken: classToken != nil,
      registers: configuration.registers + (configuration.distilled ? 1 : 0),
      patch: configuration.patch)
  }
  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }

  /// The head's output `[batch, classes]`, or without a head what it would read `[batch, width]`: the
  /// normalised class token, or SigLIP's pooled patches.
  ///
  /// With distillation it is the mean of both heads, or of both tokens.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    let (rows, columns) = (
      x.shape[2] / configuration.patch, x.shape[3] / configuration.patch
    )
    x = tap("patch_embed", patchEmbedding(x, tap["patch_embed"]), as: .patches)  // [b, n, d]
    x = tap("pos_drop", embedded(x, rows, columns))  // [b, 1 + n, d]
    if let normPre { x = tap.through("norm_pre", x, .norm) { normPre($0) } }
    for (index, block) in blocks.enumerated() {
      if tap.isSatisfied { return x }
      x = tap.block("blocks.\(index)", block(x, tap["blocks.\(index)"]))
    }
    if tap.isSatisfied { return x }
    if let pool {
      // [b, d]
      x = tap("attn_pool", pool(tap.through("norm", x, .norm) { norm($0) }, tap["attn_pool"]))
      return head.map { tap("head", $0(x)) } ?? x
    }
    // The first tokens are all that the heads read.
    let read = configuration.readTokens
    x =
      tap.wants("norm") || !tap.leaves(.norm)
      ? tap.through("norm", x, .norm) { norm($0) } : norm(x.sliced(1, 0, read))
    let tokens = (0..<read).map { x.selected(1, $0) }  // [b, d] each
    let outputs = zip(tokens, [("head", head), ("head_dist", distillationHead)]).map {
      token, part in part.1.map { tap(part.0, $0(token)) } ?? token
    }
    return outputs.count == 1 ? outputs[0] : (outputs[0] + outputs[1]) / 2
  }

  /// Class token, distillation token, registers and position embeddings joined to the patches.
  func embedded(_ patches: Tensor, _ rows: Int, _ columns: Int) -> Tensor {
    let (batch, width) = (patches.shape[0], configuration.width)
    let places = resized(rows, columns)
    let first = [classToken, distillationToken, registerTokens].compactMap {
      $0.map { $0.expanded(batch, $0.shape[1], width) }
    }
    if configuration.positionedPrefix > 0 {
      return Tensor.concatenated(first + [patches], 1) + places
    }
    let placed = patches + places
    return first.isEmpty ? placed : Tensor.concatenated(first + [placed], 1)
  }

  /// The position embeddings for a grid of patches.
  func resized(_ rows: Int, _ columns: Int) -> Tensor {
    let grid = configuration.imageSize / configuration.patch
    if rows == grid, columns == grid { return positions }
    let prefix = configuration.positionedPrefix
    let own = positions.sliced(1, prefix).reshaped(1, grid, grid, -1).permuted(0, 3, 1, 2)
    let other = own.bicubic(
      to: [rows, columns], antialias: configuration.positions == .antialiased)
    let flat = other.permuted(0, 2, 3, 1).reshaped(1, rows * columns, -1)
    return prefix == 0 ? flat : Tensor.concatenated([positions.sliced(1, 0, prefix), flat], 1)
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
      mlp = try MLP(w["mlp"], c.width, inner: c.inner, c.activation)
      scale2 = c.layerScale ? try LayerScale(w["ls2"], c.width) : nil
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      var x = input  // [b, n, d]
      var y = tap("attn", attention(tap.through("norm1", x, .norm) { norm1($0) }, tap["attn"]))
      if let scale1 { y = tap("ls1", scale1(y)) }
      x = tap.joined("residual1", x, y, .attention)
      y = tap("mlp", mlp(tap.through("norm2", x, .norm) { norm2($0) }, tap["mlp"]))
      if let scale2 { y = tap("ls2", scale2(y)) }
      return tap.joined("residual2", x, y, .mlp)
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
      let parts = tap("qkv", qkv(x)).splitIntoHeads(heads, parts: 3)  // [b, heads, n, d / heads]
      let mixed = attended(parts[0], parts[1], parts[2], tap)
      return tap("proj", projection(mixed.joinedHeads()))
    }
  }
}
