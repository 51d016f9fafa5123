import ParallaxTensors

/// One pass over the blocks of distances; everything in the order of the classes.
struct KStarRun {
  private let settings: KStar
  private var distances: ConceptDistances
  private let rows: ConceptOrder
  private let columns: ConceptOrder
  private let isSelf: Bool
  /// The class of each column.
  private let classes: [Int]
  /// From images to columns.
  private let toColumns: [Int]
  private(set) var lists: [[Int]] = []
  private(set) var ranks: [Int]
  /// The first of another class, as an image.
  private(set) var breakers: [Int]
  private(set) var silhouettes: [Double] = []
  private(set) var tied = 0
  private(set) var recomputed = 0
  /// Of each row the first column at no distance by a given matrix; −1 where there is none.
  private(set) var atZero: [Int] = []

  init(
    _ settings: KStar, _ distances: ConceptDistances, _ rows: ConceptOrder,
    _ columns: ConceptOrder, isSelf: Bool
  ) {
    (self.settings, self.distances, self.rows, self.columns) = (settings, distances, rows, columns)
    self.isSelf = isSelf
    ranks = [Int](repeating: 0, count: rows.order.count)
    breakers = settings.hasBreakers ? ranks : []
    toColumns = settings.neighbours > 0 ? columns.inverse : []
    classes = columns.ranges.enumerated().flatMap { label, range in range.map { _ in label } }
  }

  /// Runs over all blocks.
  ///
  /// - Parameter progress: told the share of the rows that is done; what it throws stops the run.
  /// - Throws: what `progress` throws.
  mutating func callAsFunction(_ progress: (Double) throws -> Void) throws {
    let needsExact = settings.neighbours > 0 || settings.hasSilhouettes
    for start in stride(from: 0, to: rows.order.count, by: distances.blockSize) {
      try progress(Double(start) / Double(rows.order.count))
      let span = start..<min(start + distances.blockSize, rows.order.count)
      let block = try distances.block(span, isNearExact: needsExact)
      for (label, range) in rows.ranges.enumerated() {
        let own = range.clamped(to: span)
        guard !own.isEmpty else { continue }
        recomputed += try count(
          block.sliced(0, own.lowerBound - start, own.upperBound - start), Array(own),
          columns.ranges[label])
      }
      if settings.neighbours > 0 { lists += try neighbours(block, Array(span)) }
      if settings.metric == .precomputed { addZeros(of: block) }
      if settings.hasSilhouettes { addSilhouettes(of: block, span) }
    }
  }

  /// Which images coincide, in the order of the columns and, against a bank, of the queries after them.
  mutating func equalRows() -> IdenticalRows {
    guard settings.metric == .precomputed else { return distances.equalRows() }
    var first = Array(0..<(isSelf ? columns.order.count : columns.order.count + rows.order.count))
    for (row, column) in atZero.enumerated() where column >= 0 {
      let place = distances.place(ofRow: row)
      first[max(place, column)] = min(first[place], first[column])
    }
    return IdenticalRows(first: first)
  }

  private static let least = Operator("aten::amin")
  private static let first = Operator("aten::min.dim")
  private static let minimum = Operator("aten::minimum")
  private static let atMost = Operator("aten::le.Tensor")
  private static let both = Operator("aten::logical_and")

  /// Whatever lies so near to a level that rounding may have put it on the wrong side is this many a row at most, or is computed by
  /// products in float64 first.
  private var fewPairs: Int { max(64, columns.order.count / 20) }

