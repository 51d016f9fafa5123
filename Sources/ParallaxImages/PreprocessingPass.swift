extension Preprocessing {
  /// Where an image lies relative to the input: its size after resizing, and the crop's corner in it,
  /// negative where the image is smaller than the crop.
  struct Geometry: Hashable {
    var width: Int
    var height: Int
    var x: Int
    var y: Int
  }

  /// The longest side that resizing may lead to; longer ones come of strips a pixel wide.
  static let longestResized = 1 << 24

  func geometry(width sourceWidth: Int, height sourceHeight: Int) throws(ImageError) -> Geometry {
    let (w, h) = (Double(sourceWidth), Double(sourceHeight))
    let size: (width: Double, height: Double) =
      switch resize {
      case .none: (w, h)
      case .exact(let width, let height): (Double(width), Double(height))
      case .shortestEdge(let side):
        if w <= h {
          (Double(side), (Double(side) * h / w).rounded(.down))
        } else {
          ((Double(side) * w / h).rounded(.down), Double(side))
        }
      case .covering(let width, let height):
        Self.scaled(w, h, by: min(h / Double(height), w / Double(width)))
      case .fitting(let width, let height):
        Self.scaled(w, h, by: max(h / Double(height), w / Double(width)))
      }
    guard max(size.width, size.height) <= Double(Self.longestResized) else {
      throw .image(
        image: "image",
        problem: "\(sourceWidth) x \(sourceHeight) pixels cannot be resized: the longer side "
          + "would exceed \(Self.longestResized)")
    }
    let resized = (width: max(1, Int(size.width)), height: max(1, Int(size.height)))
    return Geometry(
      width: resized.width, height: resized.height,
      x: corner(size: resized.width, crop: width), y: corner(size: resized.height, crop: height))
  }

  private static func scaled(_ width: Double, _ height: Double, by ratio: Double)
    -> (width: Double, height: Double)
  {
    (
      (width / ratio).rounded(.toNearestOrEven), (height / ratio).rounded(.toNearestOrEven)
    )
  }

  private func corner(size: Int, crop side: Int) -> Int {
    let difference = size - side
    switch crop {
    case .torchvision:
      return difference >= 0
        ? Int((Double(difference) / 2).rounded(.toNearestOrEven)) : -(-difference / 2)
    case .transformers: return difference >= 0 ? difference / 2 : -((1 - difference) / 2)
    }
  }

  /// The model's input for an image, `[3, height, width]` flat.
  ///
  /// - Parameter image: the image, of any size.
  /// - Returns: `(byte * rescale - mean) / std`, in single precision, channel by channel.
  /// - Throws: `ImageError.image` where the image is too long and thin to be resized.
  public func callAsFunction(_ image: ImageBuffer) throws(ImageError) -> [Float] {
    let geometry = try geometry(width: image.width, height: image.height)
    let columns = max(0, geometry.x)..<min(geometry.width, geometry.x + width)
    let rows = max(0, geometry.y)..<min(geometry.height, geometry.y + height)
    let patch = image.resized(
      width: geometry.width, height: geometry.height, using: interpolation,
      window: PixelWindow(
        x: columns.lowerBound, y: rows.lowerBound, width: columns.count, height: rows.count))
    return planes(
      patch, x: columns.lowerBound - geometry.x, y: rows.lowerBound - geometry.y)
  }

  /// What a byte becomes in each channel, `[3, 256]` flat.
  private var table: [Float] {
    (0..<3).flatMap { channel in
      (0..<256).map { byte in
        (Float(Double(byte) * rescale) - mean[channel]) / std[channel]
      }
    }
  }

  private func planes(_ patch: ImageBuffer, x left: Int, y top: Int) -> [Float] {
    let table = table
    let plane = width * height
    var out: [Float] = []
    out.reserveCapacity(3 * plane)
    for (channel, byte) in fill.components.enumerated() {
      out.append(
        contentsOf: repeatElement(table[256 * channel + Int(byte)], count: plane))
    }
    unsafe out.withUnsafeMutableBufferPointer { out in
      unsafe table.withUnsafeBufferPointer { table in
        unsafe patch.pixels.withUnsafeBufferPointer { pixels in
          var channel = 0
          while channel < 3 {
            var row = 0
            while row < patch.height {
              var from = 3 * row * patch.width + channel
              var to = channel * plane + (top + row) * width + left
              let end = to + patch.width
              while to < end {
                unsafe out[to] = table[256 * channel + Int(truncatingIfNeeded: pixels[from])]
                from += 3
                to += 1
              }
              row += 1
            }
            channel += 1
          }
        }
      }
    }
    return out
  }
}
