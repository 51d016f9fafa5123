import ParallaxTensors

extension ConvNeXt {
  /// A checkpoint under timm's names, where it has torchvision's (`features.1.0.block.0`) or the authors' own
  /// (`stages.0.0.dwconv`, of both versions).
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    if source.shape("features.0.0.weight") != nil { return torchvision(source, c) }
    if source.shape("downsample_layers.0.0.weight") != nil { return authors(source, c) }
    return source
  }

  private static func torchvision(
    _ source: any WeightSource, _ c: Configuration
  ) -> RenamedWeights {
    var modules = [
      "features.0.0": "stem.0", "features.0.1": "stem.1", "classifier.0": "head.norm",
      "classifier.2": "head.fc",
    ]
    var parameters: [String: RenamedWeights.Recipe] = [:]
    for (index, depth) in c.depths.enumerated() {
      if index > 0 {
        for part in 0...1 {
          modules["features.\(2 * index).\(part)"] = "stages.\(index).downsample.\(part)"
        }
      }
      for block in 0..<depth {
        let theirs = "features.\(2 * index + 1).\(block)"
        let ours = "stages.\(index).blocks.\(block)"
        for (place, name) in [(0, "conv_dw"), (2, "norm"), (3, "mlp.fc1"), (5, "mlp.fc2")] {
          modules["\(theirs).block.\(place)"] = "\(ours).\(name)"
          if c.convolutionalMLP, name.hasPrefix("mlp") {
            parameters["\(ours).\(name).weight"] = .convolution("\(theirs).block.\(place).weight")
          }
        }
        parameters["\(ours).gamma"] = .flattened("\(theirs).layer_scale", after: 2)
      }
    }
    return RenamedWeights(source, modules: modules, parameters: parameters)
  }

  private static func authors(_ source: any WeightSource, _ c: Configuration) -> RenamedWeights {
    var modules = ["norm": "head.norm", "head": "head.fc"]
    var parameters: [String: RenamedWeights.Recipe] = [:]
    for (index, depth) in c.depths.enumerated() {
      for part in 0...1 {
        modules["downsample_layers.\(index).\(part)"] =
          index == 0 ? "stem.\(part)" : "stages.\(index).downsample.\(part)"
      }
      for block in 0..<depth {
        let (theirs, ours) = ("stages.\(index).\(block)", "stages.\(index).blocks.\(block)")
        for (their, our) in [
          ("dwconv", "conv_dw"), ("norm", "norm"), ("pwconv1", "mlp.fc1"), ("pwconv2", "mlp.fc2"),
        ] {
          modules["\(theirs).\(their)"] = "\(ours).\(our)"
          if c.convolutionalMLP, our.hasPrefix("mlp") {
            parameters["\(ours).\(our).weight"] = .convolution("\(theirs).\(their).weight")
          }
        }
        parameters["\(ours).gamma"] = .same("\(theirs).gamma")
        for (their, our) in [("gamma", "weight"), ("beta", "bias")] {
          parameters["\(ours).mlp.grn.\(our)"] = .flattened("\(theirs).grn.\(their)", before: 3)
        }
      }
    }
    return RenamedWeights(source, modules: modules, parameters: parameters)
  }
}
