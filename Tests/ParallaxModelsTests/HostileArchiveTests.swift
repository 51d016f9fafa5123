import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Hostile export archives")
struct HostileArchiveTests {
  private let folder: TemporaryFolder
  private let good: String

  init() throws {
    folder = try TemporaryFolder()
    good = try ExportOracle("own").path
  }

  /// What is said of the archive with a text in it changed.
  private func changed(_ file: String, _ old: String, _ new: String) throws -> String {
    let path = folder.file("\(UUID().uuidString).pt2")
    try Archives.replacing(file, old, new, in: good, at: path)
    return graphError(path)
  }

  @Test("a copy made by the tests' own writer is read")
  func control() throws {
    #expect(try changed("model.json", "no such text", "") == "no error")
  }

  @Test(
    "what is missing is named",
    arguments: [
      ("models/model.json", "models/model.json"),
      ("data/weights/model_weights_config.json", "model_weights_config.json"),
      ("data/weights/weight_0", "weight_0"), ("data/constants/tensor_1", "tensor_1"),
    ])
  func missing(entry: String, word: String) throws {
    let path = folder.file("missing.pt2")
    try Archives.without(entry, good, at: path)
    let found = graphError(path)
    #expect(found.contains(word), "\(found)")
  }

  @Test("JSON that is cut, or not JSON, or nested a million deep")
  func json() throws {
    let bytes = try Archives.entries(good)
    let texts: [[UInt8]] = [
      [], Array("null".utf8), Array("[]".utf8), Array("{}".utf8), [0xff, 0xfe, 0x00],
      Array(String(repeating: "[", count: 1_000_000).utf8),
      Array(String(repeating: #"{"a":"#, count: 1_000_000).utf8),
      Array(#"{"graph_module": {"graph": 7}}"#.utf8),
    ]
    for (index, text) in texts.enumerated() {
      for name in ["models/model.json", "weights_config.json", "constants_config.json"] {
        let path = folder.file("json\(index).pt2")
        try Archives.write(bytes.map { $0.name.hasSuffix(name) ? ($0.name, text) : $0 }, to: path)
        #expect(
          graphError(path).contains("cannot be read"), "\(index) \(name): \(graphError(path))")
      }
    }
  }

  @Test("a graph cut anywhere is refused")
  func truncatedJSON() throws {
    let bytes = try Archives.entries(good)
    let json = try #require(bytes.first { $0.name.hasSuffix("models/model.json") }).bytes
    let path = folder.file("cut.pt2")
    for count in stride(from: 0, to: json.count - 1, by: 97) {
      try Archives.write(
        bytes.map {
          $0.name.hasSuffix("models/model.json") ? ($0.name, Array(json.prefix(count))) : $0
        }, to: path)
      #expect(graphError(path).contains("cannot be read"), "\(count)")
    }
  }

  @Test("a node that uses what comes later, itself, or nothing at all")
  func cycles() throws {
    let later = try changed("model.json", #"{"name":"conv2d"}}],"#, #"{"name":"masked_fill"}}],"#)
    #expect(later.contains("before anything makes it") || later.contains("twice"), "\(later)")
    let itself = try changed(
      "model.json", #"{"name":"input","arg":{"as_tensor":{"name":"x"}}"#,
      #"{"name":"input","arg":{"as_tensor":{"name":"conv2d"}}"#)
    #expect(itself.contains("'conv2d'"), "\(itself)")
  }

  @Test("all unknown operators are listed at once")
  func unknownOperators() throws {
    let path = folder.file("a.pt2")
    let second = folder.file("b.pt2")
    try Archives.replacing("model.json", "aten.mean.dim", "aten.meanest.dim", in: good, at: path)
    try Archives.replacing(
      "model.json", "torch.ops.aten.gt.Scalar", "torch.ops.own.nms.default", in: path, at: second)
    let found = graphError(second)
    #expect(found.contains("aten.meanest.dim") && found.contains("own.nms.default"), "\(found)")
    #expect(found.contains("2 operators"), "\(found)")
  }

  @Test("Python's code, subgraphs of other kinds and unknown arguments are refused, not run")
  func other() throws {
    let cond = try changed(
      "model.json", "torch.ops.higher_order.wrap_with_autocast",
      "torch.ops.higher_order.cond")
    #expect(cond.contains("higher_order.cond"), "\(cond)")
    let system = try changed("model.json", "torch.ops.aten.gt.Scalar", "os.system")
    #expect(system.contains("os.system"), "\(system)")
    let strange = try changed("model.json", #"{"as_ints":[2]}"#, #"{"as_virus":[2]}"#)
    #expect(strange.contains("as_virus"), "\(strange)")
  }

  @Test("dtypes, shapes, strides and offsets that lie about their bytes")
  func lies() throws {
    let lies = [
      (#""sizes": [{"as_int": 8}, {"as_int": 3}"#, #""sizes": [{"as_int": 80}, {"as_int": 3}"#),
      (#""sizes": [{"as_int": 8}, {"as_int": 3}"#, #""sizes": [{"as_int": -8}, {"as_int": 3}"#),
      (
        #""sizes": [{"as_int": 8}, {"as_int": 3}"#,
        #""sizes": [{"as_int": 4611686018427387904}, {"as_int": 3}"#
      ),
      (#""strides": [{"as_int": 27}"#, #""strides": [{"as_int": 9223372036854775807}"#),
      (#""strides": [{"as_int": 27}"#, #""strides": [{"as_int": -1}"#),
      (#""storage_offset": {"as_int": 0}"#, #""storage_offset": {"as_int": 9223372036854775807}"#),
      (#""storage_offset": {"as_int": 0}"#, #""storage_offset": {"as_int": 1}"#),
      (#""dtype": 7"#, #""dtype": 8"#), (#""dtype": 7"#, #""dtype": 99"#),
      (#""use_pickle": false"#, #""use_pickle": true"#),
      (#""path_name": "weight_0""#, #""path_name": "../../etc/passwd""#),
    ]
    for (old, new) in lies {
      let found = try changed("model_weights_config.json", old, new)
      #expect(found != "no error" && !found.contains("another error"), "\(new): \(found)")
    }
  }

  @Test("a parameter of another size than the graph takes is an error with the node")
  func wrongShape() throws {
    let found = try changed(
      "model_weights_config.json", #""sizes": [{"as_int": 8}, {"as_int": 3}"#,
      #""sizes": [{"as_int": 8}, {"as_int": 2}"#)
    #expect(found.contains("node 'conv2d'"), "\(found)")
  }

  @Test("a graph that asks for more memory than there is does not take it")
  func memory() throws {
    let found = try changed(
      "model.json", #"{"as_ints":[8]}"#, #"{"as_ints":[1099511627776]}"#)
    #expect(found.contains("node '"), "\(found)")
  }

  @Test("training mode, batches of a fixed size, other inputs are refused with what to do")
  func wrongKind() throws {
    let batch = try changed(
      "model.json", #""sizes":[{"as_expr""#, #""sizes":[{"as_int":4},{"as_expr""#)
    #expect(batch.contains("expected images") || batch.contains("exactly 4"), "\(batch)")
    let older = try changed(
      "model.json", #""schema_version":{"major":8"#, #""schema_version":{"major":5"#)
    #expect(older.contains("schema version 5"), "\(older)")
  }

  @Test("files that are no export archive say what they are")
  func notOne() throws {
    let text = folder.file("text.pt2")
    try Data("hello".utf8).write(to: URL(filePath: text))
    #expect(graphError(text).contains("zip"))
    let checkpoint = fixtures.appending(path: "checkpoints").path
    for file in try FileManager.default.contentsOfDirectory(atPath: checkpoint)
    where file.hasSuffix(".pt") {
      #expect(graphError("\(checkpoint)/\(file)") != "no error", "\(file)")
    }
    let old = folder.file("old.pt2")
    try Archives.write([("serialized_exported_program.json", Array("{}".utf8))], to: old)
    #expect(graphError(old).contains("before PyTorch 2.8"))
    let compiled = folder.file("aoti.pt2")
    try Archives.write([("a/data/aotinductor/model/x.so", [])], to: compiled)
    #expect(graphError(compiled).contains("AOTInductor"))
  }
}
