extension ViT {
  /// The variants that checkpoints are published for.
  public static let architectures: [Architecture] =
    plain + clip + dinov2 + deit + selfSupervised + siglip

  /// CLIP's ViT-B/16.
  static let clipB16 = clipVariant(
    "vit_base_patch16_clip_quickgelu_224", "ViT-B/16", 16, 768, 12, 12, 512)

  /// DINOv2's ViT-S/14 with transformers' way of resizing positions, images of 224 pixels.
  static let dinov2SmallPlain = dinov2Variant(
    "vit_small_patch14_dinov2", "ViT-S/14", 384, 12, 6, positions: .plain, side: 224)

  static let halves = [0.5, 0.5, 0.5]

  private static let plain: [Architecture] = [
    ("tiny", 16, 192, 12, 3), ("small", 16, 384, 12, 6), ("small", 32, 384, 12, 6),
    ("base", 8, 768, 12, 12), ("base", 16, 768, 12, 12), ("base", 32, 768, 12, 12),
    ("large", 16, 1024, 24, 16), ("large", 32, 1024, 24, 16),
  ].map { size, patch, width, depth, heads in
    var c = Configuration()
    (c.patch, c.width, c.depth, c.heads) = (patch, width, depth, heads)
    let letter = size == "tiny" ? "Ti" : String(size.prefix(1)).uppercased()
    return architecture(
      "vit_\(size)_patch\(patch)_224", aliases: ["vit-\(size)-patch\(patch)"],
      "ViT-\(letter)/\(patch) for ImageNet-1k", c,
      PreprocessingKeys(224, cropFraction: 0.9, mean: halves, std: halves),
      ["vit-timm", "vit-torchvision"])
  }

  private static let clip: [Architecture] = [
    clipB16,
    clipVariant("vit_base_patch32_clip_quickgelu_224", "ViT-B/32", 32, 768, 12, 12, 512),
    clipVariant("vit_large_patch14_clip_quickgelu_224", "ViT-L/14", 14, 1024, 24, 16, 768),
  ]

  private static let dinov2: [Architecture] = [
    dinov2Variant("vit_small_patch14_dinov2", "ViT-S/14", 384, 12, 6),
    dinov2Variant("vit_base_patch14_dinov2", "ViT-B/14", 768, 12, 12),
    dinov2Variant("vit_large_patch14_dinov2", "ViT-L/14", 1024, 24, 16),
    dinov2Variant("vit_small_patch14_reg4_dinov2", "ViT-S/14", 384, 12, 6, registers: 4),
    dinov2Variant("vit_base_patch14_reg4_dinov2", "ViT-B/14", 768, 12, 12, registers: 4),
    dinov2Variant("vit_large_patch14_reg4_dinov2", "ViT-L/14", 1024, 24, 16, registers: 4),
  ]

  private static func clipVariant(
    _ name: String, _ letters: String, _ patch: Int, _ width: Int, _ depth: Int, _ heads: Int,
    _ outputs: Int
  ) -> Architecture {
    var c = Configuration()
    (c.patch, c.width, c.depth, c.heads, c.classes) = (patch, width, depth, heads, outputs)
    (c.preNorm, c.activation, c.epsilon, c.headBias) = (true, .quickGELU, 1e-5, false)
    return architecture(
      name, "CLIP's image tower, \(letters)", c,
      PreprocessingKeys(
        224, cropFraction: 1, mean: PreprocessingKeys.clipMean, std: PreprocessingKeys.clipStd),
      ["vit-clip-timm", "clip-hf"])
  }

  private static func dinov2Variant(
    _ name: String, _ letters: String, _ width: Int, _ depth: Int, _ heads: Int,
    registers: Int = 0, positions: PositionResampling = .antialiased, side: Int = 518
  ) -> Architecture {
    var c = Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads) = (518, 14, width, depth, heads)
    (c.classes, c.layerScale, c.positions) = (0, true, positions)
    c.registers = registers
    return architecture(
      name, "DINOv2's \(letters)\(registers > 0 ? " with \(registers) registers" : "")", c,
      PreprocessingKeys(side, cropFraction: 1),
      registers > 0
        ? ["vit-registers-timm", "dinov2-registers-hf"]
        : ["vit-dinov2-timm", "vit-dinov2-timm-square", "dinov2-hf", "dinov2-hf-square"])
  }

  static func architecture(
    _ name: String, aliases: [String] = [], _ summary: String, _ c: Configuration,
    _ preprocessing: PreprocessingKeys, _ oracles: [String]
  ) -> Architecture {
    Architecture(
      name: name, aliases: aliases, family: "ViT", summary: summary, preprocessing: preprocessing,
      oracles: oracles, recognise: { recognised($0, c) },
      resized: { side in
        var (c, keys) = (c, preprocessing)
        c.imageSize = side
        keys.inputSize = [3, side, side]
        return architecture(
          name, aliases: aliases, "\(summary), images of \(side) pixels", c, keys, oracles)
      },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head", standard: c.classes)
        // CLIP's own projection has no bias; timm's copy of it has one, of zeros.
        if w.has("head.bias") { c.headBias = true }
        return try ViT(c, w)
      })
  }
}
