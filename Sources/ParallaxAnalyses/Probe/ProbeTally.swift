import ParallaxResults

/// How many test images a probe found the class of, by draw and by group of test images.
struct ProbeTally {
  /// `[draw][group]`; one draw where a probe has none.
  var hits: [[Int]]

  /// What a number is computed from: everything, one draw, or everything without one group of images.
  enum Part {
    case all
    case draw(Int)
    case without(Int)
  }

  /// - Parameters:
  ///   - isHit: by draw, whether the class of each test image was found.
  ///   - groups: of each test image its group.
  ///   - count: how many groups.
  init(_ isHit: [[Bool]], groups: [Int], count: Int) {
    hits = isHit.map { row in
      var sums = [Int](repeating: 0, count: count)
      for (image, hit) in row.enumerated() where hit { sums[groups[image]] += 1 }
      return sums
    }
  }

  /// The share of images found.
  func accuracy(_ part: Part, sizes: [Int]) -> Double {
    let all = sizes.reduce(0, +)
    func share(_ row: [Int]) -> Double { Double(row.reduce(0, +)) / Double(all) }
    switch part {
    case .all: return hits.map(share).reduce(0, +) / Double(hits.count)
    case .draw(let draw): return share(hits[hits.count == 1 ? 0 : draw])
    case .without(let group):
      let found = hits.reduce(0) { $0 + $1.reduce(0, +) - $1[group] }
      return Double(found) / Double(hits.count * (all - sizes[group]))
    }
  }
}

/// Numbers with intervals that know of both draws and test images.
///
/// The margin is √(a² + b²): a of Student's t over the draws of the shots, b of the jackknife over groups of test images, both of
/// 95 %. Where there is one draw, or too few images for groups, the other stands alone.
struct ProbeIntervals {
  let draws: Int
  /// Test images by group.
  let sizes: [Int]

  /// How many groups are left out in turn; 0 where there are too few images.
  var groups: Int { sizes.count > 1 ? sizes.count : 0 }

  /// A number of everything, of each draw, and without each group.
  func estimate(_ number: (ProbeTally.Part) -> Double?) -> IntervalEstimate {
    guard let value = number(.all) else { return IntervalEstimate(nil) }
    var squares: [Double] = []
    if draws > 1 {
      let each = (0..<draws).compactMap { number(.draw($0)) }
      guard each.count == draws else { return IntervalEstimate(value) }
      if let deviation = Statistics.deviation(each) {
        let margin =
          StudentT.quantile975(degrees: draws - 1) * deviation / Double(draws).squareRoot()
        squares.append(margin * margin)
      }
    }
    if groups > 1 {
      let left = (0..<groups).compactMap { number(.without($0)) }
      guard left.count == groups, let margin = StudentT.margin(leavingOut: left) else {
        return IntervalEstimate(value)
      }
      squares.append(margin * margin)
    }
    guard !squares.isEmpty else { return IntervalEstimate(value) }
    let margin = squares.reduce(0, +).squareRoot()
    // Shares of few images can be equal wherever some are left out: their spread does not show then.
    guard margin > 0 else { return IntervalEstimate(value) }
    return IntervalEstimate(value, low: value - margin, high: value + margin)
  }

  /// A probe's accuracy.
  func estimate(_ tally: ProbeTally) -> IntervalEstimate {
    estimate { tally.accuracy($0, sizes: sizes) }
  }
}
