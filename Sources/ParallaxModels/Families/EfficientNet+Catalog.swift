extension EfficientNet {
  /// Lite0 to Lite4, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    lite0, architecture(1, .lite1, 240, 0.882), lite2,
    architecture(3, .lite3, 300, 0.904, "bilinear"),
    architecture(4, .lite4, 380, 0.92, "bilinear"),
  ]

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
    let halves = [0.5, 0.5, 0.5]
    return Architecture(
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
}
