import ParallaxTensors

/// What kind of thing a site's activation is.
public enum SiteKind: String, Sendable, Hashable, Codable {
  /// Images and feature maps `[batch, channels, height, width]`.
  case map
  /// Prefix tokens (class, register), then patch tokens `[batch, tokens, width]`.
  case tokens
  /// Patch tokens alone `[batch, tokens, width]`.
  case patches
  /// Feature maps with the channels last `[batch, height, width, channels]`.
  case positions
  /// What is computed inside windows `[batch · windows, …]`: the first dimension is no batch.
  case windows
  /// Channels over mixed positions `[batch, channels, …]`.
  case mixed
  /// `[batch, width]`.
  case vector
  /// Attention weights `[batch, heads, queries, keys]`.
  case pattern
}

/// Activations out, by path: `tap("attn", y)` returns `y`, or its replacement.
///
/// A model names each activation on the line that computes it. Whoever looks decides what happens:
/// nothing (`Tap.off`), recording, ablating, patching. A tap lives for one forward pass.
public struct Tap {
  /// Nobody looks: a model runs its fastest form.
  public static var off: Tap { Tap(prefix: "", watcher: nil) }

  private let prefix: String
  private let watcher: Watcher?

  /// One activation on its way.
  public struct Visit {
    /// The full path.
    public let site: String
    /// What it is.
    public let kind: SiteKind
    /// Whether it is the output of a processing step of the network: a block.
    public let isBlock: Bool
    /// The activation.
    public let value: Tensor
  }

  private final class Watcher {
    let wanted: Set<String>?
    var missing: Set<String>
    let see: (Visit) -> Tensor?
    /// Whether the model may stop once everything wanted has been seen.
    var stops = true
    /// Told of every residual connection: its path, its part, what is added.
    var connection: ((String, ResidualConnection.Part, SiteKind, Tensor) -> Void)?
    /// Kinds of modules that are taken out.
    var takenOut: Set<ModelPart> = []
    /// Told of every module that could be taken out.
    var part: ((String, ModelPart) -> Void)?
    /// Sites that are on no list and are asked for where everything is.
    var replaced: Set<String> = []

    init(_ wanted: Set<String>?, _ see: @escaping (Visit) -> Tensor?) {
      (self.wanted, self.see) = (wanted, see)
      missing = wanted ?? []
    }

    /// Whether somebody asks for a site by its name.
    func names(_ site: String) -> Bool { wanted?.contains(site) ?? replaced.contains(site) }
  }

  private init(prefix: String, watcher: Watcher?) {
    (self.prefix, self.watcher) = (prefix, watcher)
  }

  /// Looks at some sites, or at all where `wanted` is nil.
  ///
  /// - Parameters:
  ///   - wanted: full paths of sites; a model may stop once it has shown them all.
  ///   - see: gets each activation as it is computed; returns its replacement, or nil.
  public init(_ wanted: Set<String>?, see: @escaping (Visit) -> Tensor?) {
    self.init(prefix: "", watcher: Watcher(wanted, see))
  }

  /// The sites under a path.
  public subscript(path: String) -> Tap {
    watcher == nil ? self : Tap(prefix: prefix + path + ".", watcher: watcher)
  }

  /// Shows an activation; the model goes on with what comes back.
  public func callAsFunction(_ site: String, _ value: Tensor, as kind: SiteKind? = nil) -> Tensor {
    show(site, value, kind, false)
  }

  /// Shows the output of a block, the unit that depth is counted in.
  public func block(_ site: String, _ value: Tensor, as kind: SiteKind? = nil) -> Tensor {
    show(site, value, kind, true)
  }

  private func show(_ site: String, _ value: Tensor, _ kind: SiteKind?, _ isBlock: Bool) -> Tensor {
    guard let watcher, wants(site) else { return value }
    let full = prefix + site
    watcher.missing.remove(full)
    return watcher.see(
      Visit(site: full, kind: kind ?? Self.kind(of: value), isBlock: isBlock, value: value))
      ?? value
  }

  private static func kind(of value: Tensor) -> SiteKind {
    value.rank == 4 ? .map : value.rank == 3 ? .tokens : .vector
  }

  /// Whether anybody looks at a site; what nobody looks at may be fused away.
  public func wants(_ site: String) -> Bool {
    guard let watcher else { return false }
    return watcher.wanted?.contains(prefix + site) ?? true
  }

  /// Whether anybody looks at one of these sites.
  public func wants(anyOf sites: String...) -> Bool { sites.contains { wants($0) } }

  /// Whether all that was wanted has been seen, so that the model may stop.
  public var isSatisfied: Bool {
    guard let watcher, watcher.wanted != nil, watcher.stops else { return false }
    return watcher.missing.isEmpty
  }
}

// What is shown to who asks for it by name, and is on no list of sites.
extension Tap {
  /// Shows a value where somebody asks for it by its name; the model goes on with what comes back.
  public func named(_ site: String, _ value: Tensor, as kind: SiteKind) -> Tensor {
    names(site) ? show(site, value, kind, false) : value
  }

  /// Whether anybody asks for a site by its name, and not for all there are.
  public func names(_ site: String) -> Bool { watcher?.names(prefix + site) ?? false }
}

// Residual connections: shown to who asks for one by name, and on no list of sites.
extension Tap {
  /// A branch added to what goes past it, `skip + branch`; both may be replaced.
  ///
  /// - Parameters:
  ///   - site: the connection's path within the block: `residual1`.
  ///   - skip: what goes past the branch.
  ///   - branch: what it adds, its norm and scale included, of the same shape.
  ///   - part: what the branch does.
  ///   - kind: what is added; by its rank where none is given.
  /// - Returns: the sum.
  public func joined(
    _ site: String, _ skip: Tensor, _ branch: Tensor, _ part: ResidualConnection.Part,
    as kind: SiteKind? = nil
  ) -> Tensor {
    let (skip, branch) = shown(site, skip, branch, part, as: kind)
    return skip + branch
  }

