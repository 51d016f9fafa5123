import ParallaxResults

/// What a structure says of the paper's third section: each sentence with its number, computed again without each group of
/// images.
struct StructureFindings {
  /// One result, of all images or with a group left out.
  struct View {
    let result: SimilarityResult
    let numbers: [StructureNumbers]
  }

  let models: [ModelSites]
  let transformers: [Int]
  let convolutional: [Int]
  /// Where the best cut of each model lies, as all images have it.
  let cuts: [Int?]
  let whole: View
  let parts: [View]

  /// The sentences in the order of the page.
  var all: [Finding] {
    [uniform, lowToHigh, grid, stages, lowerHalf, unlike].compactMap(\.self)
  }

  private func names(_ indices: [Int]) -> String {
    let names = indices.map { models[$0].name }
    return names.count < 2
      ? names.joined() : names.dropLast().joined(separator: ", ") + " and " + (names.last ?? "")
  }

  private func finding(
    _ claim: Claim, _ sentence: String, _ quantity: String, _ statistic: (View) -> Double?
  ) -> Finding? {
    let estimate = IntervalEstimate(
      statistic(whole), leavingOut: parts.map(statistic), isStepped: claim == .lowerHalf)
    guard estimate.value != nil else { return nil }
    return Finding(sentence, estimate, quantity, estimate.verdict(), analysis: "structure")
      .bearing(on: claim)
  }

  /// The mean of a number over transformers, less that over convolutional networks.
  private func difference(
    _ view: View, _ number: (Int, StructureNumbers) -> Double?
  ) -> Double? {
    func mean(_ indices: [Int]) -> Double? {
      Statistics.mean(indices.map { number($0, view.numbers[$0]) })
    }
    return mean(transformers).flatMap { first in mean(convolutional).map { first - $0 } }
  }

  private var hasBoth: Bool { !transformers.isEmpty && !convolutional.isEmpty }

  private var uniform: Finding? {
    guard hasBoth else { return nil }
    return finding(
      .uniform,
      "All layers of \(names(transformers)) are more alike among themselves than those of \(names(convolutional))",
      "mean off-diagonal CKA of all sub-layers, transformers less convolutional networks"
    ) { view in difference(view) { $1.uniformity } }
  }

  private var lowToHigh: Finding? {
    guard hasBoth else { return nil }
    return finding(
      .uniform,
      "Low and high layers are more alike in transformers than in convolutional networks",
      "mean CKA of the first third of the depth with the last, transformers less convolutional networks"
    ) { view in difference(view) { $1.lowToHigh } }
  }

  /// The weakest transformer decides.
  private var grid: Finding? {
    let found = transformers.compactMap { index -> Finding? in
      finding(
        .stages,
        transformers.count > 1
          ? "The kinds of sub-layer alternate in every transformer, a grid in its heat map; least certainly in \(models[index].name)"
          : "The kinds of sub-layer alternate in \(models[index].name), a grid in its heat map",
        "mean CKA of sub-layers of one kind less that of two kinds, at equal distance in blocks"
      ) { $0.numbers[index].grid }
    }
    return found.count == transformers.count ? found.weakest : nil
  }

  private var stages: Finding? {
    guard hasBoth, transformers.allSatisfy({ cuts[$0] != nil }),
      convolutional.allSatisfy({ cuts[$0] != nil })
    else { return nil }
    return finding(
      .stages,
      "Convolutional networks fall into stages more than transformers",
      "mean CKA on one side of the best cut less that across it, convolutional networks less transformers"
    ) { view in
      difference(view) { index, numbers in cuts[index].flatMap { numbers.cut(before: $0) } }
        .map { -$0 }
    }
  }

  /// Ordered pairs of a convolutional network and a transformer.
  private var pairs: [(cnn: Int, vit: Int)] {
    convolutional.flatMap { cnn in transformers.map { (cnn, $0) } }
  }

  private var lowerHalf: Finding? {
    guard hasBoth else { return nil }
    return finding(
      .lowerHalf,
      "The lower half of convolutional networks corresponds to less than half of transformers (the paper: to a quarter)",
      "0.5 less the relative depth of the transformer that the best path has reached at half of the convolutional network's, mean over pairs"
    ) { view in
      Statistics.mean(pairs.map { view.result.matching($0.cnn, $0.vit).half.map { 0.5 - $0 } })
    }
  }

  private var unlike: Finding? {
    guard hasBoth else { return nil }
    return finding(
      .lastThird,
      "The last third of transformers is less like any layer of convolutional networks than the layers before it",
      "mean CKA with the strongest partner, first two thirds of the transformer less the last, mean over pairs"
    ) { view in
      Statistics.mean(
        pairs.map { pair -> Double? in
          let strengths = view.result.matching(pair.vit, pair.cnn).strengths
          guard let first = strengths[0], let middle = strengths[1], let last = strengths[2]
          else { return nil }
          return (first + middle) / 2 - last
        })
    }
  }
}

extension [Finding] {
  /// The one that decides where all must show: one that does not show before one that cannot tell, and of equals the one
  /// whose interval begins lowest.
  var weakest: Finding? {
    func order(_ one: Finding) -> (Int, Double) {
      let place = [Finding.Verdict.doesNotShow, .cannotTell, .shows].firstIndex(of: one.verdict)
      return (place ?? 0, one.low ?? one.value ?? 0)
    }
    return self.min { order($0) < order($1) }
  }
}
