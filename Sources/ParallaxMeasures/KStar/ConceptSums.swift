/// Sums of powers of k\* over the images of a concept: all that moments need, so that resampling is cheap.
struct ConceptSums: Sendable, Equatable {
  /// Images.
  private(set) var count = 0.0
  private(set) var first = 0.0
  private(set) var second = 0.0
  private(set) var third = 0.0
  /// What k\* is divided by.
  let size: Double
  /// The largest k\* there can be.
  let most: Double

  init(size: Int, most: Int) { (self.size, self.most) = (Double(size), Double(most)) }

  mutating func add(_ rank: Double) {
    count += 1
    first += rank
    second += rank * rank
    third += rank * rank * rank
  }

  /// With 0 and 1 among the normalised values.
  var anchored: ConceptSums {
    var copy = self
    copy.add(0)
    copy.add(size)
    return copy
  }

  /// Σk̃, Σk̃², Σk̃³.
  var powers: (Double, Double, Double) {
    (first / size, second / (size * size), third / (size * size * size))
  }

  var mean: Double { first / count / size }

  /// Of integers: exactly zero where all are the same.
  private var spread: Double { count * second - first * first }

  /// Population standard deviation of k̃.
  var deviation: Double { max(0, spread).squareRoot() / count / size }

  /// g₁ = m₃/m₂^{3/2}; nil where all are the same.
  var skewness: Double? { Self.skewness(count, first, second, third) }

  /// g₁ from sums of powers.
  static func skewness(
    _ count: Double, _ first: Double, _ second: Double, _ third: Double
  ) -> Double? {
    let spread = count * second - first * first
    // Sums of whole numbers are exact; of others the rounding of the sums is no spread.
    guard spread > 1e-14 * first * first else { return nil }
    let mean = first / count
    let m2 = spread / (count * count)
    let m3 = third / count - 3 * mean * second / count + 2 * mean * mean * mean
    return m3 / (m2 * m2.squareRoot())
  }

  /// Whether all images have the largest k\* that there is.
  var isAllMost: Bool { first == most * count }

  /// Whether the first neighbour of every image is of another class.
  var isAllLeast: Bool { first == count }
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
