import Foundation

/// The search of one picture for a length t along a direction d that satisfies Wolfe's strong conditions,
/// L(a + t·d) ≤ L(a) + 1e−4·t·⟨g, d⟩ and |⟨g(a + t·d), d⟩| ≤ 0.9·|⟨g, d⟩|.
///
/// It is asked for the length to look at next and told what was found there: first t grows, by at most ten times a look, until an
/// interval holds such a length; then the interval shrinks by cubic interpolation. It ends after 25 further looks, or where the interval is so small that it
/// moves no number of the picture, with the lowest end found. Lengths are those of `torch.optim.LBFGS` with `strong_wolfe`; a
/// look whose loss is not finite counts as too high, which PyTorch does not catch.
///
/// > Source: Nocedal and Wright, 2006, algorithms 3.5 and 3.6; the interpolation is their formula 3.59.
struct WolfeSearch {
  /// A look: where, the loss, and the slope ⟨g(a + t·d), d⟩.
  private struct Look {
    var length, value, slope: Double
  }

  static let sufficient = 1e-4
  static let curvature = 0.9
  static let looks = 25

  /// The length to look at next; where the search has ended, the one that was looked at last.
  private(set) var length: Double
  /// Whether there is nothing more to look at.
  private(set) var hasEnded = false
  private let start: Look
  /// Below which width an interval is a point.
  private let least: Double
  /// While t grows, the look before; then the interval's lower end.
  private var low: Look
  /// The interval's higher end; nil while t grows.
  private var high: Look?
  private var count = 0
  /// Whether the last length but one had to be drawn towards an end.
  private var isCrowded = false

  /// A search.
  ///
  /// - Parameters:
  ///   - length: the first length.
  ///   - value: L(a).
  ///   - slope: ⟨g, d⟩. Where it is not below 0, or the loss not finite, there is nothing to look for.
  ///   - widest: max|d|.
  ///   - least: by how much a number of the picture has to move.
  init(from length: Double, value: Double, slope: Double, widest: Double, least: Double = 1e-9) {
    (self.length, self.least) = (length, least / widest)
    start = Look(length: 0, value: value, slope: slope)
    low = start
    hasEnded = !(slope < 0 && value.isFinite && widest.isFinite)
  }

  /// The length found: 0 where no look was lower than the start.
  var found: Double { low.length }

  /// Takes up what was found at ``length``.
  ///
  /// - Parameters:
  ///   - value: the loss there.
  ///   - slope: ⟨g, d⟩ there.
  /// - Returns: whether the look is what ``found`` now stands for.
  mutating func take(value: Double, slope: Double) -> Bool {
    let isFinite = value.isFinite && slope.isFinite
    let look = Look(
      length: length, value: isFinite ? value : .infinity, slope: isFinite ? slope : .nan)
    let isLower = high == nil ? widen(look) : narrow(look)
    if !hasEnded, let high { propose(high) }
    return isLower
  }

  private func isTooHigh(_ look: Look) -> Bool {
    look.value > start.value + Self.sufficient * look.length * start.slope
  }

  private func isFlat(_ look: Look) -> Bool {
    abs(look.slope) <= -Self.curvature * start.slope
  }

  private mutating func widen(_ look: Look) -> Bool {
    let before = low
    if isTooHigh(look) || count > 1 && look.value >= before.value {
      return bracket(before, look)
    }
    if isFlat(look) {
      (low, hasEnded) = (look, true)
      return true
    }
    if look.slope >= 0 { return bracket(before, look) }
    let bounds = (
      look.length + 0.01 * (look.length - before.length), 10 * look.length
    )
    count += 1
    low = look
    guard count < Self.looks else {
      hasEnded = true
      return true
    }
    length = Self.cubic(before, look, bounds)
    return true
  }

  /// The interval between two looks.
  private mutating func bracket(_ before: Look, _ look: Look) -> Bool {
    let isLower = look.value < before.value
    (low, high) = isLower ? (look, before) : (before, look)
    return isLower
  }

  private mutating func narrow(_ look: Look) -> Bool {
    guard let end = high else { return false }
    if isTooHigh(look) || look.value >= low.value {
      return bracket(low, look)
    }
    if isFlat(look) {
      hasEnded = true
    } else if look.slope * (end.length - low.length) >= 0 {
      high = low
    }
    low = look
    return true
  }

  /// The next length within the interval, or the end.
  private mutating func propose(_ high: Look) {
    let (left, right) = (min(low.length, high.length), max(low.length, high.length))
    guard count < Self.looks, right - left >= least else {
      hasEnded = true
      return
    }
    var next = Self.cubic(low, high, (left, right))
    let margin = 0.1 * (right - left)
    if min(right - next, next - left) < margin {
      if isCrowded || next >= right || next <= left {
        next = abs(next - right) < abs(next - left) ? right - margin : left + margin
        isCrowded = false
      } else {
        isCrowded = true
      }
    } else {
      isCrowded = false
    }
    count += 1
    length = next
  }

  /// The minimum of the cubic through two looks and their slopes, within bounds; the middle where it has none.
  private static func cubic(_ a: Look, _ b: Look, _ bounds: (Double, Double)) -> Double {
    let (left, right) = a.length <= b.length ? (a, b) : (b, a)
    let middle = (bounds.0 + bounds.1) / 2
    let first =
      left.slope + right.slope - 3 * (left.value - right.value) / (left.length - right.length)
    let square = first * first - left.slope * right.slope
    guard square.isFinite, square >= 0 else { return middle }
    let second = square.squareRoot()
    let place =
      right.length - (right.length - left.length)
      * ((right.slope + second - first) / (right.slope - left.slope + 2 * second))
    return place.isNaN ? middle : min(max(place, bounds.0), bounds.1)
  }
}
