import Foundation
import ParallaxTensors

/// A model by name: an architecture, and where its weights are.
public struct CatalogEntry: Sendable {
  /// Weights that the set-up fetches.
  public struct Checkpoint: Sendable {
    /// The file, within the cache folder.
    public var file: String
    /// Where they come from.
    public var origin: String
    /// Under which licence.
    public var licence: String
    /// What they were trained on.
    public var training: String
    /// What they were trained to do.
    public var objective: Objective
    /// What one must know before quoting a number.
    public var caveat: String?
  }

  /// The name.
  public let name: String
  /// The network.
  public let architecture: Architecture
  /// Its trained weights; nil for an architecture alone.
  public let weights: Checkpoint?
  /// How images are prepared for it.
  public let preprocessing: PreprocessingKeys
  /// What it is, in a sentence.
  public let summary: String

  /// The kind of network.
  public var family: String { architecture.family }
  /// Where the weights come from.
  public var origin: String? { weights?.origin }
  /// Their licence.
  public var licence: String? { weights?.licence }
  /// Other names that the architecture is known by, torchvision's among them.
  public var otherNames: [String] {
    let own = architecture.aliases
    return own + TorchVision.names(of: architecture.name).filter { !own.contains($0) }
  }
  /// What one must know before quoting a number.
  public var caveat: String? { weights?.caveat }
  /// Where the weights lie, if they have been fetched.
  public var weightsURL: URL? { weights.map { CacheFolder.url.appending(path: $0.file) } }
  /// Whether the weights have been fetched.
  public var weightsAreInstalled: Bool {
    weightsURL.map { FileManager.default.fileExists(atPath: $0.path) } ?? false
  }

  init(
    _ name: String, _ architecture: Architecture, preprocessing: PreprocessingKeys? = nil,
    summary: String? = nil, weights: Checkpoint? = nil
  ) {
    (self.name, self.architecture, self.weights) = (name, architecture, weights)
    self.preprocessing = preprocessing ?? architecture.preprocessing
    self.summary = summary ?? architecture.summary
  }
}

/// The models that Parallax knows by name.
public enum Catalog {
  /// Every architecture; a family is one line.
  public static let architectures: [Architecture] =
    ViT.architectures + ResNet.architectures + EfficientNet.architectures
    + MobileNetV2.architectures + ConvNeXt.architectures + VGG.architectures
    + InceptionV3.architectures + GoogLeNet.architectures + DenseNet.architectures
    + RegNet.architectures + MobileNetV3.architectures
    + Beit.architectures + Swin.architectures + Mixer.architectures + Eva.architectures

  /// Models with weights first, then every architecture without.
  public static let entries: [CatalogEntry] =
    pretrained + architectures.map { CatalogEntry($0.name, $0) }

  /// The entry of that name or alias; case does not matter.
  ///
  /// - Throws: `ModelError.ambiguousModel` where only the beginning of several names is given,
  ///   `ModelError.unknownModel` with the nearest names.
  public static func entry(named name: String) throws(ModelError) -> CatalogEntry {
    let asked = name.lowercased()
    if let found = entries.first(where: { $0.name.lowercased() == asked }) { return found }
    if let found = TorchVision.entry(asked) { return found }
    if let found = architectures.first(where: { $0.aliases.contains { $0.lowercased() == asked } })
    {
      return CatalogEntry(found.name, found)
    }
    let beginnings = entries.filter { $0.name.lowercased().hasPrefix(asked) && !asked.isEmpty }
    if beginnings.count == 1 { return beginnings[0] }
    if beginnings.count > 1 {
      throw .ambiguousModel(name: name, candidates: beginnings.map(\.name))
    }
    throw .unknownModel(
      name: name, candidates: Spelling.nearest(to: asked, among: entries.map(\.name)))
  }
}
