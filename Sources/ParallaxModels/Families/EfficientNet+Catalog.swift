extension EfficientNet {
  /// Lite0 to Lite4 and B0 to B7 in both paddings, with timm's preprocessing.
  public static let architectures: [Architecture] =
    [
      lite0, architecture(1, .lite1, 240, 0.882), lite2,
      architecture(3, .lite3, 300, 0.904, "bilinear"),
      architecture(4, .lite4, 380, 0.92, "bilinear"),
    ] + symmetric + tensorFlow

  /// timm's own, each with the images of its first checkpoint.
  private static let symmetric = [
    PreprocessingKeys(224), PreprocessingKeys(240, cropFraction: 0.9, mean: halves, std: halves),
    PreprocessingKeys(256), PreprocessingKeys(288), PreprocessingKeys(320),
    PreprocessingKeys(448, cropFraction: 1, cropMode: "squash"),
    PreprocessingKeys(528, cropFraction: 0.942), PreprocessingKeys(600, cropFraction: 0.949),
  ].enumerated().map { number, keys in
    full(
      "efficientnet_b\(number)", .symmetric(number), keys,
      ["efficientnet-timm", "efficientnet-torchvision"],
      torchvisionEpsilon: number < 5 ? nil : 1e-3)
  }

  /// The paper's.
  private static let tensorFlow = [
    (224, 0.875), (240, 0.882), (260, 0.89), (300, 0.904), (380, 0.922), (456, 0.934),
    (528, 0.942), (600, 0.949),
  ].enumerated().map { number, images in
    full(
      "tf_efficientnet_b\(number)", .tensorFlow(number),
      PreprocessingKeys(images.0, cropFraction: images.1), ["tf-efficientnet-timm"])
  }

  private static let halves = [0.5, 0.5, 0.5]

  /// EfficientNet-Lite0.
  static let lite0 = architecture(0, .lite0, 224, 0.875)
  /// EfficientNet-Lite2.
  static let lite2 = architecture(2, .lite2, 260, 0.89)

  /// The preprocessing of the packaged weights: TensorFlow's (x − 127) / 128 of bytes.
  static func packaged(_ side: Int, cropFraction: Double) -> PreprocessingKeys {
    PreprocessingKeys(
      side, cropFraction: cropFraction, mean: [Double](repeating: 127.0 / 255, count: 3),
      std: [Double](repeating: 128.0 / 255, count: 3))
  }

  private static func architecture(
    _ number: Int, _ c: Configuration, _ side: Int, _ cropFraction: Double,
    _ interpolation: String = "bicubic"
  ) -> Architecture {
    Architecture(
      name: "tf_efficientnet_lite\(number)", family: "EfficientNet",
      summary: "EfficientNet-Lite\(number) for ImageNet-1k",
      preprocessing: PreprocessingKeys(
        side, cropFraction: cropFraction, interpolation: interpolation, mean: halves, std: halves),
      oracles: ["efficientnet-lite-timm"],
      recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "classifier", standard: c.classes)
        return try EfficientNet(c, w)
      })
  }

  private static func full(
    _ name: String, _ c: Configuration, _ preprocessing: PreprocessingKeys, _ oracles: [String],
    torchvisionEpsilon: Double? = nil
  ) -> Architecture {
    Architecture(
      name: name, family: "EfficientNet",
      summary:
        "EfficientNet-B\(name.suffix(1)) for ImageNet-1k\(c.samePadding ? ", in TensorFlow's padding" : "")",
      preprocessing: preprocessing, oracles: oracles,
      recognise: { recognised($0, c, torchvisionEpsilon: torchvisionEpsilon) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "classifier", standard: c.classes)
        return try EfficientNet(c, w)
      })
  }
}
