import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the matched pictures: the result, and files.
struct MatchingComputed {
  /// The result.
  private(set) var result: MatchingResult
  /// Whole pictures.
  private(set) var files = PictureShelf("matching")

  /// - Parameters:
  ///   - analysis: what it is of.
  ///   - originals: of each model the pixels of the images that take part.
  ///   - goals: rows of these.
  ///   - found: of each place the pictures, batch after batch.
  ///   - bank: the representations of the whole set.
  ///   - ids: of the images that take part, their places in the set.
  ///   - left: pairs that were left out, and why.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where an embedding is not finite, and what models throw.
  init(
    _ analysis: MatchingAnalysis, _ originals: [Tensor],
    goals: [MatchingAnalysis.MatchGoal], _ found: [[MatchingAnalysis.Found]], _ bank: Bank,
    ids: [Int], left: [String]
  ) throws {
    let recipe = analysis.options.recipe
    result = MatchingResult(
      preset: recipe.name, unit: recipe.unit.rawValue,
      images: ids.map { analysis.outside.image($0, analysis.samples) }, bank: bank.samples.count,
      seed: analysis.options.seed,
      criterion: recipe.criterion)
    result.left = left.isEmpty ? nil : left
    let vectors = analysis.options.vectors
    if let vectors {
      result.images += (0..<vectors.count).map {
        MatchingResult.Image(id: vectors.name($0), className: nil)
      }
    }
    let pairs = goals.map { (source: $0.source, target: $0.target) }
    // Sources and matched pictures are compared with 8 bits a channel, both.
    let whole = originals.map { PictureShelf.quantised($0) }
    let already = found.map { parts in
      parts.flatMap { $0.numbers.ended.map { $0 == .already } }
    }
    // What is judged is what a picture is once it is saved.
    let saved = analysis.places.indices.map { place -> Tensor in
      let subject = analysis.subjects[analysis.places[place].subject]
      let pictures = Tensor.concatenated(found[place].map(\.pictures), 0)
      let sources = whole[analysis.places[place].subject].gathered(0, pairs.map(\.source))
      return MatchBounds.quantised(
        subject.pixels(recipe.unit, pictures), from: sources, in: recipe.ball)
    }
    let looks = try MatchLooks(analysis, originals, pairs: pairs, saved: saved, already: already)
    for (index, subject) in analysis.subjects.enumerated() {
      var model = MatchingResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width)
      model.originals = try result.images.indices.map {
        $0 < ids.count ? try PictureShelf.small(originals[index].selected(0, $0)) : Data()
      }
      for (place, one) in analysis.places.enumerated() where one.subject == index {
        let wanted = pairs.map { (source: ids[$0.source], target: ids[$0.target]) }
        let changed = goals.indices.filter { !already[place][$0] }
        let readers = Readers(bank: bank, place: place, pairs: wanted, hasTargets: vectors == nil)
        let some = Readers(
          bank: bank, place: place, pairs: changed.map { wanted[$0] }, hasTargets: vectors == nil)
        var entry = MatchingResult.Place(
          site: one.representation.site.name, tokens: "\(one.representation.tokens)",
          depth: one.depth, features: bank.all(place).shape[1])
        let targets = targets(analysis, place, goals, looks)
        entry.pairs = try self.pairs(
          analysis, place, whole[index], goals, found[place], saved[place], looks, targets)
        let after = looks.matched(place, at: place)
        entry.readouts = try some.readouts(after.gathered(0, changed))
        entry.scores = readers.scores(after)
        entry.coordinates = try readers.coordinates(
          after, targets: vectors == nil ? nil : targets)
        if !changed.isEmpty {
          entry.noise = try MatchNoise(
            analysis, place, some,
            sources: whole[index].gathered(0, changed.map { pairs[$0].source }),
            matched: saved[place].gathered(0, changed))()
        }
        model.places.append(entry)
      }
      result.models.append(model)
    }
    result.transfer = looks.transfer(bank, pairs.map { (ids[$0.source], ids[$0.target]) })
    result.switches = MatchingSwitches.list(analysis)
    result.findings = MatchingFindings(result: result)()
  }

  /// What the pictures of one place were matched to.
  private func targets(
    _ analysis: MatchingAnalysis, _ place: Int, _ goals: [MatchingAnalysis.MatchGoal],
    _ looks: MatchLooks
  ) -> Tensor {
    if let vectors = analysis.options.vectors {
      return vectors.rows.gathered(0, goals.map { $0.pair % vectors.count })
    }
    let own = looks.targets(place)
    return analysis.options.recipe.targets > 1
      ? EmbeddingMatch.rescaled(own, to: looks.sources(place)) : own
  }

  /// The pairs of one place.
  private mutating func pairs(
    _ analysis: MatchingAnalysis, _ place: Int, _ originals: Tensor,
    _ goals: [MatchingAnalysis.MatchGoal], _ found: [MatchingAnalysis.Found], _ saved: Tensor,
    _ looks: MatchLooks, _ targets: Tensor
  ) throws -> [MatchingResult.Pair] {
    let numbers = found.flatMap { one in
      one.numbers.distance.indices.map { (one.numbers, $0) }
    }
    let recipe = analysis.options.recipe
    let subject = analysis.subjects[analysis.places[place].subject]
    let exact = subject.pixels(recipe.unit, Tensor.concatenated(found.map(\.pictures), 0))
    let after = MatchTensors.distances(looks.matched(place, at: place), targets)
    let norms = targets.to(.float64).norm(over: [1]).scalars(Double.self)
    let vectors = analysis.options.vectors
    let real = result.images.count - (vectors?.count ?? 0)
    return try goals.enumerated().map { row, pair in
      let (own, index) = numbers[row]
      let (source, target) = (
        originals.selected(0, pair.source), originals.selected(0, pair.target)
      )
      let picture = saved.selected(0, row)
      let change = (picture - source).to(.float64)
      let comparison = PictureComparison(picture, source)
      var one = MatchingResult.Pair(
        source: pair.source,
        target: vectors.map { real + pair.pair % $0.count } ?? pair.target,
        before: own.trace[index].first.map { Self.nearness($0.distance, $0.cosine) }
          ?? Self.nearness(0, .nan),
        after: Self.nearness(own.distance[index], own.cosine[index]),
        saved: Self.nearness(after.squared[row], after.cosines[row]), targetNorm: norms[row],
        change: MatchingResult.Change(
          euclidean: change.squared().sum().squareRoot().item(Double.self),
          maximum: change.absolute().maximum().item(Double.self), psnr: comparison.psnr,
          ssim: comparison.ssim),
        between: (target - source).to(.float64).squared().sum().squareRoot().item(Double.self),
        steps: own.endedAt[index],
        ending: (own.ended[index] ?? .steps).rawValue,
        trace: own.trace[index].map {
          MatchingResult.Point(
            step: $0.step, loss: $0.loss, distance: $0.distance,
            cosine: $0.cosine.isFinite ? $0.cosine : nil, change: $0.change)
        })
      guard one.before.distance.isFinite, one.after.distance.isFinite, norms[row].isFinite else {
        throw AnalysisError.site(
          analysis.places[place].representation.address,
          problem:
            "NaN or infinity in the embedding of '\(result.images[pair.source].id)' or '\(result.images[pair.target].id)'"
        )
      }
      let name =
        "\(subject.name)@\(analysis.places[place].representation.site.name)-pair-\(row + 1)"
      if !pair.others.isEmpty { one.others = pair.others }
      (one.picture, one.file) = try files.add(exact.selected(0, row), name, shown: picture)
      one.amplification = Self.amplification(change)
      one.difference = try PictureShelf.small(change.absolute() * one.amplification)
      return one
    }
  }

  private static func nearness(_ distance: Double, _ cosine: Double) -> MatchingResult.Nearness {
    MatchingResult.Nearness(distance: distance, cosine: cosine.isFinite ? cosine : nil)
  }

  /// What makes 99 in 100 numbers of |Δx| at most 1: 1, 2, 5, 10, 20, … 200.
  private static func amplification(_ change: Tensor) -> Double {
    let values = change.absolute().reshaped(-1).scalars(Double.self).sorted()
    guard !values.isEmpty else { return 1 }
    let high = values[min(values.count - 1, values.count * 99 / 100)]
    let steps = [200.0, 100, 50, 20, 10, 5, 2, 1]
    return steps.first { $0 * high <= 1 } ?? 1
  }
}
