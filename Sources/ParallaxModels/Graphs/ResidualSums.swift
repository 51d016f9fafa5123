/// A step of a graph that adds a branch to what goes past it.
struct ResidualSum: Sendable, Hashable {
  /// `blocks.3.residual2`.
  var name: String
  /// The block that it lies in.
  var block: String
  var part: ResidualConnection.Part
  /// Which of the step's inputs goes past the branch.
  var skip: Int
  /// Which of them is the branch.
  var branch: Int
}

/// Finds a graph's residual connections by what its sums add.
///
/// A sum of two values that depend on the images is one where a value is added to what was made of it, with a product by the
/// way: z + f(z). Where neither is made of the other, as in the first unit of a ResNet's stage, it is one where both come from
/// one value, one by a single convolution and the other by several; the longer is the branch. A sum whose branch reads what an
/// earlier sum carried past, and not that sum itself, belongs to branches in parallel.
struct ResidualSums {
  private let steps: [GraphProgram.Step]
  private let blocks: [Int: String]
  private var makers: [Int: Int] = [:]
  private var depends: Set<Int> = []
  /// Sums of two branches that begin from one value.
  private var joints: Set<Int> = []

  /// What was found, by step.
  private(set) var found: [Int: ResidualSum] = [:]

  /// - Parameters:
  ///   - program: the graph.
  ///   - blocks: the block that each step ran in; none where the graph knows no modules.
  init(_ program: GraphProgram, blocks: [Int: String]) {
    (steps, self.blocks) = (program.steps, blocks)
    depends = [program.input.slot]
    for (index, step) in steps.enumerated() {
      for case .some(let slot) in step.outputs { makers[slot] = index }
      guard !Self.isSize(step), step.inputs.contains(where: depends.contains) else { continue }
      for case .some(let slot) in step.outputs { depends.insert(slot) }
    }
    find()
  }

  private struct Candidate {
    var step: Int
    var skip: Int
    var branch: Int
    var part: ResidualConnection.Part
  }

  private mutating func find() {
    var candidates: [Candidate] = []
    // What a residual sum carried past, by the slot that it made.
    var carried: [Int: Int] = [:]
    for (index, step) in steps.enumerated() where Self.isSum(step) {
      let places = step.inputs.indices.filter { depends.contains(step.inputs[$0]) }
      guard places.count == 2, step.inputs[places[0]] != step.inputs[places[1]] else { continue }
      for (skip, branch) in [(places[0], places[1]), (places[1], places[0])] {
        let (z, f) = (step.inputs[skip], step.inputs[branch])
        var part = self.part(from: z, to: f)
        if part == nil, let past = carried[z], self.part(from: past, to: f) != nil {
          part = .parallel
        }
        guard let part else { continue }
        candidates.append(Candidate(step: index, skip: skip, branch: branch, part: part))
        if case .some(.some(let slot)) = step.outputs.first { carried[slot] = z }
        break
      }
      guard candidates.last?.step != index else { continue }
      let (a, b) = (step.inputs[places[0]], step.inputs[places[1]])
      // A value and what a nonlinearity makes of it.
      if !path(from: a, to: b).isEmpty || !path(from: b, to: a).isEmpty { continue }
      if let long = longer(a, b) {
        candidates.append(
          Candidate(step: index, skip: places[1 - long], branch: places[long], part: .branch))
      } else if share(a, b) {
        joints.insert(index)
      }
    }
    name(candidates)
  }

  private mutating func name(_ candidates: [Candidate]) {
    let hasBlocks = !blocks.isEmpty
    var counts: [String: Int] = [:]
    var parallel: Set<String> = []
    var number = -1
    var last: ResidualConnection.Part?
    for candidate in candidates {
      var block = blocks[candidate.step]
      if !hasBlocks {
        if candidate.part != .mlp || last == nil || last == .mlp { number += 1 }
        block = "residual.\(number)"
      }
      last = candidate.part
      // What lies in no block, such as a pooling by attention, is no step of the network.
      guard let block else { continue }
      counts[block, default: 0] += 1
      if candidate.part == .parallel { parallel.insert(block) }
      found[candidate.step] = ResidualSum(
        name: "\(block).residual\(counts[block] ?? 0)", block: block, part: candidate.part,
        skip: candidate.skip, branch: candidate.branch)
    }
    for (step, sum) in found where parallel.contains(sum.block) { found[step]?.part = .parallel }
  }

  // MARK: Steps

