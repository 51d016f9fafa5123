import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// All estimates at one picture, for one representation.
struct LipschitzEstimates {
  let options: LipschitzAnalysis.Options
  let subject: Subject
  let representation: Representation
  let isInterrupted: () -> Bool
  let progress: (_ part: String, _ share: Double) -> Void

  /// - Parameters:
  ///   - source: x₀, `[1, 3, height, width]`, pixels of 0 to 1.
  ///   - target: x_tg, the same shape.
  ///   - sourcePlace: the source's place in the result.
  ///   - targetPlace: the target's.
  ///   - seed: of this pair.
  /// - Returns: the numbers, the matched picture and those of walks.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site`, and what models throw.
  func callAsFunction(
    _ source: Tensor, _ target: Tensor, source sourcePlace: Int, target targetPlace: Int,
    seed: UInt64
  ) throws -> LipschitzAnalysis.Found {
    let embedding = RepresentationEmbedding(subject: subject, representation: representation)
    let (x, goal) = (source.to(subject.device), target.to(subject.device))
    func check(_ part: String, _ share: Double) throws {
      if isInterrupted() { throw AnalysisError.interrupted }
      progress("\(part) of \(embedding.name)", share)
    }
    try check("match", 0)
    let wanted = try embedding(goal).detached()
    let (matched, state) = try match(embedding, x, wanted)
    let change = (matched - x).to(.float64).squared().sum().squareRoot().item(Double.self)
    try check("singular values", 0.2)
    let jacobian = try LayerJacobian(
      embedding.name, at: x,
      batchSize: min(options.batchSize, subject.model.fixedBatch ?? options.batchSize)
    ) { try embedding($0) }
    let spectrum = try jacobian.singularValues(
      leading: options.leading, whole: options.whole, isInterrupted: isInterrupted)
    let space = try NormalSpace(spectrum, threshold: options.threshold)
    let longest = max(change, 10 * options.shortest)
    var picture = LipschitzResult.Picture(
      source: sourcePlace, target: targetPlace,
      ending: state.endings[0]?.rawValue ?? EmbeddingMatch.Ending.steps.rawValue, change: change,
      cosine: state.cosines[0].isFinite ? state.cosines[0] : nil,
      steps: DirectionalLipschitz.grid(
        from: options.shortest, to: longest, count: options.steps))
    (picture.values, picture.isWhole) = (spectrum.values, spectrum.isComplete)
    picture.rank = space.rank
    try check("directions", 0.5)
    let lipschitz = DirectionalLipschitz(jacobian)
    for (kind, direction) in try directions(
      jacobian, lipschitz, spectrum, space, change: change > 0 ? matched - x : nil,
      way: goal - x, residual: jacobian.values - wanted, seed)
    {
      picture.curves.append(
        try curve(kind, direction, jacobian, space, picture.steps))
      try check("directions", 0.5 + 0.2 * Double(picture.curves.count) / 26)
    }
    try check("segments", 0.7)
    for (name, end) in [("matched", matched), ("target", goal)]
    where name == "target" || change > 0 {
      picture.segments.append(try segment(name, x, end, wanted, jacobian, lipschitz))
    }
    try check("ball", 0.8)
    picture.radius = options.radius
    (picture.bound, picture.steepest) = try lipschitz.localBound(
      radius: options.radius, samples: options.samples, iterations: options.iterations, seed: seed)
    // What is decomposed as a whole is exact.
    if spectrum.isComplete { picture.steepest = max(picture.steepest, spectrum.values[0]) }
    picture.bound = max(picture.bound, picture.steepest)
    var pictures = [matched]
    if options.walk > 0 {
      try check("walk", 0.85)
      var walk = EquivalenceWalk.Options()
      walk.steps = options.walk
      let stops = try EquivalenceWalk(walk)(
        from: jacobian, towards: goal, isInterrupted: isInterrupted)
      picture.walk = stops.map {
        LipschitzResult.Stop(step: $0.step, way: $0.way, drift: $0.drift)
      }
      pictures += stops.map(\.picture)
    }
    if options.levelSet > 0, jacobian.features > 1 {
      try check("level set", 0.95)
      var traversal = LevelSetTraversal.Options()
      traversal.steps = options.levelSet
      let path = try LevelSetTraversal(traversal)(
        from: x, towards: goal, isInterrupted: isInterrupted
      ) { try embedding($0) }
      let whole = path.distances[0]
      picture.levelSet = LipschitzResult.LevelSet(
        label: path.label, confidences: path.confidences,
        left: path.distances.map { whole > 0 ? $0 / whole : 0 })
      pictures.append(path.picture)
    }
    if options.clever.batches > 0 { picture.clever = try clever(jacobian, seed) }
    jacobian.release()
    return LipschitzAnalysis.Found(
      numbers: picture, pictures: Tensor.concatenated(pictures, 0).detached().to(.cpu).contiguous())
  }

  private func match(
    _ embedding: RepresentationEmbedding, _ x: Tensor, _ wanted: Tensor
  ) throws -> (Tensor, EmbeddingMatch.State) {
    var own = embedding
    own.unit = options.recipe.unit
    let match = EmbeddingMatch(
      embedding.name, options.recipe, scale: subject.scale(options.recipe.unit),
      offset: subject.offset(options.recipe.unit)
    ) { [own] in try own($0) }
    let start = subject.inUnit(options.recipe.unit, x)
    var state = EmbeddingMatch.State(start)
    try match.run(
      start, to: wanted, &state, every: options.recipe.steps, isInterrupted: isInterrupted
    ) { step in
      progress(
        "match of \(embedding.name)", 0.2 * Double(step) / Double(max(1, options.recipe.steps)))
    }
    return (subject.pixels(options.recipe.unit, state.pictures), state)
  }

