import ParallaxTensors

extension Eva {
  /// The variants that checkpoints are published for.
  public static let architectures: [Architecture] =
    [
      ("tiny", 224, 0), ("small", 224, 0), ("base", 224, 0), ("large", 224, 0),
      ("tiny", 336, 1000), ("small", 336, 1000), ("base", 448, 1000), ("large", 448, 1000),
    ].map { eva02($0, side: $1, classes: $2) }
    + ["small", "small_plus", "base", "large"].map { dinov3($0) }

  private static func eva02(_ size: String, side: Int, classes: Int) -> Architecture {
    var c = Configuration(RotaryPositions(.counted, grid: 16, temperature: 10_000))
    set(size, &c)
    (c.imageSize, c.classes) = (side, classes)
    c.inner = Int(Double(c.width) * (4 * 2 / 3.0))
    // The larger sizes keep apart what the smaller ones pack, and normalise inside the MLP.
    let isLarge = size == "base" || size == "large"
    (c.mlp, c.splitsQKV, c.normalisesInside) = (isLarge ? .split : .packed, isLarge, isLarge)
    return architecture(
      "eva02_\(size)_patch14_\(side)", "EVA-02",
      "EVA-02, \(size), images of \(side) pixels" + (classes == 0 ? ", before fine-tuning" : ""), c,
      PreprocessingKeys(
        side, cropFraction: side == 224 ? 0.9 : 1, cropMode: side == 448 ? "squash" : "center",
        mean: PreprocessingKeys.clipMean, std: PreprocessingKeys.clipStd),
      [isLarge ? "eva02-split-timm" : "eva02-timm"])
  }

  private static func dinov3(_ size: String) -> Architecture {
    var c = Configuration(RotaryPositions(.centred, temperature: 100))
    set(size, &c)
    (c.imageSize, c.patch, c.classes, c.epsilon, c.registers) = (256, 16, 0, 1e-5, 4)
    (c.qkvBias, c.layerScale, c.embedsPositions, c.normalisesMean) = (false, true, false, false)
    c.inner = 4 * c.width
    if size == "small_plus" { c.mlp = .split }
    return architecture(
      "vit_\(size)_patch16_dinov3", "DINOv3",
      "DINOv3's ViT, \(size.replacing("_", with: " ")), self-supervised on LVD-1689M", c,
      PreprocessingKeys(256, cropFraction: 1),
      size == "small_plus"
        ? ["dinov3-swiglu-timm", "dinov3-gated-hf"] : ["dinov3-timm", "dinov3-hf"])
  }

  private static func set(_ size: String, _ c: inout Configuration) {
    switch size {
    case "tiny": (c.width, c.heads) = (192, 3)
    case "small", "small_plus": (c.width, c.heads) = (384, 6)
    case "large": (c.width, c.depth, c.heads) = (1024, 24, 16)
    default: break
    }
  }

  private static func architecture(
    _ name: String, _ family: String, _ summary: String, _ c: Configuration,
    _ preprocessing: PreprocessingKeys, _ oracles: [String]
  ) -> Architecture {
    Architecture(
      name: name, family: family, summary: summary, preprocessing: preprocessing, oracles: oracles,
      recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head", standard: c.classes)
        // timm has DINOv3 with and without these biases, which are zero.
        if w.has("blocks.0.attn.q_bias") { c.qkvBias = true }
        return try Eva(c, w)
      })
  }
}
