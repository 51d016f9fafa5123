import Foundation
import ParallaxTensors

/// Checkpoints of any kind that Parallax reads, told apart by what is in them.
public enum Checkpoint {
  private static let expected =
    "expected a checkpoint: safetensors, torch (.pt, .pth), an export archive (.pt2) or ONNX, or a folder with model.safetensors"

  /// Opens a checkpoint: a safetensors file or its index, torch's zip format or the one before, an ONNX
  /// file, or a folder that holds `model.safetensors`, its index, or `pytorch_model.bin`.
  ///
  /// - Throws: `TensorError` where a file cannot be read or is not valid safetensors;
  ///   `ModelError.checkpoint`, which says what the file is instead, or what is damaged.
  public static func open(_ path: String) throws -> any WeightSource {
    var isFolder: ObjCBool = false
    if unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
      isFolder.boolValue
    {
      return try openFolder(path)
    }
    func bad(_ what: String) -> ModelError {
      .checkpoint(file: path, problem: "\(what); \(expected)")
    }
    let file = try MappedFile(path)
    guard file.count > 0 else { throw bad("a file of zero bytes") }
    let start = file.bytes(0..<min(file.count, 1024))
    let text = String(decoding: start, as: UTF8.self)
    if start.starts(with: [0x50, 0x4b, 3, 4]) || start.starts(with: [0x50, 0x4b, 5, 6]) {
      return ExportArchive.matches(file) ? try ExportedWeights(path) : try TorchCheckpoint(path)
    }
    if TorchLegacy.matches(start) { return try TorchCheckpoint(path) }
    if text.hasPrefix("version https://git-lfs") {
      throw bad("a git-lfs pointer, not the file itself (fetch it with `git lfs pull`)")
    }
    if start.count > 262, Array(start[257..<262]) == Array("ustar".utf8) {
      throw bad(
        "a tar archive (torch's format before 0.1.10 was one, which Parallax does not read)")
    }
    if isSafetensors(file, start) { return try Safetensors(path) }
    if isONNX(path, start) { return try ONNXInitializers(path) }
    if let first = text.first(where: { !$0.isWhitespace }), first == "{", file.count < 100_000_000,
      path.hasSuffix(".json")
    {
      return try ShardedSafetensors(index: path)
    }
    throw bad(description(of: start, text))
  }

  private static func openFolder(_ path: String) throws -> any WeightSource {
    let folder = path.hasSuffix("/") ? path : path + "/"
    let exists = { (name: String) in FileManager.default.fileExists(atPath: folder + name) }
    if exists("model.safetensors") { return try open(folder + "model.safetensors") }
    let index = "model.safetensors.index.json"
    if exists(index) { return try ShardedSafetensors(index: folder + index) }
    let others = ["pytorch_model.bin"] + Hub.weightFiles(.openCLIP(quickGELU: false))
    if let other = others.first(where: exists) { return try open(folder + other) }
    throw ModelError.checkpoint(
      file: path,
      problem:
        "a folder without a checkpoint; expected model.safetensors, \(index) or pytorch_model.bin in it"
    )
  }

  /// A header's length that could be one, and the header's first character.
  private static func isSafetensors(_ file: MappedFile, _ start: [UInt8]) -> Bool {
    if file.path.hasSuffix(".safetensors") { return true }
    return start.count > 8 && start[8] == UInt8(ascii: "{") && file.littleEndian64(at: 0) < 1 << 32
  }

  /// ONNX has no magic number: the name says it, or the first fields of the message (the format's
  /// version, and the writer's name or the graph).
  private static func isONNX(_ path: String, _ start: [UInt8]) -> Bool {
    if path.lowercased().hasSuffix(".onnx"), !looksLikeText(start) { return true }
    return start.count > 2 && start[0] == 0x08 && start[1] < 0x40
      && [0x12, 0x1a, 0x22, 0x3a, 0x42].contains(start[2])
  }

  private static func looksLikeText(_ start: [UInt8]) -> Bool {
    start.allSatisfy { $0 >= 0x20 || [0x09, 0x0a, 0x0c, 0x0d].contains($0) }
  }

  /// What a file is that is no checkpoint, from its first bytes.
  private static func description(of start: [UInt8], _ text: String) -> String {
    let trimmed = text.drop { $0.isWhitespace }.lowercased()
    if trimmed.hasPrefix("<!doctype html") || trimmed.hasPrefix("<html") {
      return "an HTML page, probably a download that failed"
    }
    let signatures: [(bytes: [UInt8], what: String)] = [
      ([0x89, 0x48, 0x44, 0x46], "an HDF5 file"), ([0x1f, 0x8b], "a gzip archive"),
      ([0x89, 0x50, 0x4e, 0x47], "a PNG image"), ([0xff, 0xd8, 0xff], "a JPEG image"),
      (Array("GGUF".utf8), "a GGUF file"), ([0x93] + Array("NUMPY".utf8), "a NumPy array"),
      (Array("%PDF".utf8), "a PDF document"), ([0x7f] + Array("ELF".utf8), "a program"),
    ]
    if let found = signatures.first(where: { start.starts(with: $0.bytes) }) { return found.what }
    if start.count > 1, start[0] == 0x80, start[1] <= 5 {
      return "a Python pickle, but not one that torch.save wrote"
    }
    if looksLikeText(start) { return "a text file" }
    let first = start.prefix(8).map { byte in
      (byte < 16 ? "0" : "") + String(byte, radix: 16)
    }
    return "a file of no known kind (its first bytes are \(first.joined(separator: " ")))"
  }
}
