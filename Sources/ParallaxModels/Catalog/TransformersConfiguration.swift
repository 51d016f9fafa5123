import Foundation

/// What a `config.json` of transformers says of a model.
///
/// A kind is one entry: its `model_type` and what makes an architecture of the keys.
struct TransformersConfiguration {
  let kind: String
  let keys: [String: Any]
  let file: String

  /// One kind of model.
  struct Entry: Sendable {
    let kind: String
    let make: @Sendable (TransformersConfiguration) throws(ModelError) -> Architecture
  }

  /// The kinds that there is an architecture for.
  static let entries = vits + [beit, swin, swinv2, dinov3]
  /// Their names.
  static let kinds = entries.map(\.kind)

  /// The architecture with the configuration's sizes; what is missing is what transformers' own
  /// configuration classes take it for.
  ///
  /// - Throws: `ModelError.checkpoint` where a key is missing, wrong or asks for what there is not.
  func architecture() throws(ModelError) -> Architecture {
    guard let entry = Self.entries.first(where: { $0.kind == kind }) else {
      throw problem(
        "model_type '\(kind)' has no architecture here; expected one of "
          + Self.kinds.joined(separator: ", "))
    }
    return try entry.make(self)
  }

  /// The same with the keys of the image tower, which a model of images and texts keeps in an object of their own.
  func tower(_ key: String) -> Self {
    Self(kind: kind, keys: keys[key] as? [String: Any] ?? [:], file: file)
  }

  /// A whole number.
  func number(
    _ key: String, _ standard: Int, least: Int = 1, most: Int
  ) throws(ModelError) -> Int {
    guard let value = keys[key], !(value is NSNull) else { return standard }
    guard let number = value as? Int, number >= least, number <= most else {
      throw problem("'\(key)': expected a whole number from \(least) to \(most), found \(value)")
    }
    return number
  }

  /// A number, whole or not.
  func real(_ key: String, _ standard: Double, least: Double, most: Double) throws(ModelError)
    -> Double
  {
    guard let value = keys[key], !(value is NSNull) else { return standard }
    guard let number = (value as? Double) ?? (value as? Int).map(Double.init), number >= least,
      number <= most
    else { throw problem("'\(key)': expected a number from \(least) to \(most), found \(value)") }
    return number
  }

  /// Whole numbers from `least`, one a stage.
  func numbers(
    _ key: String, _ standard: [Int], least: Int = 1, most: Int
  ) throws(ModelError) -> [Int] {
    guard let value = keys[key], !(value is NSNull) else { return standard }
    guard let numbers = value as? [Int], (1...16).contains(numbers.count),
      numbers.allSatisfy({ (least...most).contains($0) })
    else {
      throw problem(
        "'\(key)': expected 1 to 16 whole numbers from \(least) to \(most), found \(value)")
    }
    return numbers
  }

  /// A truth value.
  func flag(_ key: String, _ standard: Bool) throws(ModelError) -> Bool {
    guard let value = keys[key], !(value is NSNull) else { return standard }
    guard let flag = value as? Bool else {
      throw problem("'\(key)': expected true or false, found \(value)")
    }
    return flag
  }

  /// What is added to variances.
  func epsilon(_ standard: Double) throws(ModelError) -> Double {
    try real("layer_norm_eps", standard, least: 0, most: 1)
  }

  /// The MLP's nonlinearity.
  func activation(_ standard: Activation = .gelu) throws(ModelError) -> Activation {
    let name = keys["hidden_act"] as? String ?? standard.rawValue
    guard let known = Activation(rawValue: name) else {
      throw problem(
        "'hidden_act' is '\(name)', expected gelu, gelu_pytorch_tanh or quick_gelu")
    }
    return known
  }

  /// Refuses what the architecture has in one form only.
  func demand(_ key: String, _ value: Bool, standard: Bool, _ why: String) throws(ModelError) {
    if try flag(key, standard) != value { throw problem("'\(key)' is \(!value); \(why)") }
  }

  /// Refuses images that are no whole patches, or too many.
  func checkPatches(_ side: Int, _ patch: Int, most: Int = 128) throws(ModelError) {
    guard side % patch == 0, side / patch <= most else {
      throw problem(
        "images of \(side) pixels: expected 1 to \(most) whole patches of \(patch) pixels a side")
    }
  }

  /// Refuses heads that do not divide a width.
  func checkHeads(_ heads: Int, _ width: Int) throws(ModelError) {
    guard width % heads == 0 else {
      throw problem("\(heads) heads do not divide a width of \(width)")
    }
  }

  /// The same for a Vision Transformer that a file of another kind describes.
  static func checkMemory(_ c: ViT.Configuration, file: String) throws(ModelError) {
    let (width, grid) = (Double(c.width), Double(c.imageSize / c.patch))
    let block = 4 * width * width + 2 * width * width * c.mlpRatio
    let values =
      Double(c.depth) * block + width * (grid * grid + 3 * Double(c.patch) * Double(c.patch))
    try Self(kind: "", keys: [:], file: file).checkMemory(values: values)
  }

  /// Refuses a network whose parameters alone exceed the machine's memory: libtorch would end the process.
  func checkMemory(values: Double) throws(ModelError) {
    let memory = Double(ProcessInfo.processInfo.physicalMemory)
    guard 4 * values < memory else {
      throw problem(
        "describes a network of \(Int(4 * values / 1e9)) GB, this machine has \(Int(memory / 1e9)) GB"
      )
    }
  }

  /// The number of values in the blocks and the patches of a transformer.
  static func values(width: Int, depth: Int, inner: Int, grid: Int, patch: Int) -> Double {
    let (width, grid, patch) = (Double(width), Double(grid), Double(patch))
    let block = 4 * width * width + 2 * width * Double(inner)
    return Double(depth) * block + width * (grid * grid + 3 * patch * patch)
  }

  func problem(_ text: String) -> ModelError { .checkpoint(file: file, problem: text) }
}
