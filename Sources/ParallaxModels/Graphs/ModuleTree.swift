/// Which modules the steps of a graph came from, and so where its sites are.
///
/// A module's site is what it hands on: the value that its steps make and others read. Where there are several, the
/// one that is read first by others goes by the module's name.
struct ModuleTree {
  /// One call of a module.
  private struct Call {
    var site: String
    var type: String
    var depth: Int
    var last: Int
    /// Tensors that it made, in order.
    var made: [Int] = []
    /// Of these, what steps outside read, and the first that does.
    var handedOn: [Int: Int] = [:]
    /// The calls directly inside it.
    var children: Set<Int> = []
    var stepCount = 0
    /// Steps that multiply by a weight.
    var productCount = 0
  }

  /// A module that a step ran in.
  struct Module: Sendable, Hashable {
    /// Its path; `sub.lin@1` is the second call of `sub.lin`.
    var key: String
    /// Its class with the module that defines it; empty where nothing tells.
    var type: String
  }

  private struct Origin {
    var step: Int
    var chain: [Int]
    var name: String
  }

  private var calls: [Call] = []
  private var indices: [String: Int] = [:]
  private var origins: [Int: Origin] = [:]
  private var nodes: [(slot: Int, origin: Origin)] = []

  /// The class of the whole network, where a step tells.
  private(set) var root: String?

  init() {}

