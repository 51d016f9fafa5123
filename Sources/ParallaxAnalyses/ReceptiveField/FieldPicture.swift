import Foundation
import ParallaxImages
import ParallaxTensors

/// A field as a picture: log₁₀ of each pixel over the field's largest value, from −`decades` (black) to 0 (pale yellow).
struct FieldPicture {
  /// Powers of ten that the colours span.
  static let decades = 3.0
  /// The longest side of small pictures in pixels.
  static let side = 112

  /// Matplotlib's magma at 31 places, perceptually uniform and legible to colour-blind readers.
  private static let magma =
    "0000040404130b0924150e3720114b2c11603b0f704a107957157e651a80721f817f24828c29819a2e80a8327db6377ac43c75d1426fde4968e95462f1605df76f5cfa7f5efc8f65fe9f6dfeaf78febf84fece91fddea0fcedaffcfdbf"
  private static let table: [[UInt8]] = {
    let digits = Array(magma.utf8)
    func value(_ digit: UInt8) -> UInt8 { digit >= 97 ? digit - 87 : digit - 48 }
    let bytes = stride(from: 0, to: digits.count, by: 2).map {
      value(digits[$0]) * 16 + value(digits[$0 + 1])
    }
    let anchors = stride(from: 0, to: bytes.count, by: 3).map { Array(bytes[$0..<($0 + 3)]) }
    return (0..<256).map { step in
      let place = Double(step) / 255 * Double(anchors.count - 1)
      let low = min(Int(place), anchors.count - 2)
      let share = place - Double(low)
      return (0..<3).map { channel in
        UInt8(
          ((1 - share) * Double(anchors[low][channel]) + share * Double(anchors[low + 1][channel]))
            .rounded())
      }
    }
  }()

  /// `[height, width]`, nowhere negative.
  let map: Tensor

  /// Every pixel as it is.
  func whole() throws -> Data { try Self.png(map) }

  /// Averaged over squares of pixels until it is small.
  func small() throws -> Data {
    let window = (map.shape.max().map { $0 + Self.side - 1 } ?? 0) / Self.side
    guard window > 1 else { return try whole() }
    let pooled = map.reshaped(1, 1, map.shape[0], map.shape[1])
      .averagePooled(window: window, stride: window)
    return try Self.png(pooled.selected(0, 0).selected(0, 0))
  }

  private static func png(_ map: Tensor) throws -> Data {
    let values = map.scalars(Double.self)
    let largest = values.max() ?? 0
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * values.count)
    for value in values {
      let height = value > 0 && largest > 0 ? 1 + log10(value / largest) / decades : 0
      pixels += table[Int((255 * min(1, max(0, height))).rounded())]
    }
    return try ImageBuffer(width: map.shape[1], height: map.shape[0], pixels: pixels).pngData()
  }
}
