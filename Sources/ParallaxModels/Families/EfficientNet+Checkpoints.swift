import ParallaxTensors

extension EfficientNet {
  /// A checkpoint under timm's names, where it has torchvision's (`features.3.0.block.1`), or those of the packages
  /// efficientnet-pytorch and efficientnet-lite-pytorch (`_conv_stem`, `_blocks.3._expand_conv`), which count blocks
  /// through all stages.
  ///
  /// Each is recognised for the networks of its own padding alone: torchvision pads alike at every side, the packages as
  /// TensorFlow does.
  ///
  /// - Parameters:
  ///   - source: the checkpoint.
  ///   - c: the variant.
  ///   - torchvisionEpsilon: what torchvision adds to variances: 1e-3 in B5 to B7, where timm adds 1e-5. The
  ///     difference is put into the variances.
  /// - Returns: the checkpoint under timm's names, or as it is where its names are not known here.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration, torchvisionEpsilon: Double? = nil
  ) -> any WeightSource {
    if !c.samePadding, source.shape("features.0.0.weight") != nil {
      return torchvision(source, c, torchvisionEpsilon ?? c.epsilon)
    }
    guard c.samePadding, source.shape("_conv_stem.weight") != nil else { return source }
    var modules = [
      "_conv_stem": "conv_stem", "_bn0": "bn1", "_conv_head": "conv_head", "_bn1": "bn2",
      "_fc": "classifier",
    ]
    var count = 0
    for (index, stage) in c.stages.enumerated() {
      let parts =
        stage.expansion == 1
        ? [
          "_depthwise_conv": "conv_dw", "_bn1": "bn1", "_project_conv": "conv_pw", "_bn2": "bn2",
        ]
        : [
          "_expand_conv": "conv_pw", "_bn0": "bn1", "_depthwise_conv": "conv_dw", "_bn1": "bn2",
          "_project_conv": "conv_pwl", "_bn2": "bn3",
        ]
      for block in 0..<stage.repeats {
        for (theirs, ours) in parts {
          modules["_blocks.\(count).\(theirs)"] = "blocks.\(index).\(block).\(ours)"
        }
        for (theirs, ours) in [("_se_reduce", "conv_reduce"), ("_se_expand", "conv_expand")] {
          modules["_blocks.\(count).\(theirs)"] = "blocks.\(index).\(block).se.\(ours)"
        }
        count += 1
      }
    }
    return RenamedWeights(source, modules: modules)
  }

  private static func torchvision(
    _ source: any WeightSource, _ c: Configuration, _ epsilon: Double
  ) -> RenamedWeights {
    let last = c.stages.count + 1
    var modules = [
      "features.0.0": "conv_stem", "features.0.1": "bn1", "features.\(last).0": "conv_head",
      "features.\(last).1": "bn2", "classifier.1": "classifier",
    ]
    for (index, stage) in c.stages.enumerated() {
      // Pairs of a convolution and its norm, with squeeze-and-excitation before the last.
      let pairs =
        stage.expansion == 1
        ? [("conv_dw", "bn1"), ("conv_pw", "bn2")]
        : [("conv_pw", "bn1"), ("conv_dw", "bn2"), ("conv_pwl", "bn3")]
      for block in 0..<stage.repeats {
        let theirs = "features.\(index + 1).\(block).block"
        let ours = "blocks.\(index).\(block)"
        for (place, pair) in pairs.enumerated() {
          let number = place == pairs.count - 1 ? place + 1 : place
          modules["\(theirs).\(number).0"] = "\(ours).\(pair.0)"
          modules["\(theirs).\(number).1"] = "\(ours).\(pair.1)"
        }
        modules["\(theirs).\(pairs.count - 1).fc1"] = "\(ours).se.conv_reduce"
        modules["\(theirs).\(pairs.count - 1).fc2"] = "\(ours).se.conv_expand"
      }
    }
    let difference = epsilon - c.epsilon
    var parameters: [String: RenamedWeights.Recipe] = [:]
    if difference != 0 {
      for (theirs, ours) in modules {
        parameters["\(ours).running_var"] = .variance(
          "\(theirs).running_var", adding: difference)
      }
    }
    return RenamedWeights(source, modules: modules, parameters: parameters)
  }
}
