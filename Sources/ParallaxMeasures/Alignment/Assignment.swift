/// The one-to-one assignment of rows to columns with the least total cost.
///
/// Every row of the shorter side gets a column of its own. Rows first take the column that is cheapest at
/// the columns' prices and raise its price (two rounds of augmenting row reduction); rows that are left
/// find theirs along shortest augmenting paths. O(rows² · columns), rows ≤ columns, memory one matrix.
///
/// Prices of columns that stay free are never touched, which is what makes the rectangular case exact.
///
/// > Source: Jonker and Volgenant, 1987, Computing 38, 325–340; rectangular: Crouse, 2016, IEEE
/// > Transactions on Aerospace and Electronic Systems 52(4), 1679–1696.
struct Assignment: Sendable, Equatable {
  /// The row of each pair.
  let rows: [Int]
  /// The column of each pair.
  let columns: [Int]

  /// - Parameters:
  ///   - costs: row by row, finite.
  ///   - width: the number of columns.
  /// - Precondition: `costs` fills whole rows.
  init(costs: [Double], width: Int) {
    precondition(width > 0 && costs.count.isMultiple(of: width), "Assignment: rows of one width")
    let height = costs.count / width
    if height <= width {
      var search = Search(costs: costs, height: height, width: width)
      columns = search.solve()
      rows = Array(0..<height)
    } else {
      var turned = [Double](repeating: 0, count: costs.count)
      for row in 0..<height {
        for column in 0..<width {
          turned[column * height + row] = costs[row * width + column]
        }
      }
      var search = Search(costs: turned, height: width, width: height)
      rows = search.solve()
      columns = Array(0..<width)
    }
  }

  /// The sum of the costs of all pairs.
  func total(_ costs: [Double], width: Int) -> Double {
    zip(rows, columns).reduce(0) { $0 + costs[$1.0 * width + $1.1] }
  }
}

/// The state of the search for one assignment: height ≤ width.
private struct Search {
  private static let free = -1

  let costs: [Double]
  let height: Int
  let width: Int
  /// What a column costs on top, at most 0; an assigned row has no cheaper column than its own.
  var prices: [Double]
  /// The row that each column belongs to.
  var owners: [Int]
  /// The column of each row.
  var chosen: [Int]

  init(costs: [Double], height: Int, width: Int) {
    (self.costs, self.height, self.width) = (costs, height, width)
    prices = [Double](repeating: 0, count: width)
    owners = [Int](repeating: Self.free, count: width)
    chosen = [Int](repeating: Self.free, count: height)
  }

  mutating func solve() -> [Int] {
    var waiting = Array(0..<height)
    for _ in 0..<2 where width > 1 { waiting = reduceRows(waiting) }
    for row in waiting { augment(from: row) }
    return chosen
  }

  /// Gives each row its cheapest column, at a price that makes the second cheapest as good; returns the rows
  /// that lost theirs.
  private mutating func reduceRows(_ waiting: [Int]) -> [Int] {
    var left: [Int] = []
    for row in waiting {
      let start = row * width
      var (best, second) = (0, 1)
      var (low, next) = (Double.infinity, Double.infinity)
      for column in 0..<width {
        let cost = costs[start + column] - prices[column]
        if cost < low {
          (second, next) = (best, low)
          (best, low) = (column, cost)
        } else if cost < next {
          (second, next) = (column, cost)
        }
      }
      // Of two columns that are as good, the free one.
      if low == next, owners[best] != Self.free { best = second }
      prices[best] -= next - low
      let loser = owners[best]
      if loser != Self.free {
        chosen[loser] = Self.free
        left.append(loser)
      }
      (owners[best], chosen[row]) = (row, best)
    }
    return left
  }

  /// Dijkstra's search from a row to the nearest free column, and the exchange along the way.
  private mutating func augment(from source: Int) {
    let start = source * width
    var distances = (0..<width).map { costs[start + $0] - prices[$0] }
    var predecessors = [Int](repeating: source, count: width)
    var open = Array(0..<width)
    var scanned: [Int] = []
    while true {
      // The nearest column that is not done, a free one where several are as near.
      var nearest = 0
      for index in open.indices.dropFirst() {
        let (here, there) = (distances[open[index]], distances[open[nearest]])
        if here < there || (here == there && owners[open[index]] == Self.free) { nearest = index }
      }
      let column = open[nearest]
      let reached = distances[column]
      let row = owners[column]
      if row == Self.free {
        for done in scanned { prices[done] += distances[done] - reached }
        exchange(to: column, source, predecessors)
        return
      }
      open.swapAt(nearest, open.count - 1)
      open.removeLast()
      scanned.append(column)
      let offset = costs[row * width + column] - prices[column] - reached
      for other in open {
        let distance = costs[row * width + other] - prices[other] - offset
        if distance < distances[other] {
          (distances[other], predecessors[other]) = (distance, row)
        }
      }
    }
  }

  private mutating func exchange(to last: Int, _ source: Int, _ predecessors: [Int]) {
    var column = last
    while true {
      let row = predecessors[column]
      owners[column] = row
      swap(&chosen[row], &column)
      if row == source { return }
    }
  }
}
