import ParallaxTensors

extension Eva {
  /// A checkpoint under timm's names: timm's own, those of DINOv3's authors, or transformers' DINOv3.
  ///
  /// Known to be of no use, and dropped: the mask token, masks of biases and stored periods.
  /// A checkpoint under no names known here comes back as it is.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    let names = Set(source.names)
    if names.contains("storage_tokens") { return authors(source, names, c) }
    for prefix in ["", "model."] where names.contains(prefix + "layer.0.attention.q_proj.weight") {
      return hub(source, names, prefix, c)
    }
    return source
  }

  private static func isUseless(_ name: String) -> Bool {
    ["mask_token", ".bias_mask", ".periods"].contains(where: name.hasSuffix)
  }

  /// DINOv3 as its authors wrote it: joint queries, keys and values whose biases for keys are masked away.
  private static func authors(
    _ source: any WeightSource, _ names: Set<String>, _ c: Configuration
  ) -> RenamedWeights {
    var book = RecipeBook(names: names, prefix: "")
    book.add("reg_token", .same("storage_tokens"))
    for index in 0..<max(0, c.depth) {
      let block = "blocks.\(index)"
      for (timm, theirs) in [
        ("gamma_1", "ls1.gamma"), ("gamma_2", "ls2.gamma"), ("mlp.fc1_g", "mlp.w1"),
        ("mlp.fc1_x", "mlp.w2"),
      ] { book.addModule("\(block).\(timm)", "\(block).\(theirs)") }
      if c.mlp != .plain { book.addModule("\(block).mlp.fc2", "\(block).mlp.w3") }
      book.add("\(block).attn.q_bias", .thirds(0..<1, of: "\(block).attn.qkv.bias"))
      book.add("\(block).attn.v_bias", .thirds(2..<3, of: "\(block).attn.qkv.bias"))
    }
    return book.renamed(source, useless: isUseless)
  }

  /// transformers' `DINOv3ViTModel`.
  private static func hub(
    _ source: any WeightSource, _ names: Set<String>, _ prefix: String, _ c: Configuration
  ) -> RenamedWeights {
    // Some files have the embeddings outside what the blocks lie in.
    var book = RecipeBook(names: names, prefix: "")
    for (timm, theirs) in [
      ("cls_token", "embeddings.cls_token"), ("reg_token", "embeddings.register_tokens"),
      ("patch_embed.proj", "embeddings.patch_embeddings"), ("norm", "norm"),
    ] { book.addModule(timm, theirs) }
    for index in 0..<max(0, c.depth) {
      let (ours, theirs) = ("blocks.\(index)", "\(prefix)layer.\(index)")
      for (timm, name) in [
        ("norm1", "norm1"), ("attn.proj", "attention.o_proj"), ("gamma_1", "layer_scale1.lambda1"),
        ("norm2", "norm2"), ("gamma_2", "layer_scale2.lambda1"),
        (c.mlp == .plain ? "mlp.fc1" : "mlp.fc1_x", "mlp.up_proj"), ("mlp.fc1_g", "mlp.gate_proj"),
        ("mlp.fc2", "mlp.down_proj"),
      ] { book.addModule("\(ours).\(timm)", "\(theirs).\(name)") }
      let parts = ["q", "k", "v"].map { "\(theirs).attention.\($0)_proj" }
      book.add("\(ours).attn.qkv.weight", .joined(parts.map { "\($0).weight" }))
      book.add("\(ours).attn.q_bias", .same("\(parts[0]).bias"))
      book.add("\(ours).attn.v_bias", .same("\(parts[2]).bias"))
    }
    return book.renamed(source, useless: isUseless)
  }
}
