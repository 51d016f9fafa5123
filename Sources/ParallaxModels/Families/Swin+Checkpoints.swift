import ParallaxTensors

extension Swin {
  /// A checkpoint under timm's names: timm's own, its authors', or transformers'.
  ///
  /// The others merge patches at the end of a stage, timm at the beginning of the next.
  /// A checkpoint under no names known here comes back as it is.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    for prefix in ["swin.", "swinv2.", ""]
    where source.shape(prefix + "embeddings.patch_embeddings.projection.weight") != nil {
      return hub(source, prefix, c)
    }
    guard source.shape("layers.0.downsample.reduction.weight") != nil else { return source }
    var modules = ["head": "head.fc"]
    for stage in 1..<max(2, c.depths.count) {
      for part in ["norm", "reduction"] {
        modules["layers.\(stage - 1).downsample.\(part)"] = "layers.\(stage).downsample.\(part)"
      }
    }
    return RenamedWeights(source, modules: modules)
  }

  /// transformers' `SwinModel`, `Swinv2Model` and what is built on them.
  private static func hub(
    _ source: any WeightSource, _ prefix: String, _ c: Configuration
  ) -> RenamedWeights {
    var book = RecipeBook(names: Set(source.names), prefix: prefix)
    for (timm, theirs) in [
      ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
      ("patch_embed.norm", "embeddings.norm"), ("norm", "layernorm"), ("head.fc", "/classifier"),
    ] { book.addModule(timm, theirs) }
    for (stage, depth) in c.depths.enumerated() {
      if stage > 0 {
        for part in ["norm", "reduction"] {
          book.addModule(
            "layers.\(stage).downsample.\(part)",
            "encoder.layers.\(stage - 1).downsample.\(part)")
        }
      }
      for index in 0..<max(0, depth) {
        let ours = "layers.\(stage).blocks.\(index)"
        let theirs = "encoder.layers.\(stage).blocks.\(index)"
        let attention = "\(theirs).attention.self"
        for (timm, name) in [
          ("norm1", "layernorm_before"), ("attn.proj", "attention.output.dense"),
          ("norm2", "layernorm_after"), ("mlp.fc1", "intermediate.dense"),
          ("mlp.fc2", "output.dense"),
        ] { book.addModule("\(ours).\(timm)", "\(theirs).\(name)") }
        for (timm, name) in [
          ("relative_position_bias_table", "relative_position_bias_table"),
          ("logit_scale", "logit_scale"), ("cpb_mlp.0", "continuous_position_bias_mlp.0"),
          ("cpb_mlp.2", "continuous_position_bias_mlp.2"),
        ] { book.addModule("\(ours).attn.\(timm)", "\(attention).\(name)") }
        let parts = ["query", "key", "value"].map { book.full("\(attention).\($0)") }
        book.add("\(ours).attn.qkv.weight", .joined(parts.map { "\($0).weight" }))
        if c.isSecond {
          book.add("\(ours).attn.q_bias", .same("\(parts[0]).bias"))
          book.add("\(ours).attn.v_bias", .same("\(parts[2]).bias"))
        } else {
          book.add("\(ours).attn.qkv.bias", .joined(parts.map { "\($0).bias" }))
        }
      }
    }
    return book.renamed(source) { $0.hasPrefix("pooler.") || $0.hasPrefix(prefix + "pooler.") }
  }
}
