import Foundation

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// Requests to the hub: redirects followed by hand, the token kept to the endpoint's own host, refusals in words.
struct HubTransport: Sendable {
  let hub: Hub
  let model: HubModel

  /// What the hub says of a file.
  struct Metadata: Sendable {
    var commit: String
    var etag: String
    var size: Int?
  }

  /// The hub has the repository and the revision, but no such file.
  struct Missing: Error {
    var commit: String?
  }

  /// Something that may be over the next time.
  struct Passing: Error {
    var text: String
    var after: Double?
  }

  private static let mostRedirects = 8

  /// Where a file is.
  func address(_ file: String, at revision: String) throws(ModelError) -> URL {
    var allowed = CharacterSet.alphanumerics
    allowed.insert(charactersIn: "-_.~")
    func coded(_ text: some StringProtocol) -> String {
      text.addingPercentEncoding(withAllowedCharacters: allowed) ?? ""
    }
    let path = file.split(separator: "/").map { coded($0) }.joined(separator: "/")
    let text = "\(hub.endpoint)/\(model.id)/resolve/\(coded(revision))/\(path)"
    guard let url = URL(string: text), let host = url.host, !host.isEmpty,
      ["http", "https"].contains(url.scheme ?? "")
    else {
      throw .download(
        what: "\(model)", problem: "'\(hub.endpoint)' in HF_ENDPOINT is no web address")
    }
    return url
  }

  /// Asks what a file is, without fetching it.
  ///
  /// - Throws: `Missing`, `Passing`, `ModelError`.
  func metadata(_ file: String, at revision: String) throws -> Metadata {
    var commit: String?
    var etag: String?
    var size: Int?
    _ = try follow("HEAD", address(file, at: revision), from: 0) { answer, next in
      let headers = answer.headers
      commit = commit ?? headers["x-repo-commit"]
      etag = etag ?? headers["x-linked-etag"]
      size = size ?? headers["x-linked-size"].flatMap { Int($0) }
      guard let next else {
        etag = etag ?? headers["etag"]
        size = size ?? headers["content-length"].flatMap { Int($0) }
        return false
      }
      // What the redirect leads to is another host's business; all that is wanted is known.
      return !(commit != nil && etag != nil && next.host != answer.url.host)
    }
    let what = "\(model): \(file)"
    guard let commit, HubModel.isCommit(commit) else {
      throw ModelError.download(
        what: what,
        problem: "\(hub.endpoint) names no commit (X-Repo-Commit), so it is no Hugging Face hub")
    }
    guard let name = etag.map(Self.normalised), Self.isFileName(name) else {
      throw ModelError.download(what: what, problem: "\(hub.endpoint) gives no usable ETag for it")
    }
    return Metadata(commit: commit, etag: name, size: size.flatMap { $0 < 0 ? nil : $0 })
  }

  /// Begins to fetch a file from some byte on.
  ///
  /// - Throws: `Missing`, `Passing`, `ModelError`.
  func content(
    _ file: String, at commit: String, from start: Int
  ) throws -> (HTTPExchange, HTTPExchange.Answer) {
    try follow("GET", address(file, at: commit), from: start) { _, next in next != nil }
  }

  /// Sends a request and follows where it leads, as long as `goesOn` says so of an answer and its redirect.
  private func follow(
    _ method: String, _ start: URL, from byte: Int,
    _ goesOn: (HTTPExchange.Answer, URL?) -> Bool
  ) throws -> (HTTPExchange, HTTPExchange.Answer) {
    var url = start
    for _ in 0...Self.mostRedirects {
      let exchange = HTTPExchange.begin(
        request(method, url, from: byte), stall: hub.patience.stall)
      var answer: HTTPExchange.Answer
      do throws(HTTPExchange.Problem) {
        answer = try exchange.answer(atEnd: method == "HEAD")
      } catch {
        exchange.end()
        if error.isPassing { throw Passing(text: error.text) }
        throw ModelError.download(what: "\(model)", problem: "\(host(url)): \(error.text)")
      }
      answer.url = url
      let next: URL?
      do {
        try refuse(answer)
        next = try redirect(answer)
      } catch {
        exchange.end()
        throw error
      }
      guard goesOn(answer, next), let next else {
        if method == "HEAD" { exchange.end() }
        return (exchange, answer)
      }
      exchange.end()
      url = next
    }
    throw ModelError.download(
      what: "\(model)", problem: "\(host(start)) redirects more than \(Self.mostRedirects) times")
  }

  private func request(_ method: String, _ url: URL, from byte: Int) -> URLRequest {
    var request = URLRequest(url: url)
    request.httpMethod = method
    request.timeoutInterval = max(1, hub.patience.stall * 2)
    // Sizes and ranges are those of the file itself.
    request.setValue("identity", forHTTPHeaderField: "Accept-Encoding")
    request.setValue("parallax", forHTTPHeaderField: "User-Agent")
    if byte > 0 { request.setValue("bytes=\(byte)-", forHTTPHeaderField: "Range") }
    if let token = hub.token, isOwn(url) {
      request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization")
    }
    return request
  }

