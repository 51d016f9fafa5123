import Foundation
import ParallaxImages

/// A grid of numbers as a picture: squares of one colour each, on a scale that is said beside it.
struct GridPicture {
  /// From what to what colours go.
  enum Colours {
    /// Viridis.
    case sequential
    /// Blue below the middle, orange above it.
    case diverging

    fileprivate var anchors: String {
      switch self {
      case .sequential: "440154482475414487355f8d2a788e21918c22a88444bf707ad151bddf26fde725"
      case .diverging: "08519c6baed6f2f2f2fdae6ba63603"
      }
    }
  }

  /// Row by row; grey where there is none.
  let values: [Double?]
  let rows: Int
  let columns: Int
  /// What the first and the last colour stand for.
  let range: ClosedRange<Double>
  let colours: Colours
  /// A cell that is framed.
  var framed: Int?

  /// The longer side in pixels, about.
  static let side = 112

  /// The picture as a PNG.
  ///
  /// - Throws: `ImageError`.
  func png() throws -> Data {
    let cell = max(1, Self.side / max(rows, columns))
    let digits = Array(colours.anchors.utf8)
    func value(_ digit: UInt8) -> Double { Double(digit >= 97 ? digit - 87 : digit - 48) }
    let anchors = stride(from: 0, to: digits.count, by: 6).map { start in
      (0..<3).map { 16 * value(digits[start + 2 * $0]) + value(digits[start + 2 * $0 + 1]) }
    }
    func colour(_ number: Double?) -> [UInt8] {
      guard let number, number.isFinite else { return [154, 154, 154] }
      let length = range.upperBound - range.lowerBound
      let share = length > 0 ? (number - range.lowerBound) / length : 0
      let place = min(1, max(0, share)) * Double(anchors.count - 1)
      let low = min(Int(place), anchors.count - 2)
      let part = place - Double(low)
      return (0..<3).map {
        UInt8(((1 - part) * anchors[low][$0] + part * anchors[low + 1][$0]).rounded())
      }
    }
    let table = values.map(colour)
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * rows * columns * cell * cell)
    for y in 0..<rows * cell {
      for x in 0..<columns * cell {
        let place = y / cell * columns + x / cell
        let edge = min(x % cell, y % cell, cell - 1 - x % cell, cell - 1 - y % cell)
        if place == framed, edge < max(1, cell / 8) {
          // White within black stands out on every colour.
          pixels += edge < max(1, cell / 16) ? [0, 0, 0] : [255, 255, 255]
        } else {
          pixels += table[place]
        }
      }
    }
    return try ImageBuffer(width: columns * cell, height: rows * cell, pixels: pixels).pngData()
  }
}
