import ParallaxTensors

/// EVA-02 and DINOv3: Vision Transformers with rotary positions.
///
/// timm's `Eva`. EVA-02 has position embeddings beside the rotation, a gated MLP, in the larger sizes
/// with a normalisation inside it and queries, keys and values apart, and a head on the normalised mean
/// of the patches. DINOv3 has the rotation alone, registers, LayerScale, and a normalisation over all
/// tokens; its output is timm's, the mean of the patches after it, and its authors' the class token of `norm`.
///
/// > Source: Fang et al., 2023, arXiv 2303.11331; Siméoni et al., 2025, arXiv 2508.10104.
public struct Eva: Model {
  /// What distinguishes one EVA-02 or DINOv3 from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The side in pixels of the images it was trained on.
    public var imageSize = 224
    /// The side of a patch in pixels.
    public var patch = 14
    /// The width of the residual stream.
    public var width = 768
    /// The number of blocks.
    public var depth = 12
    /// Attention heads a block.
    public var heads = 12
    /// The width inside the MLP.
    public var inner = 3072
    /// The form of the MLP.
    public var mlp = GatedMLP.Form.plain
    /// Whether the MLP normalises what it has gated.
    public var normalisesInside = false
    /// The plain MLP's nonlinearity.
    public var activation = Activation.gelu
    /// Outputs of the head; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-6
    /// Whether queries, keys and values are projected apart.
    public var splitsQKV = false
    /// Whether queries and values have a bias.
    public var qkvBias = true
    /// Whether branches are scaled by learned numbers.
    public var layerScale = false
    /// Register tokens after the class token.
    public var registers = 0
    /// Whether there are position embeddings beside the rotation.
    public var embedsPositions = true
    /// Whether the mean of the patches is normalised, and not every token.
    public var normalisesMean = true
    /// The rotation.
    public var rotation: RotaryPositions

    /// The base size, rotated.
    public init(_ rotation: RotaryPositions) { self.rotation = rotation }

