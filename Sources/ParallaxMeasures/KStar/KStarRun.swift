import ParallaxTensors

/// One pass over the blocks of distances; everything in the order of the classes.
struct KStarRun {
  private let settings: KStar
  private let distances: ConceptDistances
  private let rows: ConceptOrder
  private let columns: ConceptOrder
  private let isSelf: Bool
  private let bankLabels: [Int]
  private let toImages: [Int]
  private var nearest: Nearest?
  private(set) var ranks: [Int]
  private(set) var silhouettes: [Double] = []
  private(set) var tied = 0
  private(set) var recomputed = 0

  init(
    _ settings: KStar, _ distances: ConceptDistances, _ rows: ConceptOrder,
    _ columns: ConceptOrder, isSelf: Bool, bankLabels: [Int]
  ) {
    (self.settings, self.distances, self.rows, self.columns) = (settings, distances, rows, columns)
    (self.isSelf, self.bankLabels) = (isSelf, bankLabels)
    ranks = [Int](repeating: 0, count: rows.order.count)
    toImages = settings.neighbours > 0 ? columns.inverse : []
    nearest =
      settings.neighbours > 0
      ? Nearest(images: columns.order.count, count: settings.neighbours) : nil
  }

  /// The nearest of each row.
  var lists: [[Int]] {
    guard let nearest else { return [] }
    return ranks.indices.map { row in
      nearest.indices[(row * nearest.count)..<((row + 1) * nearest.count)].map(Int.init)
    }
  }

  /// How many of the nearest of each row are at no distance.
  var counts: [Int] {
    guard let nearest else { return [] }
    return ranks.indices.map { row in
      nearest.squares[(row * nearest.count)..<((row + 1) * nearest.count)].prefix { $0 == 0 }.count
    }
  }

  mutating func callAsFunction() {
    let needsExact = settings.neighbours > 0 || settings.hasSilhouettes
    for start in stride(from: 0, to: rows.order.count, by: distances.blockSize) {
      let span = start..<min(start + distances.blockSize, rows.order.count)
      let block = distances.block(span, isNearExact: needsExact)
      for (label, range) in rows.ranges.enumerated() {
        let own = range.clamped(to: span)
        guard !own.isEmpty else { continue }
        count(
          block.sliced(0, own.lowerBound - start, own.upperBound - start), own,
          columns.ranges[label])
      }
      if nearest != nil { addNeighbours(of: block) }
      if settings.hasSilhouettes { addSilhouettes(of: block, span) }
    }
  }

  private static let least = Operator("aten::amin")
  private static let minimum = Operator("aten::minimum")
  private static let atMost = Operator("aten::le.Tensor")
  private static let both = Operator("aten::logical_and")

  /// The ranks of some rows of one class.
  private mutating func count(_ block: Tensor, _ span: Range<Int>, _ own: Range<Int>) {
    let sides = [(0, own.lowerBound), (own.upperBound, columns.order.count)].filter { $0.0 < $0.1 }
      .map { Self.least(block.sliced(1, $0.0, $0.1), [1], false) }
    let level = sides.count == 2 ? Self.minimum(sides[0], sides[1]) : sides[0]
    let margin = distances.margin(span, level) * 2.0
    let (low, high) = ((level - margin).unsqueezed(1), (level + margin).unsqueezed(1))
    let same = block.sliced(1, own.lowerBound, own.upperBound)
    let sure = Plain.less(same, low).sum(over: [1]).scalars(Int64.self)
    let possible = Self.atMost(same, high).sum(over: [1]).scalars(Int64.self)
    for (row, found) in sure.enumerated() { ranks[span.lowerBound + row] = 1 + Int(found) }
    let open = sure.indices.filter { possible[$0] > sure[$0] }
    guard !open.isEmpty else { return }
    recomputed += open.count
    let near = block.gathered(0, open)
    let places = Plain.nonzero(
      Self.both(
        Self.atMost(near, high.gathered(0, open)), Self.atMost(low.gathered(0, open), near))
    ).scalars(Int64.self).map(Int.init)
    settle(open.map { span.lowerBound + $0 }, places, own)
  }

  /// The ranks of rows whose nearest are too close to one another for the products.
  ///
  /// - Parameters:
  ///   - open: rows.
  ///   - places: pairs of a place among those rows and a column.
  ///   - own: the columns of the rows' class.
  private mutating func settle(_ open: [Int], _ places: [Int], _ own: Range<Int>) {
    let pairs = stride(from: 0, to: places.count, by: 2).map { (places[$0], places[$0 + 1]) }
    let exact = distances.exact(pairs.map { open[$0.0] }, pairs.map(\.1))
    var from = 0
    for (place, row) in open.enumerated() {
      var end = from
      while end < pairs.count, pairs[end].0 == place { end += 1 }
      var (level, first) = (Double.infinity, Int.max)
      for at in from..<end where !own.contains(pairs[at].1) {
        let image = columns.order[pairs[at].1]
        if exact[at] < level || (exact[at] == level && image < first) {
          (level, first) = (exact[at], image)
        }
      }
      var equal = false
      for at in from..<end where own.contains(pairs[at].1) {
        if exact[at] < level {
          ranks[row] += 1
        } else if exact[at] == level {
          equal = true
          switch settings.ties {
          case .pessimistic: break
          case .optimistic: ranks[row] += 1
          case .index: if columns.order[pairs[at].1] < first { ranks[row] += 1 }
          }
        }
      }
      if equal { tied += 1 }
      from = end
    }
  }

  private mutating func addNeighbours(of block: Tensor) {
    // The images' own order, for of equally far ones the first counts.
    let ordered = block.gathered(1, toImages)
    if ordered.dtype == .float64 {
      nearest?.add(rows: ordered.scalars(Double.self))
    } else {
      nearest?.add(rows: ordered.scalars(Float.self))
    }
  }

  /// (b − a)/max(a, b): a the mean distance to the others of the class, b the least mean distance to another class.
  ///
  /// > Source: Rousseeuw, 1987, J. Comput. Appl. Math. 20, 53–65; scikit-learn's `silhouette_samples`, which gives 0 to an image
  /// > that is alone in its class.
  private mutating func addSilhouettes(of block: Tensor, _ span: Range<Int>) {
    if isSelf {
      // Nothing between an image and itself.
      for row in span {
        _ = InPlace.fill(block.selected(0, row - span.lowerBound).selected(0, row), 0.0)
      }
    }
    let lengths = distances.lengths(block)
    let sums = columns.ranges.map { range -> [Double] in
      guard !range.isEmpty else { return [] }
      return lengths.sliced(1, range.lowerBound, range.upperBound)
        .sum(over: [1], in: Gram.wide(lengths)).scalars(Double.self)
    }
    for (label, range) in rows.ranges.enumerated() {
      for row in range.clamped(to: span) {
        let at = row - span.lowerBound
        let others = columns.ranges[label].count - (isSelf ? 1 : 0)
        guard others > 0 else {
          silhouettes.append(0)
          continue
        }
        let a = sums[label][at] / Double(others)
        let b =
          columns.ranges.indices.filter { $0 != label && !columns.ranges[$0].isEmpty }
          .map { sums[$0][at] / Double(columns.ranges[$0].count) }.min() ?? 0
        silhouettes.append(max(a, b) > 0 ? (b - a) / max(a, b) : 0)
      }
    }
  }
}
