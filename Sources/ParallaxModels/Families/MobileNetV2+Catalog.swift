extension MobileNetV2 {
  /// MobileNetV2 1.0, with timm's preprocessing.
  public static let architectures: [Architecture] = [standard]

  /// MobileNetV2 1.0; without a classifier where the checkpoint has none.
  static let standard = Architecture(
    name: "mobilenetv2_100", aliases: ["mobilenet_v2"], family: "MobileNet",
    summary: "MobileNetV2 1.0 for ImageNet-1k",
    preprocessing: PreprocessingKeys(224),
    oracles: ["mobilenetv2-timm", "mobilenetv2-torchvision"],
    recognise: { recognised($0, .standard) },
    make: { w in
      var c = Configuration.standard
      c.classes = w.outputs(of: "classifier", standard: c.classes)
      return try MobileNetV2(c, w)
    })
}
