import ParallaxTensors

/// A place where a model adds a branch to what goes past it: z + f(z).
///
/// Its two summands are no sites of the model, and no list shows them; a tap that asks for ``skip`` or ``branch`` by name sees
/// them as they are added, and may replace them. f(z) is the whole branch: its own norm, layer scale and all.
public struct ResidualConnection: Sendable, Hashable {
  /// What the branch does.
  public enum Part: String, Sendable, Hashable, Codable, CaseIterable {
    /// Attention of tokens among themselves.
    case attention
    /// A perceptron on each token or position.
    case mlp
    /// A perceptron over the tokens of each channel (MLP-Mixer).
    case mixing
    /// The long branch of a unit of convolutions.
    case branch
    /// Branches that begin from one value and are added one after the other: no value is carried past a single one.
    case parallel
  }

  /// Its path: `blocks.3.residual2`.
  public let name: String
  /// The block that it lies in: `blocks.3`.
  public let block: String
  /// What the branch does.
  public let part: Part
  /// What is added: a map, positions, tokens.
  public let kind: SiteKind
  /// Its shape for one image.
  public let shape: [Int]

  /// A connection from its parts.
  public init(name: String, block: String, part: Part, kind: SiteKind, shape: [Int]) {
    (self.name, self.block, self.part) = (name, block, part)
    (self.kind, self.shape) = (kind, shape)
  }

  /// Where z is seen, the value that goes past the branch.
  public var skip: String { Self.skip(of: name) }
  /// Where f(z) is seen.
  public var branch: String { Self.branch(of: name) }

  /// Whether a site is one of the two summands of a connection, which are on no list.
  static func isSummand(_ site: String) -> Bool {
    site.hasSuffix(".skip") || site.hasSuffix(".branch")
  }

  static func skip(of name: String) -> String { name + ".skip" }
  static func branch(of name: String) -> String { name + ".branch" }
}

extension Model {
  /// The residual connections in execution order, found by running one image of zeros.
  ///
  /// - Parameters:
  ///   - height: of the images.
  ///   - width: of the images.
  ///   - device: where the parameters lie.
  /// - Returns: those inside blocks.
  /// - Throws: what ``Model/run(_:_:)`` throws.
  public func connections(
    height: Int, width: Int, device: Device
  ) throws -> [ResidualConnection] {
    try recordedConnections(height: height, width: width, device: device)
  }

  func recordedConnections(
    height: Int, width: Int, device: Device
  ) throws -> [ResidualConnection] {
    var found: [ResidualConnection] = []
    var open: [ResidualConnection] = []
    let tap = Tap.connections { name, part, kind, value in
      open.append(
        ResidualConnection(
          name: name, block: name, part: part, kind: kind, shape: Array(value.shape.dropFirst())))
    } block: { block in
      found += open.filter { $0.name.hasPrefix(block + ".") }.map {
        ResidualConnection(
          name: $0.name, block: block, part: $0.part, kind: $0.kind, shape: $0.shape)
      }
      open = []
    }
    _ = try run(Tensor.zeros([fixedBatch ?? 1, 3, height, width]).to(device), tap)
    return found
  }
}

/// A model whose branches are not added to what goes past them: the skip of each chosen connection is zero.
///
/// What remains is f(z) alone. It is a lesion of a trained network, made while it runs; a network that was trained without the
/// connection is another thing.
public struct WithoutSkips: Model {
  private let base: any Model
  private let skips: Set<String>

  /// A model without the skips of some of its connections.
  public init(_ base: any Model, _ connections: [ResidualConnection]) {
    (self.base, skips) = (base, Set(connections.map(\.skip)))
  }

  /// The model's own.
  public var tokenLayout: TokenLayout? { base.tokenLayout }
  /// The model's own.
  public var imageMultiple: Int { base.imageMultiple }
  /// The model's own.
  public var minimumImageSize: Int { base.minimumImageSize }
  /// The model's own.
  public var fixedImageSize: (height: Int, width: Int)? { base.fixedImageSize }
  /// The model's own.
  public var fixedBatch: Int? { base.fixedBatch }

  /// The model's own.
  public func check(height: Int, width: Int, device: Device) throws {
    try base.check(height: height, width: width, device: device)
  }

  /// The model's own.
  public func sites(height: Int, width: Int, device: Device) -> [Site] {
    base.sites(height: height, width: width, device: device)
  }

  /// The model's own.
  public func connections(
    height: Int, width: Int, device: Device
  ) throws -> [ResidualConnection] {
    try base.connections(height: height, width: width, device: device)
  }

  /// The model's own.
  public func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    base.attentionPlaces(at: site, height: height, width: width)
  }

  /// Images through the model; a tap sees the zeros that take the skips' places.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    base(images, tap.replacing(skips) { $0.zerosLike() })
  }

  /// The same; what goes wrong with these very images is an error.
  ///
  /// - Throws: what the model throws.
  public func run(_ images: Tensor, _ tap: Tap) throws -> Tensor {
    try base.run(images, tap.replacing(skips) { $0.zerosLike() })
  }
}
