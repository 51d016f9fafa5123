/// What a `config.json` of transformers says of a model.
struct TransformersConfiguration {
  let kind: String
  let keys: [String: Any]
  let file: String

  /// The kinds that there is an architecture for.
  static let kinds = ["vit", "clip", "clip_vision_model", "dinov2", "dinov2_with_registers"]

  /// The architecture with the configuration's sizes.
  ///
  /// - Throws: `ModelError.checkpoint` where a key is missing, wrong or asks for what there is not.
  func architecture() throws(ModelError) -> Architecture {
    guard Self.kinds.contains(kind) else {
      throw problem(
        "model_type '\(kind)' has no architecture here; expected one of "
          + Self.kinds.joined(separator: ", "))
    }
    let isCLIP = kind.hasPrefix("clip")
    // A whole CLIP keeps its image tower's sizes in an object of their own.
    let tower = kind == "clip" ? keys["vision_config"] as? [String: Any] ?? [:] : keys
    let base: [String: Int] =
      switch kind {
      case "clip", "clip_vision_model":
        ["image_size": 224, "patch_size": 32, "projection_dim": 512]
      case "vit": ["image_size": 224, "patch_size": 16]
      default: ["image_size": 518, "patch_size": 14]
      }
    func number(_ key: String, _ standard: Int) throws(ModelError) -> Int {
      guard let value = tower[key] else { return base[key] ?? standard }
      guard let number = value as? Int, number > 0, number <= 1 << 20 else {
        throw problem("'\(key)': expected a whole number from 1, found \(value)")
      }
      return number
    }
    var c = ViT.Configuration()
    c.imageSize = try number("image_size", 224)
    c.patch = try number("patch_size", 16)
    c.width = try number("hidden_size", 768)
    c.depth = try number("num_hidden_layers", 12)
    c.heads = try number("num_attention_heads", 12)
    guard c.width % c.heads == 0, c.patch <= c.imageSize else {
      throw problem(
        "\(c.heads) heads do not divide a width of \(c.width), or a patch of \(c.patch) exceeds images of \(c.imageSize)"
      )
    }
    let inner = try number("intermediate_size", c.width * (tower["mlp_ratio"] as? Int ?? 4))
    c.mlpRatio = Double(inner) / Double(c.width)
    c.epsilon = tower["layer_norm_eps"] as? Double ?? (kind == "vit" ? 1e-12 : isCLIP ? 1e-5 : 1e-6)
    c.classes = 0
    c.preNorm = isCLIP
    let activation = tower["hidden_act"] as? String ?? (isCLIP ? "quick_gelu" : "gelu")
    guard let known = Activation(rawValue: activation) else {
      throw problem("'hidden_act' is '\(activation)', expected gelu or quick_gelu")
    }
    c.activation = known
    if kind.hasPrefix("dinov2") {
      if tower["use_swiglu_ffn"] as? Bool == true {
        throw problem("'use_swiglu_ffn' is true; the gated MLP of the giant size is not known here")
      }
      c.layerScale = true
      c.positions = .plain
    }
    if kind == "dinov2_with_registers" { c.registers = try number("num_register_tokens", 4) }
    return built(c)
  }

  private func built(_ c: ViT.Configuration) -> Architecture {
    let isCLIP = kind.hasPrefix("clip")
    let means = isCLIP ? PreprocessingKeys.clipMean : [0.5, 0.5, 0.5]
    let deviations = isCLIP ? PreprocessingKeys.clipStd : [0.5, 0.5, 0.5]
    let isDINO = kind.hasPrefix("dinov2")
    return Architecture(
      name: "\(kind) \(c)", family: "ViT",
      summary: "transformers' \(kind), width \(c.width), \(c.depth) blocks, patch \(c.patch)",
      preprocessing: isDINO
        ? PreprocessingKeys(224, cropFraction: 0.875)
        : PreprocessingKeys(
          c.imageSize, cropFraction: 1, cropMode: isCLIP ? "center" : "squash", mean: means,
          std: deviations),
      oracles: [isCLIP ? "clip-hf" : isDINO ? "dinov2-hf" : "vit-hf"],
      recognise: { ViT.recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head", standard: 0)
        c.headBias = w.has("head.bias")
        return try ViT(c, w)
      })
  }

  private func problem(_ text: String) -> ModelError { .checkpoint(file: file, problem: text) }
}