  /// The ranks of some rows of one class.
  ///
  /// - Returns: how many of them had to be computed again.
  private mutating func count(
    _ block: Tensor, _ span: [Int], _ own: Range<Int>
  ) throws -> Int {
    let sides = [(0, own.lowerBound), (own.upperBound, columns.order.count)].filter { $0.0 < $0.1 }
    let parts = sides.map { block.sliced(1, $0.0, $0.1) }
    var levels: [Tensor] = []
    if settings.hasBreakers {
      var nearest = [(level: Double, column: Int)](repeating: (.infinity, 0), count: span.count)
      for (part, side) in zip(parts, sides) {
        let found = Self.first.all([part, 1, false])
        levels.append(found[0])
        for (row, (level, place)) in zip(
          found[0].to(.float64).scalars(Double.self), found[1].scalars(Int64.self)
        ).enumerated() where level < nearest[row].level {
          nearest[row] = (level, side.0 + Int(place))
        }
      }
      for (row, one) in nearest.enumerated() {
        breakers[span[row]] = columns.order[one.column]
      }
    } else {
      levels = parts.map { Self.least($0, [1], false) }
    }
    let level = levels.count == 2 ? Self.minimum(levels[0], levels[1]) : levels[0]
    let margin = distances.margin(distances.norms(span, of: block), level) * 2.0
    let (low, high) = ((level - margin).unsqueezed(1), (level + margin).unsqueezed(1))
    let same = block.sliced(1, own.lowerBound, own.upperBound)
    let sure = Plain.less(same, low).sum(over: [1]).scalars(Int64.self)
    let possible = Self.atMost(same, high).sum(over: [1]).scalars(Int64.self)
    var others = [Int64](repeating: 1, count: span.count)
    if settings.hasBreakers {
      let found = parts.map { Self.atMost($0, high).sum(over: [1]).scalars(Int64.self) }
      for row in others.indices { others[row] = found.reduce(0) { $0 + $1[row] } }
    }
    for (row, found) in sure.enumerated() { ranks[span[row]] = 1 + Int(found) }
    let open = sure.indices.filter { possible[$0] > sure[$0] || others[$0] > 1 }
    guard !open.isEmpty else { return 0 }
    let rows = open.map { span[$0] }
    let near = block.gathered(0, open)
    let within = Self.both(
      Self.atMost(near, high.gathered(0, open)), Self.atMost(low.gathered(0, open), near))
    let pairs = within.sum(over: [1]).scalars(Int64.self).map(Int.init)
    if pairs.reduce(0, +) > rows.count * fewPairs,
      let precise = try distances.precise(rows, than: block)
    {
      _ = try count(precise, rows, own)
    } else {
      for part in Self.parts(pairs) {
        settle(Array(rows[part]), Self.places(within, part), own)
      }
    }
    return open.count
  }

  /// Pairs that are settled at once: where many images lie together, all of them are pairs.
  private static let mostPairs = 1 << 17

  /// Rows cut so that no part has more pairs than ``mostPairs``, or is one row.
  private static func parts(_ pairs: [Int]) -> [Range<Int>] {
    var (found, start, sum) = ([Range<Int>](), 0, 0)
    for (row, count) in pairs.enumerated() {
      if row > start, sum + count > mostPairs {
        found.append(start..<row)
        (start, sum) = (row, 0)
      }
      sum += count
    }
    return found + [start..<pairs.count]
  }

  /// The pairs of some rows: a place among these rows and a column, one after the other.
  private static func places(_ within: Tensor, _ rows: Range<Int>) -> [Int] {
    Plain.nonzero(within.sliced(0, rows.lowerBound, rows.upperBound)).scalars(Int64.self)
      .map(Int.init)
  }

  /// Exact distances of pairs, once for all that are the same.
  private mutating func exact(_ rows: [Int], _ columns: [Int]) -> [Double] {
    guard rows.count > 1 << 12 else { return distances.exact(rows, columns) }
    let equal = distances.equalRows()
    guard !equal.groups.isEmpty else { return distances.exact(rows, columns) }
    var (left, right): ([Int], [Int]) = ([], [])
    var slots = [Int](repeating: 0, count: rows.count)
    // Of the last row seen with each group of columns: pairs come row by row.
    var seen = [(row: Int, slot: Int)](repeating: (-1, 0), count: equal.first.count)
    for at in rows.indices {
      let like = equal.first[columns[at]]
      if seen[like].row != rows[at] {
        seen[like] = (rows[at], left.count)
        left.append(rows[at])
        right.append(columns[at])
      }
      slots[at] = seen[like].slot
    }
    let found = distances.exact(left, right)
    return slots.map { found[$0] }
  }

