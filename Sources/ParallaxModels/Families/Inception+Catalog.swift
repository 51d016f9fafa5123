extension InceptionV3 {
  /// Inception-v3, with timm's preprocessing.
  ///
  /// timm's weights are torchvision's. That network expects ImageNet's mean and deviation and turns them into (x − ½) / ½
  /// itself (`transform_input`); here, as in timm, the preprocessing has ½ and ½ at once.
  public static let architectures: [Architecture] = [
    Architecture(
      name: "inception_v3", family: "Inception", summary: "Inception-v3 for ImageNet-1k",
      preprocessing: PreprocessingKeys(299, mean: halves, std: halves),
      oracles: ["inception-timm-35", "inception-timm-17", "inception-torchvision"],
      recognise: { recognised($0) },
      make: { w in
        var c = Configuration()
        c.classes = w.outputs(of: "fc", standard: c.classes)
        return try InceptionV3(c, w)
      })
  ]
  private static let halves = [0.5, 0.5, 0.5]
}

extension GoogLeNet {
  /// GoogLeNet, with the preprocessing of torchvision's weights.
  ///
  /// That network expects ImageNet's mean and deviation and turns them into (x − ½) / ½ itself (`transform_input`); here
  /// the preprocessing has ½ and ½ at once.
  public static let architectures: [Architecture] = [
    Architecture(
      name: "googlenet", aliases: ["inception_v1"], family: "Inception",
      summary: "GoogLeNet (Inception-v1 with batch norm) for ImageNet-1k",
      preprocessing: PreprocessingKeys(
        224, interpolation: "bilinear", mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]),
      oracles: ["googlenet-torchvision"],
      recognise: { recognised($0) },
      make: { w in
        var c = Configuration()
        c.classes = w.outputs(of: "fc", standard: c.classes)
        return try GoogLeNet(c, w)
      })
  ]
}
