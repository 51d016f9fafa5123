/// Where representations are: `model@site#tokens`.
///
/// ```
/// clip-vit-base-patch16@blocks.5#cls      one block's class token
/// resnet50@layer1.*,layer4.-1             a stage's blocks and the network's last
/// dinov2-small-saliency@blocks.0...5      the first six blocks
/// ```
///
/// A model of the hub can be followed by a revision: `hf-hub:ORG/NAME@REVISION@SITES`. Of a single `@` after it, what
/// follows are sites, unless it is `main`, a commit of 40 digits, `refs/…` or a version such as `v1.0`; an `@` at
/// the end says that it is a revision, whatever it looks like: `hf-hub:ORG/NAME@dev@`.
///
/// Without `@site` all blocks are meant, without `#tokens` what suits each site.
public struct Address: Sendable, Hashable, CustomStringConvertible {
  /// What names the model: see `ModelReference`.
  public var model: String
  /// Which sites; nil for all blocks.
  public var sites: SitePattern?
  /// Which numbers of them; nil for what suits each site.
  public var tokens: Tokens?

  /// An address from its parts.
  public init(model: String, sites: SitePattern? = nil, tokens: Tokens? = nil) {
    (self.model, self.sites, self.tokens) = (model, sites, tokens)
  }

  /// Reads `model`, `model@site`, `model#tokens` or `model@site#tokens`.
  ///
  /// The last `@` and the `#` after it count, so that a path may hold either.
  ///
  /// - Throws: `ModelError.address`.
  public init(parsing text: String) throws(ModelError) {
    guard !text.isEmpty else {
      throw .address(
        text: text, problem: "an empty address; expected MODEL, MODEL@SITE or MODEL@SITE#TOKENS")
    }
    var rest = Substring(text)
    var at = rest.lastIndex(of: "@")
    if let last = at, Self.endsInRevision(text, last) {
      // `…@REVISION`, or `…@REVISION@` with nothing behind.
      if rest.index(after: last) == rest.endIndex { rest = rest[..<last] }
      at = nil
    }
    // Without a site, a path with a # in one of its folders is still a path.
    let after = at ?? rest.lastIndex(of: "/") ?? rest.startIndex
    if let hash = rest[after...].lastIndex(of: "#") {
      tokens = try Tokens(parsing: String(rest[rest.index(after: hash)...]))
      rest = rest[..<hash]
    }
    if let at {
      sites = try SitePattern(parsing: String(rest[rest.index(after: at)...]))
      rest = rest[..<at]
    }
    model = String(rest)
    guard !model.isEmpty else {
      throw .address(
        text: text, problem: "no model; expected MODEL, MODEL@SITE or MODEL@SITE#TOKENS")
    }
  }

  /// The address as it is typed.
  public var description: String {
    let isClear = sites != nil || !model.contains("@") || Self.endsInRevision(model)
    return model + (isClear ? "" : "@") + (sites.map { "@\($0)" } ?? "")
      + (tokens.map { "#\($0)" } ?? "")
  }

  private static func endsInRevision(_ model: String) -> Bool {
    model.lastIndex(of: "@").map { endsInRevision(model, $0) } ?? false
  }

  /// Whether the last `@` belongs to a model of the hub and its revision, and so has no sites behind it.
  private static func endsInRevision(_ text: String, _ last: String.Index) -> Bool {
    let start = text.hasPrefix("hf-hub:") ? text.index(text.startIndex, offsetBy: 7) : nil
    guard let first = text.firstIndex(of: "@"),
      HubModel.isID(text[(start ?? text.startIndex)..<first])
    else { return false }
    var after = text[text.index(after: last)...]
    if let hash = after.firstIndex(of: "#") { after = after[..<hash] }
    return first == last ? HubModel.looksLikeRevision(after) : after.isEmpty
  }
}

/// Which sites of a model: a list of dotted paths with ranges, wildcards and indices from the end.
///
/// - `blocks.3.attn`: that site.
/// - `blocks.*`: one component, whatever it is; `**` stands for any number of components.
/// - `blocks.0...5`: these numbers, the last too; `blocks.6...` on to the end.
/// - `blocks.-1`: counted from the end, among the numbers that the path has.
/// - `blocks.*,head`: several, with commas.
public struct SitePattern: Sendable, Hashable, CustomStringConvertible {
  /// The pattern as it is typed.
  public let description: String
  private let paths: [Path]

  private struct Path: Sendable, Hashable {
    var text: String
    var parts: [Part]
  }

  private enum Part: Sendable, Hashable {
    case name(String)
    case any
    case anyDepth
    case range(Int, Int?)
  }

  /// Reads a pattern.
  ///
  /// - Throws: `ModelError.address`.
  public init(parsing text: String) throws(ModelError) {
    description = text
    var paths: [Path] = []
    for piece in text.split(separator: ",", omittingEmptySubsequences: false) {
      let path = piece.trimmed
      guard !path.isEmpty else {
        throw .address(
          text: text, problem: "an empty site; expected paths with commas between them")
      }
      paths.append(Path(text: path, parts: try Self.parts(path)))
    }
    self.paths = paths
  }

