extension VGG {
  /// VGG-11 to VGG-19, each with and without batch norm, with timm's preprocessing, which is torchvision's.
  public static let architectures: [Architecture] = [
    (11, Configuration.vgg11), (13, .vgg13), (16, .vgg16), (19, .vgg19),
  ].flatMap { depth, c in [false, true].map { architecture(depth, c, batchNorm: $0) } }

  private static func architecture(
    _ depth: Int, _ c: Configuration, batchNorm: Bool
  ) -> Architecture {
    var c = c
    c.batchNorm = batchNorm
    let configuration = c
    return Architecture(
      name: "vgg\(depth)\(batchNorm ? "_bn" : "")", family: "VGG",
      summary: "VGG-\(depth)\(batchNorm ? " with batch norm" : "") for ImageNet-1k",
      preprocessing: PreprocessingKeys(224, interpolation: "bilinear"),
      oracles: [batchNorm ? "vgg-bn-timm" : "vgg-timm", "vgg-torchvision"],
      recognise: { recognised($0, configuration) },
      make: { w in
        var c = configuration
        c.classes = w.outputs(of: "head.fc", standard: c.classes)
        return try VGG(c, w)
      })
  }
}
