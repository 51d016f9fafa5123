import ParallaxModels
import ParallaxTensors

/// Who wants what of which model.
struct Plan {
  /// An accumulator's wish: features of one representation, or numbers of a watch.
  private struct Wish {
    let accumulator: Int
    let index: Int
    let source: Source
  }

  private enum Source {
    case representation(Representation)
    case watch(Watch)
  }

  // Per model, by site; a watch stands at each of its sites.
  private var wishes: [String: [String: [Wish]]] = [:]

  init(_ subjects: [Subject], _ accumulators: [any Accumulator]) throws {
    var seen: Set<String> = []
    for subject in subjects where !seen.insert(subject.name).inserted {
      throw AnalysisError.duplicateModel(name: subject.name)
    }
    let sites = Dictionary(
      uniqueKeysWithValues: subjects.map { ($0.name, Set($0.sites.map(\.name))) })
    // What residual connections add, and what heads give, is on no list of sites.
    var connections: [String: Set<String>] = [:]
    func check(_ model: String, _ site: String, called name: String) throws {
      guard let known = sites[model] else {
        throw AnalysisError.nothingAsked("\(name): there is no such model")
      }
      if known.contains(site) { return }
      let subject = subjects.first { $0.name == model }
      if subject?.sites.contains(where: { $0.headOutputs == site }) == true { return }
      if connections[model] == nil {
        let found = try subject?.connections() ?? []
        connections[model] = Set(found.flatMap { [$0.skip, $0.branch] })
      }
      guard connections[model]?.contains(site) == true else {
        throw AnalysisError.nothingAsked("\(name): the model has no such site")
      }
    }
    for (place, accumulator) in accumulators.enumerated() {
      let wanted = accumulator.wanted
      for (index, representation) in wanted.enumerated() {
        let (model, site) = (representation.model, representation.site.name)
        try check(model, site, called: representation.address)
        wishes[model, default: [:]][site, default: []].append(
          Wish(accumulator: place, index: index, source: .representation(representation)))
      }
      for (index, watch) in accumulator.watched.enumerated() {
        for site in watch.sites {
          try check(watch.model, site, called: "\(watch.model)@\(site)")
          wishes[watch.model, default: [:]][site, default: []].append(
            Wish(accumulator: place, index: wanted.count + index, source: .watch(watch)))
        }
      }
    }
  }

  /// Runs one model over the images of a block and hands the features on.
  func run(
    _ subject: Subject, on images: Tensor, batchSize: Int, _ accumulators: [any Accumulator],
    _ isInterrupted: () -> Bool
  ) throws {
    guard let bySite = wishes[subject.name] else { return }
    let count = images.shape[0]
    let isWhole = accumulators.contains(where: \.wantsWholeBlocks)
    let batchSize = subject.model.fixedBatch ?? (isWhole ? max(batchSize, count) : batchSize)
    // One forward pass: features go on as they are made. Several: they are joined first.
    let single = count <= batchSize
    var parts: [Key: [Tensor]] = [:]
    for start in stride(from: 0, to: count, by: batchSize) {
      if isInterrupted() && !single && start > 0 { throw AnalysisError.interrupted }
      let batch = single ? images : images.sliced(0, start, min(start + batchSize, count))
      try forward(subject, batch, bySite) { key, features in
        if single {
          try accumulators[key.accumulator].add(key.index, features)
        } else {
          parts[key, default: []].append(features)
        }
      }
    }
    for (key, features) in parts.sorted(by: { $0.key < $1.key }) {
      parts[key] = nil
      try accumulators[key.accumulator].add(key.index, Tensor.concatenated(features, 0))
    }
  }

  /// Which number of which accumulator.
  private struct Key: Hashable, Comparable {
    let accumulator: Int
    let index: Int

    static func < (a: Key, b: Key) -> Bool {
      (a.accumulator, a.index) < (b.accumulator, b.index)
    }
  }

  /// One forward pass; what is wanted is handed on as soon as it can be made.
  private func forward(
    _ subject: Subject, _ batch: Tensor, _ bySite: [String: [Wish]],
    _ handOn: @escaping (Key, Tensor) throws -> Void
  ) throws {
    var failure: (any Error)?
    // What a watch has seen so far, in this forward pass.
    var held: [Key: [String: Tensor]] = [:]
    let tap = Tap(Set(bySite.keys)) { visit in
      guard failure == nil, let here = bySite[visit.site] else { return nil }
      do {
        var made: [Tokens: Tensor] = [:]
        for wish in here {
          let key = Key(accumulator: wish.accumulator, index: wish.index)
          switch wish.source {
          case .representation(let representation):
            let features =
              try made[representation.tokens]
              ?? representation.tokens(
                visit.value, at: representation.site, subject.model.tokenLayout,
                imageSize: subject.imageSize)
            made[representation.tokens] = features
            try handOn(key, features)
          case .watch(let watch):
            held[key, default: [:]][visit.site] = visit.value
            let values = watch.sites.compactMap { held[key]?[$0] }
            guard values.count == watch.sites.count else { continue }
            held[key] = nil
            try handOn(key, watch.reduce(values))
          }
        }
      } catch { failure = error }
      return nil
    }
    _ = try subject.model.run(batch, tap)
    if let failure { throw failure }
  }
}