  /// Directions `[1, inputs]` in the order of the kinds.
  private func directions(
    _ jacobian: LayerJacobian, _ lipschitz: DirectionalLipschitz, _ spectrum: SingularValues,
    _ space: NormalSpace, change: Tensor?, way: Tensor, residual: Tensor, _ seed: UInt64
  ) throws -> [(LipschitzResult.Kind, Tensor)] {
    func row(_ x: Tensor) -> Tensor { x.reshaped(1, -1) }
    var list: [(LipschitzResult.Kind, Tensor)] = [
      (.steepest, spectrum.right.sliced(0, 0, 1))
    ]
    if let change { list.append((.matching, row(change))) }
    list.append((.gradient, try jacobian.transposedTimes(residual)))
    let random = lipschitz.randomDirections(options.directions + options.tangents, seed: seed)
    for index in 0..<options.directions {
      list.append((.random, random.sliced(0, index, index + 1)))
    }
    list.append((.target, row(way)))
    for index in options.directions..<(options.directions + options.tangents) {
      let vectors = random.sliced(0, index, index + 1).to(.float64).to(.cpu)
      let inside = NormalSpaceProjection.tangent(space, vectors)
      list.append((.tangent, inside))
    }
    return list.filter { $0.1.to(.float64).squared().sum().item(Double.self) > 0 }
  }

  private func curve(
    _ kind: LipschitzResult.Kind, _ direction: Tensor, _ jacobian: LayerJacobian,
    _ space: NormalSpace, _ steps: [Double]
  ) throws -> LipschitzResult.Curve {
    let shape = Array(jacobian.points.shape.dropFirst())
    let long = direction.to(.float64)
    let unit = (long / long.norm(over: [1], keeping: true)).to(jacobian.points.dtype)
      .to(jacobian.points.device)
    let slope = try jacobian.times(unit, at: [0]).to(.float64)
    let lengths = Tensor(steps, shape: [steps.count, 1]).to(unit.dtype).to(unit.device)
    let points = (unit * lengths).reshaped([steps.count] + shape) + jacobian.points.sliced(0, 0, 1)
    let moved =
      try jacobian.values(at: points).to(.float64) - jacobian.values.sliced(0, 0, 1).to(.float64)
    let gains = moved.norm(over: [1]).scalars(Double.self)
    let left = (moved - slope * lengths.to(.float64)).norm(over: [1]).scalars(Double.self)
    let limit = slope.norm(over: [1]).item(Double.self)
    guard limit.isFinite, gains.allSatisfy(\.isFinite), left.allSatisfy(\.isFinite) else {
      throw AnalysisError.site(jacobian.name, problem: "NaN or infinity near the picture")
    }
    let share = NormalSpaceProjection.share(space, long.to(.cpu))
    return LipschitzResult.Curve(
      kind: kind, limit: limit, values: zip(gains, steps).map { $0 / $1 },
      errors: zip(left, gains).map { $1 > 0 ? $0 / $1 : nil }, share: share)
  }

  private func segment(
    _ name: String, _ x: Tensor, _ end: Tensor, _ wanted: Tensor, _ jacobian: LayerJacobian,
    _ lipschitz: DirectionalLipschitz
  ) throws -> LipschitzResult.Segment {
    let found = try lipschitz.segment(to: end, parts: options.parts)
    let shares = Tensor(
      (0...options.parts).map { Double($0) / Double(options.parts) },
      shape: [options.parts + 1, 1, 1, 1]
    ).to(x.dtype).to(x.device)
    let values = try jacobian.values(at: x + (end - x) * shares).to(.float64)
    func cosines(_ other: Tensor) -> [Double] {
      let b = other.to(.float64)
      let found = (values * b).sum(over: [1]) / (values.norm(over: [1]) * b.norm(over: [1]))
      return found.scalars(Double.self).map { $0.isFinite ? $0 : 0 }
    }
    return LipschitzResult.Segment(
      to: name, length: (end - x).to(.float64).squared().sum().squareRoot().item(Double.self),
      parts: found.parts, secant: found.secant, toSource: cosines(jacobian.values.sliced(0, 0, 1)),
      toTarget: cosines(wanted))
  }

  /// CLEVER between the largest and the second largest output; nil where there is one.
  private func clever(_ jacobian: LayerJacobian, _ seed: UInt64) throws -> LipschitzResult.Score? {
    let outputs = jacobian.values.selected(0, 0).scalars(Float.self)
    let order = outputs.indices.sorted { outputs[$0] > outputs[$1] }
    guard order.count > 1, outputs[order[0]] > outputs[order[1]] else { return nil }
    let found = try CLEVER(
      jacobian, above: order[0], order[1], radius: options.clever.radius,
      batches: options.clever.batches, samples: options.clever.samples, seed: seed,
      isInterrupted: isInterrupted)
    return LipschitzResult.Score(
      radius: found.score, largest: found.largest, location: found.fit.location, p: found.fit.p)
  }
}

/// Projections in float64, whatever the vectors' own numbers.
enum NormalSpaceProjection {
  private static func normal(_ space: NormalSpace, _ rows: Tensor) -> Tensor {
    let vectors = space.vectors.to(.cpu).to(.float64)
    return rows.times(vectors.transposed()).times(vectors)
  }

  static func tangent(_ space: NormalSpace, _ rows: Tensor) -> Tensor {
    space.rank == 0 ? rows : rows - normal(space, rows)
  }

  /// ‖P_N·d‖/‖d‖; nil where nothing is known of the normal space.
  static func share(_ space: NormalSpace, _ row: Tensor) -> Double? {
    let whole = row.norm(over: [1]).item(Double.self)
    guard space.rank > 0, whole > 0 else { return nil }
    return normal(space, row).norm(over: [1]).item(Double.self) / whole
  }
}
