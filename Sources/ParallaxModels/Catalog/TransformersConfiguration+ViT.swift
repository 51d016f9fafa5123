extension TransformersConfiguration {
  /// What distinguishes the kinds that are Vision Transformers of the same block.
  private struct Kind: Sendable {
    var patch = 16
    var epsilon = 1e-12
    var activation = Activation.gelu
    var oracle: String
    /// Of a processor that is not described.
    var preprocessing: @Sendable (Int) -> PreprocessingKeys = {
      PreprocessingKeys(
        $0, cropFraction: 1, cropMode: "squash", mean: ViT.halves, std: ViT.halves)
    }
    /// What else there is to the configuration.
    var more:
      @Sendable (TransformersConfiguration, inout ViT.Configuration) throws(ModelError) ->
        Void = { (_, _) throws(ModelError) in }
  }

  /// transformers' Vision Transformers.
  static let vits: [Entry] = [
    entry("vit", Kind(oracle: "vit-hf")),
    entry("clip", clip, tower: "vision_config"),
    entry("clip_vision_model", clip),
    entry("dinov2", dino(patch: 14)),
    entry("dinov2_with_registers", dino(patch: 16)),
    entry("vit_mae", Kind(oracle: "mae-hf")),
    entry(
      "deit", Kind(oracle: "deit-hf", more: { (_, c) throws(ModelError) in c.distilled = true })),
    entry("siglip", siglip, tower: "vision_config"),
    entry("siglip_vision_model", siglip),
  ]

  private static let clip = Kind(
    patch: 32, epsilon: 1e-5, activation: .quickGELU, oracle: "clip-hf",
    preprocessing: {
      PreprocessingKeys(
        $0, cropFraction: 1, mean: PreprocessingKeys.clipMean, std: PreprocessingKeys.clipStd)
    }, more: { (_, c) throws(ModelError) in c.preNorm = true })

  private static let siglip = Kind(
    epsilon: 1e-6, activation: .geluTanh, oracle: "siglip-hf",
    more: { (keys, c) throws(ModelError) in
      try keys.demand("vision_use_head", true, standard: true, "its pooling is always there here")
      c.pool = .attention
    })

  private static func dino(patch: Int) -> Kind {
    Kind(
      patch: patch, epsilon: 1e-6, oracle: "dinov2-hf",
      preprocessing: { _ in PreprocessingKeys(224, cropFraction: 0.875) },
      more: { (keys, c) throws(ModelError) in
        try keys.demand(
          "use_swiglu_ffn", false, standard: false,
          "the gated MLP of the giant size is not known here")
        c.layerScale = true
        guard keys.kind == "dinov2_with_registers" else { return }
        // This one resizes as timm does, all others without antialiasing.
        c.positions = .antialiased
        c.registers = try keys.number("num_register_tokens", 4, most: 1024)
      })
  }

  private static func entry(_ name: String, _ kind: Kind, tower: String? = nil) -> Entry {
    Entry(kind: name) { (given) throws(ModelError) in
      let keys = tower.map { given.tower($0) } ?? given
      return try keys.vit(kind)
    }
  }

  private func vit(_ kind: Kind) throws(ModelError) -> Architecture {
    var c = ViT.Configuration()
    c.imageSize = try number("image_size", 224, most: 16384)
    c.patch = try number("patch_size", kind.patch, most: 16384)
    c.width = try number("hidden_size", 768, most: 65536)
    c.depth = try number("num_hidden_layers", 12, most: 4096)
    c.heads = try number("num_attention_heads", 12, most: 65536)
    try checkHeads(c.heads, c.width)
    try checkPatches(c.imageSize, c.patch)
    // The MLP's width: DINOv2 gives it as a multiple, the others as such.
    let inner =
      self.kind.hasPrefix("dinov2")
      ? c.width * (try number("mlp_ratio", 4, most: 64))
      : try number("intermediate_size", 3072, most: 1 << 20)
    c.mlpRatio = Double(inner) / Double(c.width)
    // The network rounds width times ratio down.
    if c.inner != inner { c.mlpRatio = (Double(inner) + 0.5) / Double(c.width) }
    c.epsilon = try epsilon(kind.epsilon)
    try checkMemory(
      values: Self.values(
        width: c.width, depth: c.depth, inner: inner, grid: c.imageSize / c.patch, patch: c.patch))
    (c.classes, c.positions) = (0, .plain)
    c.activation = try activation(kind.activation)
    try kind.more(self, &c)
    return built(c, kind)
  }

  private func built(_ c: ViT.Configuration, _ kind: Kind) -> Architecture {
    Architecture(
      name: "\(self.kind) \(c)", family: "ViT",
      summary: "transformers' \(self.kind), width \(c.width), \(c.depth) blocks, patch \(c.patch)",
      preprocessing: kind.preprocessing(c.imageSize), oracles: [kind.oracle],
      recognise: { ViT.recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head", standard: 0)
        // CLIP's projection has no bias.
        c.headBias = !c.preNorm || w.has("head.bias")
        // DeiT without its teacher reads the class token alone.
        c.hasDistillationHead = c.classes == 0 || w.has("head_dist.weight")
        return try ViT(c, w)
      })
  }
}
