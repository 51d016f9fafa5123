import ParallaxModels
import ParallaxTensors

/// Who wants what of which model.
struct Plan {
  /// An accumulator's wish for one representation.
  private struct Wish {
    let accumulator: Int
    let index: Int
    let representation: Representation
  }

  // Per model, by site.
  private var wishes: [String: [String: [Wish]]] = [:]

  init(_ subjects: [Subject], _ accumulators: [any Accumulator]) throws {
    var seen: Set<String> = []
    for subject in subjects where !seen.insert(subject.name).inserted {
      throw AnalysisError.duplicateModel(name: subject.name)
    }
    let sites = Dictionary(
      uniqueKeysWithValues: subjects.map { ($0.name, Set($0.sites.map(\.name))) })
    for (place, accumulator) in accumulators.enumerated() {
      for (index, representation) in accumulator.wanted.enumerated() {
        guard let known = sites[representation.model] else {
          throw AnalysisError.nothingAsked("\(representation.address): there is no such model")
        }
        guard known.contains(representation.site.name) else {
          throw AnalysisError.nothingAsked(
            "\(representation.address): the model has no such site")
        }
        wishes[representation.model, default: [:]][representation.site.name, default: []].append(
          Wish(accumulator: place, index: index, representation: representation))
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
    let batchSize = subject.model.fixedBatch ?? batchSize
    // One forward pass: features go on as they are made. Several: they are joined first.
    let single = count <= batchSize
    var parts: [String: [Int: [Tensor]]] = [:]
    var failure: (any Error)?
    for start in stride(from: 0, to: count, by: batchSize) {
      if isInterrupted() && !single && start > 0 { throw AnalysisError.interrupted }
      let batch = single ? images : images.sliced(0, start, min(start + batchSize, count))
      let tap = Tap(Set(bySite.keys)) { visit in
        guard failure == nil, let here = bySite[visit.site] else { return nil }
        do {
          var made: [Tokens: Tensor] = [:]
          for (place, wish) in here.enumerated() {
            let features =
              try made[wish.representation.tokens]
              ?? wish.representation.tokens(
                visit.value, at: wish.representation.site, subject.model.tokenLayout,
                imageSize: subject.imageSize)
            made[wish.representation.tokens] = features
            if single {
              try accumulators[wish.accumulator].add(wish.index, features)
            } else {
              parts[visit.site, default: [:]][place, default: []].append(features)
            }
          }
        } catch { failure = error }
        return nil
      }
      _ = try subject.model.run(batch, tap)
      if let failure { throw failure }
    }
    guard !single else { return }
    for (site, here) in bySite.sorted(by: { $0.key < $1.key }) {
      for (place, wish) in here.enumerated() {
        guard let features = parts[site]?[place] else { continue }
        parts[site]?[place] = nil
        try accumulators[wish.accumulator].add(
          wish.index, Tensor.concatenated(features, 0))
      }
    }
  }
}
