import Foundation

/// The Hugging Face hub and the folder that its own client keeps models in.
///
/// What the folder has is used as it is, without a request. What it lacks is downloaded into it, in the layout
/// that the official client writes, so that either finds what the other fetched.
///
/// Environment: `HF_HUB_CACHE`, else `HF_HOME/hub`, else `~/.cache/huggingface/hub` is the folder; `HF_ENDPOINT` a
/// mirror; `HF_TOKEN`, else the file `HF_TOKEN_PATH` or `HF_HOME/token` holds a token, which is sent to the
/// endpoint's own host alone; `HF_HUB_OFFLINE=1` forbids every request.
public struct Hub: Sendable {
  /// How patient the hub's client is.
  public struct Patience: Sendable, Hashable {
    /// Seconds without a byte after which a connection is given up.
    public var stall = 30.0
    /// Attempts that bring nothing new, the first included.
    public var attempts = 4
    /// Seconds before the second attempt; each further wait is twice as long, up to 8 seconds.
    public var wait = 1.0
    /// The longest `Retry-After` in seconds that is waited for.
    public var longestWait = 60.0

    /// Half a minute without a byte, four attempts.
    public init() {}
  }

  /// How far the download of one file is.
  public struct Progress: Sendable, Hashable {
    /// The model.
    public var model: String
    /// The file.
    public var file: String
    /// The bytes that are there.
    public var done: Int
    /// The bytes of the whole file, where the server said so.
    public var total: Int?
  }

  /// Where requests go.
  public var endpoint: String
  /// The folder that models are kept in.
  public var cache: URL
  /// What identifies the user to the endpoint.
  public var token: String?
  /// Whether no request may be made.
  public var isOffline: Bool
  /// When to give up.
  public var patience = Patience()

  /// The hub as the environment describes it.
  public init(environment: [String: String] = ProcessInfo.processInfo.environment) {
    func value(_ key: String) -> String? {
      environment[key].flatMap { $0.isEmpty ? nil : ($0 as NSString).expandingTildeInPath }
    }
    let endpoint = environment["HF_ENDPOINT"].flatMap { $0.isEmpty ? nil : $0 }
    var trimmed = endpoint ?? "https://huggingface.co"
    while trimmed.hasSuffix("/") { trimmed.removeLast() }
    self.endpoint = trimmed
    let caches = value("XDG_CACHE_HOME") ?? NSHomeDirectory() + "/.cache"
    let home = value("HF_HOME") ?? caches + "/huggingface"
    cache = URL(filePath: value("HF_HUB_CACHE") ?? home + "/hub")
    let offline = environment["HF_HUB_OFFLINE"] ?? environment["TRANSFORMERS_OFFLINE"] ?? ""
    isOffline = ["1", "ON", "YES", "TRUE"].contains(offline.uppercased())
    let file = FileManager.default.contents(atPath: value("HF_TOKEN_PATH") ?? home + "/token")
    let given = environment["HF_TOKEN"] ?? environment["HUGGING_FACE_HUB_TOKEN"] ?? ""
    let text = given.isEmpty ? String(decoding: file ?? Data(), as: UTF8.self) : given
    let clean = text.filter { !$0.isNewline }.trimmingCharacters(in: .whitespaces)
    // A token with any other character would break out of its header.
    let isClean = clean.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7f }
    token = clean.isEmpty || !isClean ? nil : clean
  }
}
