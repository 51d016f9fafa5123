import Foundation
import ParallaxTensors

/// What an `open_clip_config.json` says of a model's image tower.
struct OpenCLIPConfiguration {
  private let tower: [String: Any]
  private let model: [String: Any]
  private let images: [String: Any]
  private let quickGELU: Bool
  private let file: String

  /// A configuration: `model_cfg` with `vision_cfg` in it, and `preprocess_cfg`.
  ///
  /// - Throws: `ModelError.checkpoint` where it has no image tower.
  init(keys: [String: Any], quickGELU: Bool, file: String) throws(ModelError) {
    guard let model = keys["model_cfg"] as? [String: Any],
      let tower = model["vision_cfg"] as? [String: Any]
    else {
      throw .checkpoint(file: file, problem: "has no 'model_cfg' with a 'vision_cfg' in it")
    }
    (self.model, self.tower, self.file) = (model, tower, file)
    images = keys["preprocess_cfg"] as? [String: Any] ?? [:]
    self.quickGELU = quickGELU || model["quick_gelu"] as? Bool == true
  }

  /// The image tower: open_clip's own Vision Transformer, or a network of timm's without a projection.
  ///
  /// - Throws: `ModelError.checkpoint` where a key is missing, wrong or asks for what there is not.
  func architecture() throws(ModelError) -> Architecture {
    if let name = tower["timm_model_name"] as? String { return try trunk(name) }
    let known: Set = [
      "image_size", "layers", "width", "head_width", "patch_size", "mlp_ratio", "patch_dropout",
      "output_tokens", "pool_type", "no_ln_pre", "norm_kwargs", "act_kwargs", "ls_init_value",
      "attentional_pool", "final_ln_after_pool",
    ]
    for key in tower.keys.sorted() where !known.contains(key) {
      throw problem("'vision_cfg' has the key '\(key)', which is not known here")
    }
    let unlike: [(String, Bool)] = [
      ("pool_type", (tower["pool_type"] as? String ?? "tok") != "tok"),
      ("no_ln_pre", tower["no_ln_pre"] as? Bool == true),
      (
        "attentional_pool",
        (tower["attentional_pool"] as? Bool ?? false) || tower["attentional_pool"] is String
      ),
      ("final_ln_after_pool", tower["final_ln_after_pool"] as? Bool == true),
      ("ls_init_value", tower["ls_init_value"].map { !($0 is NSNull) } ?? false),
      ("act_kwargs", (tower["act_kwargs"] as? [String: Any])?.isEmpty == false),
    ]
    if let (key, _) = unlike.first(where: \.1) {
      throw problem("'vision_cfg' asks by '\(key)' for another network than CLIP's own")
    }
    if tower["layers"] is [Any] {
      throw problem("describes CLIP's ResNet, which has no architecture here; expected a ViT")
    }
    var c = ViT.Configuration()
    c.imageSize = try number("image_size", 224, most: 16384)
    c.patch = try number("patch_size", 16, most: 16384)
    c.width = try number("width", 768, most: 65536)
    c.depth = try number("layers", 12, most: 4096)
    let head = try number("head_width", 64, most: 65536)
    guard c.width % head == 0 else {
      throw problem("heads of width \(head) do not divide a width of \(c.width)")
    }
    c.heads = c.width / head
    guard c.imageSize % c.patch == 0, c.imageSize / c.patch <= 128 else {
      throw problem(
        "images of \(c.imageSize) pixels: expected 1 to 128 whole patches of \(c.patch) pixels a side"
      )
    }
    c.mlpRatio = (tower["mlp_ratio"] as? NSNumber)?.doubleValue ?? 4
    guard c.mlpRatio > 0, c.mlpRatio <= 64 else {
      throw problem("'mlp_ratio': expected a number up to 64, found \(c.mlpRatio)")
    }
    // Names like open_clip's 4.9231 stand for a whole width.
    c.epsilon =
      ((tower["norm_kwargs"] as? [String: Any])?["eps"] as? NSNumber)?.doubleValue ?? 1e-5
    (c.preNorm, c.headBias) = (true, false)
    c.activation = quickGELU ? .quickGELU : .gelu
    guard let outputs = model["embed_dim"] as? Int, (1...65536).contains(outputs) else {
      throw problem("'embed_dim': expected a whole number from 1 to 65536")
    }
    c.classes = outputs
    try TransformersConfiguration.checkMemory(c, file: file)
    return built(c)
  }

