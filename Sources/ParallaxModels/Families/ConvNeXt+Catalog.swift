extension ConvNeXt {
  /// Version 1 from atto to xlarge and version 2 from atto to huge, with timm's preprocessing.
  public static let architectures: [Architecture] = sizes.flatMap { size in
    [1, 2].compactMap { architecture(size, version: $0) }
  }

  private struct Size {
    var name: String
    var depths: [Int]
    var widths: [Int]
    /// The version that alone has it; nil for both.
    var version: Int?
    var isSmall: Bool { (widths.first ?? 0) < 96 }
  }

  private static let sizes = [
    Size(name: "atto", depths: [2, 2, 6, 2], widths: [40, 80, 160, 320]),
    Size(name: "femto", depths: [2, 2, 6, 2], widths: [48, 96, 192, 384]),
    Size(name: "pico", depths: [2, 2, 6, 2], widths: [64, 128, 256, 512]),
    Size(name: "nano", depths: [2, 2, 8, 2], widths: [80, 160, 320, 640]),
    Size(name: "tiny", depths: [3, 3, 9, 3], widths: [96, 192, 384, 768]),
    Size(name: "small", depths: [3, 3, 27, 3], widths: [96, 192, 384, 768]),
    Size(name: "base", depths: [3, 3, 27, 3], widths: [128, 256, 512, 1024]),
    Size(name: "large", depths: [3, 3, 27, 3], widths: [192, 384, 768, 1536]),
    Size(name: "xlarge", depths: [3, 3, 27, 3], widths: [256, 512, 1024, 2048], version: 1),
    Size(name: "huge", depths: [3, 3, 27, 3], widths: [352, 704, 1408, 2816], version: 2),
  ]

  private static func architecture(_ size: Size, version: Int) -> Architecture? {
    guard size.version ?? version == version else { return nil }
    var c = Configuration(size.depths, size.widths)
    (c.layerScale, c.responseNorm) = (version == 1, version == 2)
    c.convolutionalMLP = size.isSmall
    let configuration = c
    // timm's first checkpoint of these was trained on ImageNet-12k before, and of the largest at another size.
    let isTunedFrom12k = version == 1 && ["nano", "tiny", "small"].contains(size.name)
    let preprocessing =
      size.name == "huge"
      ? PreprocessingKeys(384, cropFraction: 1, cropMode: "squash")
      : PreprocessingKeys(224, cropFraction: isTunedFrom12k ? 0.95 : 0.875)
    return Architecture(
      name: "convnext\(version == 2 ? "v2" : "")_\(size.name)", family: "ConvNeXt",
      summary: "ConvNeXt\(version == 2 ? " V2" : "")-\(size.name.capitalized) for ImageNet-1k",
      preprocessing: preprocessing,
      oracles: version == 1
        ? ["convnext-timm", "convnext-torchvision", "convnext-hf"]
        : [size.isSmall ? "convnextv2-timm-conv" : "convnextv2-timm", "convnextv2-hf"],
      recognise: { recognised($0, configuration) },
      make: { w in
        var c = configuration
        c.classes = w.outputs(of: "head.fc", standard: c.classes)
        // Autoencoders come without the norm of the head.
        if c.classes == 0 { c.headNorm = w.has("head.norm.weight") }
        return try ConvNeXt(c, w)
      })
  }
}
