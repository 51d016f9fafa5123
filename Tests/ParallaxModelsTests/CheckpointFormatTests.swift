import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Checkpoints that other programs wrote")
struct CheckpointFormatTests {
  private func expected(_ name: String) throws -> Safetensors {
    try Safetensors(CheckpointFixtures.path("\(name).expected.safetensors"))
  }

  @Test(
    "torch's two formats give every tensor to the last bit, whatever its type and strides",
    arguments: CheckpointFixtures.good.filter { $0.name.hasSuffix(".pt") && $0.expected != nil }
      .map(\.name))
  func torch(name: String) throws {
    let reference = try expected(name.hasPrefix("training") ? "training" : "torch")
    let found = try CheckpointFixtures.read(CheckpointFixtures.path(name))
    #expect(Set(found.keys) == Set(reference.names))
    for key in reference.names {
      let (a, b) = (try #require(found[key]), try #require(reference[key]))
      #expect(CheckpointFixtures.same(a, b), "\(key): \(a.dtype) \(a.shape)")
    }
  }

  @Test("archives made by hand, also one whose sizes stand behind its data, are read")
  func byHand() throws {
    for name in ["good-by-hand.pt", "streamed.pt"] {
      let found = try CheckpointFixtures.read(CheckpointFixtures.path(name))
      #expect(Array(found.keys) == ["w"], "\(name)")
      #expect(found["w"]?.shape == [2, 2] && found["w"]?.scalars(Float.self) == [1, 2, 3, 4])
    }
  }

  @Test("shards are read through their index, or through the folder that it lies in")
  func sharded() throws {
    let reference = try expected("sharded")
    for name in ["sharded", "sharded/", "sharded/model.safetensors.index.json"] {
      let found = try CheckpointFixtures.read(CheckpointFixtures.path(name))
      #expect(Set(found.keys) == Set(reference.names))
      for key in reference.names {
        let (a, b) = (try #require(found[key]), try #require(reference[key]))
        #expect(CheckpointFixtures.same(a, b), "\(name) \(key)")
      }
    }
  }

  @Test(
    "ONNX gives initialisers as stored, under both names, and dequantised to float32's rounding",
    arguments: ["float32", "float16", "int8", "uint8", "dequantize"])
  func onnx(name: String) throws {
    let reference = try expected(name + ".onnx")
    let source = try Checkpoint.open(CheckpointFixtures.path(name + ".onnx"))
    for key in reference.names {
      let found = try #require(try source.tensor(key), "\(key)")
      let wanted = try #require(reference[key])
      #expect(source.shape(key) == wanted.shape)
      if CheckpointFixtures.same(found, wanted) { continue }
      #expect(name.hasSuffix("int8") || name == "dequantize", "\(key) is not stored so")
      #expect(found.dtype == .float32 && ModelOracle.difference(found, wanted) < 1e-7, "\(key)")
    }
    #expect(source.shape("nothing") == nil)
    #expect(try source.tensor("nothing") == nil)
  }

  @Test("ONNX lists every parameter once, under the name that says most")
  func names() throws {
    func names(_ file: String) throws -> Set<String> {
      let listed = try Checkpoint.open(CheckpointFixtures.path(file)).names
      #expect(Set(listed).count == listed.count)
      return Set(listed)
    }
    let modules: Set = [
      "embed.weight", "embed.bias", "/layers.0/attn/q_proj.weight", "/fc.weight", "/fc.bias",
      "/fc/MatMul.weight",
    ]
    #expect(try names("float16.onnx") == modules)
    #expect(try names("external/model.onnx") == modules)
    let float32 = try names("float32.onnx")
    #expect(float32.isSuperset(of: modules) && float32.isSuperset(of: ["typed/bool", "half"]))
    for file in ["int8.onnx", "uint8.onnx"] {
      #expect(try names(file) == ["/layers.0/mlp/fc1.weight", "/layers.0/mlp/fc2.weight"])
    }
    #expect(try names("dequantize.onnx") == ["/features/features.0.weight"])
  }

  @Test("numbers that lie beside an ONNX file are those of the file that holds them itself")
  func external() throws {
    let whole = try Checkpoint.open(CheckpointFixtures.path("float32.onnx"))
    let found = try CheckpointFixtures.read(CheckpointFixtures.path("external/model.onnx"))
    #expect(found.count == 6)
    for (name, tensor) in found {
      let reference = try #require(try whole.tensor(name))
      #expect(CheckpointFixtures.same(tensor, reference), "\(name)")
    }
  }

  @Test(
    "what is no good is refused with one sentence that names the file, and nothing of it is run")
  func refused() throws {
    for (name, words) in CheckpointFixtures.refused {
      let path = CheckpointFixtures.path(name)
      let error = #expect(throws: (any Error).self, "\(name)") {
        try CheckpointFixtures.read(path)
      }
      let sentence = error.map { "\($0)" } ?? ""
      #expect(error is ModelError || error is TensorError, "\(name)")
      #expect(sentence.contains(words) && !sentence.contains("\n"), "\(name): \(sentence)")
      let named = name == "external/absent.onnx" ? CheckpointFixtures.path("external/absent") : path
      #expect(sentence.hasPrefix(named), "\(sentence)")
    }
    #expect(!FileManager.default.fileExists(atPath: "/tmp/parallax-was-attacked"))
  }

  @Test("no fixture is left out")
  func all() throws {
    let known =
      Set(CheckpointFixtures.good.map(\.name) + CheckpointFixtures.refused.map(\.name))
      .union(["external/model.onnx.data"])
    let found = try #require(
      FileManager.default.enumerator(atPath: CheckpointFixtures.folder)?.allObjects as? [String])
    #expect(found.count > 30)
    for name in found
    where !name.hasSuffix(".safetensors") && name != "external" {
      #expect(known.contains(name), "\(name) is read by no test")
    }
  }
}
