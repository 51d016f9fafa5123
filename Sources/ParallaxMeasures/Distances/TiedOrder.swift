import ParallaxTensors

/// The order of a list of numbers, ties and all.
struct TiedOrder: Sendable {
  /// Places from the smallest number to the largest.
  let order: [Int32]
  /// For each place, which of the different numbers stands there: 0 is the smallest.
  let levels: [Int32]
  /// How many pairs are tied.
  let tied: Int

  init(_ values: Tensor) {
    let sorted = Plain.sort.all([values])
    let (numbers, places) = (sorted[0].scalars(Double.self), sorted[1].scalars(Int64.self))
    var levels = [Int32](repeating: 0, count: numbers.count)
    var (level, run, tied) = (Int32(0), 1, 0)
    for next in numbers.indices.dropFirst() {
      if numbers[next] == numbers[next - 1] {
        tied += run
        run += 1
      } else {
        level += 1
        run = 1
      }
      levels[Int(places[next])] = level
    }
    (order, self.levels, self.tied) = (places.map(Int32.init), levels, tied)
  }

  /// The order of the same numbers in other places: those of the pairs of reordered images.
  func selected(_ images: ImageSelection) -> TiedOrder {
    let sources = Packing.sources(of: images.indices, among: images.images, diagonal: false)
    var places = [Int32](repeating: 0, count: sources.count)
    for (place, source) in sources.enumerated() { places[Int(source)] = Int32(place) }
    return TiedOrder(
      order: order.map { places[Int($0)] }, levels: sources.map { levels[Int($0)] }, tied: tied)
  }

  private init(order: [Int32], levels: [Int32], tied: Int) {
    (self.order, self.levels, self.tied) = (order, levels, tied)
  }

  /// Ranks less their mean; ties have the mean of their ranks.
  var centredRanks: [Double] {
    var ranks = [Double](repeating: 0, count: order.count)
    let middle = Double(order.count - 1) / 2
    var first = 0
    while first < order.count {
      let level = levels[Int(order[first])]
      var end = first + 1
      while end < order.count, levels[Int(order[end])] == level { end += 1 }
      let rank = Double(first + end - 1) / 2 - middle
      for place in first..<end { ranks[Int(order[place])] = rank }
      first = end
    }
    return ranks
  }

  /// Kendall's tau-b, in N log N by Knight's counting of exchanges.
  ///
  /// > Source: Knight, 1966, Journal of the American Statistical Association 61, section 3.
  func tau(_ other: TiedOrder) -> Double {
    var sequence = order.map { other.levels[Int($0)] }
    // Where this side is tied the other is put in order, so that such pairs count for nothing.
    var (both, first) = (0, 0)
    while first < order.count {
      var end = first + 1
      while end < order.count, levels[Int(order[end])] == levels[Int(order[first])] { end += 1 }
      if end - first > 1 {
        sequence[first..<end].sort()
        var run = 1
        for place in (first + 1)..<end {
          run = sequence[place] == sequence[place - 1] ? run + 1 : 1
          both += run - 1
        }
      }
      first = end
    }
    let discordant = Self.exchanges(&sequence)
    let pairs = order.count * (order.count - 1) / 2
    let balance = pairs - tied - other.tied + both - 2 * discordant
    return Double(balance) / (Double(pairs - tied) * Double(pairs - other.tied)).squareRoot()
  }

  /// How many pairs stand the wrong way round; sorts the numbers by merging.
  private static func exchanges(_ numbers: inout [Int32]) -> Int {
    var (source, target, found) = (numbers, numbers, 0)
    var width = 1
    while width < source.count {
      for start in stride(from: 0, to: source.count, by: 2 * width) {
        let middle = min(start + width, source.count)
        let end = min(start + 2 * width, source.count)
        var (left, right) = (start, middle)
        for place in start..<end {
          if left < middle, right >= end || source[left] <= source[right] {
            target[place] = source[left]
            left += 1
          } else {
            target[place] = source[right]
            found += middle - left
            right += 1
          }
        }
      }
      swap(&source, &target)
      width *= 2
    }
    numbers = source
    return found
  }
}
