/// Sums of powers of k\* less a whole number over the images of a concept: all that moments need, so that resampling is cheap.
///
/// The number that is taken off lies near the mean, so that the moments of values that hardly differ lose no digits.
struct ConceptSums: Sendable, Equatable {
  /// Images.
  private(set) var count = 0.0
  private var first = 0.0
  private var second = 0.0
  private var third = 0.0
  /// What k\* is divided by.
  let size: Double
  /// The largest k\* that there can be.
  let most: Double
  /// What is taken off.
  private let origin: Double

  /// - Parameters:
  ///   - size: what k\* is divided by.
  ///   - most: the largest k\* that there can be.
  ///   - origin: a whole number near the mean of the k\*.
  init(size: Int, most: Int, origin: Double = 0) {
    (self.size, self.most, self.origin) = (Double(size), Double(most), origin)
  }

  /// No images, of a concept like another.
  init(empty other: ConceptSums) {
    (size, most, origin) = (other.size, other.most, other.origin)
  }

  /// The whole number nearest to the mean of some k\*.
  static func origin(of ranks: [Double]) -> Double {
    (ranks.reduce(0, +) / Double(max(1, ranks.count))).rounded()
  }

  mutating func add(_ rank: Double) {
    let value = rank - origin
    count += 1
    first += value
    second += value * value
    third += value * value * value
  }

  /// With 0 and 1 among the normalised values.
  var anchored: ConceptSums {
    var copy = self
    copy.add(0)
    copy.add(size)
    return copy
  }

  /// The mean of k̃.
  var mean: Double { (origin + first / count) / size }

  /// Σ(k̃ − mean)² and Σ(k̃ − mean)³; of whole numbers exactly zero where all are the same.
  var central: (second: Double, third: Double) {
    let spread = (count * second - first * first) / count
    guard spread > 0 else { return (0, 0) }
    let mean = first / count
    return (
      spread / (size * size),
      (third - 3 * mean * second + 2 * mean * mean * first) / (size * size * size)
    )
  }

  /// Population standard deviation of k̃.
  var deviation: Double { (central.second / count).squareRoot() }

  /// g₁ = m₃/m₂^{3/2}; nil where all are the same.
  var skewness: Double? {
    let (second, third) = central
    return Self.skewness(count, second, third)
  }

  /// g₁ from the number of values and the sums of their powers about their mean; nil where they do not vary.
  static func skewness(_ count: Double, _ second: Double, _ third: Double) -> Double? {
    guard second > 0 else { return nil }
    let m2 = second / count
    return third / count / (m2 * m2.squareRoot())
  }

  /// Whether all images have the largest k\* that there is.
  var isAllMost: Bool { central.second == 0 && origin + first / count == most }

  /// Whether the first neighbour of every image is of another class.
  var isAllLeast: Bool { central.second == 0 && origin + first / count == 1 }
}

/// Reproducible draws from small ranges.
///
/// > Source: Steele et al., 2014, Fast splittable pseudorandom number generators.
struct SplitMix: RandomNumberGenerator {
  private var state: UInt64

  init(seed: UInt64) { state = seed }

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  /// One of `0..<count`.
  mutating func place(below count: Int) -> Int {
    Int(next().multipliedFullWidth(by: UInt64(count)).high)
  }
}
