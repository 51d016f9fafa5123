import Foundation

/// A server on loopback that answers as the Hugging Face hub does: `Tests/Fixtures/hub/server.py`.
public final class HubServer: Sendable {
  /// A request, as the server saw it.
  public struct Request: Decodable, Equatable, Sendable {
    /// `HEAD` or `GET`.
    public var method: String
    /// The path, coded.
    public var path: String
    /// The host and port that were asked.
    public var host: String
    /// The header of that name.
    public var authorization: String?
    /// The header of that name.
    public var range: String?
  }

  /// The repositories: `ORG/NAME/FILE`.
  public let root: TemporaryFolder
  /// `http://127.0.0.1:PORT`.
  public let endpoint: String
  private let process: Process
  private let input: Pipe

  /// Starts a server without repositories.
  public init() throws {
    root = try TemporaryFolder()
    process = Process()
    input = Pipe()
    let output = Pipe()
    process.executableURL = URL(filePath: "/usr/bin/env")
    process.arguments = ["python3", fixtures.appending(path: "hub/server.py").path, root.path]
    process.standardInput = input
    process.standardOutput = output
    try process.run()
    var text = ""
    while !text.contains("\n") {
      let data = output.fileHandleForReading.availableData
      guard !data.isEmpty else { throw CocoaError(.executableLoad) }
      text += String(decoding: data, as: UTF8.self)
    }
    endpoint = "http://127.0.0.1:" + text.filter(\.isNumber)
  }

  deinit {
    try? input.fileHandleForWriting.close()
    process.terminate()
  }

  /// Adds a file to a repository.
  public func add(_ file: String, _ bytes: [UInt8], to id: String = "someone/model") throws {
    try root.write(bytes, "\(id)/\(file)")
  }

  /// Makes the server follow rules: a JSON list, as the script describes it.
  public func behave(_ rules: String) throws { try root.write(Array(rules.utf8), "behaviour.json") }

  /// All requests so far.
  public var requests: [Request] {
    let text = (try? root.bytes("log.jsonl")).map { String(decoding: $0, as: UTF8.self) } ?? ""
    return text.split(separator: "\n").compactMap {
      try? JSONDecoder().decode(Request.self, from: Data($0.utf8))
    }
  }
}
