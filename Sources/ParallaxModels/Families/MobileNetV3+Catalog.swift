import ParallaxTensors

extension MobileNetV3 {
  /// Large and Small at width 1.0, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    architecture("large", .large), architecture("small", .small),
  ]

  private static func architecture(_ size: String, _ c: Configuration) -> Architecture {
    Architecture(
      name: "mobilenetv3_\(size)_100", aliases: ["mobilenet_v3_\(size)"], family: "MobileNet",
      summary: "MobileNetV3-\(size.capitalized) 1.0 for ImageNet-1k",
      preprocessing: PreprocessingKeys(224),
      oracles: ["mobilenetv3-timm", "mobilenetv3-torchvision"], recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "classifier", standard: c.classes)
        return try MobileNetV3(c, w)
      })
  }

  /// A checkpoint under timm's names, where it has torchvision's (`features.3.block.0`, linear layers at the end).
  ///
  /// torchvision adds 1e-3 to variances where timm adds 1e-5; the difference is put into them.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    guard source.shape("features.0.0.weight") != nil else { return source }
    let count = c.stages.map(\.count).reduce(0, +) + 1
    var modules = [
      "features.0.0": "conv_stem", "features.0.1": "bn1",
      "features.\(count).0": "blocks.\(c.stages.count).0.conv",
      "features.\(count).1": "blocks.\(c.stages.count).0.bn1", "classifier.0": "conv_head",
      "classifier.3": "classifier",
    ]
    var (number, width) = (1, c.stem)
    for (stage, rows) in c.stages.enumerated() {
      for (index, row) in rows.enumerated() {
        let (theirs, ours) = ("features.\(number).block", "blocks.\(stage).\(index)")
        let pairs =
          row.middle == width
          ? [("conv_dw", "bn1"), ("conv_pw", "bn2")]
          : [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")]
        for (place, pair) in pairs.enumerated() {
          let isAfter = row.squeeze && place == pairs.count - 1
          modules["\(theirs).\(place + (isAfter ? 1 : 0)).0"] = "\(ours).\(pair.0)"
          modules["\(theirs).\(place + (isAfter ? 1 : 0)).1"] = "\(ours).\(pair.1)"
        }
        if row.squeeze {
          modules["\(theirs).\(pairs.count - 1).fc1"] = "\(ours).se.conv_reduce"
          modules["\(theirs).\(pairs.count - 1).fc2"] = "\(ours).se.conv_expand"
        }
        (number, width) = (number + 1, row.channels)
      }
    }
    var parameters = ["conv_head.weight": RenamedWeights.Recipe.convolution("classifier.0.weight")]
    for (theirs, ours) in modules {
      parameters["\(ours).running_var"] = .variance(
        "\(theirs).running_var", adding: 1e-3 - c.epsilon)
    }
    return RenamedWeights(source, modules: modules, parameters: parameters)
  }
}