  /// Whether an address is at the endpoint itself: scheme, host and port.
  private func isOwn(_ url: URL) -> Bool {
    guard let own = URL(string: hub.endpoint) else { return false }
    return (own.scheme, own.host, own.port) == (url.scheme, url.host, url.port)
  }

  private func redirect(_ answer: HTTPExchange.Answer) throws(ModelError) -> URL? {
    guard (300..<400).contains(answer.status) else { return nil }
    guard let text = answer.headers["location"],
      let next = URL(string: text, relativeTo: answer.url)?.absoluteURL, next.host != nil,
      ["http", "https"].contains(next.scheme ?? "")
    else {
      throw .download(
        what: "\(model)", problem: "\(host(answer.url)) redirects to no web address")
    }
    if answer.url.scheme == "https", next.scheme == "http" {
      throw .download(
        what: "\(model)",
        problem: "\(host(answer.url)) redirects to \(host(next)) without encryption")
    }
    return next
  }

  private func host(_ url: URL) -> String {
    (url.host ?? "\(url)") + (url.port.map { ":\($0)" } ?? "")
  }

  /// Says in words what a status of 400 and above means.
  private func refuse(_ answer: HTTPExchange.Answer) throws {
    let (status, headers) = (answer.status, answer.headers)
    guard status >= 400 else { return }
    let code = headers["x-error-code"] ?? ""
    let place = host(answer.url)
    func no(_ problem: String) -> ModelError { .hub(model: "\(model)", problem: problem) }
    switch (code, status) {
    case ("GatedRepo", _):
      throw no(
        "is gated; accept its terms at \(hub.endpoint)/\(model.id), then give a token by HF_TOKEN")
    case ("RevisionNotFound", _): throw no("has no revision '\(model.revision)'")
    case ("EntryNotFound", _): throw Missing(commit: headers["x-repo-commit"])
    case ("RepoNotFound", _), (_, 401):
      let reason =
        hub.token == nil
        ? "is not at \(place), or is private: a token by HF_TOKEN would open it"
        : "is not at \(place), or is private and the token does not open it"
      throw no(reason)
    case (_, 403):
      throw no("is forbidden by \(place)" + (headers["x-error-message"].map { ": \($0)" } ?? ""))
    case (_, 404): throw Missing(commit: headers["x-repo-commit"])
    case (_, 416): return
    case (_, 408), (_, 429), (_, 500...599):
      throw Passing(
        text: "\(place) answers \(status)"
          + (status == 429 ? ", too many requests" : ", a failure of its own"),
        after: headers["retry-after"].flatMap { Double($0) })
    default:
      throw ModelError.download(what: "\(model)", problem: "\(place) answers \(status)")
    }
  }

  private static func normalised(_ etag: String) -> String {
    let strong = etag.hasPrefix("W/") ? String(etag.dropFirst(2)) : etag
    return strong.trimmingCharacters(in: CharacterSet(charactersIn: "\""))
  }

  private static func isFileName(_ text: String) -> Bool {
    (1...200).contains(text.utf8.count) && !text.hasPrefix(".")
      && text.utf8.allSatisfy {
        (0x30...0x39).contains($0) || (0x41...0x5a).contains($0) || (0x61...0x7a).contains($0)
          || $0 == 0x2d || $0 == 0x2e || $0 == 0x5f
      }
  }
}

/// How often something is tried again, and after what time.
struct HubRetry {
  let patience: Hub.Patience
  let what: String
  private var failures = 0

  init(_ patience: Hub.Patience, what: String) { (self.patience, self.what) = (patience, what) }

  /// Something new has come, so that the count begins anew.
  mutating func progressed() { failures = 0 }

  /// Waits before the next attempt.
  ///
  /// - Throws: `ModelError.download` where it was the last, or the server asks for too long a wait.
  mutating func wait(after problem: HubTransport.Passing) throws(ModelError) {
    failures += 1
    guard failures < patience.attempts else {
      throw .download(what: what, problem: "\(problem.text), \(failures) times in a row")
    }
    var seconds = min(8, patience.wait * Double(1 << min(failures - 1, 10)))
    if let asked = problem.after, asked.isFinite, asked >= 0 {
      guard asked <= patience.longestWait else {
        throw .download(
          what: what, problem: "\(problem.text), and asks to wait \(Int(min(asked, 1e9))) seconds")
      }
      seconds = max(seconds, asked)
    }
    Thread.sleep(forTimeInterval: seconds)
  }

  /// Tries until something works, fails for good, or patience ends.
  static func run<Value>(
    _ patience: Hub.Patience, what: String, _ body: () throws -> Value
  ) throws -> Value {
    var retry = HubRetry(patience, what: what)
    while true {
      do { return try body() } catch let problem as HubTransport.Passing {
        try retry.wait(after: problem)
      }
    }
  }
}
