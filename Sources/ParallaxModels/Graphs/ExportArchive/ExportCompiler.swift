import ParallaxTensors

/// Makes a `GraphProgram` of an export archive's graph.
struct ExportCompiler {
  let archive: ExportArchive
  let device: Device
  /// Where each value lies, by its name.
  private var slots: [String: Int] = [:]
  private(set) var slotCount = 0
  private(set) var steps: [GraphProgram.Step] = []
  private var operators: [String: Operator?] = [:]
  private(set) var missing: Set<String> = []
  /// Slots that share memory, as a forest, and the trees that are written to.
  private var shares: [Int] = []
  private var written: Set<Int> = []
  /// Who makes what, for the sites.
  private(set) var tree = ModuleTree()

  init(_ archive: ExportArchive, device: Device) { (self.archive, self.device) = (archive, device) }

  func problem(_ text: String) -> ModelError { .checkpoint(file: archive.path, problem: text) }

  // MARK: Slots

  /// A new slot for a value.
  mutating func makeSlot(_ name: String) throws(ModelError) -> Int {
    guard slots[name] == nil else { throw problem("the graph makes '\(name)' twice") }
    slots[name] = slotCount
    shares.append(slotCount)
    slotCount += 1
    return slotCount - 1
  }

  func slot(_ name: String) throws(ModelError) -> Int {
    guard let slot = slots[name] else {
      throw problem(
        "the graph uses '\(name)' before anything makes it (a cycle, or a missing node)")
    }
    return slot
  }

  private func root(_ slot: Int) -> Int {
    var slot = slot
    while shares[slot] != slot { slot = shares[slot] }
    return slot
  }

  private mutating func share(_ a: Int, _ b: Int) { shares[root(a)] = root(b) }

  /// Slots whose memory a step writes to.
  var volatile: Set<Int> {
    let roots = Set(written.map { root($0) })
    return Set((0..<slotCount).filter { roots.contains(root($0)) })
  }

  /// Notes an output of the graph.
  mutating func leave(_ slot: Int) { tree.leave(slot) }

  // MARK: Nodes

  /// Node by node; subgraphs of wrappers stand in line.
  mutating func compile(_ graph: ExportedGraph, depth: Int = 0) throws {
    guard depth < 16 else { throw problem("subgraphs are nested too deeply") }
    for node in graph.nodes {
      if Self.wrappers.contains(node.target) {
        try inline(node, depth)
      } else if !Self.checks.contains(node.target) {
        try add(node)
      }
    }
  }

  /// Wrappers that set a mode and run a subgraph. Gradients are never tracked unless a caller asks, and autocast is
  /// only passed where it is switched off.
  private static let wrappers: Set<String> = [
    "torch.ops.higher_order.wrap_with_set_grad_enabled",
    "torch.ops.higher_order.wrap_with_autocast",
  ]

  /// Nodes that compute nothing: they check what tracing took for granted.
  private static let checks: Set<String> = [
    "torch.ops.aten._assert_scalar.default", "torch.ops.aten._assert_async.msg",
    "torch.ops.aten._assert_tensor_metadata.default",
    "torch.ops.aten.sym_constrain_range.default",
    "torch.ops.aten.sym_constrain_range_for_size.default",
  ]

  private mutating func inline(_ node: ExportedNode, _ depth: Int) throws {
    guard
      let place = node.inputs.firstIndex(where: { if case .graph = $0.arg { true } else { false } }
      ),
      case .graph(let graph) = node.inputs[place].arg
    else { throw problem("'\(node.target)' has no subgraph") }
    if node.target.hasSuffix("autocast"), case .bool(.fixed(true)) = node.inputs[2].arg {
      throw problem("the graph switches autocast on in its middle; export the model in one dtype")
    }
    let given = node.inputs[(place + 1)...].flatMap(\.arg.names)
    let wanted = graph.inputs.flatMap(\.names)
    guard given.count == wanted.count else {
      throw problem("a subgraph takes \(wanted.count) values and is given \(given.count)")
    }
    // The subgraph's names are its own.
    let outer = slots
    var inner: [String: Int] = [:]
    for (name, value) in zip(wanted, given) {
      guard let name, let value else { continue }
      inner[name] = try slot(value)
    }
    slots = inner
    try compile(graph, depth: depth + 1)
    let made = try graph.outputs.flatMap(\.names).map { name throws(ModelError) in
      try name.map { name throws(ModelError) in try slot(name) }
    }
    slots = outer
    let names = node.outputs.flatMap(\.names)
    guard names.count <= made.count else { throw problem("a subgraph gives too few values") }
    for (name, value) in zip(names, made) {
      guard let name, let value else { continue }
      guard slots.updateValue(value, forKey: name) == nil else {
        throw problem("the graph makes '\(name)' twice")
      }
    }
  }

