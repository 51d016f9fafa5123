import Foundation

/// What a `config.json` of timm's says: an architecture, arguments that change it, and how images are prepared.
struct TimmConfiguration {
  let name: String
  let keys: [String: Any]
  let file: String

  /// Arguments of timm's that do not change what a trained network computes, or that the checkpoint's shapes tell.
  private static let harmless: Set = [
    "num_classes", "drop_rate", "drop_path_rate", "attn_drop_rate", "proj_drop_rate",
    "pos_drop_rate", "patch_drop_rate", "drop_block_rate", "pretrained", "features_only",
    "dynamic_img_size", "strict_img_size", "scriptable", "exportable", "checkpoint_path",
  ]

  /// The keys of a `pretrained_cfg` that say how images are prepared.
  private static let imageKeys = [
    "input_size", "crop_pct", "crop_mode", "interpolation", "mean", "std",
  ]

  /// The architecture with its arguments applied, and its preprocessing.
  ///
  /// - Parameter asked: the architecture that the user named; nil for the configuration's own.
  /// - Returns: both, and which file said how images are prepared.
  /// - Throws: `ModelError`, with the argument that cannot be applied.
  func described(_ asked: String?) throws -> HuggingFaceFolder.Description {
    guard let own = asked ?? name.split(separator: ".").first.map(String.init) else {
      throw problem("'architecture' is '\(name)', expected a name of timm's")
    }
    // Some of timm's tags are entries of their own, prepared otherwise.
    let tagged = asked == nil ? Catalog.entries.first { $0.name == name } : nil
    var architecture = try (tagged ?? Catalog.entry(named: own)).architecture
    if let arguments = keys["model_args"] as? [String: Any] {
      architecture = try applied(arguments, architecture)
    }
    // Older files have the keys of `pretrained_cfg` beside the architecture.
    let given = keys["pretrained_cfg"] as? [String: Any] ?? keys
    var images: [String: Any] = [:]
    for key in Self.imageKeys {
      if let value = given[key], !(value is NSNull) { images[key] = value }
    }
    guard !images.isEmpty else {
      return .init(
        architecture: architecture,
        preprocessing: try JSONEncoder().encode(architecture.preprocessing))
    }
    if images["input_size"] == nil { images["input_size"] = architecture.preprocessing.inputSize }
    return .init(
      architecture: architecture, preprocessing: try JSONSerialization.data(withJSONObject: images),
      preprocessingFile: "config.json")
  }

  private func applied(
    _ arguments: [String: Any], _ architecture: Architecture
  ) throws(ModelError) -> Architecture {
    var result = architecture
    for (key, value) in arguments.sorted(by: { $0.key < $1.key }) where !(value is NSNull) {
      if Self.harmless.contains(key) { continue }
      switch key {
      case "in_chans":
        guard value as? Int == 3 else {
          throw problem("'model_args' asks for \(value) colour channels, expected 3")
        }
      case "img_size":
        let sides = (value as? [Int]) ?? (value as? Int).map { [$0] } ?? []
        guard let side = sides.first, sides.allSatisfy({ $0 == side }), sides.count <= 2,
          (1...16384).contains(side)
        else {
          throw problem(
            "'model_args' asks for images of '\(value)', expected a side from 1 to 16384 pixels")
        }
        if let resized = result.resized {
          result = resized(side)
        } else if result.preprocessing.inputSize != [3, side, side] {
          throw problem(
            "'model_args' asks for images of \(side) pixels, which \(result.name) is not made for here"
          )
        }
      default:
        throw problem(
          "'model_args' asks for '\(key)': \(value), which \(result.name) does not know here")
      }
    }
    return result
  }

  private func problem(_ text: String) -> ModelError { .checkpoint(file: file, problem: text) }
}
