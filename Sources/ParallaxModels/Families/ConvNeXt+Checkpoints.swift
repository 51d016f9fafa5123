import ParallaxTensors

extension ConvNeXt {
  /// A checkpoint under timm's names, where it has torchvision's (`features.1.0.block.0`), the authors' own
  /// (`stages.0.0.dwconv`) or transformers' (`convnext.encoder.stages.0.layers.0.dwconv`), of both versions.
  ///
  /// transformers adds 1e-12 to the variance of the pooled features, timm and torchvision 1e-6.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    for dialect in Dialect.all where source.shape("\(dialect.stem[0]).weight") != nil {
      return dialect.renamed(source, c)
    }
    return source
  }

  /// The names that one implementation gives to the parameters.
  private struct Dialect: Sendable {
    /// The first convolution and its norm.
    var stem: [String]
    /// The norm and the convolution before a stage.
    var downsample: @Sendable (_ stage: Int) -> String
    /// A block by its stage and its place in it.
    var block: @Sendable (_ stage: Int, _ place: Int) -> String
    /// What they call timm's `conv_dw`, `norm`, `mlp.fc1` and `mlp.fc2` in a block.
    var parts: [String]
    /// The scale of a branch, and the dimensions of one behind its channels.
    var scale: (name: String, ones: Int)
    /// Weight and bias of the response norm.
    var responseNorm: [String] = []
    /// The norm of the pooled features, and the classifier.
    var head: [String]

    static let all = [torchvision, authors] + ["convnext.", "convnextv2.", ""].map(hub)

    static let torchvision = Dialect(
      stem: ["features.0.0", "features.0.1"], downsample: { "features.\(2 * $0)" },
      block: { "features.\(2 * $0 + 1).\($1)" },
      parts: ["block.0", "block.2", "block.3", "block.5"], scale: ("layer_scale", 2),
      head: ["classifier.0", "classifier.2"])

    static let authors = Dialect(
      stem: ["downsample_layers.0.0", "downsample_layers.0.1"],
      downsample: { "downsample_layers.\($0)" }, block: { "stages.\($0).\($1)" },
      parts: ["dwconv", "norm", "pwconv1", "pwconv2"], scale: ("gamma", 0),
      responseNorm: ["grn.gamma", "grn.beta"], head: ["norm", "head"])

    static func hub(_ prefix: String) -> Dialect {
      Dialect(
        stem: ["\(prefix)embeddings.patch_embeddings", "\(prefix)embeddings.layernorm"],
        downsample: { "\(prefix)encoder.stages.\($0).downsampling_layer" },
        block: { "\(prefix)encoder.stages.\($0).layers.\($1)" },
        parts: ["dwconv", "layernorm", "pwconv1", "pwconv2"], scale: ("layer_scale_parameter", 0),
        responseNorm: ["grn.weight", "grn.bias"], head: ["\(prefix)layernorm", "classifier"])
    }

    func renamed(_ source: any WeightSource, _ c: Configuration) -> RenamedWeights {
      var modules = Dictionary(uniqueKeysWithValues: zip(head, ["head.norm", "head.fc"]))
      for part in 0...1 { modules[stem[part]] = "stem.\(part)" }
      var parameters: [String: RenamedWeights.Recipe] = [:]
      for (stage, depth) in c.depths.enumerated() {
        for part in 0...1 where stage > 0 {
          modules["\(downsample(stage)).\(part)"] = "stages.\(stage).downsample.\(part)"
        }
        for place in 0..<depth {
          let (theirs, ours) = (block(stage, place), "stages.\(stage).blocks.\(place)")
          for (part, name) in zip(parts, ["conv_dw", "norm", "mlp.fc1", "mlp.fc2"]) {
            modules["\(theirs).\(part)"] = "\(ours).\(name)"
            // All but timm have linear layers in every size.
            if c.convolutionalMLP, name.hasPrefix("mlp") {
              parameters["\(ours).\(name).weight"] = .convolution("\(theirs).\(part).weight")
            }
          }
          parameters["\(ours).gamma"] = .flattened("\(theirs).\(scale.name)", after: scale.ones)
          for (part, name) in zip(responseNorm, ["weight", "bias"]) {
            parameters["\(ours).mlp.grn.\(name)"] = .flattened("\(theirs).\(part)", before: 3)
          }
        }
      }
      return RenamedWeights(source, modules: modules, parameters: parameters)
    }
  }
}
