import ParallaxTensors

/// A kind of module that can be taken out of a network while it runs: what goes into it comes out.
public enum ModelPart: String, Sendable, Hashable, Codable, CaseIterable {
  /// Layer, batch and group normalisations.
  case norm
  /// Pooling between blocks that makes maps smaller; without it they stay as large as they were.
  case pooling
}

// Modules that can be taken out: whoever looks may ask for that.
extension Tap {
  /// Shows what a module makes of its input; where modules of its kind are taken out, its input.
  ///
  /// - Parameters:
  ///   - site: the module's path.
  ///   - input: what goes in.
  ///   - part: what kind of module it is.
  ///   - kind: of what is shown; by its rank where none is given.
  ///   - module: what it does.
  /// - Returns: what the model goes on with.
  public func through(
    _ site: String, _ input: Tensor, _ part: ModelPart, as kind: SiteKind? = nil,
    _ module: (Tensor) -> Tensor
  ) -> Tensor {
    self(site, applied(site, input, part, module), as: kind)
  }

  /// The same without showing it.
  func applied(
    _ site: String, _ input: Tensor, _ part: ModelPart, _ module: (Tensor) -> Tensor
  ) -> Tensor {
    tell(of: part, at: site)
    return takesOut(part) ? input : module(input)
  }
}

/// What is taken out of a network: kinds of modules, or branches and what goes past them.
///
/// ```swift
/// let surgery = try Surgery(parsing: "mlp+residual")     // attention alone
/// let model = try WithoutParts(vit, surgery, height: 224, width: 224)
/// ```
///
/// - `norm`: every normalisation is the identity.
/// - `mlp`: at each sum z + f(z) whose branch is a perceptron on each token, f is 0.
/// - `attention`: the same of attention, and of the perceptron over tokens of MLP-Mixer.
/// - `residual`: at each sum, z is 0, but where f is taken out as well.
/// - `pooling`: maps between blocks are not made smaller by pooling.
/// - `depth`: every block is given what the first one is given, so that the output of block k is that of block k alone on the stem's; of
///   networks whose blocks keep the shape, as transformers' and mixers' do.
///
/// It is a lesion of a network, made while it runs; a network that was trained without the part is another thing.
///
/// > Source: Badger, 2022, arXiv 2211.06496, on what the parts of transformers and mixers do to inversions.
public struct Surgery: Sendable, Hashable, Codable, CustomStringConvertible {
  /// One thing that can be taken out.
  public enum Part: String, Sendable, Hashable, Codable, CaseIterable {
    /// Normalisations.
    case norm
    /// Branches that are perceptrons.
    case mlp
    /// Branches that mix tokens.
    case attention
    /// What goes past branches.
    case residual
    /// Pooling between blocks.
    case pooling
    /// The blocks before a block.
    case depth
  }

  /// What is taken out, in the order of ``Part``, each once.
  public let parts: [Part]

  /// Some parts at once.
  ///
  /// - Precondition: there is at least one.
  public init(_ parts: [Part]) {
    precondition(!parts.isEmpty, "Surgery: expected at least one part")
    self.parts = Part.allCases.filter(parts.contains)
  }

  /// Reads `norm`, or several with + between: `mlp+residual`.
  ///
  /// - Throws: `ModelError.address`.
  public init(parsing text: String) throws(ModelError) {
    let words = text.split(separator: "+", omittingEmptySubsequences: false).map(String.init)
    let parts = words.compactMap { Part(rawValue: $0) }
    guard parts.count == words.count else {
      throw .address(
        text: text,
        problem:
          "no part of a network; expected \(Part.allCases.map(\.rawValue).joined(separator: ", ")), or several with + between"
      )
    }
    self.init(parts)
  }

  /// `mlp+residual`.
  public var description: String { parts.map(\.rawValue).joined(separator: "+") }
  /// `without mlp and residual`.
  public var change: String { "without " + parts.map(\.rawValue).joined(separator: " and ") }
  /// `without-mlp-residual`, behind a model's name.
  public var suffix: String { "without-" + parts.map(\.rawValue).joined(separator: "-") }
}

/// A model without some of its parts.
public struct WithoutParts: Model {
  /// The whole model.
  package let base: any Model
  private let surgery: Surgery
  private let modules: Set<ModelPart>
  private let zeros: Set<String>
  /// What the first block is given, and the blocks; nil where each is given what the one before it makes.
  private let restart: (start: String, blocks: Set<String>)?