  private static func isSum(_ step: GraphProgram.Step) -> Bool {
    let kind = step.kind
    return kind == "Add" || kind.contains("aten.add.") || kind.contains("aten.add_.")
      || kind.contains("aten.__iadd__")
  }

  /// Whether it tells sizes only.
  private static func isSize(_ step: GraphProgram.Step) -> Bool {
    step.kind == "Shape" || step.kind == "Size" || step.kind.contains("sym_size")
      || step.kind.contains("sym_numel") || step.kind.contains("sym_stride")
  }

  private static func has(_ words: [String], _ step: GraphProgram.Step) -> Bool {
    let kind = step.kind.lowercased()
    return words.contains { kind.contains($0) }
  }

  private static func isConvolution(_ step: GraphProgram.Step) -> Bool { has(["conv"], step) }
  private static func isProduct(_ step: GraphProgram.Step) -> Bool {
    has(
      ["conv", "linear", "matmul", "addmm", "bmm", "aten.mm", "gemm", "einsum", "attention"], step)
  }
  private static func isAttention(_ step: GraphProgram.Step) -> Bool {
    has(["softmax", "attention"], step)
  }
  private static func turns(_ step: GraphProgram.Step) -> Bool {
    has(["transpose", "permute"], step)
  }

  // MARK: Paths

  /// The steps that make a value, as far back as a step, in order.
  private func makers(of slot: Int, after first: Int) -> [Int] {
    var seen: Set<Int> = []
    var open = [slot]
    while let next = open.popLast() {
      guard depends.contains(next), let step = makers[next], step > first,
        seen.insert(step).inserted
      else { continue }
      open += steps[step].inputs
    }
    return seen.sorted()
  }

  /// The steps that lead from one value to another; empty where none does.
  private func path(from z: Int, to f: Int) -> [Int] {
    var made: Set<Int> = [z]
    var path: [Int] = []
    for step in makers(of: f, after: makers[z] ?? -1)
    where steps[step].inputs.contains(where: made.contains) {
      path.append(step)
      for case .some(let slot) in steps[step].outputs { made.insert(slot) }
    }
    return made.contains(f) ? path : []
  }

  /// What leads from one value to another, where a product does.
  private func part(from z: Int, to f: Int) -> ResidualConnection.Part? {
    let path = path(from: z, to: f).map { steps[$0] }
    guard path.contains(where: Self.isProduct) else { return nil }
    if self.path(from: z, to: f).contains(where: joints.contains) { return .parallel }
    if path.contains(where: Self.isAttention) { return .attention }
    if path.contains(where: Self.isConvolution) { return .branch }
    return path.contains(where: Self.turns) ? .mixing : .mlp
  }

  /// The latest value that both are made of, and the paths from it.
  private func fork(_ a: Int, _ b: Int) -> (left: [Int], right: [Int])? {
    let earliest = max(0, min(makers[a] ?? 0, makers[b] ?? 0) - 400)
    let (left, right) = (makers(of: a, after: earliest), makers(of: b, after: earliest))
    let shared = Set(left.flatMap { steps[$0].inputs }).intersection(
      right.flatMap { steps[$0].inputs }
    ).filter(depends.contains)
    guard let origin = shared.max(by: { (makers[$0] ?? -1) < (makers[$1] ?? -1) }) else {
      return nil
    }
    let paths = (path(from: origin, to: a), path(from: origin, to: b))
    return paths.0.isEmpty || paths.1.isEmpty ? nil : paths
  }

  private func products(_ path: [Int]) -> Int { path.count { Self.isProduct(steps[$0]) } }

  /// Which of two values is the long branch (0 or 1), where the other is a shortcut of one convolution.
  private func longer(_ a: Int, _ b: Int) -> Int? {
    guard let (left, right) = fork(a, b) else { return nil }
    let isPlain = { (path: [Int]) in
      path.contains { Self.isConvolution(self.steps[$0]) }
        && !path.contains { Self.isAttention(self.steps[$0]) }
    }
    guard isPlain(left), isPlain(right) else { return nil }
    let counts = (products(left), products(right))
    if counts.0 == 1, counts.1 > 1 { return 1 }
    return counts.1 == 1 && counts.0 > 1 ? 0 : nil
  }

  /// Whether both are branches from one value.
  private func share(_ a: Int, _ b: Int) -> Bool {
    guard let (left, right) = fork(a, b) else { return false }
    return products(left) > 0 && products(right) > 0
  }
}
