import ParallaxTensors

/// BEiT and BEiT v2: a Vision Transformer that knows places by a bias on its attention scores.
///
/// timm's `Beit` in the form that is published: no position embeddings, each block with a table of
/// biases for every offset between patches, keys without a bias, branches scaled by learned numbers, and a
/// head on the normalised mean of the patches. Such a network takes images of one size.
///
/// > Source: Bao et al., 2021, arXiv 2106.08254; Peng et al., 2022, arXiv 2208.06366.
public struct Beit: Model {
  /// What distinguishes one BEiT from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The side of the images in pixels.
    public var imageSize = 224
    /// The side of a patch in pixels.
    public var patch = 16
    /// The width of the residual stream.
    public var width = 768
    /// The number of blocks.
    public var depth = 12
    /// Attention heads a block.
    public var heads = 12
    /// The width inside the MLP.
    public var inner = 3072
    /// Outputs of the head; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-6
    /// The MLP's nonlinearity.
    public var activation = Activation.gelu

    /// The base size.
    public init() {}

    /// Patches in a row, and rows of patches.
    var grid: Int { imageSize / patch }
  }

  /// The variant.
  public let configuration: Configuration
  let patchEmbedding: PatchEmbedding
  let classToken: Tensor
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear?

  /// A BEiT with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    patchEmbedding = try PatchEmbedding(w["patch_embed"], c.width, patch: c.patch)
    classToken = try w("cls_token", 1, 1, c.width)
    let indices = Self.indices(c).to(w.device)
    blocks = try (0..<c.depth).map { try Block(w["blocks.\($0)"], c, indices) }
    norm = try LayerNorm(w["fc_norm"], c.width, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["head"], c.width, c.classes) : nil
  }

  /// The class token, then patches.
  public var tokenLayout: TokenLayout? {
    TokenLayout(hasClassToken: true, patch: configuration.patch)
  }
  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }
  /// The size that the biases were made for.
  public var fixedImageSize: (height: Int, width: Int)? {
    (configuration.imageSize, configuration.imageSize)
  }

  /// The head's output `[batch, classes]`, or without a head the normalised mean `[batch, width]`.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = tap("patch_embed", patchEmbedding(x, tap["patch_embed"]), as: .patches)  // [b, n, d]
    let classes = classToken.expanded(x.shape[0], 1, configuration.width)
    x = tap("pos_drop", Tensor.concatenated([classes, x], 1))  // [b, 1 + n, d]
    for (index, block) in blocks.enumerated() {
      if tap.isSatisfied { return x }
      x = tap.block("blocks.\(index)", block(x, tap["blocks.\(index)"]))
    }
    if tap.isSatisfied { return x }
    x = tap.through("fc_norm", x.sliced(1, 1).mean(over: [1]), .norm) { norm($0) }  // [b, d]
    return head.map { tap("head", $0(x)) } ?? x
  }

  /// For each pair of tokens the row of the table: offsets between patches, then the class token's three.
  private static func indices(_ c: Configuration) -> Tensor {
    let (side, patches) = (c.grid, c.grid * c.grid)
    let offsets = (2 * side - 1) * (2 * side - 1)
    let inner = RelativePositions.indices(side: side)
    // The class token to a patch, a patch to it, it to itself.
    var all = [offsets + 2] + Array(repeating: offsets, count: patches)
    for row in 0..<patches {
      all.append(offsets + 1)
      all += inner[(row * patches)..<((row + 1) * patches)]
    }
    return Tensor(all.map(Int64.init), shape: [all.count])
  }

  /// x + γ₁·attention(norm(x)), then x + γ₂·MLP(norm(x)).
  struct Block: Sendable {
    let norm1: LayerNorm
    let attention: Attention
    let gamma1: Tensor
    let norm2: LayerNorm
    let mlp: MLP
    let gamma2: Tensor

    init(_ w: Weights, _ c: Configuration, _ indices: Tensor) throws {
      norm1 = try LayerNorm(w["norm1"], c.width, epsilon: c.epsilon)
      attention = try Attention(w["attn"], c, indices)
      gamma1 = try w("gamma_1", c.width)
      norm2 = try LayerNorm(w["norm2"], c.width, epsilon: c.epsilon)
      mlp = try MLP(w["mlp"], c.width, inner: c.inner, c.activation)
      gamma2 = try w("gamma_2", c.width)
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      var x = input  // [b, n, d]
      let y =
        gamma1 * tap("attn", attention(tap.through("norm1", x, .norm) { norm1($0) }, tap["attn"]))
      x = tap.joined("residual1", x, y, .attention)
      let z = gamma2 * tap("mlp", mlp(tap.through("norm2", x, .norm) { norm2($0) }, tap["mlp"]))
      return tap.joined("residual2", x, z, .mlp)
    }
  }

  /// Attention whose scores have a bias for every offset.
  struct Attention: Sendable {
    let qkv: KeylessBias
    let table: Tensor
    let indices: Tensor
    let projection: Linear
    let heads: Int

    init(_ w: Weights, _ c: Configuration, _ indices: Tensor) throws {
      heads = c.heads
      qkv = try KeylessBias(w, c.width)
      let side = 2 * c.grid - 1
      table = try w("relative_position_bias_table", side * side + 3, c.heads)
      self.indices = indices
      projection = try Linear(w["proj"], c.width, c.width)
    }

    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let parts = tap("qkv", qkv(x)).splitIntoHeads(heads, parts: 3)  // [b, heads, n, d / heads]
      let bias = RelativePositions.bias(table, indices, tokens: x.shape[1])  // [1, heads, n, n]
      let mixed = attended(parts[0], parts[1], parts[2], bias: bias, tap)
      return tap("proj", projection(mixed.joinedHeads()))
    }
  }
}