  /// A model without some of its parts.
  ///
  /// - Parameters:
  ///   - base: the whole model.
  ///   - surgery: what is taken out.
  ///   - height: of the images with which it is found out what the model has.
  ///   - width: of these images.
  ///   - device: where the parameters lie.
  /// - Throws: `ModelError.address` where the model has no such part, and what the model throws.
  public init(
    _ base: any Model, _ surgery: Surgery, height: Int, width: Int, device: Device = .cpu
  ) throws {
    let connections = try base.connections(height: height, width: width, device: device)
    var known: Set<ModelPart> = []
    let images = Tensor.zeros([base.fixedBatch ?? 1, 3, height, width]).to(device)
    _ = try base.run(images, Tap.parts { _, part in known.insert(part) })
    var zeros: Set<String> = []
    var modules: Set<ModelPart> = []
    func missing(_ part: Surgery.Part, _ what: String) -> ModelError {
      .address(text: "\(part.rawValue)", problem: "the model has no \(what) that can be taken out")
    }
    func branches(_ part: Surgery.Part) -> [ResidualConnection] {
      connections.filter {
        switch part {
        case .mlp: $0.part == .mlp
        case .attention: $0.part == .attention || $0.part == .mixing
        default: false
        }
      }
    }
    let gone = surgery.parts.flatMap(branches)
    var restart: (start: String, blocks: Set<String>)?
    for part in surgery.parts {
      switch part {
      case .norm, .pooling:
        let kind: ModelPart = part == .norm ? .norm : .pooling
        guard known.contains(kind) else {
          throw missing(part, part == .norm ? "normalisation" : "pooling between blocks")
        }
        modules.insert(kind)
      case .mlp, .attention:
        let own = branches(part)
        guard !own.isEmpty else {
          throw missing(
            part, part == .mlp ? "branch with a perceptron" : "branch that mixes tokens")
        }
        zeros.formUnion(own.map(\.branch))
      case .residual:
        let own = connections.filter { !gone.contains($0) }
        guard !own.isEmpty else { throw missing(part, "residual connection") }
        zeros.formUnion(own.map(\.skip))
      case .depth:
        let sites = base.sites(height: height, width: width, device: device)
        restart = Self.restart(among: sites)
        guard restart != nil else {
          throw ModelError.address(
            text: part.rawValue,
            problem: "the model's blocks do not all have the shape that the first one is given")
        }
      }
    }
    (self.base, self.surgery, self.modules, self.zeros) = (base, surgery, modules, zeros)
    self.restart = restart
  }

  /// The last site before the first block, where all blocks have its shape.
  private static func restart(among sites: [Site]) -> (start: String, blocks: Set<String>)? {
    let blocks = sites.filter(\.isBlock)
    guard blocks.count > 1, let first = blocks.first else { return nil }
    let before = sites.prefix { $0.name != first.name && !$0.name.hasPrefix(first.name + ".") }
    guard let start = before.last(where: { $0.kind == first.kind && $0.shape == first.shape }),
      blocks.allSatisfy({ $0.kind == start.kind && $0.shape == start.shape })
    else { return nil }
    // What follows the blocks is given what the last one makes.
    return (start.name, Set(blocks.dropLast().map(\.name)))
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

  /// The model's own; without pooling maps are larger.
  public func sites(height: Int, width: Int, device: Device) -> [Site] {
    modules.contains(.pooling)
      ? recordedSites(height: height, width: width, device: device)
      : base.sites(height: height, width: width, device: device)
  }

  /// The model's own; without pooling maps are larger.
  public func connections(
    height: Int, width: Int, device: Device
  ) throws -> [ResidualConnection] {
    modules.contains(.pooling)
      ? try recordedConnections(height: height, width: width, device: device)
      : try base.connections(height: height, width: width, device: device)
  }

  /// The model's own.
  public func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    base.attentionPlaces(at: site, height: height, width: width)
  }

  private func behind(_ tap: Tap) -> Tap {
    let operated = modules.isEmpty ? tap : tap.takingOut(modules)
    let whole = zeros.isEmpty ? operated : operated.replacing(zeros) { $0.zerosLike() }
    return restart.map { whole.restarting(from: $0.start, after: $0.blocks) } ?? whole
  }

  /// Images through the model; a tap sees the zeros that take the place of what is gone.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { base(images, behind(tap)) }

  /// The same; what goes wrong with these very images is an error.
  ///
  /// - Throws: what the model throws.
  public func run(_ images: Tensor, _ tap: Tap) throws -> Tensor {
    try base.run(images, behind(tap))
  }
}
