import Foundation
import Parallax

@testable import ParallaxModels

// One parser of files, fed with whatever libFuzzer thinks of. It must return, or throw one of the library's own errors.
// `PARALLAX_FUZZ_TARGET` names the parser; see Fuzz/README.md.

/// What can be read, by name.
private let targets: [String: @Sendable (String) throws -> Void] = [
  "export": { _ = try ImportedGraph.export($0) },
  "onnx": { _ = try ImportedGraph.onnx($0) },
  "torch": { path in
    let source = try TorchCheckpoint(path)
    for name in source.names { _ = try source.tensor(name)?.bytes() }
  },
  "safetensors": { path in
    let file = try Safetensors(path)
    for name in file.names { _ = file[name]?.bytes() }
  },
  "onnx-weights": { path in
    let source = try ONNXInitializers(path)
    for name in source.names { _ = try source.tensor(name)?.bytes() }
  },
  "configuration": { path in
    for name in ["config.json", "open_clip_config.json"] {
      try beside(path, name) { _ = try HuggingFaceFolder($0).described() }
    }
  },
  "index": { path in
    try beside(path, "model.safetensors.index.json") {
      _ = try ShardedSafetensors(index: "\($0)/model.safetensors.index.json")
    }
  },
  "preprocessing": { path in
    _ = try Preprocessing(json: FileManager.default.contents(atPath: path) ?? Data())
  },
  "image": { path in
    _ = try ImageBuffer(decoding: URL(filePath: path))
  },
]

/// A file under the name that it has in a folder of its own.
private func beside(_ path: String, _ name: String, _ read: (String) throws -> Void) throws {
  let folder = "\(path)-folder"
  try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
  defer { try? FileManager.default.removeItem(atPath: folder) }
  try FileManager.default.linkItem(atPath: path, toPath: "\(folder)/\(name)")
  try read(folder)
}

private let target = ProcessInfo.processInfo.environment["PARALLAX_FUZZ_TARGET"] ?? ""
private let path = "/dev/shm/parallax-fuzz-\(ProcessInfo.processInfo.processIdentifier)"

/// libFuzzer's entrance.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ bytes: UnsafePointer<UInt8>, _ count: Int) -> CInt {
  guard let read = targets[target] else {
    fatalError("PARALLAX_FUZZ_TARGET is '\(target)', expected one of \(targets.keys.sorted())")
  }
  // A file of its own each time: tensors may still lie over the one before.
  let data = unsafe Data(bytes: bytes, count: count)
  unlink(path)
  guard FileManager.default.createFile(atPath: path, contents: data) else {
    fatalError("cannot write \(path)")
  }
  do {
    try read(path)
  } catch is ModelError {
  } catch is TensorError {
  } catch is ImageError {
  } catch {
    fatalError("an error of no kind that users are shown: \(error)")
  }
  return 0
}
