import Foundation
import Parallax
import ParallaxTestSupport
import Testing

/// The small checkpoints in `Tests/Fixtures/checkpoints` that other programs have written.
enum CheckpointFixtures {
  static let folder = fixtures.appending(path: "checkpoints").path

  static func path(_ name: String) -> String { folder + "/" + name }

  /// Checkpoints that are read, and the file that holds what is in them; none for those made by hand.
  static let good: [(name: String, expected: String?)] = [
    ("zip.pt", "torch"), ("zip-protocol4.pt", "torch"), ("legacy.pt", "torch"),
    ("training.pt", "training"), ("training-legacy.pt", "training"),
    ("sharded/model.safetensors.index.json", "sharded"), ("sharded", "sharded"),
    ("float32.onnx", "float32.onnx"), ("float16.onnx", "float16.onnx"),
    ("int8.onnx", "int8.onnx"), ("uint8.onnx", "uint8.onnx"),
    ("dequantize.onnx", "dequantize.onnx"),
    ("good-by-hand.pt", nil), ("streamed.pt", nil), ("external/model.onnx", nil),
  ]

  /// Checkpoints that are refused, and words of the sentence that says why.
  static let refused: [(name: String, words: String)] = [
    ("attack.pt", "which Parallax does not allow"),
    ("attack-legacy.pt", "which Parallax does not allow"),
    ("hostile-build.pt", "sets attributes of"), ("hostile-count.pt", "should hold"),
    ("hostile-cycle.pt", "nest too deeply"),
    ("hostile-empty.pt", "does not lie within its storage"),
    ("hostile-laughs.pt", "nest too deeply"), ("hostile-memo.pt", "not remembered"),
    ("hostile-offset.pt", "does not lie within its storage"),
    ("hostile-repeat.pt", "repeats the elements"), ("hostile-shape.pt", "storage"),
    ("hostile-stride.pt", "does not lie within its storage"),
    ("deflated.pt", "compressed"), ("big-endian.pt", "byte order 'big'"),
    ("torchscript.pt", "TorchScript"), ("exported.pt2", "models/model.json"),
    ("external/up.onnx", "not beside the model"),
    ("external/absolute.onnx", "not beside the model"),
    ("external/absent.onnx", "cannot be opened"),
  ]

  /// Reads all that a checkpoint holds.
  static func read(_ path: String) throws -> [String: Tensor] {
    let source = try Checkpoint.open(path)
    var tensors: [String: Tensor] = [:]
    for name in source.names {
      let tensor = try #require(try source.tensor(name), "\(name) is listed and not there")
      #expect(source.shape(name) == tensor.shape, "\(name)")
      tensors[name] = tensor
    }
    return tensors
  }

  /// Whether two tensors are the same to the last bit.
  static func same(_ a: Tensor, _ b: Tensor) -> Bool {
    a.dtype == b.dtype && a.shape == b.shape && a.bytes() == b.bytes()
  }
}