  private mutating func add(_ node: ExportedNode) throws {
    let name = node.outputs.flatMap(\.names).compactMap { $0 }.first ?? node.target
    if let body = SymbolicOperators.named(node.target) {
      var reads = Reads()
      let template = try node.inputs.map { try self.template($0.arg, &reads) }
      try append(node, name, reads) { values in
        var arguments: [GraphValue] = []
        for part in template { arguments.append(try part.value(values)) }
        return [try body(arguments)]
      }
      return
    }
    guard let op = look(up: node.target) else {
      // What it would make is there for the nodes that follow, so that all that is missing is found at once.
      for case .some(let name) in node.outputs.flatMap(\.names) { _ = try makeSlot(name) }
      return
    }
    try refuseTraining(node, name)
    var reads = Reads()
    let schema = op.arguments
    var template = [ArgumentTemplate](repeating: .byDefault, count: schema.count)
    var uses: [(slots: [Int], use: Operator.Argument.Use)] = []
    for input in node.inputs {
      guard let place = schema.firstIndex(where: { $0.name == input.name }) else {
        throw ModelError.graph(
          file: archive.path, node: name, kind: op.name,
          problem: "this libtorch's operator has no argument '\(input.name)'")
      }
      let before = reads.slots.count
      template[place] = try self.template(input.arg, &reads)
      uses.append((Array(reads.slots[before...]), Self.use(of: place, schema[place].use, op)))
    }
    while case .byDefault? = template.last { template.removeLast() }
    let arguments = template
    let attention =
      Self.attention.contains(node.target)
      ? FusedAttention.aten { name, values in
        guard let place = schema.firstIndex(where: { $0.name == name }),
          arguments.indices.contains(place)
        else { return .none }
        return try arguments[place].value(values)
      } : nil
    let made = try append(node, name, reads, attention) { values in
      var given: [any OperatorArgument] = []
      given.reserveCapacity(arguments.count)
      for argument in arguments { given.append(try argument.argument(values)) }
      return try op.attempt(given).map(GraphValue.init)
    }
    for (slots, use) in uses where use != .read {
      for slot in slots {
        for output in made { share(slot, output) }
        if use == .written { written.insert(slot) }
      }
    }
  }

  /// Attention in one step.
  private static let attention: Set<String> = Set(
    [
      "scaled_dot_product_attention", "_scaled_dot_product_flash_attention_for_cpu",
      "_scaled_dot_product_flash_attention", "_scaled_dot_product_efficient_attention",
      "_scaled_dot_product_cudnn_attention", "_scaled_dot_product_attention_math",
      "_scaled_dot_product_fused_attention_overrideable",
    ].map { "torch.ops.aten.\($0).default" })

  /// In evaluation dropout hands its input on, which no schema says.
  private static func use(
    of place: Int, _ use: Operator.Argument.Use, _ op: Operator
  ) -> Operator.Argument.Use {
    use == .read && place == 0 && op.name.contains("dropout") ? .shared : use
  }

  /// A model that was exported in training mode computes something else every time.
  private func refuseTraining(_ node: ExportedNode, _ name: String) throws(ModelError) {
    let isTraining = node.inputs.contains { input in
      guard input.name == "train" || input.name == "training",
        case .bool(.fixed(true)) = input.arg
      else { return false }
      return !node.inputs.contains {
        guard $0.name == "p", case .float(.fixed(let p)) = $0.arg else { return false }
        return p == 0
      }
    }
    let draws = ["bernoulli", "aten.rand", "aten.multinomial", "aten.normal"].contains {
      node.target.contains($0)
    }
    guard isTraining || draws else { return }
    throw ModelError.graph(
      file: archive.path, node: name, kind: node.target,
      problem: "the model was exported in training mode; call model.eval() before torch.export")
  }

  @discardableResult
  private mutating func append(
    _ node: ExportedNode, _ name: String, _ reads: Reads, _ attention: FusedAttention? = nil,
    _ run: @escaping @Sendable ([GraphValue]) throws -> [GraphValue]
  ) throws -> [Int] {
    var outputs: [Int?] = []
    for name in node.outputs.flatMap(\.names) {
      outputs.append(try name.map { name throws(ModelError) in try makeSlot(name) })
    }
    // An operator in place may be there for what it does alone.
    while case .some(.none) = outputs.last { outputs.removeLast() }
    tree.add(
      step: steps.count, name: name, stack: node.metadata.moduleStack, reads: reads.slots,
      makes: outputs.compactMap { $0 })
    steps.append(
      GraphProgram.Step(
        name: name, kind: node.target, inputs: reads.slots, outputs: outputs, run: run,
        attention: attention))
    return outputs.compactMap { $0 }
  }

  private static let unsafe: Set<String> = [
    "from_file", "set_", "set", "resize_", "resize", "resize_as_", "resize_as",
    "_resize_output", "_resize_output_", "set_data", "_unsafe_masked_index",
    "_unsafe_masked_index_put_accumulate", "_cslt_compress",
    "record_stream", "_pin_memory", "_nested_view_from_buffer", "_reshape_alias",
    "_backward", "_coalesced_", "_sparse_coo_tensor_unsafe", "_sparse_compressed_tensor_unsafe",
    "_sparse_csr_tensor_unsafe", "_sparse_csc_tensor_unsafe", "_sparse_bsr_tensor_unsafe",
    "_sparse_bsc_tensor_unsafe",
  ]

  /// `torch.ops.aten.conv2d.default` → `aten::conv2d`; nil, and noted, where libtorch has none.
  private mutating func look(up target: String) -> Operator? {
    if let known = operators[target] { return known }
    var found: Operator?
    let parts = target.split(separator: ".", omittingEmptySubsequences: false)
    // Only what computes: nothing that opens files or hands out memory that is not the tensor's.
    if parts.count == 5, parts[0] == "torch", parts[1] == "ops", parts[2] == "aten",
      !Self.unsafe.contains(String(parts[3]))
    {
      let overload = parts[4] == "default" ? "" : ".\(parts[4])"
      found = try? Operator(checking: "\(parts[2])::\(parts[3])\(overload)")
    }
    operators[target] = .some(found)
    if found == nil { missing.insert(target) }
    return found
  }
}
