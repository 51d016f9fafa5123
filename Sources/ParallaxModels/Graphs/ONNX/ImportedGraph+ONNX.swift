import Foundation
import ParallaxTensors

extension ImportedGraph {
  /// The model of an ONNX file.
  ///
  /// Its sites are the paths of modules in the names of its nodes, or in what torch's exporter notes beside them, each
  /// module's output; where no node has a path, every node is a site.
  ///
  /// - Parameters:
  ///   - path: the file.
  ///   - device: where its tensors shall lie.
  ///   - options: whether every node is a site, and whether quantised numbers stay whole.
  /// - Returns: the graph with what else the file says.
  /// - Throws: `TensorError.file`, `ModelError.checkpoint` where the file is damaged, `ModelError.graph` with the node
  ///   that cannot be made ready, `ModelError.missingOperators`.
  static func onnx(
    _ path: String, device: Device = .cpu, options: GraphOptions = GraphOptions()
  ) throws -> GraphImport {
    let file = try ONNXFile(path)
    var compiler = try ONNXCompiler(file, device: device, options: options)
    let input = try compiler.input()
    try GraphLimits.$largest.withValue(GraphLimits.folding) {
      try compiler.compile(file.model.graph.node)
    }
    guard compiler.missing.isEmpty else {
      throw ModelError.missingOperators(names: compiler.missing.sorted(), file: path)
    }
    let output = try compiler.output()
    let used = Set(compiler.steps.flatMap(\.inputs))
    var program = GraphProgram(
      file: path, steps: compiler.steps, slotCount: compiler.slotCount,
      constants: compiler.known.filter { used.contains($0.key) }.sorted { $0.key < $1.key }
        .map { (slot: $0.key, value: $0.value) },
      input: input, output: output,
      places: AttentionSteps(compiler.steps, modules: compiler.tree.modulesOfSteps).joined(
        to: compiler.tree.places(
          output: output, everyNode: options.everyNode || !compiler.hasModules)))
    program.sums = ResidualSums(program, blocks: compiler.tree.blocksOfSteps).found
    let parameters = try parameters(file)
    let model = file.model
    let writer = [model.producerName, model.producerVersion].filter { !$0.isEmpty }
    return GraphImport(
      graph: ImportedGraph(program, tokenLayout: .guessed(from: parameters)),
      parameters: Dictionary(parameters.map { ($0.name, $0.shape.elementCount) }) { first, _ in
        first
      },
      preprocessing: model.metadataProps.first { $0.key == "preprocessing.json" }
        .map { Data($0.value.utf8) },
      caveat: compiler.isQuantised ? caveat(options) : nil,
      writer: writer.isEmpty ? nil : writer.joined(separator: " "), family: compiler.root,
      besides: file.besides)
  }

  private static func caveat(_ options: GraphOptions) -> String {
    options.asShipped
      ? "a quantised network that runs as shipped: activations are rounded to 8 bits, and gradients do not get through the rounding"
      : "a quantised network that runs in float32: its weights are dequantised and its activations are not rounded (--as-shipped runs it as the file has it)"
  }

  /// What is learned: fractions, and numbers of eight bits.
  private static func parameters(_ file: ONNXFile) throws -> [(name: String, shape: [Int])] {
    let source = try ONNXInitializers(file)
    return source.names.compactMap { name in
      guard let shape = source.shape(name), let dtype = source.storedType(name),
        dtype.contains("float") || dtype.hasSuffix("int8"), !shape.isEmpty
      else { return nil }
      return (ONNXModules.dotted(name), shape)
    }
  }
}

extension ONNXCompiler {
  /// The images' slot, with what the file says of their size.
  mutating func input() throws -> GraphProgram.Input {
    let graph = file.model.graph
    let inputs = graph.input.filter { file.shape($0.name) == nil }
    guard inputs.count == 1, let input = inputs.first else {
      throw problem(
        inputs.isEmpty
          ? "the graph takes nothing, expected images"
          : "the graph takes \(inputs.count) values (\(inputs.prefix(4).map(\.name).joined(separator: ", "))\(inputs.count > 4 ? ", …" : "")); expected one, the images: export the image tower alone"
      )
    }
    let type = input.type.tensorType
    let dtype = try? ONNXFile.dtype(Int(type.elemType))
    let sizes = type.shape.dim.map { $0.dimValue > 0 ? Int($0.dimValue) : nil }
    let channels = [1, 3].filter { sizes.indices.contains($0) && sizes[$0] == 3 }
    guard sizes.count == 4, let dtype, dtype.isFloatingPoint,
      !channels.isEmpty || sizes[1] == nil || sizes[3] == nil,
      sizes.allSatisfy({ $0 ?? 1 <= 16384 })
    else {
      let found = sizes.map { $0.map(String.init) ?? "any" }.joined(separator: ", ")
      throw problem(
        "the graph takes \(dtype?.description ?? "values of another type") [\(found)], expected images [batch, 3, height, width] or [batch, height, width, 3] of floating-point numbers"
      )
    }
    if let batch = sizes[0], batch != 1 {
      throw problem(
        "was exported for exactly \(batch) images at a time; export it with a dynamic batch")
    }
    let isLast = channels == [3]
    return GraphProgram.Input(
      slot: try makeSlot(input.name), dtype: dtype, batch: sizes[0],
      height: sizes[isLast ? 1 : 2], width: sizes[isLast ? 2 : 3], isChannelsLast: isLast)
  }

  /// The slot of the model's output, the first that the graph gives.
  mutating func output() throws -> Int {
    guard let output = file.model.graph.output.first else {
      throw problem("the graph gives nothing")
    }
    let slot = try slot(output.name)
    guard known[slot] == nil else {
      throw problem("its output '\(output.name)' does not depend on the images")
    }
    leave(slot)
    return slot
  }
}
