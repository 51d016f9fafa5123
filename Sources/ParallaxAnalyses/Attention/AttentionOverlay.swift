import Foundation
import ParallaxImages

/// A picture as a model sees it, with weights of patches laid over it.
struct AttentionOverlay {
  private let width: Int
  private let height: Int
  private let pixels: [UInt8]
  private let size: (width: Int, height: Int)

  /// viridis at nine places.
  private static let colours: [[Double]] = [
    [68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129],
    [92, 200, 99], [170, 220, 50], [253, 231, 37],
  ]
  /// How much of the colour shows.
  private static let strength = 0.62

  /// - Parameters:
  ///   - preprocessing: what made the model's input.
  ///   - input: `[3, height, width]` flat.
  ///   - side: pixels of the longer side of what is drawn.
  init(_ preprocessing: Preprocessing, _ input: [Float], side: Int) {
    (width, height) = (preprocessing.width, preprocessing.height)
    let plane = width * height
    var pixels = [UInt8](repeating: 0, count: 3 * plane)
    for channel in 0..<3 {
      let (mean, std) = (preprocessing.mean[channel], preprocessing.std[channel])
      for place in 0..<plane {
        let value = (input[channel * plane + place] * std + mean) / Float(preprocessing.rescale)
        pixels[3 * place + channel] = UInt8(min(max(value.rounded(), 0), 255))
      }
    }
    self.pixels = pixels
    let longest = max(width, height)
    size = (max(1, width * side / longest), max(1, height * side / longest))
  }

  /// The picture, grey under the weights' colours; the largest weight is brightest, and where a weight is NaN it stays grey.
  /// Without weights the picture itself.
  func picture(_ weights: [Double]?, rows: Int, columns: Int) throws -> Data {
    guard let weights, let most = weights.filter(\.isFinite).max(), most > 0 else {
      return try png(pixels)
    }
    var result = pixels
    for y in 0..<height {
      let row = min(rows - 1, y * rows / height)
      for x in 0..<width {
        let weight = weights[row * columns + min(columns - 1, x * columns / width)]
        let colour = weight.isNaN ? nil : Self.colour(weight / most)
        let place = 3 * (y * width + x)
        let grey =
          0.299 * Double(pixels[place]) + 0.587 * Double(pixels[place + 1]) + 0.114
          * Double(pixels[place + 2])
        for channel in 0..<3 {
          let value =
            colour.map { Self.strength * $0[channel] + (1 - Self.strength) * grey } ?? grey
          result[place + channel] = UInt8(min(max(value.rounded(), 0), 255))
        }
      }
    }
    return try png(result)
  }

  private func png(_ pixels: [UInt8]) throws -> Data {
    let image = ImageBuffer(width: width, height: height, pixels: pixels)
    return try image.resized(width: size.width, height: size.height, using: .bicubic).pngData()
  }

  private static func colour(_ share: Double) -> [Double] {
    let place = min(max(share.isFinite ? share : 0, 0), 1) * Double(colours.count - 1)
    let low = min(Int(place), colours.count - 2)
    let part = place - Double(low)
    return (0..<3).map { (1 - part) * colours[low][$0] + part * colours[low + 1][$0] }
  }
}
