import Foundation

/// What a `config.json` of transformers says of a model.
struct TransformersConfiguration {
  let kind: String
  let keys: [String: Any]
  let file: String

  /// The kinds that there is an architecture for.
  static let kinds = ["vit", "clip", "clip_vision_model", "dinov2", "dinov2_with_registers"]

  /// The architecture with the configuration's sizes; what is missing is what transformers' own
  /// configuration classes take it for.
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
    func number(_ key: String, _ standard: Int, most: Int) throws(ModelError) -> Int {
      guard let value = tower[key], !(value is NSNull) else { return standard }
      guard let number = value as? Int, number > 0, number <= most else {
        throw problem("'\(key)': expected a whole number from 1 to \(most), found \(value)")
      }
      return number
    }
    var c = ViT.Configuration()
    c.imageSize = try number("image_size", 224, most: 16384)
    c.patch = try number(
      "patch_size", kind == "dinov2" ? 14 : isCLIP ? 32 : 16, most: 16384)
    c.width = try number("hidden_size", 768, most: 65536)
    c.depth = try number("num_hidden_layers", 12, most: 4096)
    c.heads = try number("num_attention_heads", 12, most: 65536)
    guard c.width % c.heads == 0 else {
      throw problem("\(c.heads) heads do not divide a width of \(c.width)")
    }
    guard c.imageSize % c.patch == 0, c.imageSize / c.patch <= 128 else {
      throw problem(
        "images of \(c.imageSize) pixels: expected 1 to 128 whole patches of \(c.patch) pixels a side"
      )
    }
    // The MLP's width: DINOv2 gives it as a multiple, the others as such.
    let inner =
      kind.hasPrefix("dinov2")
      ? c.width * (try number("mlp_ratio", 4, most: 64))
      : try number("intermediate_size", 3072, most: 1 << 20)
    c.mlpRatio = Double(inner) / Double(c.width)
    // The network rounds width times ratio down.
    if Int(Double(c.width) * c.mlpRatio) != inner {
      c.mlpRatio = (Double(inner) + 0.5) / Double(c.width)
    }
    c.epsilon = tower["layer_norm_eps"] as? Double ?? (kind == "vit" ? 1e-12 : isCLIP ? 1e-5 : 1e-6)
    guard c.epsilon >= 0, c.epsilon < 1 else {
      throw problem("'layer_norm_eps': expected a number from 0 to 1, found \(c.epsilon)")
    }
    try Self.checkMemory(c, file: file)
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
    }
    // transformers' Dinov2WithRegisters resizes as timm does, all others without antialiasing.
    c.positions = kind == "dinov2_with_registers" ? .antialiased : .plain
    if kind == "dinov2_with_registers" {
      c.registers = try number("num_register_tokens", 4, most: 1024)
    }
    return built(c)
  }

  /// Refuses a network whose parameters alone exceed the machine's memory: libtorch would end the process.
  static func checkMemory(_ c: ViT.Configuration, file: String) throws(ModelError) {
    let (width, grid) = (Double(c.width), Double(c.imageSize / c.patch))
    let block = 4 * width * width + 2 * width * width * c.mlpRatio
    let values =
      Double(c.depth) * block + width * (grid * grid + 3 * Double(c.patch) * Double(c.patch))
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard 4 * values < memory else {
      throw .checkpoint(
        file: file,
        problem:
          "describes a network of \(Int(4 * values / 1e9)) GB, this machine has \(Int(memory / 1e9)) GB"
      )
    }
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
