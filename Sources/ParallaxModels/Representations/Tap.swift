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
    init(_ wanted: Set<String>?, _ see: @escaping (Visit) -> Tensor?) {
      (self.wanted, self.see) = (wanted, see)
      missing = wanted ?? []
    }
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
    let kind = kind ?? (value.rank == 4 ? .map : value.rank == 3 ? .tokens : .vector)
    return watcher.see(Visit(site: full, kind: kind, isBlock: isBlock, value: value)) ?? value
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
    guard let watcher, watcher.wanted != nil else { return false }
    return watcher.missing.isEmpty
  }
}
