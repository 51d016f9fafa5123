import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "Imported graphs on the command line",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct GraphCommandTests {
  private static let archive = fixtures.appending(path: "exports/vit-timm.pt2").path
  private static let onnx = fixtures.appending(path: "onnx/vit-timm.onnx").path
  private static let integers = fixtures.appending(path: "onnx/vit-timm-integers.onnx").path

  @Test("layers lists an archive's modules, and every node on request", arguments: [archive, onnx])
  func layers(graph: String) throws {
    let parallax = try CommandRunner()
    let modules = try parallax("layers", graph)
    modules.expectSuccess()
    #expect(modules.output.contains("blocks.1.attn.qkv") && modules.output.contains("17×72"))
    let nodes = try parallax("layers", graph, "--every-node")
    nodes.expectSuccess()
    let count = { (text: String) in text.split(separator: "\n").count }
    #expect(count(nodes.output) > count(modules.output) + 20)
  }

  @Test("models tells what a graph is, what it takes and what can be seen in it")
  func models() throws {
    let parallax = try CommandRunner()
    for graph in [Self.archive, Self.onnx, Self.integers] {
      let found = try parallax("models", graph)
      found.expectSuccess()
      for part in ["any number × 3 × 32 × 32", "sites", "patches of 8 pixels"] {
        #expect(found.output.contains(part), "\(graph): \(part)\n\(found.output)")
      }
    }
    #expect(try parallax("models", Self.integers).output.contains("float32"))
  }

  @Test("an archive, the same network from ONNX, and its 8-bit form are compared in one report")
  func compare() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(12)
    for (name, graph) in [("archive", Self.archive), ("onnx", Self.onnx), ("int8", Self.integers)] {
      let end = URL(filePath: graph).pathExtension
      try FileManager.default.copyItem(
        atPath: graph, toPath: parallax.folder.file("\(name).\(end)"))
    }
    // Prepared in one way, or they see other images.
    let keys =
      #"{"input_size": [3, 32, 32], "mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "crop_pct": 1.0, "interpolation": "bicubic"}"#
    for name in ["onnx", "int8"] {
      try parallax.folder.write(Array(keys.utf8), "\(name).preprocessing.json")
    }
    let outcome = try parallax(
      "compare", "archive.pt2@blocks.*", "onnx.onnx@blocks.*", "int8.onnx@blocks.*", "--images",
      "photos", "--block-size", "4", "--output", "run")
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: SimilarityResult = try #require(try run.result(analysis: "similarity"))
    #expect(result.models.map(\.name) == ["archive", "onnx", "int8"])
    let same = try #require(result.matrix(0, 1)?.values)
    let alike = try #require(result.matrix(0, 2)?.values)
    for block in same.indices {
      #expect(abs((same[block][block] ?? 0) - 1) < 1e-4, "\(same)")
      #expect((alike[block][block] ?? 0) > 0.9, "\(alike)")
    }
    let report = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(report.contains("its weights are dequantised"))
  }

  @Test("activations of a graph are extracted, as shipped where that is asked for")
  func extract() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    for (output, more) in [("plain", []), ("shipped", ["--as-shipped"])] {
      let outcome = try parallax.run(
        ["extract", "\(Self.integers)@blocks.0", "--images", "photos", "--output", output] + more)
      outcome.expectSuccess()
    }
    let shards = ["plain", "shipped"].map { output in
      parallax.folder.names(output).filter { $0.hasSuffix(".safetensors") }.sorted()
    }
    #expect(!shards[0].isEmpty && shards[0] == shards[1])
    let bytes = try ["plain", "shipped"].map { try parallax.folder.bytes("\($0)/\(shards[0][0])") }
    #expect(bytes[0] != bytes[1], "as shipped nothing is otherwise")
  }

  @Test(
    "a graph that cannot be read or run is one line and the exit code for bad data",
    arguments: ["cut.onnx", "cut.pt2", "text.onnx", "text.pt2", "empty.onnx", "empty.pt2"])
  func bad(file: String) throws {
    let parallax = try CommandRunner()
    let source = file.hasSuffix("onnx") ? Self.onnx : Self.archive
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: source)))
    let damaged: [UInt8] =
      file.hasPrefix("cut")
      ? Array(bytes.prefix(bytes.count / 2))
      : file.hasPrefix("text") ? Array("no graph at all".utf8) : []
    try parallax.folder.write(damaged, file)
    for command in ["layers", "models"] {
      let outcome = try parallax(command, file)
      #expect(outcome.code == 65, "\(outcome.errors)")
      #expect(outcome.errorLines.count == 1, "\(outcome.errors)")
      #expect(outcome.errors.contains(file))
      #expect(outcome.output.isEmpty)
    }
  }
}
