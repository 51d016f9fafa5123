import ParallaxTensors

extension MatchingAnalysis {
  /// Matches all pairs at all places that are not found yet.
  ///
  /// Pairs that are changed at once do not see one another: how many they are changes a number by the rounding of products alone.
  ///
  /// - Parameters:
  ///   - goals: the pairs.
  ///   - originals: of each model the pixels of the images that take part.
  /// - Throws: `AnalysisError.interrupted`, with what was begun kept, and what models throw.
  func match(_ goals: [MatchGoal], _ originals: [Tensor]) throws {
    let total = Double(max(1, places.count * goals.count))
    for place in places.indices {
      var some = next(place, goals)
      while !some.isEmpty {
        let done = Double(goals.count { found[Self.key(place, $0.pair)] != nil })
        let count = Double(some.count)
        try match(some, at: place, originals[places[place].subject]) { share in
          (Double(place * goals.count) + done + share * count) / total
        }
        try keep()
        some = next(place, goals)
      }
    }
  }

  /// Pairs of a place that are changed next, together: those that have begun and stand at one step, then the others.
  private func next(_ place: Int, _ goals: [MatchGoal]) -> [MatchGoal] {
    let open = goals.filter { found[Self.key(place, $0.pair)] == nil }
    func step(_ goal: MatchGoal) -> Int? { running[Self.key(place, goal.pair)]?.step }
    guard let first = open.first(where: { step($0) != nil }) ?? open.first else { return [] }
    return Array(open.filter { step($0) == step(first) }.prefix(batch(place)))
  }

  private func match(
    _ goals: [MatchGoal], at index: Int, _ originals: Tensor, share: (Double) -> Double
  ) throws {
    let place = places[index]
    let subject = subjects[place.subject]
    let embedding = RepresentationEmbedding(
      subject: subject, representation: place.representation, unit: options.recipe.unit)
    let match = EmbeddingMatch(
      embedding.name, options.recipe, scale: subject.scale(options.recipe.unit),
      offset: subject.offset(options.recipe.unit)
    ) { try embedding($0) }
    let own = originals.to(subject.device)
    func pictures(_ rows: [Int]) -> Tensor {
      subject.inUnit(options.recipe.unit, own.gathered(0, rows))
    }
    let sources = pictures(goals.map(\.source))
    var targets: Tensor
    if let vectors = options.vectors {
      targets = vectors.rows.gathered(0, goals.map { $0.pair % vectors.count }).to(.float32)
        .to(subject.device)
    } else {
      targets = try embedding(pictures(goals.map(\.target))).detached()
    }
    var others = try (0..<(options.recipe.targets - 1)).map { number in
      try embedding(pictures(goals.map { $0.others[number] })).detached()
    }
    if options.recipe.targets > 1 {
      let start = try embedding(sources).detached()
      targets = EmbeddingMatch.rescaled(targets, to: start)
      others = others.map { EmbeddingMatch.rescaled($0, to: start) }
    }
    let begun = goals.compactMap { running[Self.key(index, $0.pair)] }
    var state =
      begun.count == goals.count
      ? EmbeddingMatch.State(joining: begun).moved(to: subject.device) : .init(sources)
    let part = "matching in \(embedding.name)"
    defer {
      // One that has ended is found, whatever becomes of the others.
      for (row, goal) in goals.enumerated() where state.step > 0 || state.endings[row] != nil {
        let key = Self.key(index, goal.pair)
        let one = state.selected([row]).moved(to: .cpu)
        if one.endings[0] != nil {
          found[key] = Found(pictures: one.pictures, numbers: one.numbers)
          running[key] = nil
        } else {
          running[key] = one
        }
      }
    }
    try match.run(
      sources, to: targets, after: others, &state, every: max(1, options.recipe.steps / 100),
      isInterrupted: isInterrupted
    ) { step in progress(part, share(Double(step) / Double(max(1, options.recipe.steps)))) }
  }
}
