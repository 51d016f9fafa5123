extension ResNet {
  /// The paper's five, ResNeXt and the wide ones, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    architecture("resnet18", "ResNet-18", .resnet18),
    architecture("resnet34", "ResNet-34", .resnet34),
    architecture("resnet50", "ResNet-50", .resnet50),
    architecture("resnet101", "ResNet-101", .resnet101),
    architecture("resnet152", "ResNet-152", .resnet152),
    architecture("resnext50_32x4d", "ResNeXt-50 32×4d", .resnext50),
    architecture("resnext101_32x8d", "ResNeXt-101 32×8d", .resnext101, torchvision),
    architecture(
      "wide_resnet50_2", "Wide ResNet-50-2", .wideResNet50, PreprocessingKeys(224)),
    architecture("wide_resnet101_2", "Wide ResNet-101-2", .wideResNet101, torchvision),
  ]

  /// The preprocessing of torchvision's first weights, which are timm's of these networks.
  private static let torchvision = PreprocessingKeys(224, interpolation: "bilinear")

  private static func architecture(
    _ name: String, _ summary: String, _ c: Configuration,
    _ preprocessing: PreprocessingKeys = PreprocessingKeys(224, cropFraction: 0.95)
  ) -> Architecture {
    Architecture(
      name: name, family: "ResNet", summary: "\(summary) for ImageNet-1k",
      preprocessing: preprocessing,
      oracles: c.block == .basic
        ? ["resnet-basic"]
        : ["resnet-bottleneck"] + (c.groupWidth == 64 ? [] : ["resnext-timm", "resnet-wide-timm"]),
      make: { w in
        var c = c
        c.classes = w.outputs(of: "fc", standard: c.classes)
        return try ResNet(c, w)
      })
  }
}
