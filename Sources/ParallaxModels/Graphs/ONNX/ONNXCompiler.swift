import Foundation
import ParallaxTensors
import SwiftProtobuf

/// Makes a `GraphProgram` of an ONNX graph.
///
/// What follows from the file alone is computed at once and kept; the rest becomes steps.
struct ONNXCompiler {
  let file: ONNXFile
  let device: Device
  let options: GraphOptions
  private(set) var steps: [GraphProgram.Step] = []
  private(set) var missing: Set<String> = []
  /// Who makes what, for the sites.
  private(set) var tree = ModuleTree()
  /// Whether nodes say which module they belong to; a stray one does not count.
  var hasModules: Bool { 10 * moduleNodes > steps.count }
  private var moduleNodes = 0
  /// Values that are the same for all images, by slot.
  private(set) var known: [Int: GraphValue] = [:]
  /// Whether the file holds products of whole numbers.
  private(set) var isQuantised = false
  /// The first slot is that of inputs that are left out.
  private(set) var slotCount = 1
  private var names: [String: Int] = [:]
  private var opsets: [String: Int] = [:]
  private var functions: [String: ONNXFunctionProto] = [:]
  private var modules = ONNXModules()
  private var seesInitialisers = true
  private var sitesAreOff = false
  /// Bytes that may yet be made of the file alone, and nodes that may yet be compiled.
  private var budget = 1 << 30
  private var nodeBudget = 1 << 17

  init(_ file: ONNXFile, device: Device, options: GraphOptions) throws(ModelError) {
    (self.file, self.device, self.options) = (file, device, options)
    opsets[""] = ONNXOperators.opsets.upperBound
    for entry in file.model.opsetImport {
      opsets[ONNXOperators.isStandard(entry.domain) ? "" : entry.domain] = Int(
        clamping: entry.version)
    }
    for function in file.model.functions {
      functions["\(function.domain).\(function.name)"] = function
    }
    let opset = opsets[""] ?? 1
    guard ONNXOperators.opsets.contains(opset) else {
      throw problem(
        "was written for opset \(opset); known are \(ONNXOperators.opsets.lowerBound) to \(ONNXOperators.opsets.upperBound): onnx.version_converter can bring it there"
      )
    }
  }

  func problem(_ text: String) -> ModelError { .checkpoint(file: file.path, problem: text) }

  // MARK: Slots

  /// A new slot for a value.
  mutating func makeSlot(_ name: String) throws(ModelError) -> Int {
    guard names[name] == nil else { throw problem("the graph makes '\(name)' twice") }
    names[name] = slotCount
    slotCount += 1
    return slotCount - 1
  }

  /// The slot of a value; of an initialiser when it is first asked for.
  mutating func slot(_ name: String) throws(ModelError) -> Int {
    if name.isEmpty { return 0 }
    if let slot = names[name] { return slot }
    guard seesInitialisers, let tensor = try file.tensor(name) else {
      throw problem(
        "the graph uses '\(name)' before anything makes it (a cycle, nodes out of order, or a missing one)"
      )
    }
    let slot = try makeSlot(name)
    known[slot] = .tensor(placed(tensor))
    return slot
  }

  /// Whole numbers are sizes and places, which are reckoned with in ordinary memory.
  private func placed(_ tensor: Tensor) -> Tensor {
    switch tensor.dtype {
    case .int64, .int32, .bool: tensor
    default: tensor.to(device)
    }
  }

  /// Gives a value that is known from outside.
  mutating func give(_ name: String, _ tensor: Tensor) throws(ModelError) {
    known[try makeSlot(name)] = .tensor(tensor)
  }

  /// Notes that a value is the graph's output.
  mutating func leave(_ slot: Int) { tree.leave(slot) }

  // MARK: Nodes

  /// Node by node.
  mutating func compile(_ nodes: [ONNXNodeProto], depth: Int = 0) throws {
    guard depth < 16 else { throw problem("subgraphs and functions are nested too deeply") }
    for node in nodes {
      nodeBudget -= 1
      guard nodeBudget > 0 else { throw problem("its functions make too many nodes") }
      let kind =
        ONNXOperators.isStandard(node.domain) ? node.opType : "\(node.domain).\(node.opType)"
      if kind == "If" {
        try branch(node, depth)
      } else if let make = ONNXOperators.table[kind] {
        try add(node, kind, make)
      } else if let function = functions["\(node.domain).\(node.opType)"] {
        try inline(node, function, depth)
      } else {
        // What it would make is there for the nodes that follow, so that all that is missing is found at once.
        missing.insert(kind)
        for name in node.output where !name.isEmpty { _ = try makeSlot(name) }
      }
    }
  }

