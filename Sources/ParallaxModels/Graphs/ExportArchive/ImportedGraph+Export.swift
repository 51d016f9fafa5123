import Foundation
import ParallaxTensors

/// A graph that was read, and what the file says besides.
struct GraphImport {
  /// The graph; it has not run yet.
  var graph: ImportedGraph
  /// The number of values of each parameter, by name.
  var parameters: [String: Int]
  /// How images are prepared for it, a JSON object, where the file says.
  var preprocessing: Data?
  /// What must be said about it.
  var caveat: String?
  /// Who wrote it.
  var writer: String?
  /// The kind of network: the class that was exported.
  var family: String?
  /// Files beside it that hold weights.
  var besides: [String] = []
}

extension ImportedGraph {
  /// The model of an export archive (`.pt2`), as `torch.export.save` writes it.
  ///
  /// - Parameters:
  ///   - path: the archive.
  ///   - device: where its tensors shall lie; devices that the graph names become this one.
  ///   - everyNode: whether every node is a site, too.
  /// - Returns: the graph with what else the archive holds.
  /// - Throws: `TensorError.file`, `ModelError.checkpoint` where the archive is damaged,
  ///   `ModelError.missingOperators` where this libtorch lacks an operator of the graph.
  static func export(
    _ path: String, device: Device = .cpu, everyNode: Bool = false
  ) throws -> GraphImport {
    let archive = try ExportArchive(path)
    let module = archive.program.graphModule
    var compiler = ExportCompiler(archive, device: device)
    var constants: [(slot: Int, value: GraphValue)] = []
    var parameters: [(name: String, shape: [Int])] = []
    var held: [String: Tensor] = [:]
    var counts: [String: Int] = [:]
    var counted: Set<String> = []
    var input: GraphProgram.Input?
    for spec in module.signature.inputSpecs {
      switch spec {
      case .parameter(let value, let name), .buffer(let value, let name),
        .constant(let value, let name):
        let tensor = try held[name] ?? archive.tensor(name).to(device)
        held[name] = tensor
        if case .parameter = spec {
          parameters.append((name, tensor.shape))
          // Tied parameters are one: whoever counts them counts them once, as PyTorch does.
          if counted.insert(archive.payload(of: name)).inserted {
            counts[name] = tensor.count
          }
        }
        constants.append((try compiler.makeSlot(value), .tensor(tensor)))
      case .user(.tensor(let value)):
        guard input == nil else {
          throw compiler.problem(
            "the graph takes several tensors; expected one, the images: export the image tower alone"
          )
        }
        input = try compiler.input(value, module.graph.tensorValues[value])
      // An argument that was left out, or fixed, when the model was exported.
      case .user: continue
      case .other(let kind): throw compiler.problem("the graph takes a '\(kind)', expected images")
      }
    }
    guard let input else { throw compiler.problem("the graph takes no tensor, expected images") }
    try compiler.compile(module.graph)
    guard compiler.missing.isEmpty else {
      throw ModelError.missingOperators(names: compiler.missing.sorted(), file: path)
    }
    let output = try compiler.output(module)
    var program = GraphProgram(
      file: path, steps: compiler.steps, slotCount: compiler.slotCount, constants: constants,
      input: input, output: output, volatile: compiler.volatile,
      places: AttentionSteps(compiler.steps, modules: compiler.tree.modulesOfSteps).joined(
        to: compiler.tree.places(output: output, everyNode: everyNode)))
    program.isBlind = true
    program.sums = ResidualSums(program, blocks: compiler.tree.blocksOfSteps).found
    return GraphImport(
      graph: ImportedGraph(program, tokenLayout: .guessed(from: parameters)),
      parameters: counts,
      preprocessing: try archive.extra("preprocessing.json"), caveat: nil,
      writer: archive.program.torchVersion.map { "torch \($0)" }, family: compiler.tree.root)
  }
}

extension ExportCompiler {
  /// The images' slot, with what the archive says of their size.
  mutating func input(_ name: String, _ meta: TensorMeta?) throws -> GraphProgram.Input {
    guard let meta, meta.sizes.count == 4, meta.sizes[1] == 3 || meta.sizes[3] == 3,
      let code = ExportedCode.dtype(meta.dtype), let dtype = DType(rawValue: Int32(code)),
      dtype.isFloatingPoint
    else {
      let found =
        meta.map { $0.sizes.map { $0.map(String.init) ?? "any" }.description } ?? "nothing"
      throw problem("the graph takes \(found), expected images [batch, 3, height, width]")
    }
    if let batch = meta.sizes[0], batch != 1 {
      throw problem(
        "was exported for exactly \(batch) images at a time; export it with a dynamic batch, as Scripts/export.py does"
      )
    }
    let isLast = meta.sizes[1] != 3
    return GraphProgram.Input(
      slot: try makeSlot(name), dtype: dtype, batch: meta.sizes[0],
      height: meta.sizes[isLast ? 1 : 2],
      width: meta.sizes[isLast ? 2 : 3], isChannelsLast: isLast)
  }

  /// The slot of the model's output: the first tensor among its outputs.
  mutating func output(_ module: ExportedProgram.GraphModule) throws -> Int {
    for spec in module.signature.outputSpecs {
      guard case .tensor(let name)? = spec.argument else { continue }
      let slot = try slot(name)
      leave(slot)
      return slot
    }
    throw problem("the graph gives no tensor")
  }
}