  /// What is to be added, after whoever asks has seen and perhaps replaced it.
  func shown(
    _ site: String, _ skip: Tensor, _ branch: Tensor, _ part: ResidualConnection.Part,
    as kind: SiteKind? = nil
  ) -> (skip: Tensor, branch: Tensor) {
    guard let watcher, looksAtParts(of: site) else { return (skip, branch) }
    let full = prefix + site
    let kind = kind ?? Self.kind(of: branch)
    watcher.connection?(full, part, kind, branch)
    func seen(_ name: String, _ value: Tensor) -> Tensor {
      guard watcher.names(name) else { return value }
      watcher.missing.remove(name)
      return watcher.see(Visit(site: name, kind: kind, isBlock: false, value: value)) ?? value
    }
    return (
      seen(ResidualConnection.skip(of: full), skip),
      seen(ResidualConnection.branch(of: full), branch)
    )
  }

  /// Whether anybody asks for what a residual connection adds; if not, it may be fused away.
  func looksAtParts(of site: String) -> Bool {
    guard let watcher else { return false }
    let full = prefix + site
    return watcher.connection != nil || watcher.names(ResidualConnection.skip(of: full))
      || watcher.names(ResidualConnection.branch(of: full))
  }

  /// A tap that is told of every residual connection, and of the blocks that they lie in.
  static func connections(
    _ tell: @escaping (String, ResidualConnection.Part, SiteKind, Tensor) -> Void,
    block: @escaping (String) -> Void
  ) -> Tap {
    let watcher = Watcher(nil) { visit in
      if visit.isBlock { block(visit.site) }
      return nil
    }
    watcher.connection = tell
    return Tap(prefix: "", watcher: watcher)
  }

  /// The same tap behind one that replaces activations at some sites first.
  func replacing(_ sites: Set<String>, by replacement: @escaping (Tensor) -> Tensor) -> Tap {
    let outer = watcher
    let unlisted = sites.filter(ResidualConnection.isSummand).union(outer?.replaced ?? [])
    let own = outer.map { $0.wanted.map { $0.union(sites) } } ?? sites
    let inner = Watcher(own) { visit in
      guard sites.contains(visit.site) else { return outer?.see(visit) }
      let value = replacement(visit.value)
      // Who looks at everything is shown what is on lists.
      guard let outer, outer.wanted?.contains(visit.site) ?? !unlisted.contains(visit.site)
      else { return value }
      return outer.see(
        Visit(site: visit.site, kind: visit.kind, isBlock: visit.isBlock, value: value)) ?? value
    }
    // Whoever sees nothing wants the output.
    inner.stops = outer?.stops ?? false
    inner.connection = outer?.connection
    inner.replaced = unlisted
    (inner.takenOut, inner.part) = (outer?.takenOut ?? [], outer?.part)
    return Tap(prefix: prefix, watcher: inner)
  }
}

// Modules that are taken out.
extension Tap {
  /// The same tap of a network that goes on, after each of some blocks, with what stood at an earlier site.
  func restarting(from start: String, after blocks: Set<String>) -> Tap {
    let outer = watcher
    let own =
      outer.map { $0.wanted.map { $0.union(blocks).union([start]) } }
      ?? blocks.union([start])
    var beginning: Tensor?
    let inner = Watcher(own) { visit in
      let isWanted = outer.map { $0.wanted?.contains(visit.site) ?? true } ?? false
      let seen = isWanted ? outer?.see(visit) : nil
      if visit.site == start { beginning = seen ?? visit.value }
      return blocks.contains(visit.site) ? beginning ?? seen : seen
    }
    // A model may stop once its observer is content.
    inner.missing = outer?.wanted ?? []
    inner.stops = outer?.stops ?? false
    (inner.connection, inner.replaced) = (outer?.connection, outer?.replaced ?? [])
    (inner.takenOut, inner.part) = (outer?.takenOut ?? [], outer?.part)
    return Tap(prefix: prefix, watcher: inner)
  }

  /// The same tap of a network without modules of some kinds.
  func takingOut(_ parts: Set<ModelPart>) -> Tap {
    let outer = watcher
    let inner = Watcher(outer.map(\.wanted) ?? []) { outer?.see($0) }
    inner.stops = outer?.stops ?? false
    (inner.connection, inner.replaced) = (outer?.connection, outer?.replaced ?? [])
    (inner.takenOut, inner.part) = ((outer?.takenOut ?? []).union(parts), outer?.part)
    return Tap(prefix: prefix, watcher: inner)
  }

  /// A tap that is told of every module that could be taken out.
  static func parts(_ tell: @escaping (String, ModelPart) -> Void) -> Tap {
    let watcher = Watcher([]) { _ in nil }
    (watcher.part, watcher.stops) = (tell, false)
    return Tap(prefix: "", watcher: watcher)
  }

  func tell(of part: ModelPart, at site: String) { watcher?.part?(prefix + site, part) }

  func takesOut(_ part: ModelPart) -> Bool { watcher?.takenOut.contains(part) ?? false }

  /// Whether a module of that kind runs as it is and nobody asks what there are; if so, it may be fused away.
  func leaves(_ part: ModelPart) -> Bool { watcher?.part == nil && !takesOut(part) }
}
