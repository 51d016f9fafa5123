import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("Models of the hub on the command line")
struct HubCommandTests {
  private let server: HubServer
  private let cache: TemporaryFolder
  private let parallax: CommandRunner

  init() throws {
    server = try HubServer()
    cache = try TemporaryFolder()
    parallax = try CommandRunner(environment: [
      "HF_HUB_CACHE": cache.path, "HF_ENDPOINT": server.endpoint, "HF_HUB_OFFLINE": "0",
      "HF_TOKEN": "", "HF_HOME": cache.file("home"),
    ])
    let oracle = try ModelOracle("vit-hf")
    let config = try #require(oracle.file.metadata["config"])
    try server.add("config.json", Array(config.utf8), to: "someone/small-vit")
    let folder = try TemporaryFolder()
    let tensors = try oracle.weights.names.sorted().map { name in
      (name: name, tensor: try #require(try oracle.weights.tensor(name)))
    }
    try Safetensors.write(tensors, to: folder.file("w"))
    try server.add("model.safetensors", folder.bytes("w"), to: "someone/small-vit")
  }

  @Test("a model is downloaded, said so on standard error, and not asked for again")
  func download() throws {
    let first = try parallax("layers", "hf-hub:someone/small-vit@blocks.-1", "--json")
    first.expectSuccess()
    struct Row: Decodable { var site: String }
    #expect(try first.json([Row].self).map(\.site) == ["blocks.1"])
    let count = server.requests.count
    for text in ["hf-hub:someone/small-vit@main@blocks.0", "someone/small-vit@main"] {
      try parallax("layers", text).expectSuccess()
    }
    #expect(server.requests.count == count)
    let told = try parallax("extract", "hf-hub:someone/small-vit", "--images", "absent")
    told.expectFailure(66, "absent")
  }

  @Test(
    "a description of a model of the hub names its format, dtypes, architecture and preprocessing")
  func describe() throws {
    let outcome = try parallax("models", "someone/small-vit")
    outcome.expectSuccess()
    for part in [
      "format: safetensors", "stored as: float16", "architecture: transformers' vit",
      "preprocessing: no file says", "fits: no architecture",
    ] { #expect(outcome.output.contains(part), "\(outcome.output)") }
    #expect(outcome.errors.contains("downloading someone/small-vit model.safetensors"))
    let json = try parallax("models", "hf-hub:someone/small-vit", "--json").json(
      FileDescription.self)
    #expect(json.format == "safetensors" && json.file == "hf-hub:someone/small-vit")
  }

  @Test("on a terminal a bar shows how far a download is")
  func bar() throws {
    try server.behave(#"[{"path": "/cdn/", "do": "slow", "bytes": 9000, "seconds": 0.15}]"#)
    let (outcome, _) = try parallax.run(
      ["models", "someone/small-vit"], sending: SIGKILL, after: .max)
    #expect(outcome.code == 0)
    #expect(outcome.errors.contains("█") && outcome.errors.contains("░"), "\(outcome.errors)")
    #expect(outcome.errors.contains("model.safetensors: "), "\(outcome.errors)")
  }

  @Test("what is not to be had ends with 69, in one line; a path mistyped ends with 66")
  func failures() throws {
    try parallax("layers", "hf-hub:someone/nothing").expectFailure(
      69, "hf-hub:someone/nothing is not at")
    try parallax("layers", "someone/nothing").expectFailure(
      66, "someone/nothing: no such file or folder; and as a model of the hub")
    try parallax("layers", "hf-hub:someone/small-vit@nope@").expectFailure(
      69, "has no revision 'nope'")
    try server.behave(#"[{"path": "/cdn/", "do": "corrupt"}]"#)
    try parallax("layers", "hf-hub:someone/small-vit").expectFailure(
      69, "model.safetensors: not downloaded: has the checksum", "the same command goes on")
  }

  @Test("a download that was killed is taken up again by the same command")
  func killed() throws {
    try server.behave(
      #"[{"path": "/cdn/", "do": "slow", "bytes": 6000, "seconds": 0.3, "times": 1}]"#)
    let process = Process()
    process.executableURL = CommandRunner.executable
    process.arguments = ["models", "hf-hub:someone/small-vit"]
    process.environment = ProcessInfo.processInfo.environment.merging([
      "HF_HUB_CACHE": cache.path, "HF_ENDPOINT": server.endpoint, "HF_HUB_OFFLINE": "0",
    ]) { $1 }
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    let blobs = "models--someone--small-vit/blobs"
    func partial() -> Int? {
      cache.names(blobs).first { $0.hasSuffix(".incomplete") && $0.count > 60 }
        .flatMap { try? cache.bytes("\(blobs)/\($0)").count }
    }
    let end = Date().addingTimeInterval(30)
    while (partial() ?? 0) < 12_000, Date() < end { Thread.sleep(forTimeInterval: 0.02) }
    kill(process.processIdentifier, SIGKILL)
    process.waitUntilExit()
    let size = try #require(partial())
    #expect(size >= 12_000)
    try parallax("models", "hf-hub:someone/small-vit").expectSuccess()
    let ranges = server.requests.filter { $0.path.hasPrefix("/cdn/") }.map(\.range)
    #expect(ranges == [nil, "bytes=\(size)-"])
  }
}
