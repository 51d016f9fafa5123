import ParallaxTensors

/// A vision model: a value made from `Weights` and called with images and a tap.
public protocol Model: Sendable {
  /// How token sites are laid out; nil where a model has none.
  var tokenLayout: TokenLayout? { get }
  /// Images must be a multiple of this many pixels high and wide, and at least as many.
  var imageMultiple: Int { get }
  /// Images must be at least this many pixels high and wide.
  var minimumImageSize: Int { get }
  /// Sides of images that the model takes, where it takes only one size.
  var fixedImageSize: (height: Int, width: Int)? { get }

  /// The only number of images that the model takes at a time; nil where any will do.
  var fixedBatch: Int? { get }

  /// Refuses a size of images that the model cannot take and that its other properties do not tell.
  ///
  /// - Throws: `ModelError`.
  func check(height: Int, width: Int, device: Device) throws

  /// Every site in execution order.
  func sites(height: Int, width: Int, device: Device) -> [Site]

  /// The residual connections in execution order.
  ///
  /// - Throws: `ModelError`.
  func connections(height: Int, width: Int, device: Device) throws -> [ResidualConnection]

  /// Where the tokens of an attention pattern lie; nil where that is not known, or the site holds no attention of tokens
  /// among themselves.
  func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces?

  /// Runs images `[batch, 3, height, width]` through the model and shows every activation to the tap.
  ///
  /// - Returns: the output, or where the tap was satisfied, whatever was computed last.
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor

  /// The same, for models from outside: what goes wrong with these very images is an error.
  ///
  /// - Throws: `ModelError.graph` where a graph's node refuses its values.
  func run(_ images: Tensor, _ tap: Tap) throws -> Tensor
}

extension Model {
  /// nil: a network of feature maps has no tokens.
  public var tokenLayout: TokenLayout? { nil }
  /// 1: images of any size.
  public var imageMultiple: Int { 1 }
  /// 1: images however small.
  public var minimumImageSize: Int { 1 }
  /// nil: more than one size.
  public var fixedImageSize: (height: Int, width: Int)? { nil }
  /// nil: any number.
  public var fixedBatch: Int? { nil }
  /// An architecture in Swift refuses no images that fit it.
  public func run(_ images: Tensor, _ tap: Tap) throws -> Tensor { self(images, tap) }
  /// Takes whatever its other properties allow.
  public func check(height: Int, width: Int, device: Device) throws {}
}

/// How the tokens of a transformer stand in a row.
public struct TokenLayout: Sendable, Hashable {
  /// Whether the first token is a class token.
  public var hasClassToken: Bool
  /// Register and distillation tokens after it.
  public var registers: Int
  /// The side of a patch in pixels.
  public var patch: Int

  /// A layout: class token first, then registers, then patches row by row.
  public init(hasClassToken: Bool, registers: Int = 0, patch: Int) {
    (self.hasClassToken, self.registers, self.patch) = (hasClassToken, registers, patch)
  }

  /// The number of tokens before the patches.
  public var prefix: Int { (hasClassToken ? 1 : 0) + registers }
}

/// A place in a model where an activation can be seen.
public struct Site: Sendable, Hashable {
  /// Its dotted path, timm's name.
  public let name: String
  /// What its activation is.
  public let kind: SiteKind
  /// Its shape for one image.
  public let shape: [Int]
  /// Whether it is the output of a block.
  public let isBlock: Bool

  /// The stage that the site belongs to: `layer2` of `layer2.0`, `blocks` of `blocks.11`.
  public var stage: String {
    var parts = name.split(separator: ".")
    while let last = parts.last, Int(last) == nil, parts.count > 1 { parts.removeLast() }
    if parts.count > 1, Int(parts[parts.count - 1]) != nil { parts.removeLast() }
    return parts.joined(separator: ".")
  }
}

extension Model {
  /// Every site in execution order, found by running one image of zeros.
  public func sites(height: Int, width: Int, device: Device) -> [Site] {
    recordedSites(height: height, width: width, device: device)
  }

  /// Every site in execution order, on the processor.
  public func sites(height: Int, width: Int) -> [Site] {
    sites(height: height, width: width, device: .cpu)
  }

  func recordedSites(height: Int, width: Int, device: Device) -> [Site] {
    var found: [Site] = []
    let tap = Tap(nil) { visit in
      found.append(
        Site(
          name: visit.site, kind: visit.kind, shape: Array(visit.value.shape.dropFirst()),
          isBlock: visit.isBlock))
      return nil
    }
    _ = self(Tensor.zeros([fixedBatch ?? 1, 3, height, width]).to(device), tap)
    return found
  }
}
