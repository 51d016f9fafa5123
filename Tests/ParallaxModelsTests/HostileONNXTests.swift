import Foundation
import Parallax
import ParallaxTestSupport
import SwiftProtobuf
import Testing

@testable import ParallaxModels

@Suite("Hostile ONNX graphs")
struct HostileONNXTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A small graph: images, a convolution, and whatever else.
  private struct Graph {
    var nodes: [ONNXNodeProto] = []
    var initializers: [ONNXTensorProto] = []
    var input: [Int64] = [0, 3, 8, 8]
    var inputType: Int32 = 1
    var inputs: [String] = ["images"]
    var output = "y"
    var opset: Int64 = 17
    var functions: [ONNXFunctionProto] = []

    init(_ nodes: [ONNXNodeProto], _ initializers: [ONNXTensorProto] = []) {
      (self.nodes, self.initializers) = (nodes, initializers)
    }

    var model: ONNXModelProto {
      var model = ONNXModelProto()
      model.irVersion = 8
      var set = ONNXOperatorSetIdProto()
      set.version = opset
      model.opsetImport = [set]
      model.functions = functions
      var graph = ONNXGraphProto()
      graph.node = nodes
      graph.initializer = initializers
      graph.input = inputs.map { name in
        var value = ONNXValueInfoProto()
        value.name = name
        value.type.tensorType.elemType = inputType
        value.type.tensorType.shape.dim = input.map { size in
          var dim = ONNXTensorShapeProto.Dimension()
          if size > 0 { dim.dimValue = size } else { dim.dimParam = "n" }
          return dim
        }
        return value
      }
      var result = ONNXValueInfoProto()
      result.name = output
      graph.output = [result]
      model.graph = graph
      return model
    }
  }

  private static func node(
    _ kind: String, _ inputs: [String], _ outputs: [String], ints: [String: [Int64]] = [:],
    int: [String: Int64] = [:], text: [String: String] = [:]
  ) -> ONNXNodeProto {
    var node = ONNXNodeProto()
    (node.opType, node.input, node.output, node.name) = (kind, inputs, outputs, "n_\(outputs[0])")
    for (name, values) in ints {
      var attribute = ONNXAttributeProto()
      (attribute.name, attribute.ints) = (name, values)
      node.attribute.append(attribute)
    }
    for (name, value) in int {
      var attribute = ONNXAttributeProto()
      (attribute.name, attribute.i) = (name, value)
      node.attribute.append(attribute)
    }
    for (name, value) in text {
      var attribute = ONNXAttributeProto()
      (attribute.name, attribute.s) = (name, Data(value.utf8))
      node.attribute.append(attribute)
    }
    return node
  }

  private static func numbers(_ name: String, _ values: [Int64]) -> ONNXTensorProto {
    var tensor = ONNXTensorProto()
    (tensor.name, tensor.dataType, tensor.dims) = (name, 7, [Int64(values.count)])
    tensor.int64Data = values
    return tensor
  }

  private static func floats(_ name: String, _ shape: [Int64]) -> ONNXTensorProto {
    var tensor = ONNXTensorProto()
    (tensor.name, tensor.dataType, tensor.dims) = (name, 1, shape)
    tensor.floatData = Array(repeating: 0.5, count: Int(shape.reduce(1, *)))
    return tensor
  }

  private func error(_ graph: Graph) throws -> String {
    let path = folder.file("\(UUID().uuidString).onnx")
    try (graph.model.serializedBytes() as Data).write(to: URL(filePath: path))
    return graphError(path)
  }

  private static let good = Graph(
    [
      node("Conv", ["images", "w"], ["c"]),
      node("ReduceMean", ["c"], ["y"], ints: ["axes": [2, 3]]),
    ],
    [floats("w", [4, 3, 3, 3])])

  @Test("the graph that the others are made of is read")
  func control() throws { #expect(try error(Self.good) == "no error") }

  @Test("cycles, nodes out of order, values made twice and ones that nothing makes")
  func order() throws {
    var cycle = Self.good
    cycle.nodes[0].input[0] = "y"
    #expect(try error(cycle).contains("'y' before anything makes it"))
    var reversed = Self.good
    reversed.nodes.reverse()
    #expect(try error(reversed).contains("'c' before anything makes it"))
    var twice = Self.good
    twice.nodes.append(twice.nodes[0])
    #expect(try error(twice).contains("makes 'c' twice"))
    var missing = Self.good
    missing.output = "z"
    #expect(try error(missing).contains("'z'"))
  }

  @Test("all unknown operators are listed at once, those of other domains with the domain")
  func unknown() throws {
    var graph = Self.good
    graph.nodes.insert(Self.node("NonMaxSuppression", ["c"], ["d"]), at: 1)
    graph.nodes.insert(Self.node("Loop", ["d"], ["e"]), at: 2)
    graph.nodes[2].domain = "own"
    graph.nodes[3].input = ["e"]
    let found = try error(graph)
    #expect(
      found.contains("2 operators") && found.contains("NonMaxSuppression, own.Loop"), "\(found)")
  }

  @Test("what goes in must be images, and what comes out must depend on them")
  func ends() throws {
    var two = Self.good
    two.inputs.append("ids")
    #expect(try error(two).contains("takes 2 values (images, ids)"))
    for shape in [[0, 3, 8], [0, 4, 8, 8], [0, 3, 8, 1 << 40], [0, 3, -1, 8, 8]] as [[Int64]] {
      var odd = Self.good
      odd.input = shape
      #expect(try error(odd).contains("expected images"), "\(shape)")
    }
    var large = Self.good
    large.input = [0, 3, 16384, 16384]
    #expect(try error(large).contains("16384"))
    var bytes = Self.good
    bytes.inputType = 2
    #expect(try error(bytes).contains("takes uint8"))
    var batch = Self.good
    batch.input[0] = 4
    #expect(try error(batch).contains("exactly 4 images"))
    var constant = Self.good
    constant.output = "k"
    constant.nodes.append(Self.node("Shape", ["w"], ["k"]))
    #expect(try error(constant).contains("does not depend on the images"))
    for opset in [1, 6, 99] as [Int64] {
      var old = Self.good
      old.opset = opset
      #expect(try error(old).contains("opset \(opset)"))
    }
  }

  @Test("values that would fill the memory are refused, at once or when the graph runs")
  func bombs() throws {
    let huge: [Int64] = [1 << 20, 1 << 20, 1 << 10]
    let makers: [(ONNXNodeProto, [ONNXTensorProto])] = [
      (Self.node("ConstantOfShape", ["s"], ["k"]), [Self.numbers("s", huge)]),
      (
        Self.node("Expand", ["w", "s"], ["k"]), [Self.numbers("s", [1 << 20, 1 << 20, 4, 3, 3, 3])]
      ),
      (Self.node("Tile", ["w", "s"], ["k"]), [Self.numbers("s", [1 << 40, 1, 1, 1])]),
      (
        Self.node("Range", ["a", "b", "d"], ["k"]),
        [Self.numbers("a", [0]), Self.numbers("b", [1 << 60]), Self.numbers("d", [1])]
      ),
      (
        Self.node("Pad", ["w", "s"], ["k"]),
        [Self.numbers("s", [0, 0, 0, 0, 0, 0, 1 << 20, 1 << 20])]
      ),
      (
        Self.node("Resize", ["w", "", "", "s"], ["k"], text: ["mode": "linear"]),
        [Self.numbers("s", [4, 3, 1 << 20, 1 << 20])]
      ),
      (
        Self.node("OneHot", ["a", "b", "d"], ["k"]),
        [
          Self.numbers("a", Array(repeating: 1, count: 1000)), Self.numbers("b", [1 << 40]),
          Self.numbers("d", [0, 1]),
        ]
      ),
      (
        Self.node("Add", ["a", "b"], ["k"]),
        [Self.floats("a", [100_000, 1]), Self.floats("b", [1, 100_000])]
      ),
      (
        Self.node("MatMul", ["a", "b"], ["k"]),
        [Self.floats("a", [100_000, 1]), Self.floats("b", [1, 100_000])]
      ),
    ]
    for (maker, more) in makers {
      var graph = Self.good
      graph.initializers += more
      graph.nodes.insert(maker, at: 1)
      let found = try error(graph)
      #expect(found.contains("'n_k' (\(maker.opType))"), "\(maker.opType): \(found)")
    }
  }

  @Test("numbers that end a process in libtorch do not end it here")
  func arithmetic() throws {
    var least = Self.good
    least.initializers += [Self.numbers("a", [.min, 7]), Self.numbers("b", [-1, -2])]
    least.nodes.insert(Self.node("Div", ["a", "b"], ["k"]), at: 1)
    #expect(try error(least) == "no error")
    var zero = Self.good
    zero.initializers += [Self.numbers("a", [1]), Self.numbers("b", [0])]
    zero.nodes.insert(Self.node("Div", ["a", "b"], ["k"]), at: 1)
    #expect(try error(zero).contains("'n_k' (Div)"))
  }

  @Test("what fails with these very images is an error of the pass, not the end of the process")
  func images() throws {
    // Indices made of pixels: zeros fit, others do not.
    var graph = Self.good
    graph.initializers.append(Self.floats("t", [2, 4]))
    graph.nodes = [
      graph.nodes[0], Self.node("ReduceMax", ["images"], ["m"], int: ["keepdims": 0]),
      Self.node("Cast", ["m"], ["i"], int: ["to": 7]), Self.node("Gather", ["t", "i"], ["g"]),
      Self.node("ReduceMean", ["c"], ["r"], ints: ["axes": [2, 3]], int: ["keepdims": 0]),
      Self.node("Add", ["r", "g"], ["y"]),
    ]
    let path = folder.file("pixels.onnx")
    try (graph.model.serializedBytes() as Data).write(to: URL(filePath: path))
    let model = try Catalog.load(.graph(path)).model
    #expect(try model.run(Tensor.zeros([3, 3, 8, 8]), .off).shape == [3, 4])
    #expect(throws: ModelError.self) { try model.run(Tensor.ones([3, 3, 8, 8]) * 9, .off) }
  }

  @Test("functions and branches that call themselves or multiply come to an end")
  func recursion() throws {
    func function(_ name: String, _ calls: [String]) -> ONNXFunctionProto {
      var function = ONNXFunctionProto()
      (function.name, function.domain, function.input) = (name, "own", ["x"])
      function.node = calls.enumerated().map { place, call in
        var node = Self.node(call, [place == 0 ? "x" : "v\(place - 1)"], ["v\(place)"])
        node.domain = call == "Relu" ? "" : "own"
        return node
      }
      function.output = ["v\(calls.count - 1)"]
      return function
    }
    var graph = Self.good
    graph.nodes.insert(Self.node("F", ["c"], ["f"]), at: 1)
    graph.nodes[1].domain = "own"
    graph.nodes[2].input = ["f"]
    graph.functions = [function("F", ["Relu", "Relu"])]
    #expect(try error(graph) == "no error")
    graph.functions = [function("F", ["F"])]
    #expect(try error(graph).contains("too deeply"))
    let letters = (0..<12).map { "F\($0)" }
    graph.functions = [function("F", ["F0"])]
    for (place, letter) in letters.enumerated() {
      let next = place + 1 < letters.count ? letters[place + 1] : "Relu"
      graph.functions.append(function(letter, Array(repeating: next, count: 8)))
    }
    #expect(try error(graph).contains("too many nodes"))
  }

  @Test("attributes that make no sense are errors with the node")
  func attributes() throws {
    let convolutions: [[String: [Int64]]] = [
      ["strides": [0, 0]], ["strides": [1]], ["dilations": [-1, 1]], ["pads": [0, 0, 0, 1 << 50]],
      ["pads": [-1, 0, 0, 0]], ["kernel_shape": [5, 5]], ["kernel_shape": [1, 1, 1, 1]],
    ]
    for ints in convolutions {
      var graph = Self.good
      graph.nodes[0] = Self.node("Conv", ["images", "w"], ["c"], ints: ints)
      #expect(try error(graph).contains("'n_c' (Conv)"), "\(ints)")
    }
    for group in [0, -1, 2, Int64.max] {
      var graph = Self.good
      graph.nodes[0] = Self.node("Conv", ["images", "w"], ["c"], int: ["group": group])
      #expect(try error(graph).contains("'n_c' (Conv)"), "\(group)")
    }
    let others: [ONNXNodeProto] = [
      Self.node("Softmax", ["c"], ["k"], int: ["axis": .min]),
      Self.node("Concat", ["c", "c"], ["k"], int: ["axis": 9]),
      Self.node("Transpose", ["c"], ["k"], ints: ["perm": [0, 0, 1, 2]]),
      Self.node("Transpose", ["c"], ["k"], ints: ["perm": [0, 1]]),
      Self.node("Split", ["c", "s"], ["k", "l"]),
      Self.node("Gather", ["c", "s"], ["k"], int: ["axis": 2]),
      Self.node("Reshape", ["c", "s"], ["k"]),
      Self.node("Reshape", ["c"], ["k"]),
      Self.node("Slice", ["c", "s", "s", "s", "z"], ["k"]),
      Self.node("Squeeze", ["c", "s"], ["k"]),
      Self.node("Flatten", ["c"], ["k"], int: ["axis": 7]),
      Self.node("Cast", ["c"], ["k"], int: ["to": 99]),
      Self.node("DepthToSpace", ["c"], ["k"], int: ["blocksize": 0]),
      Self.node("TopK", ["c", "s"], ["k", "l"]),
      Self.node("LRN", ["c"], ["k"], int: ["size": -1]),
      Self.node("Einsum", ["c"], ["k"], text: ["equation": ""]),
      Self.node("MaxPool", ["c"], ["k"]),
      Self.node("GridSample", ["c", "c"], ["k"], text: ["mode": "none"]),
      Self.node("If", ["c"], ["k"]),
      Self.node("GatherND", ["c", "s"], ["k"]),
      Self.node("ScatterND", ["c", "s", "c"], ["k"]),
      Self.node("BatchNormalization", ["c"], ["k"]),
      Self.node("QuantizeLinear", ["c", "w"], ["k"]),
    ]
    for node in others {
      var graph = Self.good
      graph.initializers += [Self.numbers("s", [77, -99]), Self.numbers("z", [0, 0])]
      graph.nodes.insert(node, at: 1)
      let found = try error(graph)
      #expect(found.contains("'n_k' (\(node.opType))"), "\(node.opType): \(found)")
    }
  }

  @Test("a file cut anywhere, or with bits flipped, is an error or a graph, never further")
  func damage() throws {
    let path = fixtures.appending(path: "onnx/nhwc.onnx").path
    var bytes = [UInt8](try Data(contentsOf: URL(filePath: path)))
    #expect(graphError(path) == "no error")
    func attempt(_ bytes: [UInt8]) throws -> String {
      let name = "\(UUID().uuidString).onnx"
      try folder.write(bytes, name)
      defer { try? FileManager.default.removeItem(atPath: folder.file(name)) }
      return graphError(folder.file(name))
    }
    for count in stride(from: 0, to: bytes.count, by: 23) {
      let found = try attempt(Array(bytes.prefix(count)))
      #expect(found != "no error" && !found.hasPrefix("another"), "\(count): \(found)")
    }
    for place in stride(from: 0, to: bytes.count, by: 7) {
      bytes[place] ^= 1 << UInt8(place % 8)
      #expect(!(try attempt(bytes)).hasPrefix("another"), "\(place)")
      bytes[place] ^= 1 << UInt8(place % 8)
    }
  }
}