  private static func parts(_ path: String) throws(ModelError) -> [Part] {
    var parts: [Part] = []
    // The dots of a range are no separators.
    for piece in path.replacing("...", with: "…").split(
      separator: ".", omittingEmptySubsequences: false)
    {
      switch piece {
      case "": throw .address(text: path, problem: "an empty part between dots")
      case "*": parts.append(.any)
      case "**": parts.append(.anyDepth)
      default:
        if piece.contains("…") {
          parts.append(try range(piece, path))
        } else if piece.contains("*") {
          throw .address(
            text: path, problem: "'\(piece)': * stands for a whole part, not inside one")
        } else if piece.hasPrefix("-") {
          guard let index = Int(piece) else {
            throw .address(text: path, problem: "'\(piece)' is no number from the end")
          }
          parts.append(.range(index, index))
        } else {
          parts.append(.name(String(piece)))
        }
      }
    }
    return parts
  }

  private static func range(_ piece: Substring, _ path: String) throws(ModelError) -> Part {
    let ends = piece.split(separator: "…", omittingEmptySubsequences: false)
    guard ends.count == 2, let first = Int(ends[0]),
      ends[1].isEmpty || Int(ends[1]) != nil
    else {
      throw .address(
        text: path, problem: "expected a range of whole numbers such as 0...5 or 6...")
    }
    return .range(first, Int(ends[1]))
  }

  /// The sites that a pattern means, in execution order, each once.
  ///
  /// - Parameters:
  ///   - sites: all of the model's, in execution order.
  ///   - model: what errors call the model.
  /// - Returns: the sites.
  /// - Throws: `ModelError.noSuchSite` for the first path that matches nothing, with the nearest.
  public func expanded(among sites: [Site], of model: String) throws(ModelError) -> [Site] {
    let (found, lone) = places(among: sites.map(\.name))
    if let first = lone.first {
      throw .noSuchSite(
        pattern: first, model: model,
        candidates: Spelling.nearest(to: first, among: sites.map(\.name)))
    }
    return found.map { sites[$0] }
  }

  /// The places of the names that a pattern means, and those of its paths that mean none.
  ///
  /// - Parameter names: dotted paths.
  /// - Returns: places in ascending order, each once; paths as they are typed.
  public func places(among names: [String]) -> (found: [Int], lone: [String]) {
    let parts = names.map { $0.split(separator: ".").map(String.init) }
    let tree = SiteTree(parts)
    var (chosen, lone): (Set<Int>, [String]) = ([], [])
    for path in paths {
      let found = names.indices.filter {
        Self.matches(path.parts[...], parts[$0][...], under: [], tree)
      }
      if found.isEmpty { lone.append(path.text) }
      chosen.formUnion(found)
    }
    return (chosen.sorted(), lone)
  }

  private static func matches(
    _ parts: ArraySlice<Part>, _ name: ArraySlice<String>, under above: [String], _ tree: SiteTree
  ) -> Bool {
    guard let part = parts.first else { return name.isEmpty }
    if part == .anyDepth {
      return (name.startIndex...name.endIndex).contains {
        matches(parts.dropFirst(), name[$0...], under: above + name[..<$0], tree)
      }
    }
    guard let own = name.first else { return false }
    let fits: Bool
    switch part {
    case .name(let text): fits = text == own
    case .any, .anyDepth: fits = true
    case .range(let first, let last):
      guard let number = Int(own) else { return false }
      let end = tree.count(under: above)
      let from = first < 0 ? end + first : first
      let to = (last ?? end - 1) < 0 && last != nil ? end + (last ?? 0) : last ?? end - 1
      fits = from >= 0 && from <= number && number <= to
    }
    return fits && matches(parts.dropFirst(), name.dropFirst(), under: above + [own], tree)
  }

  /// How many numbered sites stand under each path.
  private struct SiteTree {
    private var counts: [[String]: Int] = [:]

    init(_ names: [[String]]) {
      for name in names {
        for (place, part) in name.enumerated() {
          guard let number = Int(part), number < Int.max else { continue }
          let above = Array(name[..<place])
          counts[above] = max(counts[above] ?? 0, number + 1)
        }
      }
    }

    func count(under above: [String]) -> Int { counts[above] ?? 0 }
  }
}

extension [Site] {
  /// The sites that are meant where none are named: the outputs of all blocks, or all sites where there are none.
  public var byDefault: [Site] {
    let blocks = filter(\.isBlock)
    return blocks.isEmpty ? self : blocks
  }

  /// The sites of a pattern, or those that are meant without one.
  ///
  /// - Throws: `ModelError.noSuchSite`.
  public func matching(_ pattern: SitePattern?, of model: String) throws(ModelError) -> [Site] {
    try pattern?.expanded(among: self, of: model) ?? byDefault
  }
}

extension Substring {
  fileprivate var trimmed: String {
    String(drop { $0 == " " }.reversed().drop { $0 == " " }.reversed())
  }
}
