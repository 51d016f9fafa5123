import ParallaxTensors

extension Beit {
  /// A checkpoint under timm's names: timm's own, which are its authors', or transformers'.
  ///
  /// Known to be of no use, and dropped: the head that names visual words, the mask token.
  /// A checkpoint under no names known here comes back as it is.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    let names = Set(source.names)
    let mark = "encoder.layer.0.attention.attention.query.weight"
    guard let prefix = ["beit.", ""].first(where: { names.contains($0 + mark) }) else {
      return source
    }
    var book = RecipeBook(names: names, prefix: prefix)
    for (timm, theirs) in [
      ("cls_token", "embeddings.cls_token"),
      ("patch_embed.proj", "embeddings.patch_embeddings.projection"),
      ("fc_norm", "pooler.layernorm"), ("head", "/classifier"),
    ] { book.addModule(timm, theirs) }
    for index in 0..<max(0, c.depth) {
      let (ours, theirs) = ("blocks.\(index)", "encoder.layer.\(index)")
      let attention = "\(theirs).attention.attention"
      for (timm, name) in [
        ("norm1", "layernorm_before"), ("attn.proj", "attention.output.dense"),
        ("gamma_1", "lambda_1"), ("norm2", "layernorm_after"), ("mlp.fc1", "intermediate.dense"),
        ("mlp.fc2", "output.dense"), ("gamma_2", "lambda_2"),
      ] { book.addModule("\(ours).\(timm)", "\(theirs).\(name)") }
      book.addModule(
        "\(ours).attn.relative_position_bias_table",
        "\(attention).relative_position_bias.relative_position_bias_table")
      let parts = ["query", "key", "value"].map { book.full("\(attention).\($0)") }
      book.add("\(ours).attn.qkv.weight", .joined(parts.map { "\($0).weight" }))
      book.add("\(ours).attn.q_bias", .same("\(parts[0]).bias"))
      book.add("\(ours).attn.v_bias", .same("\(parts[2]).bias"))
    }
    return book.renamed(source) { $0.hasPrefix("lm_head.") || $0.hasSuffix("mask_token") }
  }
}
