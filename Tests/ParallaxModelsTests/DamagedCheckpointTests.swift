import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Damaged checkpoints")
struct DamagedCheckpointTests {
  /// Reads a checkpoint that may be damaged: it must throw one sentence, or give all that it lists.
  ///
  /// - Returns: whether it was read.
  private func attempt(_ bytes: [UInt8], _ name: String, in folder: TemporaryFolder) throws -> Bool
  {
    // A name of its own each time: tensors may still lie over the file before.
    let file = "\(UUID().uuidString)-\(name)"
    try folder.write(bytes, file)
    defer { try? FileManager.default.removeItem(atPath: folder.file(file)) }
    do {
      for (_, tensor) in try CheckpointFixtures.read(folder.file(file)) { _ = tensor.bytes() }
      return true
    } catch let error as ModelError {
      check(error.description)
    } catch let error as TensorError {
      check(error.description)
    }
    return false
  }

  private func check(_ sentence: String) {
    #expect(sentence.count < 2000)
    #expect(sentence.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control })
  }

  private static let files =
    CheckpointFixtures.good.map(\.name).filter { $0.contains(".") && !$0.contains("index.json") }
    + ["sharded/model-00001-of-00002.safetensors"]

  private func load(_ name: String) throws -> (bytes: [UInt8], folder: TemporaryFolder) {
    let bytes = [UInt8](try Data(contentsOf: URL(filePath: CheckpointFixtures.path(name))))
    let folder = try TemporaryFolder()
    for beside in ["model.onnx.data"] where name.hasPrefix("external/") {
      let data = try Data(contentsOf: URL(filePath: CheckpointFixtures.path("external/\(beside)")))
      try folder.write([UInt8](data), beside)
    }
    return (bytes, folder)
  }

  /// Bytes from one damage to the next: every byte and bit was tried once, which takes minutes.
  private static let step = 19

  @Test("a file that ends too early is refused, wherever it ends", arguments: files)
  func truncated(name: String) throws {
    let (bytes, folder) = try load(name)
    let file = String(name.split(separator: "/").last ?? "")
    #expect(try attempt(bytes, file, in: folder))
    let torch = name.hasSuffix(".pt")
    for count in stride(from: 0, to: bytes.count, by: Self.step) {
      let isRead = try attempt(Array(bytes.prefix(count)), file, in: folder)
      // ONNX has no end of its own: a shorter one may be a smaller one.
      #expect(!isRead || !torch, "the first \(count) bytes of \(name)")
    }
  }

  @Test(
    "a flipped bit is refused or read, wherever it is, and never ends the process", arguments: files
  )
  func flipped(name: String) throws {
    var (bytes, folder) = try load(name)
    let file = String(name.split(separator: "/").last ?? "")
    var read = 0
    for place in stride(from: 0, to: bytes.count, by: Self.step) {
      for bit in [(place / Self.step) % 8] {
        bytes[place] ^= 1 << UInt8(bit)
        if try attempt(bytes, file, in: folder) { read += 1 }
        bytes[place] ^= 1 << UInt8(bit)
      }
    }
    #expect(read > 0, "a flipped bit among the numbers harms nothing")
  }

  @Test("runs of zeros, ones and rubbish in the middle are refused or read", arguments: files)
  func overwritten(name: String) throws {
    let (bytes, folder) = try load(name)
    let file = String(name.split(separator: "/").last ?? "")
    let random = RandomSource(seed: 5).uniform([64]).scalars(Double.self)
    for start in stride(from: 0, to: bytes.count, by: 8 * Self.step) {
      for length in [1, 2, 8, 64] {
        for kind in 0..<3 {
          var damaged = bytes
          for place in start..<min(start + length, bytes.count) {
            damaged[place] = kind == 0 ? 0 : kind == 1 ? 0xff : UInt8(random[place % 64] * 255)
          }
          _ = try attempt(damaged, file, in: folder)
        }
      }
    }
  }

  @Test("an index that is none, or that leads elsewhere, is refused with its path")
  func indices() throws {
    let folder = try TemporaryFolder()
    for name in ["model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"] {
      let path = CheckpointFixtures.path("sharded/\(name)")
      try folder.write([UInt8](try Data(contentsOf: URL(filePath: path))), name)
    }
    let (first, second) = ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors")
    func map(_ entries: [(String, String)]) -> String {
      let text = entries.map { "\"\($0)\": \"\($1)\"" }.joined(separator: ", ")
      return "{\"weight_map\": {\(text)}}"
    }
    let a = [("a.weight", first), ("a.bias", first)]
    let texts = [
      "{}", "{\"weight_map\": []}", "{\"weight_map\": {}}", "{\"weight_map\": {\"a.weight\": 3}}",
      "{\"weight_map\": ", "{" + String(repeating: "\"a\": {", count: 50_000),
      map([("a.weight", "../" + first)]), map([("a.weight", "/etc/passwd")]),
      map([("a.weight", "")]), map([("a.weight", ".")]), map([("a.weight", "absent.safetensors")]),
      map(a + [("b.weight", first)]), map([("a.weight", first), ("b.weight", second)]),
      map(a + [("b.weight", second), ("c.weight", second)]),
      map(a + [("b.weight", "model.safetensors.index.json")]),
    ]
    for text in texts {
      try folder.write(Array(text.utf8), "model.safetensors.index.json")
      let error = #expect(throws: (any Error).self, "\(text.prefix(80))") {
        try CheckpointFixtures.read(folder.file("model.safetensors.index.json"))
      }
      #expect(error is ModelError || error is TensorError, "\(text.prefix(80))")
      #expect(error.map { "\($0)".hasPrefix(folder.path) } != false)
    }
    try folder.write(
      Array(map(a + [("b.weight", second)]).utf8), "model.safetensors.index.json")
    #expect(try CheckpointFixtures.read(folder.path).count == 3)
  }
}
