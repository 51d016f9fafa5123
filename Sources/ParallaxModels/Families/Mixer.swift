import ParallaxTensors

/// MLP-Mixer: MLPs over the patches of each channel, then over the channels of each patch, and no attention.
///
/// timm's `MlpMixer`. What is inside `mlp_tokens` has the channels first and its positions mixed.
///
/// > Source: Tolstikhin et al., 2021, arXiv 2105.01601, Table 1.
public struct Mixer: Model {
  /// What distinguishes one Mixer from another.
  public struct Configuration: Sendable, Codable, Hashable {
    /// The side of the images in pixels.
    public var imageSize = 224
    /// The side of a patch in pixels.
    public var patch = 16
    /// The width of the residual stream.
    public var width = 768
    /// The number of blocks.
    public var depth = 12
    /// The width inside the MLP over patches.
    public var patchInner: Int
    /// The width inside the MLP over channels.
    public var inner: Int
    /// Outputs of the head; 0 for none.
    public var classes = 1000
    /// Added to variances.
    public var epsilon = 1e-6

    /// A Mixer whose MLPs are half as wide and four times as wide as the stream, as all in the paper.
    public init(patch: Int, width: Int, depth: Int) {
      (self.patch, self.width, self.depth) = (patch, width, depth)
      (patchInner, inner) = (width / 2, 4 * width)
    }
  }

  /// The variant.
  public let configuration: Configuration
  let stem: PatchEmbedding
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear?

  /// A Mixer with the parameters of a checkpoint.
  ///
  /// - Throws: `ModelError` where a parameter is missing or misshapen.
  public init(_ c: Configuration, _ w: Weights) throws {
    configuration = c
    stem = try PatchEmbedding(w["stem"], c.width, patch: c.patch)
    blocks = try (0..<c.depth).map { try Block(w["blocks.\($0)"], c) }
    norm = try LayerNorm(w["norm"], c.width, epsilon: c.epsilon)
    head = c.classes > 0 ? try Linear(w["head"], c.width, c.classes) : nil
  }

  /// Patches alone.
  public var tokenLayout: TokenLayout? {
    TokenLayout(hasClassToken: false, patch: configuration.patch)
  }
  /// The side of a patch.
  public var imageMultiple: Int { configuration.patch }
  /// The number of patches is built in.
  public var fixedImageSize: (height: Int, width: Int)? {
    (configuration.imageSize, configuration.imageSize)
  }

  /// The head's output `[batch, classes]`, or without a head the mean of the patches `[batch, width]`.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)  // [b, 3, h, w]
    x = tap("stem", stem(x, tap["stem"]), as: .patches)  // [b, n, d]
    for (index, block) in blocks.enumerated() {
      if tap.isSatisfied { return x }
      x = tap.block("blocks.\(index)", block(x, tap["blocks.\(index)"]), as: .patches)
    }
    if tap.isSatisfied { return x }
    x = tap.through("norm", x, .norm, as: .patches) { norm($0) }.mean(over: [1])  // [b, d]
    return head.map { tap("head", $0(x)) } ?? x
  }

  /// x + MLP(norm(x)ᵀ)ᵀ, then x + MLP(norm(x)).
  struct Block: Sendable {
    let norm1: LayerNorm
    let patches: MLP
    let norm2: LayerNorm
    let channels: MLP

    init(_ w: Weights, _ c: Configuration) throws {
      let grid = c.imageSize / c.patch
      norm1 = try LayerNorm(w["norm1"], c.width, epsilon: c.epsilon)
      patches = try MLP(w["mlp_tokens"], grid * grid, inner: c.patchInner)
      norm2 = try LayerNorm(w["norm2"], c.width, epsilon: c.epsilon)
      channels = try MLP(w["mlp_channels"], c.width, inner: c.inner)
    }

    func callAsFunction(_ input: Tensor, _ tap: Tap) -> Tensor {
      // [b, d, n]
      let y = tap.through("norm1", input, .norm, as: .patches) { norm1($0) }.transposed(1, 2)
      let mixed = tap("mlp_tokens", patches(y, tap["mlp_tokens"], as: .mixed), as: .mixed)
      let x = tap.joined(
        "residual1", input, mixed.transposed(1, 2), .mixing, as: .patches)  // [b, n, d]
      let z = tap.through("norm2", x, .norm, as: .patches) { norm2($0) }
      return tap.joined(
        "residual2", x,
        tap("mlp_channels", channels(z, tap["mlp_channels"], as: .patches), as: .patches), .mlp,
        as: .patches)
    }
  }
}

extension Mixer {
  /// The variants of the paper, images of 224 pixels.
  public static let architectures: [Architecture] = [
    ("s32", 32, 512, 8), ("s16", 16, 512, 8), ("b32", 32, 768, 12), ("b16", 16, 768, 12),
    ("l32", 32, 1024, 24), ("l16", 16, 1024, 24),
  ].map { name, patch, width, depth in
    let c = Configuration(patch: patch, width: width, depth: depth)
    let halves = [0.5, 0.5, 0.5]
    return Architecture(
      name: "mixer_\(name)_224", family: "Mixer",
      summary: "MLP-Mixer \(name.prefix(1).uppercased())/\(patch) for ImageNet-1k",
      preprocessing: PreprocessingKeys(224, mean: halves, std: halves), oracles: ["mixer-timm"],
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head", standard: c.classes)
        return try Mixer(c, w)
      })
  }
}
