extension ResNet {
  /// The paper's five, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    architecture("resnet18", .resnet18), architecture("resnet34", .resnet34),
    architecture("resnet50", .resnet50), architecture("resnet101", .resnet101),
    architecture("resnet152", .resnet152),
  ]

  private static func architecture(_ name: String, _ c: Configuration) -> Architecture {
    Architecture(
      name: name, family: "ResNet", summary: "ResNet-\(name.dropFirst(6)) for ImageNet-1k",
      preprocessing: PreprocessingKeys(224, cropFraction: 0.95),
      oracles: [c.block == .basic ? "resnet-basic" : "resnet-bottleneck"],
      make: { w in
        var c = c
        c.classes = w.outputs(of: "fc", standard: c.classes)
        return try ResNet(c, w)
      })
  }
}
