extension ViT {
  /// DeiT: the plain ViT in other hands, and with a distillation token.
  ///
  /// > Source: Touvron et al., 2021, arXiv 2012.12877, Table 1.
  static let deit: [Architecture] = [
    ("tiny", 192, 3, 224), ("small", 384, 6, 224), ("base", 768, 12, 224), ("base", 768, 12, 384),
  ].flatMap { size, width, heads, side in
    [false, true].map { distilled in
      var c = Configuration()
      (c.imageSize, c.width, c.heads, c.distilled) = (side, width, heads, distilled)
      let kind = distilled ? "_distilled" : ""
      return architecture(
        "deit_\(size)\(kind)_patch16_\(side)",
        "DeiT-\(size)/16\(distilled ? " with its distillation token" : "") for ImageNet-1k", c,
        PreprocessingKeys(side, cropFraction: side == 224 ? 0.9 : 1),
        distilled ? ["deit-distilled-timm", "deit-hf", "deit-student-hf"] : ["vit-timm"])
    }
  }

  /// DINO and MAE: the plain ViT without a head, under timm's names with the tag.
  ///
  /// > Source: Caron et al., 2021, arXiv 2104.14294; He et al., 2021, arXiv 2111.06377.
  static let selfSupervised: [Architecture] =
    [("small", 16, 384, 6), ("small", 8, 384, 6), ("base", 16, 768, 12), ("base", 8, 768, 12)].map {
      headless("dino", "DINO", $0, patch: $1, width: $2, depth: 12, heads: $3)
    }
    + [("base", 16, 768, 12, 12), ("large", 16, 1024, 24, 16), ("huge", 14, 1280, 32, 16)].map {
      headless("mae", "MAE", $0, patch: $1, width: $2, depth: $3, heads: $4)
    }

  private static func headless(
    _ tag: String, _ method: String, _ size: String, patch: Int, width: Int, depth: Int, heads: Int
  ) -> Architecture {
    var c = Configuration()
    (c.patch, c.width, c.depth, c.heads, c.classes) = (patch, width, depth, heads, 0)
    return architecture(
      "vit_\(size)_patch\(patch)_224.\(tag)",
      "\(method)'s ViT-\(size.prefix(1).uppercased())/\(patch), self-supervised on ImageNet-1k", c,
      PreprocessingKeys(224, cropFraction: 0.9),
      tag == "mae" ? ["vit-timm", "mae-hf"] : ["vit-timm"])
  }

  /// SigLIP's image towers, both versions.
  ///
  /// > Source: Zhai et al., 2023, arXiv 2303.15343; Tschannen et al., 2025, arXiv 2502.14786.
  static let siglip: [Architecture] = [
    ("base", 16, 224), ("base", 16, 256), ("base", 16, 384), ("base", 16, 512), ("base", 32, 256),
    ("large", 16, 256), ("large", 16, 384), ("large", 16, 512),
    ("so400m", 14, 224), ("so400m", 14, 378), ("so400m", 16, 256), ("so400m", 16, 384),
    ("so400m", 16, 512),
  ].map { size, patch, side in
    var c = Configuration()
    (c.imageSize, c.patch, c.classes, c.pool) = (side, patch, 0, .attention)
    switch size {
    case "large": (c.width, c.depth, c.heads) = (1024, 24, 16)
    case "so400m": (c.width, c.depth, c.heads, c.mlpRatio) = (1152, 27, 16, 3.7362)
    default: break
    }
    return architecture(
      "vit_\(size)_patch\(patch)_siglip_\(side)",
      "SigLIP's image tower, \(size) with patches of \(patch) pixels", c,
      PreprocessingKeys(side, cropFraction: 0.9, mean: halves, std: halves),
      ["siglip-timm", "siglip-timm-tanh", "siglip-hf"])
  }
}
