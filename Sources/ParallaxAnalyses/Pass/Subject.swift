import ParallaxImages
import ParallaxModels
import ParallaxTensors

/// A model as an analysis sees it: its name, how images are prepared for it, and its sites.
public struct Subject: Sendable {
  /// What results and figures call it.
  public let name: String
  /// The kind of network, as figures name it: `ViT`, `ResNet`.
  public let family: String
  /// The model.
  public let model: any Model
  /// From a decoded picture to the model's input.
  public let preprocessing: Preprocessing
  /// The sides of the images that the preprocessing makes, in pixels.
  public let imageSize: (height: Int, width: Int)
  /// All sites in execution order.
  public let sites: [Site]
  /// What identifies weights and architecture: the same text means the same numbers.
  public let fingerprint: String
  /// Where the model's parameters lie.
  public let device: Device
  /// What the model was trained to do.
  public var objective = Objective.unknown
  /// Of which model it is a changed form; nil where it is none.
  public var derivation: LoadedModel.Derivation?
  /// The names of its classes by index; nil where they are not known.
  public var classNames: [String]?

  /// A model made ready: its sites are found by running it once.
  ///
  /// - Throws: `AnalysisError.imageSize` or `ModelError.graph` where the model cannot take the images that the
  ///   preprocessing makes.
  public init(
    name: String, family: String, model: any Model, preprocessing: Preprocessing,
    fingerprint: String, device: Device = .cpu
  ) throws {
    let size = (height: preprocessing.height, width: preprocessing.width)
    try Self.check(model, name: name, size: size, device: device)
    self.name = name
    self.family = family
    self.model = model
    self.preprocessing = preprocessing
    imageSize = size
    self.fingerprint = fingerprint
    self.device = device
    sites = model.sites(height: size.height, width: size.width, device: device)
  }

  /// Refuses images of a size that a model cannot take.
  ///
  /// - Throws: `AnalysisError.imageSize`, or `ModelError.graph`.
  static func check(
    _ model: any Model, name: String, size: (height: Int, width: Int), device: Device
  ) throws {
    if let fixed = model.fixedImageSize, fixed != size {
      throw AnalysisError.imageSize(
        model: name,
        problem:
          "expected images of \(fixed.height)×\(fixed.width) pixels, found \(size.height)×\(size.width)"
      )
    }
    let multiple = model.imageMultiple
    guard size.height > 0, size.width > 0, size.height % multiple == 0, size.width % multiple == 0
    else {
      throw AnalysisError.imageSize(
        model: name,
        problem:
          "expected images whose sides are multiples of \(multiple) pixels, found \(size.height)×\(size.width)"
      )
    }
    let minimum = model.minimumImageSize
    guard min(size.height, size.width) >= minimum else {
      throw AnalysisError.imageSize(
        model: name,
        problem:
          "expected images of at least \(minimum)×\(minimum) pixels, found \(size.height)×\(size.width)"
      )
    }
    try model.check(height: size.height, width: size.width, device: device)
  }

  private init(_ other: Subject, name: String, model: any Model, fingerprint: String) {
    (self.name, self.model, self.fingerprint) = (name, model, fingerprint)
    (family, preprocessing, imageSize) = (other.family, other.preprocessing, other.imageSize)
    (sites, device, objective) = (other.sites, other.device, other.objective)
    classNames = other.classNames
  }
}

extension Subject {
  /// The places where branches are added to what goes past them, in execution order.
  ///
  /// - Throws: `ModelError` where the model cannot run.
  public func connections() throws -> [ResidualConnection] {
    try model.connections(height: imageSize.height, width: imageSize.width, device: device)
  }

  /// The same images through another form of the model.
  ///
  /// - Parameters:
  ///   - name: what results call it.
  ///   - model: with the same sites.
  ///   - change: what tells it from the first.
  /// - Returns: the changed model.
  func changed(to name: String, _ model: any Model, _ change: String) -> Subject {
    Subject(self, name: name, model: model, fingerprint: "\(fingerprint) \(change)")
  }

  /// What kind of network it is, by the kinds of its sites and their names, and of a graph by what its branches do.
  public var design: Design {
    if sites.contains(where: { $0.kind == .mixed }) { return .mixer }
    let whole = (model as? WithoutParts)?.base ?? model
    if let parts = (whole as? ImportedGraph)?.parts {
      if parts.contains(.attention) { return .transformer }
      if parts.contains(.mixing) { return .mixer }
    }
    let attends = sites.contains { site in
      [.pattern, .windows].contains(site.kind)
        || ["attn", "attention", "self_attention"].contains(
          site.name.split(separator: ".").last.map(String.init) ?? "")
    }
    if attends || model.tokenLayout != nil { return .transformer }
    // The images themselves are maps in any network.
    return sites.contains { $0.name != "input" && [.map, .positions].contains($0.kind) }
      ? .convolutional : .other
  }

  /// What comes before the blocks: the input, pooled to 32 × 32 where it is larger, and the last site before the first
  /// block begins, averaged over its positions.
  public var beginnings: [Representation] {
    guard let first = sites.first(where: \.isBlock),
      let start = sites.firstIndex(where: {
        $0.name == first.name || $0.name.hasPrefix(first.name + ".")
      })
    else { return [] }
    var found: [Representation] = []
    if let input = sites.first(where: { $0.name == "input" && $0.kind == .map }) {
      let side = min(32, input.shape[1], input.shape[2])
      found.append(Representation(model: name, site: input, tokens: .grid(side)))
    }
    let stem = sites[..<start].last {
      $0.name != "input" && [.map, .positions, .tokens, .patches].contains($0.kind)
    }
    if let stem { found.append(Representation(model: name, site: stem, tokens: .avg)) }
    return found
  }
}

/// The kinds of network whose processing is compared.
public enum Design: String, Sendable, Hashable, Codable {
  /// Attention between tokens or positions.
  case transformer
  /// Convolutions without attention.
  case convolutional
  /// Perceptrons over channels and positions.
  case mixer
  /// None of these.
  case other
}

/// A representation that somebody wants: a site of a subject, and which tokens of it.
public struct Representation: Sendable, Hashable {
  /// The subject's name.
  public let model: String
  /// The place in the model.
  public let site: Site
  /// What of the activation.
  public let tokens: Tokens

  /// A site of a subject and a choice of tokens.
  public init(model: String, site: Site, tokens: Tokens) {
    (self.model, self.site, self.tokens) = (model, site, tokens)
  }

  /// `model@site#tokens`.
  public var address: String { "\(model)@\(site.name)#\(tokens)" }
}