  private func built(_ c: ViT.Configuration) -> Architecture {
    Architecture(
      name: "open_clip \(c)", family: "ViT",
      summary:
        "open_clip's image tower, ViT of width \(c.width), \(c.depth) blocks, patch \(c.patch), \(c.activation == .gelu ? "GELU" : "QuickGELU")",
      preprocessing: PreprocessingKeys(
        c.imageSize, cropFraction: 1, mean: PreprocessingKeys.clipMean,
        std: PreprocessingKeys.clipStd),
      oracles: ["vit-clip-timm", "clip-hf"], recognise: { ViT.recognised($0, c) },
      make: { w in
        var c = c
        if w.has("head.bias") { c.headBias = true }
        return try ViT(c, w)
      })
  }

  /// A network of timm's, its parameters behind `visual.trunk.`.
  private func trunk(_ name: String) throws(ModelError) -> Architecture {
    let projection = tower["timm_proj"] as? String ?? ""
    guard ["", "none"].contains(projection) else {
      throw problem(
        "'timm_proj' is '\(projection)'; a projection behind '\(name)' is not known here")
    }
    let entry = try Catalog.entry(named: String(name.prefix { $0 != "." }))
    let own = entry.architecture
    return Architecture(
      name: "open_clip \(own.name)", family: own.family,
      summary: "open_clip's image tower, timm's \(own.name)", preprocessing: own.preprocessing,
      oracles: own.oracles, recognise: { own.recognise(ImageTower($0, "visual.trunk.")) },
      make: own.make)
  }

  /// How images are prepared: timm's keys.
  ///
  /// - Throws: `ModelError.checkpoint` where `preprocess_cfg` asks for what there is not.
  func preprocessing(_ architecture: Architecture) throws(ModelError) -> [String: Any] {
    let size = images["size"] ?? tower["image_size"] ?? architecture.preprocessing.inputSize[1]
    let sides = (size as? [Int]) ?? (size as? Int).map { [$0, $0] } ?? []
    guard sides.count == 2, sides.allSatisfy({ (1...16384).contains($0) }) else {
      throw problem("the image size is \(size), expected one or two whole numbers")
    }
    let modes = ["shortest": "center", "squash": "squash"]
    let mode = images["resize_mode"] as? String ?? "shortest"
    guard let crop = modes[mode] else {
      throw problem("'resize_mode' is '\(mode)', expected shortest or squash")
    }
    return [
      "input_size": [3] + sides, "crop_pct": 1.0, "crop_mode": crop,
      "interpolation": images["interpolation"] ?? "bicubic",
      "mean": images["mean"] ?? PreprocessingKeys.clipMean,
      "std": images["std"] ?? PreprocessingKeys.clipStd,
    ]
  }

  private func number(_ key: String, _ standard: Int, most: Int) throws(ModelError) -> Int {
    guard let value = tower[key], !(value is NSNull) else { return standard }
    guard let number = value as? Int, number > 0, number <= most else {
      throw problem("'\(key)': expected a whole number from 1 to \(most), found \(value)")
    }
    return number
  }

  private func problem(_ text: String) -> ModelError { .checkpoint(file: file, problem: text) }
}

/// The parameters of a checkpoint that stand behind a prefix, without it; what the text tower has is left out.
private struct ImageTower: WeightSource, ForeignNames {
  private let source: any WeightSource
  private let prefix: String
  let names: [String]

  init(_ source: any WeightSource, _ prefix: String) {
    (self.source, self.prefix) = (source, prefix)
    names = source.names.filter { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
  }

  var label: String { source.label }
  func shape(_ name: String) -> [Int]? { source.shape(prefix + name) }
  func tensor(_ name: String) throws -> Tensor? { try source.tensor(prefix + name) }
  func origins(_ name: String) -> [String] { [prefix + name] }
  func fault(_ name: String, _ asked: [Int]) -> ParameterFault {
    ParameterFault(name: prefix + name, expected: asked, found: source.shape(prefix + name))
  }
}
