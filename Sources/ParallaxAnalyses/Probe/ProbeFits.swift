import Foundation
import ParallaxMeasures
import ParallaxTensors

/// Fits and scores probes of one split: rows of features in, tallies out.
struct ProbeFits {
  let probe: FewShotProbe
  let draws: Int
  let classes: Int
  /// Rows of the images that are scored, and their classes.
  let test: [Int]
  let testLabels: [Int]
  /// The group of each.
  let groups: [Int]
  let intervals: ProbeIntervals
  /// Rows of the pool, class after class.
  let bank: [Int]
  let bankLabels: [Int]
  /// By number of shots, the images of each draw.
  private let drawn: [Int: [Draw]]

  /// - Parameters:
  ///   - split: of the images that were read.
  ///   - rows: of the features: places in the data set.
  ///   - shots: all numbers of shots that are asked for.
  ///   - draws: of the shots.
  ///   - groups: of test images; none where there are fewer than two images a group.
  ///   - penalties: λ.
  init(_ split: ProbeSplit, rows: [Int], shots: [Int], draws: Int, groups: Int, penalties: [Double])
  {
    probe = FewShotProbe(penalties: penalties)
    self.draws = draws
    classes = split.classes.count
    let rowOf = Dictionary(
      rows.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
    func flat(_ members: [[Int]]) -> (rows: [Int], labels: [Int]) {
      let pairs = members.enumerated().flatMap { label, places in
        places.compactMap { place in rowOf[place].map { ($0, label) } }
      }
      return (pairs.map(\.0), pairs.map(\.1))
    }
    let (test, testLabels) = flat(split.test)
    (self.test, self.testLabels) = (test, testLabels)
    (bank, bankLabels) = flat(split.pool)
    let count = test.count < 2 * groups ? 1 : groups
    self.groups = test.indices.map { $0 % count }
    intervals = ProbeIntervals(
      draws: draws,
      sizes: (0..<count).map { group in test.indices.count { $0 % count == group } })
    let orders = (0..<draws).map(split.draw)
    drawn = Dictionary(
      uniqueKeysWithValues: Set(shots).map { shots in
        (shots, orders.indices.map { Draw(orders[$0], shots, split, draw: $0, rowOf) })
      })
  }

  /// The images of one draw.
  struct Draw {
    var train: [Int]
    var labels: [Int]
    var shuffled: [Int]
    /// Empty where a class has no image left.
    var held: [Int]
    var heldLabels: [Int]

    /// - Parameters:
    ///   - order: by class, places in the order in which shots are taken.
    ///   - shots: images a class.
    ///   - split: says how shuffled labels are dealt out.
    ///   - draw: its number.
    ///   - rows: of the features, by place.
    init(_ order: [[Int]], _ shots: Int, _ split: ProbeSplit, draw: Int, _ rows: [Int: Int]) {
      let chosen = order.map { Array($0.prefix(shots)) }
      let places = chosen.flatMap(\.self)
      train = places.compactMap { rows[$0] }
      labels = chosen.enumerated().flatMap { label, places in places.map { _ in label } }
      let own = Dictionary(
        zip(places, labels).map { ($0, $1) }, uniquingKeysWith: { first, _ in first })
      shuffled = split.shuffled(places, draw: draw).map { own[$0] ?? 0 }
      let left = order.map { Array($0.dropFirst(shots)) }
      let canTune = left.allSatisfy { !$0.isEmpty }
      held = canTune ? left.flatMap(\.self).compactMap { rows[$0] } : []
      heldLabels =
        canTune
        ? left.enumerated().flatMap { label, places in places.map { _ in label } } : []
    }
  }

  func images(_ draw: Int, shots: Int) -> Draw {
    guard let found = drawn[shots]?[draw] else {
      preconditionFailure("ProbeFits: \(shots) shots were not asked for")
    }
    return found
  }

  /// What least squares found of one representation.
  struct Found {
    var tally: ProbeTally
    var shuffled: ProbeTally
    /// The place of λ by draw.
    var penalties: [Int]
    var tuned: Int
    /// Accuracy by λ, mean over draws.
    var byPenalty: [Double]
  }

  /// The place of the λ that finds the most held-out images; of equals the one nearest to 2¹⁰, the larger of two.
  func chosen(_ hits: [Int]) -> Int {
    let distances = probe.penalties.map { abs(log2($0 / FewShotProbe.defaultPenalty)) }
    return probe.penalties.indices.max {
      (hits[$0], -distances[$0], $0) < (hits[$1], -distances[$1], $1)
    } ?? 0
  }

  /// Where nothing was held out: 2¹⁰, or what is nearest.
  var untuned: Int { chosen(probe.penalties.map { _ in 0 }) }

  /// Least squares with so many shots, of representations side by side.
  ///
  /// - Parameters:
  ///   - features: `[representations, rows, width]`.
  ///   - shots: training images a class.
  /// - Returns: one finding a representation.
  /// - Throws: `MeasureError.notFinite`, `TensorError.operation` where LAPACK does not converge.
  func leastSquares(_ features: Tensor, shots: Int) throws -> [Found] {
    let count = features.shape[0]
    let penalties = probe.penalties.count
    var hits = [[[Bool]]](repeating: [], count: count)
    var shuffledHits = hits
    var places = [[Int]](repeating: [], count: count)
    var sums = [[Double]](repeating: [Double](repeating: 0, count: penalties), count: count)
    var tuned = 0
    for draw in 0..<draws {
      let images = images(draw, shots: shots)
      let fit = try probe.fit(
        features.gathered(1, images.train), labellings: [images.labels, images.shuffled],
        classes: classes)
      let rows = images.held + test
      // [representations, rows, penalties, labellings]
      let found = fit.classes(of: features.gathered(1, rows)).scalars(Int64.self)
      if !images.held.isEmpty { tuned += 1 }
      for one in 0..<count {
        func label(_ row: Int, _ penalty: Int, _ labelling: Int) -> Int {
          Int(found[((one * rows.count + row) * penalties + penalty) * 2 + labelling])
        }
        let held = (0..<penalties).map { penalty in
          images.held.indices.count { label($0, penalty, 0) == images.heldLabels[$0] }
        }
        let place = images.held.isEmpty ? untuned : chosen(held)
        places[one].append(place)
        let first = images.held.count
        hits[one].append(
          test.indices.map { label(first + $0, place, 0) == testLabels[$0] })
        shuffledHits[one].append(
          test.indices.map { label(first + $0, place, 1) == testLabels[$0] })
        for penalty in 0..<penalties {
          let right = test.indices.count { label(first + $0, penalty, 0) == testLabels[$0] }
          sums[one][penalty] += Double(right) / Double(test.count * draws)
        }
      }
    }
    return (0..<count).map { one in
      Found(
        tally: tally(hits[one]), shuffled: tally(shuffledHits[one]), penalties: places[one],
        tuned: tuned, byPenalty: sums[one])
    }
  }

  /// Votes of the nearest images of the pool.
  func neighbours(_ features: Tensor) throws -> (
    votes: [(count: Int, tally: ProbeTally)], weighted: ProbeTally
  ) {
    let votes = try NeighbourProbe()(
      features.gathered(0, test), bank: features.gathered(0, bank), labels: bankLabels,
      classes: classes)
    func right(_ labels: [Int]) -> ProbeTally { tally([zip(labels, testLabels).map(==)]) }
    return (
      votes.majority.sorted { $0.key < $1.key }.map { ($0.key, right($0.value)) },
      right(votes.weighted)
    )
  }

  /// Logistic regression on standardised features.
  func logistic(_ features: Tensor, shots: Int, penalty: Double) throws -> ProbeTally {
    tally(
      try (0..<draws).map { draw in
        let images = images(draw, shots: shots)
        let train = features.gathered(0, images.train)
        let standardised = Standardisation(of: train)
        let fit = try LogisticProbe(penalty: penalty, tolerance: 1e-6).fit(
          standardised(train), labels: images.labels, classes: classes)
        return zip(fit.classes(of: standardised(features.gathered(0, test))), testLabels).map(==)
      })
  }

  /// Hits by draw as sums by group of test images.
  func tally(_ isHit: [[Bool]]) -> ProbeTally {
    ProbeTally(isHit, groups: groups, count: intervals.sizes.count)
  }
}