    /// Tokens before the patches.
    var prefix: Int { 1 + registers }
  }

  /// The variant.
  public let configuration: Configuration
  let patchEmbedding: PatchEmbedding
  let classToken: Tensor
  let registerTokens: Tensor?
  let positions: Tensor?
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear?

  /// An EVA-02 or DINOv3 with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    let grid = c.imageSize / c.patch
    patchEmbedding = try PatchEmbedding(w["patch_embed"], c.width, patch: c.patch)
    classToken = try w("cls_token", 1, 1, c.width)
    registerTokens = c.registers > 0 ? try w("reg_token", 1, c.registers, c.width) : nil
    positions = c.embedsPositions ? try w("pos_embed", 1, grid * grid + c.prefix, c.width) : nil
    blocks = try (0..<c.depth).map { try Block(w["blocks.\($0)"], c) }
    norm = try LayerNorm(w[c.normalisesMean ? "fc_norm" : "norm"], c.width, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["head"], c.width, c.classes) : nil
  }

  /// The class token, then registers, then patches.
  public var tokenLayout: TokenLayout? {
    TokenLayout(
      hasClassToken: true, registers: configuration.registers, patch: configuration.patch)
  }
  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }

  /// The head's output `[batch, classes]`, or without a head the mean of the patches `[batch, width]`.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    let c = configuration
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    let (rows, columns) = (x.shape[2] / c.patch, x.shape[3] / c.patch)
    x = tap("patch_embed", patchEmbedding(x, tap["patch_embed"]), as: .patches)  // [b, n, d]
    x = tap("pos_drop", embedded(x, rows, columns))  // [b, prefix + n, d]
    let angles = c.rotation.angles(rows, columns, width: c.width / c.heads, x.device)
    for (index, block) in blocks.enumerated() {
      if tap.isSatisfied { return x }
      x = tap.block("blocks.\(index)", block(x, angles, tap["blocks.\(index)"]))
    }
    if tap.isSatisfied { return x }
    if !c.normalisesMean { x = tap.through("norm", x, .norm) { norm($0) } }
    x = x.sliced(1, c.prefix).mean(over: [1])  // [b, d]
    if c.normalisesMean { x = tap.through("fc_norm", x, .norm) { norm($0) } }
    return head.map { tap("head", $0(x)) } ?? x
  }

  /// Class token, registers and position embeddings joined to the patches.
  private func embedded(_ patches: Tensor, _ rows: Int, _ columns: Int) -> Tensor {
    let first = [classToken, registerTokens].compactMap {
      $0.map { $0.expanded(patches.shape[0], $0.shape[1], configuration.width) }
    }
    let x = Tensor.concatenated(first + [patches], 1)
    guard let positions else { return x }
    let grid = configuration.imageSize / configuration.patch
    if rows == grid, columns == grid { return x + positions }
    let prefix = configuration.prefix
    let own = positions.sliced(1, prefix).reshaped(1, grid, grid, -1).permuted(0, 3, 1, 2)
    let flat = own.bicubic(to: [rows, columns], antialias: true).permuted(0, 2, 3, 1)
      .reshaped(1, rows * columns, -1)
    return x + Tensor.concatenated([positions.sliced(1, 0, prefix), flat], 1)
  }

  /// x + γ₁·attention(norm(x)), then x + γ₂·MLP(norm(x)).
  struct Block: Sendable {
    let norm1: LayerNorm
    let attention: Attention
    let gamma1: Tensor?
    let norm2: LayerNorm
    let mlp: GatedMLP
    let gamma2: Tensor?

    init(_ w: Weights, _ c: Configuration) throws {
      norm1 = try LayerNorm(w["norm1"], c.width, epsilon: c.epsilon)
      attention = try Attention(w["attn"], c)
      gamma1 = c.layerScale ? try w("gamma_1", c.width) : nil
      norm2 = try LayerNorm(w["norm2"], c.width, epsilon: c.epsilon)
      mlp = try GatedMLP(
        w["mlp"], c.width, inner: c.inner, c.mlp, c.activation,
        epsilon: c.normalisesInside ? c.epsilon : nil)
      gamma2 = c.layerScale ? try w("gamma_2", c.width) : nil
    }

    func callAsFunction(
      _ input: Tensor, _ angles: (sines: Tensor, cosines: Tensor), _ tap: Tap
    ) -> Tensor {
      var x = input  // [b, n, d]
      var y = tap(
        "attn", attention(tap.through("norm1", x, .norm) { norm1($0) }, angles, tap["attn"]))
      if let gamma1 { y = gamma1 * y }
      x = tap.joined("residual1", x, y, .attention)
      y = tap("mlp", mlp(tap.through("norm2", x, .norm) { norm2($0) }, tap["mlp"]))
      if let gamma2 { y = gamma2 * y }
      return tap.joined("residual2", x, y, .mlp)
    }
  }

  /// Attention whose queries and keys are turned by where their patches lie.
  struct Attention: Sendable {
    /// How queries, keys and values come about.
    enum Input: Sendable {
      case joint(KeylessBias)
      case apart(q: Linear, k: Linear, v: Linear)
    }

    let input: Input
    let projection: Linear
    let rotation: RotaryPositions
    let heads: Int
    let prefix: Int

    init(_ w: Weights, _ c: Configuration) throws {
      (heads, prefix, rotation) = (c.heads, c.prefix, c.rotation)
      input =
        c.splitsQKV
        ? .apart(
          q: try Linear(w["q_proj"], c.width, c.width, bias: c.qkvBias),
          k: try Linear(w["k_proj"], c.width, c.width, bias: false),
          v: try Linear(w["v_proj"], c.width, c.width, bias: c.qkvBias))
        : .joint(try KeylessBias(w, c.width, bias: c.qkvBias))
      projection = try Linear(w["proj"], c.width, c.width)
    }

    func callAsFunction(
      _ x: Tensor, _ angles: (sines: Tensor, cosines: Tensor), _ tap: Tap
    ) -> Tensor {
      let parts: [Tensor]  // [b, heads, n, d / heads] each
      switch input {
      case .joint(let qkv): parts = tap("qkv", qkv(x)).splitIntoHeads(heads, parts: 3)
      case .apart(let q, let k, let v):
        parts = [("q_proj", q), ("k_proj", k), ("v_proj", v)].map {
          tap($0, $1(x)).splitIntoHeads(heads, parts: 1)[0]
        }
      }
      let q = rotation.turned(parts[0], angles, prefix: prefix)
      let k = rotation.turned(parts[1], angles, prefix: prefix)
      return tap("proj", projection(attended(q, k, parts[2], tap).joinedHeads()))
    }
  }
}
