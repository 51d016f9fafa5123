extension TransformersConfiguration {
  /// transformers' BEiT.
  static let beit = Entry(kind: "beit") { (keys) throws(ModelError) in
    var c = Beit.Configuration()
    c.imageSize = try keys.number("image_size", 224, most: 16384)
    c.patch = try keys.number("patch_size", 16, most: 16384)
    c.width = try keys.number("hidden_size", 768, most: 65536)
    c.depth = try keys.number("num_hidden_layers", 12, most: 4096)
    c.heads = try keys.number("num_attention_heads", 12, most: 65536)
    c.inner = try keys.number("intermediate_size", 3072, most: 1 << 20)
    c.epsilon = try keys.epsilon(1e-12)
    c.activation = try keys.activation()
    try keys.checkHeads(c.heads, c.width)
    // Every pair of patches has an entry in a table of indices.
    try keys.checkPatches(c.imageSize, c.patch, most: 64)
    let known =
      "BEiT is known here as it is fine-tuned, with a bias for every offset in every block"
    try keys.demand("use_relative_position_bias", true, standard: false, known)
    try keys.demand("use_shared_relative_position_bias", false, standard: false, known)
    try keys.demand("use_absolute_position_embeddings", false, standard: false, known)
    try keys.demand("use_mean_pooling", true, standard: true, known)
    try keys.checkMemory(
      values: values(
        width: c.width, depth: c.depth, inner: c.inner, grid: c.grid, patch: c.patch))
    let halves = ViT.halves
    return Architecture(
      name: "beit \(c)", family: "BEiT",
      summary: "transformers' beit, width \(c.width), \(c.depth) blocks, patch \(c.patch)",
      preprocessing: PreprocessingKeys(
        c.imageSize, cropFraction: 1, cropMode: "squash", mean: halves, std: halves),
      oracles: ["beit-hf"], recognise: { [c] in Beit.recognised($0, c) },
      make: { [c] w in
        var c = c
        c.classes = w.outputs(of: "head", standard: 0)
        return try Beit(c, w)
      })
  }

  /// transformers' Swin.
  static let swin = Entry(kind: "swin") { (keys) throws(ModelError) in try keys.swin() }
  /// transformers' Swin v2.
  static let swinv2 = Entry(kind: "swinv2") { (keys) throws(ModelError) in try keys.swin() }

  private func swin() throws(ModelError) -> Architecture {
    var c = Swin.Configuration()
    c.isSecond = kind == "swinv2"
    c.imageSize = try number("image_size", 224, most: 4096)
    c.patch = try number("patch_size", 4, most: 4096)
    c.width = try number("embed_dim", 96, most: 16384)
    c.depths = try numbers("depths", [2, 2, 6, 2], most: 256)
    c.heads = try numbers("num_heads", [3, 6, 12, 24], most: 16384)
    c.window = try number("window_size", 7, most: 64)
    c.epsilon = try epsilon(1e-5)
    c.mlpRatio = try real("mlp_ratio", 4, least: 0.25, most: 64)
    let stages = c.depths.count
    guard c.heads.count == stages, stages <= 8 else {
      throw problem(
        "'depths' and 'num_heads': expected as many of both, up to 8, found \(stages) and \(c.heads.count)"
      )
    }
    for (stage, heads) in c.heads.enumerated() { try checkHeads(heads, c.width << stage) }
    try checkPatches(c.imageSize, c.patch, most: 256)
    let pretrained = try numbers(
      "pretrained_window_sizes", Array(repeating: 0, count: stages), least: 0, most: 64)
    guard pretrained.count >= stages else {
      throw problem("'pretrained_window_sizes': expected \(stages), found \(pretrained.count)")
    }
    c.pretrainedWindows = pretrained
    guard try activation() == .gelu else {
      throw problem("'hidden_act': Swin has gelu here, and nothing else")
    }
    try demand("qkv_bias", true, standard: true, "Swin's queries and values have biases here")
    try demand(
      "use_absolute_embeddings", false, standard: false, "Swin has no position embeddings here")
    let values = c.depths.enumerated().map { stage, depth in
      let width = Double(c.width << stage)
      return Double(depth) * (4 + 2 * c.mlpRatio) * width * width
    }
    // The masks of shifted windows grow with the grid and with the windows.
    let masks = Double(c.imageSize / c.patch * c.window)
    try checkMemory(values: values.reduce(3 * masks * masks, +))
    return Architecture(
      name: "\(kind) \(c)", family: "Swin",
      summary: "transformers' \(kind), width \(c.width), windows of \(c.window)",
      preprocessing: PreprocessingKeys(c.imageSize, cropFraction: 1, cropMode: "squash"),
      oracles: ["\(kind)-hf"], recognise: { [c] in Swin.recognised($0, c) },
      make: { [c] w in
        var c = c
        c.classes = w.outputs(of: "head.fc", standard: 0)
        return try Swin(c, w)
      })
  }

  /// transformers' DINOv3 Vision Transformers.
  static let dinov3 = Entry(kind: "dinov3_vit") { (keys) throws(ModelError) in
    let temperature = try keys.real("rope_theta", 100, least: 1, most: 1e9)
    var c = Eva.Configuration(RotaryPositions(.centred, temperature: temperature))
    c.imageSize = try keys.number("image_size", 224, most: 16384)
    c.patch = try keys.number("patch_size", 16, most: 16384)
    c.width = try keys.number("hidden_size", 384, most: 65536)
    c.depth = try keys.number("num_hidden_layers", 12, most: 4096)
    c.heads = try keys.number("num_attention_heads", 6, most: 65536)
    c.inner = try keys.number("intermediate_size", 1536, most: 1 << 20)
    c.registers = try keys.number("num_register_tokens", 0, least: 0, most: 1024)
    c.epsilon = try keys.epsilon(1e-5)
    let isGated = try keys.flag("use_gated_mlp", false)
    if isGated {
      c.mlp = .split
      guard keys.keys["hidden_act"] as? String == "silu" else {
        throw keys.problem("'hidden_act': a gated MLP has silu here, and nothing else")
      }
    } else {
      c.activation = try keys.activation()
    }
    try keys.checkHeads(c.heads, c.width)
    guard (c.width / c.heads) % 4 == 0 else {
      throw keys.problem("heads of width \(c.width / c.heads): expected a multiple of 4 to turn")
    }
    try keys.checkPatches(c.imageSize, c.patch)
    for (key, value) in [("key_bias", false), ("mlp_bias", true), ("proj_bias", true)] {
      try keys.demand(key, value, standard: value, "DINOv3 has it otherwise here")
    }
    try keys.checkMemory(
      values: values(width: c.width, depth: c.depth, inner: c.inner, grid: 0, patch: c.patch))
    (c.classes, c.layerScale, c.embedsPositions, c.normalisesMean) = (0, true, false, false)
    return Architecture(
      name: "dinov3_vit \(c)", family: "DINOv3",
      summary: "transformers' dinov3_vit, width \(c.width), \(c.depth) blocks, patch \(c.patch)",
      preprocessing: PreprocessingKeys(224, cropFraction: 1, cropMode: "squash"),
      oracles: ["dinov3-hf"], recognise: { [c] in Eva.recognised($0, c) },
      make: { [c] w in
        var c = c
        c.qkvBias = w.has("blocks.0.attn.q_bias")
        return try Eva(c, w)
      })
  }
}
