/// How a stored picture must be turned to stand upright: the values of EXIF's tag 0x0112.
public enum Orientation: Int, CaseIterable, Sendable {
  /// As stored.
  case upright = 1
  /// Mirrored left to right.
  case mirrored = 2
  /// Turned by half a turn.
  case halfTurn = 3
  /// Mirrored top to bottom.
  case flipped = 4
  /// Mirrored at the main diagonal.
  case transposed = 5
  /// To be turned clockwise by a quarter.
  case quarterTurn = 6
  /// Mirrored at the other diagonal.
  case transversed = 7
  /// To be turned anticlockwise by a quarter.
  case quarterTurnBack = 8

  /// Whether width and height change places.
  public var swapsSides: Bool { rawValue >= 5 }
}

extension ImageBuffer {
  /// The image turned upright, as Pillow's `ImageOps.exif_transpose` does.
  ///
  /// - Parameter orientation: how the picture is stored.
  /// - Returns: the same pixels in the order that shows them upright.
  public func turned(_ orientation: Orientation) -> ImageBuffer {
    // The first pixel to read, and the step in the source for one step right and one step down.
    let last = (x: width - 1, y: (height - 1) * width)
    let (first, right, down): (Int, Int, Int) =
      switch orientation {
      case .upright: (0, 1, width)
      case .mirrored: (last.x, -1, width)
      case .halfTurn: (last.x + last.y, -1, -width)
      case .flipped: (last.y, 1, -width)
      case .transposed: (0, width, 1)
      case .quarterTurn: (last.y, -width, 1)
      case .transversed: (last.x + last.y, -width, -1)
      case .quarterTurnBack: (last.x, width, -1)
      }
    if orientation == .upright { return self }
    let size =
      orientation.swapsSides ? (width: height, height: width) : (width: width, height: height)
    let turned = unsafe [UInt8](unsafeUninitializedCapacity: pixels.count) { out, initialized in
      unsafe pixels.withUnsafeBufferPointer { source in
        var target = 0
        var y = 0
        while y < size.height {
          var from = 3 * (first + y * down)
          var x = 0
          while x < size.width {
            unsafe out[target] = source[from]
            unsafe out[target + 1] = source[from + 1]
            unsafe out[target + 2] = source[from + 2]
            target += 3
            from += 3 * right
            x += 1
          }
          y += 1
        }
        initialized = target
      }
    }
    return ImageBuffer(width: size.width, height: size.height, pixels: turned)
  }
}
