import ParallaxResults

/// What one matrix of CKA between the sub-layers of a model says of its structure.
struct StructureNumbers {
  /// Row by row; nil where undefined.
  let values: [[Double?]]
  let depths: [Double]
  let kinds: [StructureResult.Kind]
  let units: [Int]
  let stages: [String]

  private var count: Int { values.count }

  /// The mean over pairs of two different sub-layers that are wanted.
  private func mean(where isWanted: (Int, Int) -> Bool) -> Double? {
    var (total, number) = (0.0, 0)
    for row in 0..<count {
      for column in (row + 1)..<max(row + 1, count) where isWanted(row, column) {
        guard let value = values[row][column] else { continue }
        (total, number) = (total + value, number + 1)
      }
    }
    return number > 0 ? total / Double(number) : nil
  }

  /// Mean off-diagonal CKA.
  var uniformity: Double? { mean { _, _ in true } }

  /// Mean CKA of the first third of the depth with the last.
  var lowToHigh: Double? {
    mean { row, column in depths[row] <= 1.0 / 3 && depths[column] >= 2.0 / 3 }
  }

  /// CKA of one kind less CKA of two kinds: for each distance of 1, 2, … blocks the difference of the means, then the mean
  /// over distances. Nil where blocks have one kind.
  var grid: Double? {
    var same: [Int: (Double, Int)] = [:]
    var different: [Int: (Double, Int)] = [:]
    for row in 0..<count where units[row] >= 0 {
      for column in (row + 1)..<max(row + 1, count) where units[column] > units[row] {
        guard let value = values[row][column] else { continue }
        let distance = units[column] - units[row]
        if kinds[row] == kinds[column] {
          let old = same[distance] ?? (0, 0)
          same[distance] = (old.0 + value, old.1 + 1)
        } else {
          let old = different[distance] ?? (0, 0)
          different[distance] = (old.0 + value, old.1 + 1)
        }
      }
    }
    let differences = same.compactMap { distance, sum -> Double? in
      different[distance].map { sum.0 / Double(sum.1) - $0.0 / Double($0.1) }
    }.sorted()
    return differences.isEmpty ? nil : differences.reduce(0, +) / Double(differences.count)
  }

  /// Mean CKA within the two sides of a cut less mean CKA across it; nil where a side has no pair.
  func cut(before place: Int) -> Double? { contrast(0..<place, place..<count) }

  /// The cut with the largest contrast that leaves a tenth of the sub-layers, at least two, on either side.
  var bestCut: Int? {
    let least = max(2, count / 10)
    guard count >= 2 * least else { return nil }
    // Sums over squares and rectangles from a table of sums, so that all cuts cost one pass.
    var sums = [(value: Double, known: Int)](
      repeating: (0, 0), count: (count + 1) * (count + 1))
    for row in 0..<count {
      var (total, known) = (0.0, 0)
      for column in 0..<count {
        if row != column, let value = values[row][column] {
          (total, known) = (total + value, known + 1)
        }
        let above = sums[row * (count + 1) + column + 1]
        sums[(row + 1) * (count + 1) + column + 1] = (above.value + total, above.known + known)
      }
    }
    func block(_ rows: Range<Int>, _ columns: Range<Int>) -> (value: Double, known: Int) {
      func at(_ row: Int, _ column: Int) -> (value: Double, known: Int) {
        sums[row * (count + 1) + column]
      }
      let corners = [
        at(rows.upperBound, columns.upperBound), at(rows.lowerBound, columns.upperBound),
        at(rows.upperBound, columns.lowerBound), at(rows.lowerBound, columns.lowerBound),
      ]
      return (
        corners[0].value - corners[1].value - corners[2].value + corners[3].value,
        corners[0].known - corners[1].known - corners[2].known + corners[3].known
      )
    }
    var best: (place: Int, contrast: Double)?
    for place in least...(count - least) {
      let (first, second) = (block(0..<place, 0..<place), block(place..<count, place..<count))
      let across = block(0..<place, place..<count)
      guard first.known + second.known > 0, across.known > 0 else { continue }
      let contrast =
        (first.value + second.value) / Double(first.known + second.known)
        - across.value / Double(across.known)
      if best.map({ contrast > $0.contrast }) ?? true { best = (place, contrast) }
    }
    return best?.place
  }

  /// The edge between each sub-layer and the next: ``StructureResult/window`` sub-layers on either side.
  var edges: [Double?] {
    let window = StructureResult.window
    return (1..<max(1, count)).map { place in
      guard place >= window, place + window <= count else { return nil }
      return contrast(place - window..<place, place..<place + window)
    }
  }

  /// The mean edge where a stage begins, less the mean of the others.
  var stageEdges: Double? {
    var (begins, others): ([Double], [Double]) = ([], [])
    for (index, edge) in edges.enumerated() {
      guard let edge else { continue }
      if stages[index] != stages[index + 1] { begins.append(edge) } else { others.append(edge) }
    }
    guard !begins.isEmpty, !others.isEmpty else { return nil }
    return begins.reduce(0, +) / Double(begins.count) - others.reduce(0, +) / Double(others.count)
  }

  private func contrast(_ first: Range<Int>, _ second: Range<Int>) -> Double? {
    var (within, across) = ((total: 0.0, known: 0), (total: 0.0, known: 0))
    for row in first.lowerBound..<second.upperBound {
      for column in (row + 1)..<max(row + 1, second.upperBound) {
        guard let value = values[row][column] else { continue }
        if first.contains(row) == first.contains(column) {
          within = (within.total + value, within.known + 1)
        } else {
          across = (across.total + value, across.known + 1)
        }
      }
    }
    guard within.known > 0, across.known > 0 else { return nil }
    return within.total / Double(within.known) - across.total / Double(across.known)
  }
}

extension SimilarityResult {
  /// Which layers of model `a` correspond to which of `b`, in numbers that can be computed again with images left out.
  struct Matching {
    var monotonicity: Double?
    /// Of the first, middle and last third of `a`'s depth.
    var partnerDepths: [Double?]
    var strengths: [Double?]
    var half: Double?
  }

  /// The strongest partners and the best-matching path of two models.
  func matching(_ a: Int, _ b: Int) -> Matching {
    let own = models[a].sites.map(\.depth)
    let other = models[b].sites.map(\.depth)
    var found: [(depth: Double, partner: Double, value: Double)] = []
    for partner in partners(a, b) {
      guard let column = partner.partner, let value = partner.value else { continue }
      found.append((own[partner.site], other[column], value))
    }
    let thirds = (0..<3).map { third in
      found.filter { min(2, Int($0.depth * 3)) == third }
    }
    let way = path(a, b)
    let nearest = way.map { abs(own[$0.row] - 0.5) }.min()
    let middle = way.filter { abs(own[$0.row] - 0.5) == nearest }.map { other[$0.column] }
    return Matching(
      monotonicity: Statistics.spearman(found.map(\.depth), found.map(\.partner)),
      partnerDepths: thirds.map { $0.isEmpty ? nil : Statistics.mean($0.map(\.partner)) },
      strengths: thirds.map { $0.isEmpty ? nil : Statistics.mean($0.map(\.value)) },
      half: middle.isEmpty ? nil : Statistics.mean(middle))
  }
}
