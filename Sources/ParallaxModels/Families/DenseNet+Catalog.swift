extension DenseNet {
  /// The paper's four, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    (121, Configuration.densenet121), (161, .densenet161), (169, .densenet169),
    (201, .densenet201),
  ].map { depth, c in
    Architecture(
      name: "densenet\(depth)", family: "DenseNet", summary: "DenseNet-\(depth) for ImageNet-1k",
      preprocessing: PreprocessingKeys(224), oracles: ["densenet-timm", "densenet-torchvision"],
      recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "classifier", standard: c.classes)
        return try DenseNet(c, w)
      })
  }
}
