/// A model on the Hugging Face hub: `hf-hub:ORG/NAME`, `hf-hub:ORG/NAME@REVISION`.
public struct HubModel: Sendable, Hashable, CustomStringConvertible {
  /// Which of a repository's files are meant: several libraries may keep theirs in one.
  public enum Layout: Sendable, Hashable {
    /// `config.json` and `model.safetensors`, and open_clip's files where there is no `config.json`.
    case standard
    /// `open_clip_config.json` and `open_clip_model.safetensors`.
    case openCLIP(quickGELU: Bool)
  }

  /// `ORG/NAME`.
  public let id: String
  /// A branch, a tag or a commit; `main` unless something else is asked for.
  public let revision: String
  /// Which files are meant.
  public let layout: Layout
  /// The architecture where the user named it; nil for what the repository's configuration says.
  public let architecture: String?
  /// Whether it was typed as `ORG/NAME`, which might have been meant for a path.
  public let isBare: Bool

  /// A model of the hub.
  public init(
    _ id: String, revision: String = "main", layout: Layout = .standard,
    architecture: String? = nil, isBare: Bool = false
  ) {
    (self.id, self.revision, self.layout) = (id, revision, layout)
    (self.architecture, self.isBare) = (architecture, isBare)
  }

  /// `hf-hub:ORG/NAME`, with `@REVISION` unless that is `main`.
  public var description: String {
    "hf-hub:\(id)" + (revision == "main" ? "" : "@\(revision)")
  }

  /// The last part of the id, which is what results call the model.
  var name: String { id.split(separator: "/").last.map(String.init) ?? id }

  /// Reads `ORG/NAME` or `ORG/NAME@REVISION`.
  ///
  /// - Returns: nil where the text is neither.
  init?(parsing text: Substring, isBare: Bool) {
    let parts = text.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    guard let id = parts.first, Self.isID(id) else { return nil }
    let revision = parts.count == 2 ? String(parts[1]) : "main"
    guard Self.isRevision(revision) else { return nil }
    self.init(String(id), revision: revision, isBare: isBare)
  }

  /// Whether a text is `ORG/NAME` as the hub allows it: letters, digits, `-`, `_` and `.`, at most 96 characters a
  /// part, no part with a point or dash at its ends or with `..` or `--`.
  static func isID(_ text: Substring) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return parts.count == 2
      && parts.allSatisfy { part in
        (1...96).contains(part.utf8.count) && part.utf8.allSatisfy(isWordByte)
          && !part.contains("..") && !part.contains("--")
          && ![".", "-"].contains { part.hasPrefix($0) || part.hasSuffix($0) }
      }
  }

  /// Whether a text can name a revision, and a file below `refs`: no empty part, none that begins with a point.
  static func isRevision(_ text: String) -> Bool {
    let parts = text.split(separator: "/", omittingEmptySubsequences: false)
    return text.utf8.count <= 200
      && parts.allSatisfy { part in
        !part.isEmpty && !part.hasPrefix(".")
          && part.utf8.allSatisfy { isWordByte($0) || $0 == 0x2b }
      }
  }

  /// Whether what follows a single `@` is a revision rather than a site: `main`, a commit of 40 hexadecimal digits,
  /// `refs/…`, or a version such as `v1.0`.
  static func looksLikeRevision(_ text: Substring) -> Bool {
    if text == "main" || isCommit(text) { return true }
    guard isRevision(String(text)) else { return false }
    if text.hasPrefix("refs/") { return true }
    guard text.first == "v", let next = text.dropFirst().first else { return false }
    return next.isASCII && next.isNumber
  }

  /// Whether a text is a commit's 40 hexadecimal digits.
  static func isCommit(_ text: some StringProtocol) -> Bool {
    text.utf8.count == 40
      && text.utf8.allSatisfy { (0x30...0x39).contains($0) || (0x61...0x66).contains($0) }
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case 0x30...0x39, 0x41...0x5a, 0x61...0x7a, 0x2d, 0x2e, 0x5f: true
    default: false
    }
  }
}