  private mutating func add(
    _ node: ONNXNodeProto, _ kind: String, _ make: ONNXOperators.Make
  ) throws {
    if kind.contains("Integer") || kind.hasPrefix("QLinear") || kind == "DequantizeLinear" {
      isQuantised = true
    }
    var slots: [Int] = []
    for name in node.input { slots.append(try slot(name)) }
    while slots.last == 0 { slots.removeLast() }
    let inputs: [GraphValue?] = slots.map { $0 == 0 ? .some(GraphValue.none) : known[$0] }
    let domain = ONNXOperators.isStandard(node.domain) ? "" : node.domain
    let ready = ONNXNode(
      node, kind: kind, opset: opsets[domain] ?? 1, asShipped: options.asShipped, known: inputs)
    let body = try located(node, kind) { try make(ready) }
    let fixed = inputs.compactMap { $0 }
    guard fixed.count == inputs.count else {
      let attention = try located(node, kind) { try ONNXAttention.looked(ready) }
      try append(node, kind, slots, attention) { try body(ONNXValues(values: $0)) }
      return
    }
    let results = try located(node, kind) { try body(ONNXValues(values: fixed)) }
    try fold(node, kind, results)
  }

  /// Keeps what a node made of nothing but what is known.
  private mutating func fold(
    _ node: ONNXNodeProto, _ kind: String, _ results: [GraphValue]
  ) throws {
    for (place, name) in node.output.enumerated() where !name.isEmpty {
      guard results.indices.contains(place) else {
        throw error(node, kind, "gave \(results.count) results, expected \(node.output.count)")
      }
      if case .tensor(let tensor) = results[place] {
        budget -= tensor.count * tensor.dtype.byteCount
        guard budget > -16 * file.size else {
          throw error(node, kind, "what follows from the file alone grows beyond bounds")
        }
      }
      known[try makeSlot(name)] =
        results[place].tensor.map { .tensor(placed($0)) } ?? results[place]
    }
  }

  private mutating func append(
    _ node: ONNXNodeProto, _ kind: String, _ slots: [Int], _ attention: FusedAttention? = nil,
    _ run: @escaping @Sendable ([GraphValue]) throws -> [GraphValue]
  ) throws {
    var outputs: [Int?] = []
    for name in node.output { outputs.append(name.isEmpty ? nil : try makeSlot(name)) }
    while case .some(.none) = outputs.last { outputs.removeLast() }
    var name = node.name
    if !sitesAreOff {
      let origin = modules.origin(of: node)
      if name.isEmpty { name = origin.name }
      moduleNodes += origin.chain.isEmpty ? 0 : 1
      tree.add(
        step: steps.count, name: origin.name, modules: origin.chain,
        isProduct: ["Conv", "MatMul", "Gemm", "Attention", "Einsum"].contains { kind.contains($0) },
        reads: slots.filter { $0 != 0 }, makes: outputs.compactMap { $0 })
    }
    steps.append(
      GraphProgram.Step(
        name: name, kind: kind, inputs: slots, outputs: outputs, run: run, attention: attention))
  }

  /// The class of the whole network, where a node tells.
  var root: String? { modules.root }

  private func located<Result>(
    _ node: ONNXNodeProto, _ kind: String, _ body: () throws -> Result
  ) throws -> Result {
    do {
      return try body()
    } catch let problem as GraphProblem {
      throw error(node, kind, problem.text)
    } catch TensorError.operation(_, let message) {
      throw error(node, kind, message)
    } catch ModelError.checkpoint(_, let message) {
      throw error(node, kind, message)
    }
  }

  private func error(_ node: ONNXNodeProto, _ kind: String, _ problem: String) -> ModelError {
    .graph(
      file: file.path, node: node.name.isEmpty ? node.output.first ?? "" : node.name, kind: kind,
      problem: problem)
  }

  // MARK: Functions and branches

