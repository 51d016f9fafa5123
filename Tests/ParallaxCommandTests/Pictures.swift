import Foundation
import Parallax
import ParallaxTestSupport

/// A PNG of 24 × 18 pixels, another one for each number.
func picture(_ number: Int) throws -> [UInt8] {
  var pixels: [UInt8] = []
  for y in 0..<18 {
    for x in 0..<24 {
      pixels += [
        UInt8(truncatingIfNeeded: x * (number + 3)),
        UInt8(truncatingIfNeeded: y * (3 * number + 5)),
        UInt8(truncatingIfNeeded: (x ^ y) * (number % 7 + 2) + 11 * number),
      ]
    }
  }
  return [UInt8](try ImageBuffer(width: 24, height: 18, pixels: pixels).pngData())
}

extension TemporaryFolder {
  /// Writes pictures into two classes that use the same file names.
  ///
  /// - Parameters:
  ///   - count: how many in all.
  ///   - name: the folder.
  ///   - broken: numbers of those that are text instead, beginning with the first of the first class.
  /// - Throws: where they cannot be written.
  func pictures(_ count: Int, in name: String = "photos", broken: Set<Int> = []) throws {
    let half = (count + 1) / 2
    for number in 0..<count {
      let bytes = broken.contains(number) ? Array("no picture".utf8) : try picture(number)
      try write(bytes, "\(name)/\(number < half ? "ants" : "bees")/\(100 + number % half).png")
    }
  }
}
