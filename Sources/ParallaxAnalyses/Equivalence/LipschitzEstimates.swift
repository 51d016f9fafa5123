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

  /// Rows that go through the model at once: what was asked for, if it fits into memory.
  private var batch: Int {
    MatchMemory(
      subject, representation.site, .levenbergMarquardt, width: options.precise.isEmpty ? 4 : 8
    ).batch(options.batchSize, fixed: subject.model.fixedBatch)
  }

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
    let model = options.precise[subject.name]
    let embedding = RepresentationEmbedding(
      subject: subject, representation: representation, model: model)
    let dtype: DType = model == nil ? .float32 : .float64
    let (x, goal) = (
      source.to(dtype).to(subject.device), target.to(dtype).to(subject.device)
    )
    guard (x - goal).absolute().maximum().item(Double.self) > 0 else {
      throw AnalysisError.site(
        embedding.name, problem: "source and target are the same picture, pixel by pixel")
    }
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
      batchSize: batch
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
    picture.isWhole = spectrum.isComplete
    picture.values =
      spectrum.isComplete ? spectrum.values : Array(spectrum.values.prefix(spectrum.converged()))
    picture.rank = space.rank
    try check("directions", 0.5)
    let lipschitz = DirectionalLipschitz(jacobian)
    let rounding = try lipschitz.rounding(seed: seed ^ 0xA1)
    picture.rounding = rounding
    for (kind, direction) in try directions(
      jacobian, lipschitz, spectrum, space, change: change > 0 ? matched - x : nil,
      way: goal - x, residual: jacobian.values - wanted, seed)
    {
      picture.curves.append(
        try curve(kind, direction, jacobian, space, picture.steps, rounding))
      try check("directions", 0.5 + 0.2 * Double(picture.curves.count) / 26)
    }
    try check("segments", 0.7)
    for (name, end) in [("matched", matched), ("target", goal)]
    where name == "target" || change > 0 {
      picture.segments.append(try segment(name, x, end, goal, wanted, jacobian, lipschitz, model))
    }
    try check("ball", 0.8)
    picture.radius = options.radius
    (picture.bound, picture.steepest) = try lipschitz.localBound(
      radius: options.radius, samples: options.samples, iterations: options.iterations,
      seed: seed ^ 0xB2, isInterrupted: isInterrupted)
    // What is decomposed as a whole is exact; leading values are lower bounds, as those of the power iteration are.
    picture.steepest = max(picture.steepest, spectrum.values.first ?? 0)
    picture.bound = max(picture.bound, picture.steepest)
    var pictures = [matched]
    if options.walk > 0 {
      try check("walk", 0.85)
      let (stops, found) = try walk(jacobian, spectrum, goal, gap: jacobian.values - wanted, seed)
      picture.walk = stops
      pictures += found
    }
    let isOutput = representation.site.name == subject.logitsSite?.name
    if options.levelSet > 0, isOutput {
      try check("level set", 0.95)
      let (path, found) = try levelSet(embedding, x, goal, seed)
      picture.levelSet = found
      pictures.append(path.picture)
    }
    if options.clever.batches > 0, isOutput { picture.clever = try clever(jacobian, seed ^ 0xC3) }
    jacobian.release()
    return LipschitzAnalysis.Found(
      numbers: picture,
      pictures: Tensor.concatenated(pictures, 0).detached().to(.float32).to(.cpu).contiguous())
  }

  private func walk(
    _ jacobian: LayerJacobian, _ spectrum: SingularValues, _ goal: Tensor, gap: Tensor,
    _ seed: UInt64
  ) throws -> ([LipschitzResult.Stop], [Tensor]) {
    guard let kind = options.walkPreset.kind else {
      var walk = EquivalenceWalk.Options()
      walk.steps = options.walk
      let stops = try EquivalenceWalk(walk)(
        from: jacobian, towards: goal, isInterrupted: isInterrupted)
      return (
        stops.map { LipschitzResult.Stop(step: $0.step, way: $0.way, drift: $0.drift) },
        stops.map(\.picture)
      )
    }
    var walk = PullbackWalk.Options()
    (walk.kind, walk.steps, walk.seed) = (kind, options.walk, seed ^ 0xF6)
    (walk.threshold, walk.multiplier) = (options.walkThreshold, options.walkMultiplier)
    (walk.whole, walk.leading, walk.products) = (options.whole, options.leading, options.products)
    let stops = try PullbackWalk(walk)(
      from: jacobian, spectrum: spectrum, isInterrupted: isInterrupted)
    func norm(_ x: Tensor) -> Double {
      x.to(.float64).squared().sum().squareRoot().item(Double.self)
    }
    let origin = jacobian.points.sliced(0, 0, 1)
    let (length, whole) = (norm(goal - origin), norm(gap))
    guard whole > 0 else {
      throw AnalysisError.site(
        jacobian.name, problem: "a walk needs two pictures with different embeddings")
    }
    return (
      stops.map { stop in
        var found = LipschitzResult.Stop(
          step: stop.step, way: norm(stop.picture - origin) / length,
          drift: norm(stop.value - jacobian.values.sliced(0, 0, 1)) / whole)
        if stop.step > 0 { (found.length, found.eigenvalue) = (stop.length, stop.eigenvalue) }
        return found
      }, stops.map(\.picture)
    )
  }

  private func levelSet(
    _ embedding: RepresentationEmbedding, _ x: Tensor, _ goal: Tensor, _ seed: UInt64
  ) throws -> (LevelSetTraversal.Path, LipschitzResult.LevelSet) {
    var traversal = LevelSetTraversal.Options()
    (traversal.steps, traversal.seed) = (options.levelSet, seed ^ 0xD4)
    traversal.perturbation = options.counterPerturbation
    traversal.radii = options.widths
    let path = try LevelSetTraversal(traversal)(
      from: x, towards: goal, isInterrupted: isInterrupted
    ) { try embedding($0) }
    let whole = path.distances[0]
    var found = LipschitzResult.LevelSet(
      label: path.label, confidences: path.confidences,
      left: path.distances.map { whole > 0 ? $0 / whole : 0 })
    let gap = (path.picture - goal).to(.float64)
    found.euclidean = gap.squared().sum().squareRoot().item(Double.self)
    found.maximum = gap.absolute().maximum().item(Double.self)
    found.ssim = PictureComparison(path.picture.selected(0, 0), goal.selected(0, 0)).ssim
    found.widths = path.widths.map {
      .init(isEnd: $0.isEnd, radius: $0.radius, low: $0.low, high: $0.high)
    }
    return (path, found)
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
    let random = lipschitz.randomDirections(
      options.directions + options.tangents, seed: seed ^ 0xE5)
    for index in 0..<options.directions {
      list.append((.random, random.sliced(0, index, index + 1)))
    }
    list.append((.target, row(way)))
    for index in options.directions..<(options.directions + options.tangents) {
      let drawn = random.sliced(0, index, index + 1)
      if let inside = try tangent(jacobian, space, drawn) { list.append((.tangent, inside)) }
    }
    return list.filter { $0.1.to(.float64).squared().sum().item(Double.self) > 0 }
  }

  /// P_T·d: from the vectors of the normal space where that is known as a whole, else d − J⁺(J·d) by conjugate gradients; nil where they
  /// do not get J·P_T·d below a twentieth of J·d.
  private func tangent(_ jacobian: LayerJacobian, _ space: NormalSpace, _ direction: Tensor) throws
    -> Tensor?
  {
    if space.isWhole {
      return NormalSpaceProjection.tangent(space, direction.to(.float64).to(.cpu))
    }
    let undo = try jacobian.minimumNormStep(
      for: try jacobian.times(direction, at: [0]).selected(0, 0), iterations: options.products,
      tolerance: 1e-3, isInterrupted: isInterrupted)
    guard undo.remaining <= 0.05 else { return nil }
    return direction + undo.step.reshaped(1, -1)
  }

  private func curve(
    _ kind: LipschitzResult.Kind, _ direction: Tensor, _ jacobian: LayerJacobian,
    _ space: NormalSpace, _ steps: [Double], _ rounding: Double
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
    let share = space.isWhole ? NormalSpaceProjection.share(space, long.to(.cpu)) : nil
    return LipschitzResult.Curve(
      kind: kind, limit: limit,
      values: zip(gains, steps).map { $0 >= Self.clear * rounding ? $0 / $1 : nil },
      errors: zip(left, gains).map {
        $1 > 0 && min($0, $1) >= Self.clear * rounding ? $0 / $1 : nil
      }, share: share)
  }

  /// How often its rounding a difference is at least, to be told.
  static let clear = 5.0

  private func segment(
    _ name: String, _ x: Tensor, _ end: Tensor, _ target: Tensor, _ wanted: Tensor,
    _ jacobian: LayerJacobian, _ lipschitz: DirectionalLipschitz, _ model: (any Model)?
  ) throws -> LipschitzResult.Segment {
    let (found, values) = try lipschitz.embeddedSegment(to: end, parts: options.parts)
    func cosines(_ other: Tensor) -> [Double] {
      let b = other.to(.float64)
      let found = (values * b).sum(over: [1]) / (values.norm(over: [1]) * b.norm(over: [1]))
      return found.scalars(Double.self).map { $0.isFinite ? $0 : 0 }
    }
    var segment = LipschitzResult.Segment(
      to: name, length: (end - x).to(.float64).squared().sum().squareRoot().item(Double.self),
      parts: found.parts, secant: found.secant, toSource: cosines(jacobian.values.sliced(0, 0, 1)),
      toTarget: cosines(wanted))
    if let logits = subject.logitsSite {
      let output = RepresentationEmbedding(
        subject: subject,
        representation: Representation(model: subject.name, site: logits, tokens: .flat),
        model: model)
      let shares = Tensor(
        (0...options.parts).map { Double($0) / Double(options.parts) },
        shape: [options.parts + 1, 1, 1, 1]
      ).to(x.dtype).to(x.device)
      // The last row is the target's own, wherever the segment ends.
      let points = Tensor.concatenated([x + (end - x) * shares, target], 0)
      let parts = try stride(from: 0, to: points.shape[0], by: batch).map {
        try output(points.sliced(0, $0, min($0 + batch, points.shape[0]))).detached()
      }
      let sure = Tensor.concatenated(parts, 0).to(.cpu).to(.float64).softmax(1)
      let classes = sure.argmax(1).scalars(Int64.self).map(Int.init)
      func along(_ label: Int) -> [Double] {
        Array(sure.selected(1, label).scalars(Double.self).dropLast())
      }
      if let first = classes.first, let last = classes.last {
        (segment.sourceClass, segment.targetClass) = (along(first), along(last))
      }
    }
    return segment
  }

  /// CLEVER between the largest output and those next to it, the least of these scores; nil where there is one output.
  private func clever(_ jacobian: LayerJacobian, _ seed: UInt64) throws -> LipschitzResult.Score? {
    let outputs = jacobian.values.selected(0, 0).to(.float64).scalars(Double.self)
    let order = outputs.indices.sorted { outputs[$0] > outputs[$1] }
    guard order.count > 1, outputs[order[0]] > outputs[order[1]] else { return nil }
    let others = order.dropFirst().prefix(max(1, options.cleverClasses))
    let found = try others.map { other in
      try CLEVER(
        jacobian, above: order[0], other, radius: options.clever.radius,
        isMaximum: options.cleverIsMaximum, batches: options.clever.batches,
        samples: options.clever.samples, seed: seed, isInterrupted: isInterrupted)
    }
    guard let least = found.min(by: { $0.score < $1.score }) else { return nil }
    var score = LipschitzResult.Score(
      radius: found.contains { $0.fit.isUnbounded } ? nil : least.score, largest: least.largest,
      location: least.fit.location, p: least.fit.p)
    score.classes = others.count
    score.norm = options.cleverIsMaximum ? "L∞" : "L2"
    return score
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