  /// A function's nodes stand in line, under the names of the call.
  private mutating func inline(
    _ node: ONNXNodeProto, _ function: ONNXFunctionProto, _ depth: Int
  ) throws {
    var inner: [String: Int] = [:]
    for (place, name) in function.input.enumerated() {
      inner[name] = place < node.input.count ? try slot(node.input[place]) : 0
    }
    let given = Dictionary(node.attribute.map { ($0.name, $0) }) { first, _ in first }
    let fallback = Dictionary(function.attributeProto.map { ($0.name, $0) }) { first, _ in first }
    let body = function.node.map { original in
      var copy = original
      copy.attribute = original.attribute.compactMap { attribute in
        guard !attribute.refAttrName.isEmpty else { return attribute }
        var value = given[attribute.refAttrName] ?? fallback[attribute.refAttrName]
        value?.name = attribute.name
        return value
      }
      // A node of a function belongs where the call does.
      copy.metadataProps = node.metadataProps
      copy.name = "\(node.name)/\(original.name.isEmpty ? original.opType : original.name)"
      return copy
    }
    let outer = (names, seesInitialisers)
    (names, seesInitialisers) = (inner, false)
    try compile(body, depth: depth + 1)
    var made: [Int] = []
    for name in function.output { made.append(try slot(name)) }
    (names, seesInitialisers) = outer
    for (place, name) in node.output.enumerated() where !name.isEmpty {
      guard made.indices.contains(place) else {
        throw error(node, function.name, "the function gives \(made.count) results")
      }
      guard names.updateValue(made[place], forKey: name) == nil else {
        throw problem("the graph makes '\(name)' twice")
      }
    }
  }

  /// Either of two subgraphs: at once where the condition is known, else when the graph runs.
  private mutating func branch(_ node: ONNXNodeProto, _ depth: Int) throws {
    let condition = try slot(node.input.first ?? "")
    func graph(_ name: String) throws -> ONNXGraphProto {
      guard let data = node.attribute.first(where: { $0.name == name })?.g,
        let graph = try? ONNXGraphProto(serializedBytes: data)
      else { throw error(node, "If", "it has no \(name), or a damaged one") }
      return graph
    }
    if case .tensor(let value)? = known[condition] {
      guard value.count == 1 else { throw error(node, "If", "its condition is \(value)") }
      let chosen = try graph(value.item(Double.self) != 0 ? "then_branch" : "else_branch")
      let made = try body(chosen, depth)
      for (name, slot) in zip(node.output, made) where !name.isEmpty {
        guard names.updateValue(slot, forKey: name) == nil else {
          throw problem("the graph makes '\(name)' twice")
        }
      }
      guard made.count >= node.output.count else {
        throw error(node, "If", "a branch gives \(made.count) results")
      }
      return
    }
    let (yes, no) = (
      try apart(graph("then_branch"), depth), try apart(graph("else_branch"), depth)
    )
    let reads = yes.reads.union(no.reads).sorted()
    let places = Dictionary(uniqueKeysWithValues: reads.enumerated().map { ($1, $0 + 1) })
    try append(node, "If", [condition] + reads) { values in
      guard let test = values[0].tensor, test.count == 1 else {
        throw GraphProblem(text: "its condition is no single truth value")
      }
      return try (test.item(Double.self) != 0 ? yes : no).run { slot in
        places[slot].map { values[$0] } ?? .none
      }
    }
  }

  /// A subgraph's nodes in line; its outputs' slots.
  private mutating func body(_ graph: ONNXGraphProto, _ depth: Int) throws -> [Int] {
    let outer = names
    for tensor in graph.initializer {
      do {
        try give(tensor.name, placed(ONNXFile.tensor(of: tensor)))
      } catch let found as GraphProblem {
        throw problem("initialiser '\(tensor.name)' of a subgraph \(found.text)")
      }
    }
    try compile(graph.node, depth: depth + 1)
    var made: [Int] = []
    for output in graph.output { made.append(try slot(output.name)) }
    names = outer
    return made
  }

  /// A subgraph's steps by themselves.
  private mutating func apart(_ graph: ONNXGraphProto, _ depth: Int) throws -> ONNXBranch {
    let (outer, wasOff) = (steps, sitesAreOff)
    (steps, sitesAreOff) = ([], true)
    let first = slotCount
    let outputs = try body(graph, depth)
    let inner = steps
    (steps, sitesAreOff) = (outer, wasOff)
    let used = Set(inner.flatMap(\.inputs) + outputs)
    return ONNXBranch(
      steps: inner, outputs: outputs, known: known.filter { used.contains($0.key) },
      reads: used.filter { $0 != 0 && $0 < first && known[$0] == nil })
  }
}

/// One of the subgraphs that a condition decides between.
private struct ONNXBranch: Sendable {
  let steps: [GraphProgram.Step]
  let outputs: [Int]
  let known: [Int: GraphValue]
  /// Slots of the graph around it that it reads.
  let reads: Set<Int>

  func run(_ outer: (Int) -> GraphValue) throws -> [GraphValue] {
    var values = known
    for slot in reads { values[slot] = outer(slot) }
    for step in steps {
      let results = try step.run(step.inputs.map { values[$0] ?? .none })
      for (slot, value) in zip(step.outputs, results) {
        if let slot { values[slot] = value }
      }
    }
    return outputs.map { values[$0] ?? .none }
  }
}