  /// The ranks of rows whose nearest are too close to one another for the products.
  ///
  /// - Parameters:
  ///   - open: rows.
  ///   - places: pairs of a place among those rows and a column.
  ///   - own: the columns of the rows' class.
  private mutating func settle(_ open: [Int], _ places: [Int], _ own: Range<Int>) {
    let pairs = stride(from: 0, to: places.count, by: 2).map { (places[$0], places[$0 + 1]) }
    let exact = exact(pairs.map { open[$0.0] }, pairs.map(\.1))
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
      if settings.hasBreakers { breakers[row] = first }
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

  /// Who comes first of equally far images.
  private func turn(_ column: Int, _ label: Int) -> Int {
    switch settings.ties {
    case .index: 0
    case .pessimistic: classes[column] == label ? 1 : 0
    case .optimistic: classes[column] == label ? 0 : 1
    }
  }

  /// The nearest images of some rows, in order: by exact distance, then as ties are broken, then by index.
  private mutating func neighbours(_ block: Tensor, _ span: [Int]) throws -> [[Int]] {
    let kept = settings.neighbours
    // The images' own order, for of equally far ones the first counts.
    let ordered = block.gathered(1, toColumns)
    var found = Nearest(images: columns.order.count, count: kept)
    if ordered.dtype == .float64 {
      found.add(rows: ordered.scalars(Double.self))
    } else {
      found.add(rows: ordered.scalars(Float.self))
    }
    var lists = span.indices.map { row in
      found.indices[(row * kept)..<((row + 1) * kept)].map(Int.init)
    }
    let last = span.indices.map { found.squares[($0 + 1) * kept - 1] }
    let past = span.indices.map { found.beyond[$0].isFinite ? found.beyond[$0] : last[$0] }
    let level = Tensor(past, shape: [past.count]).to(block.dtype).to(block.device)
    let margins = (distances.margin(distances.norms(span, of: block), level) * 2.0)
      .to(.float64).scalars(Double.self)
    let open = span.indices.filter { row in
      let own = found.squares[(row * kept)..<((row + 1) * kept)]
      return zip(own, own.dropFirst() + [found.beyond[row]]).contains { $1 - $0 <= margins[row] }
    }
    guard !open.isEmpty else { return lists }
    let rows = open.map { span[$0] }
    let highest = Tensor(open.map { last[$0] + margins[$0] }, shape: [open.count, 1])
      .to(.float64).to(block.device)
    let within = Self.atMost(ordered.gathered(0, open), highest)
    let counts = within.sum(over: [1]).scalars(Int64.self).map(Int.init)
    if counts.reduce(0, +) > rows.count * (kept + fewPairs),
      let precise = try distances.precise(rows, than: block)
    {
      for (row, list) in zip(open, try neighbours(precise, rows)) { lists[row] = list }
      return lists
    }
    for part in Self.parts(counts) {
      let found = ranked(Array(rows[part]), Self.places(within, part))
      for (row, list) in zip(open[part], found) { lists[row] = list }
    }
    return lists
  }

  /// The nearest of rows whose candidates are too close to one another for the products.
  ///
  /// - Parameters:
  ///   - rows: rows.
  ///   - places: pairs of a place among those rows and an image.
  /// - Returns: images, a list for each row.
  private mutating func ranked(_ rows: [Int], _ places: [Int]) -> [[Int]] {
    let kept = settings.neighbours
    let pairs = stride(from: 0, to: places.count, by: 2).map { (places[$0], places[$0 + 1]) }
    let exact = exact(pairs.map { rows[$0.0] }, pairs.map { toColumns[$0.1] })
    var at = 0
    return rows.enumerated().map { place, row in
      let label = self.rows.ranges.firstIndex { $0.contains(row) } ?? 0
      var best: [(distance: Double, turn: Int, image: Int)] = []
      while at < pairs.count, pairs[at].0 == place {
        let image = pairs[at].1
        let one = (exact[at], turn(toColumns[image], label), image)
        at += 1
        if best.count == kept, let worst = best.last, one >= worst { continue }
        let position = best.firstIndex { one < $0 } ?? best.count
        best.insert(one, at: position)
        if best.count > kept { best.removeLast() }
      }
      return best.map(\.image)
    }
  }

  private static let equal = Operator("aten::eq.Scalar")
  private static let any = Operator("aten::any.dim")

  private mutating func addZeros(of block: Tensor) {
    let zero = Self.equal(block, 0.0)
    let has = Self.any(zero, 1, false).to(.int64).scalars(Int64.self)
    let place = zero.to(.uint8).argmax(1).scalars(Int64.self)
    atZero += zip(has, place).map { $0 > 0 ? Int($1) : -1 }
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
