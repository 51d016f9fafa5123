/// What a model was trained to do.
public enum Objective: String, Sendable, Hashable, Codable, CaseIterable, CustomStringConvertible {
  /// Labels, from the beginning or in a last fine-tuning.
  case classification
  /// Contrastive on pairs of images and texts: CLIP, SigLIP.
  case languageImage = "language-image"
  /// Agreement of views of one image: DINO, DINOv2, MoCo.
  case selfSupervised = "self-supervised"
  /// Masked image modelling: MAE, BEiT.
  case maskedImage = "masked-image"
  /// Random weights.
  case untrained
  /// Something else.
  case other
  /// Not recorded.
  case unknown

  /// The raw value.
  public var description: String { rawValue }

  /// What the name of a checkpoint says, in the vocabulary of timm's tags; nil where it says nothing.
  ///
  /// A fine-tuning on labels (`ft_in1k`) counts before what came before it.
  static func named(_ name: String) -> Objective? {
    let text = name.lowercased()
    let words = text.split { !($0.isLetter || $0.isNumber) }.map(String.init)
    func has(_ beginnings: [String]) -> Bool {
      words.contains { word in beginnings.contains { word.hasPrefix($0) } }
    }
    for (place, word) in words.enumerated().dropLast()
    where word == "ft" && words[place + 1].hasPrefix("in") {
      return .classification
    }
    if has(["clip", "siglip", "laion", "metaclip"]) { return .languageImage }
    if has(["dino", "moco", "swav", "simclr", "byol", "ibot", "lvd142m", "lvd1689m"]) {
      return .selfSupervised
    }
    if has(["mae", "fcmae", "beit", "beitv2", "mim"]) { return .maskedImage }
    if has(["in1k", "in21k", "in22k", "in12k", "augreg", "imagenet", "imagenet1k"]) {
      return .classification
    }
    return nil
  }
}