  /// Notes a step.
  ///
  /// - Parameters:
  ///   - step: its index.
  ///   - name: the node's.
  ///   - stack: the modules that it ran in, as torch.export writes it: `KEY,PATH,TYPE;…` from the outermost.
  ///   - reads: slots that it reads.
  ///   - makes: slots that it fills.
  mutating func add(step: Int, name: String, stack: String?, reads: [Int], makes: [Int]) {
    var modules: [Module] = []
    for entry in (stack ?? "").split(separator: ";") {
      let parts = entry.split(separator: ",", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3, parts[0].hasPrefix("L__self__") else { continue }
      let key = String(parts[0].dropFirst(9))
      if key.isEmpty { root = parts[2].split(separator: ".").last.map(String.init) }
      if !key.isEmpty { modules.append(Module(key: key, type: String(parts[2]))) }
    }
    add(step: step, name: name, modules: modules, reads: reads, makes: makes)
  }

  /// Notes a step.
  ///
  /// - Parameters:
  ///   - step: its index.
  ///   - name: the node's.
  ///   - modules: those that it ran in, from the outermost.
  ///   - isProduct: whether it multiplies by a weight.
  ///   - reads: slots that it reads.
  ///   - makes: slots that it fills.
  mutating func add(
    step: Int, name: String, modules: [Module], isProduct: Bool = false, reads: [Int], makes: [Int]
  ) {
    var chain: [Int] = []
    for module in modules {
      chain.append(index(of: module.key, type: module.type, within: chain.last))
    }
    for slot in reads { read(slot, by: chain, at: step) }
    for call in chain {
      calls[call].last = step
      calls[call].made += makes
      calls[call].stepCount += 1
      calls[call].productCount += isProduct ? 1 : 0
    }
    let origin = Origin(step: step, chain: chain, name: name)
    for slot in makes { origins[slot] = origin }
    nodes += makes.prefix(1).map { ($0, origin) }
  }

  /// Notes that a value is the graph's output.
  mutating func leave(_ slot: Int) { read(slot, by: [], at: Int.max) }

  private mutating func read(_ slot: Int, by chain: [Int], at step: Int) {
    guard let origin = origins[slot] else { return }
    let shared = zip(origin.chain, chain).prefix { $0 == $1 }.count
    for call in origin.chain[shared...] {
      calls[call].handedOn[slot] = min(calls[call].handedOn[slot] ?? Int.max, step)
    }
  }

  /// The call of that key; `sub.lin@1` is the second call of `sub.lin`.
  private mutating func index(of key: String, type: String, within parent: Int?) -> Int {
    if let known = indices[key] { return known }
    let parts = key.split(separator: ".").map {
      $0.split(separator: "@", maxSplits: 1, omittingEmptySubsequences: false)
    }
    let plain = parts.compactMap(\.first).joined(separator: ".")
    let again = parts.last { $0.count > 1 }.map { "_\($0[1])" } ?? ""
    calls.append(Call(site: plain + again, type: type, depth: parts.count, last: 0))
    indices[key] = calls.count - 1
    if let parent { calls[parent].children.insert(calls.count - 1) }
    return calls.count - 1
  }

  /// The sites, by the step that they follow, what is inside before what is around it.
  ///
  /// - Parameters:
  ///   - output: the graph's output; it is a site of its own where no module hands it on.
  ///   - everyNode: whether every node's first result is a site too, under its module.
  /// - Returns: the places, still to be tried out.
  func places(output: Int, everyNode: Bool) -> [GraphProgram.Place] {
    let blocks = self.blocks
    var places: [GraphProgram.Place] = []
    if everyNode {
      for node in nodes {
        let module = node.origin.chain.last.map { calls[$0].site + "." } ?? ""
        places.append(
          .init(name: module + node.origin.name, slot: node.slot, step: node.origin.step))
      }
    }
    var isShown = false
    for (index, call) in calls.enumerated().sorted(by: { $0.element.depth > $1.element.depth }) {
      // First whoever is read first; of those, the last made.
      let order = call.handedOn.sorted { ($0.value, -$0.key) < ($1.value, -$1.key) }.map(\.key)
      let candidates = order.isEmpty ? call.made.suffix(1) : order[...]
      isShown = isShown || candidates.first == output
      for (rank, slot) in candidates.enumerated() {
        places.append(
          .init(
            name: call.site, slot: slot, step: call.last, isBlock: blocks.contains(index),
            rank: rank))
      }
    }
    if !isShown, let origin = origins[output] {
      places.append(.init(name: "output", slot: output, step: origin.step))
    }
    return places.enumerated().sorted {
      ($0.element.step, $0.offset) < ($1.element.step, $1.offset)
    }.map(\.element)
  }

  /// The site of the innermost module that each step ran in; of those in none, the node's name.
  var modulesOfSteps: [Int: String] {
    var found: [Int: String] = [:]
    for node in nodes {
      found[node.origin.step] = node.origin.chain.last.map { calls[$0].site } ?? node.origin.name
    }
    return found
  }

  // MARK: Blocks

  /// The site of the block that each step ran in.
  var blocksOfSteps: [Int: String] {
    let blocks = self.blocks
    var found: [Int: String] = [:]
    for node in nodes {
      if let call = node.origin.chain.first(where: blocks.contains) {
        found[node.origin.step] = calls[call].site
      }
    }
    return found
  }

  /// Which calls are blocks, the unit that depth is counted in: numbered or repeated modules of the network's own
  /// classes with modules inside, the outermost; a stage with a list `blocks` or `layers` inside is none.
  private var blocks: Set<Int> {
    // Outer calls come before inner ones.
    let order = calls.indices.sorted { (calls[$0].depth, $0) < (calls[$1].depth, $1) }
    let stages = self.stages
    var found: Set<Int> = []
    var inside: Set<Int> = []
    func look(_ fits: (Call) -> Bool) {
      for index in order {
        if inside.contains(index) || found.contains(index) {
          inside.formUnion(calls[index].children)
        } else if fits(calls[index]), isBlock(calls[index], stages) {
          found.insert(index)
          inside.formUnion(calls[index].children)
        }
      }
    }
    look { $0.site.split(separator: ".").last.flatMap { Int($0) } != nil }
    // Of a class that is part of a block, another module elsewhere is none.
    let parts = Set(inside.map { calls[$0].type })
    var repeats: [String: Int] = [:]
    for call in calls { repeats[call.type, default: 0] += 1 }
    look { !$0.type.isEmpty && (repeats[$0.type] ?? 0) > 1 && !parts.contains($0.type) }
    // Where no class is known, names that count: `encoder_layer_0`.
    let around = Set(found.flatMap { Self.around(calls[$0].site) })
    look { call in
      call.type.isEmpty && call.site.last?.isNumber == true && !around.contains(call.site)
    }
    return found
  }

  /// The paths that a path lies in: `a` and `a.b` of `a.b.c`.
  private static func around(_ site: String) -> [String] {
    site.indices.filter { site[$0] == "." }.map { String(site[..<$0]) }
  }

  /// What holds a list `blocks` or `layers`: of `stages.0.blocks.1` the stage and what it lies in.
  private var stages: Set<String> {
    var found: Set<String> = []
    for call in calls {
      let parts = call.site.split(separator: ".")
      guard
        let last = parts.indices.dropLast().last(where: {
          ["blocks", "layers"].contains(parts[$0]) && Int(parts[$0 + 1]) != nil
        })
      else { continue }
      for count in 1..<max(1, last + 1) where count <= last {
        found.insert(parts[..<count].joined(separator: "."))
      }
    }
    return found
  }

  private func isBlock(_ call: Call, _ stages: Set<String>) -> Bool {
    let type = call.type.split(separator: ".").last.map(String.init) ?? call.type
    guard !call.type.hasPrefix("torch.nn."), call.children.count > 1 || call.stepCount > 3,
      !call.type.isEmpty || call.productCount > 1,
      !["Norm", "Conv2d", "ConvBn", "Embed", "Merging", "Downsample", "Stage", "Stem"].contains(
        where: { type.contains($0) })
    else { return false }
    return !stages.contains(call.site)
  }
}
