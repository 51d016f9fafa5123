/// A rectangle of pixels.
struct PixelWindow: Hashable {
  var x: Int
  var y: Int
  var width: Int
  var height: Int
}

extension ImageBuffer {
  /// The image at another size, antialiased, equal to Pillow 13's `Image.resize` in every pixel.
  ///
  /// Before version 13, Pillow always made the horizontal pass first, so older versions differ where
  /// a height shrinks by more than twice what the width does.
  ///
  /// - Parameters:
  ///   - width: the new width, at least 1.
  ///   - height: the new height, at least 1.
  ///   - filter: how source pixels are weighed.
  /// - Returns: the resized image.
  /// - Complexity: O(height × new width × taps + new height × new width × taps).
  public func resized(width: Int, height: Int, using filter: Resampling) -> ImageBuffer {
    resized(
      width: width, height: height, using: filter,
      window: PixelWindow(x: 0, y: 0, width: width, height: height))
  }

  /// A window of the resized image, computed without the rest of it.
  ///
  /// - Precondition: the window is not empty and lies within the new size.
  func resized(width: Int, height: Int, using filter: Resampling, window: PixelWindow)
    -> ImageBuffer
  {
    precondition(
      window.x >= 0 && window.y >= 0 && window.width > 0 && window.height > 0
        && window.x + window.width <= width && window.y + window.height <= height,
      "resized: window \(window) of \(width) x \(height)")
    if filter == .nearest { return nearest(width: width, height: height, window: window) }
    let columns = window.x..<window.x + window.width
    let rows = window.y..<window.y + window.height
    let horizontal =
      width == self.width
      ? nil : filter.kernel(source: self.width, target: width, range: columns)
    let vertical =
      height == self.height
      ? nil : filter.kernel(source: self.height, target: height, range: rows)
    // The intermediate is 8-bit, so the order shows in the result: this is Pillow 13's rule.
    let verticalFirst =
      height < self.height && self.height - height > 2 * (self.width - width)
    // Only what the second pass will read is worth the first one.
    let strip = cropped(
      columns: horizontal?.reach ?? columns, rows: vertical?.reach ?? rows)
    let passes = verticalFirst ? [vertical, nil] : [nil, vertical]
    let tall = passes[0].map { strip.verticalPass($0) } ?? strip
    let wide = horizontal.map { tall.horizontalPass($0) } ?? tall
    return passes[1].map { wide.verticalPass($0) } ?? wide
  }

  private func cropped(columns: Range<Int>, rows: Range<Int>) -> ImageBuffer {
    if columns.count == width && rows.count == height { return self }
    var out: [UInt8] = []
    out.reserveCapacity(3 * columns.count * rows.count)
    for row in rows {
      let start = 3 * (row * width + columns.lowerBound)
      out.append(contentsOf: pixels[start..<start + 3 * columns.count])
    }
    return ImageBuffer(width: columns.count, height: rows.count, pixels: out)
  }

  // The loops below are written with `while` and raw pointers: they are the hot ones, and so they
  // stay bearable in a debug build.

  private func horizontalPass(_ kernel: Resampling.Kernel) -> ImageBuffer {
    let targets = kernel.starts.count
    let first = kernel.reach.lowerBound
    let total = 3 * targets * height
    let pixels = unsafe [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
      unsafe self.pixels.withUnsafeBufferPointer { source in
        unsafe kernel.weights.withUnsafeBufferPointer { weights in
          guard var out = buffer.baseAddress, let source = source.baseAddress,
            let weights = weights.baseAddress
          else { return }
          var y = 0
          while y < height {
            let line = unsafe source + 3 * width * y
            var target = 0
            while target < targets {
              var from = unsafe line + 3 * (kernel.starts[target] - first)
              var weight = unsafe weights + kernel.stride * target
              let end = unsafe weight + kernel.counts[target]
              var red: Int32 = 1 << (Resampling.precision - 1)
              var green = red
              var blue = red
              while unsafe weight < end {
                let factor = unsafe weight.pointee
                unsafe red &+= Int32(truncatingIfNeeded: from[0]) &* factor
                unsafe green &+= Int32(truncatingIfNeeded: from[1]) &* factor
                unsafe blue &+= Int32(truncatingIfNeeded: from[2]) &* factor
                unsafe from += 3
                unsafe weight += 1
              }
              unsafe out[0] = clip8(red)
              unsafe out[1] = clip8(green)
              unsafe out[2] = clip8(blue)
              unsafe out += 3
              target += 1
            }
            y += 1
          }
          initialized = total
        }
      }
    }
    return ImageBuffer(width: targets, height: height, pixels: pixels)
  }

  private func verticalPass(_ kernel: Resampling.Kernel) -> ImageBuffer {
    let row = 3 * width
    let first = kernel.reach.lowerBound
    let total = row * kernel.starts.count
    var sums = [Int32](repeating: 0, count: row)
    let pixels = unsafe [UInt8](unsafeUninitializedCapacity: total) { buffer, initialized in
      unsafe self.pixels.withUnsafeBufferPointer { strip in
        unsafe sums.withUnsafeMutableBufferPointer { sums in
          guard var out = buffer.baseAddress, let strip = strip.baseAddress,
            let sums = sums.baseAddress
          else { return }
          var target = 0
          while target < kernel.starts.count {
            unsafe sums.update(repeating: 1 << (Resampling.precision - 1), count: row)
            var tap = 0
            while tap < kernel.counts[target] {
              let factor = kernel.weights[kernel.stride * target + tap]
              let line = unsafe strip + row * (kernel.starts[target] + tap - first)
              var x = 0
              while x < row {
                unsafe sums[x] &+= Int32(truncatingIfNeeded: line[x]) &* factor
                x += 1
              }
              tap += 1
            }
            var x = 0
            while x < row {
              unsafe out[x] = clip8(sums[x])
              x += 1
            }
            unsafe out += row
            target += 1
          }
          initialized = total
        }
      }
    }
    return ImageBuffer(width: width, height: kernel.starts.count, pixels: pixels)
  }

  private func nearest(width: Int, height: Int, window: PixelWindow) -> ImageBuffer {
    let columns = Self.nearestPositions(
      source: self.width, target: width, range: window.x..<window.x + window.width)
    let rows = Self.nearestPositions(
      source: self.height, target: height, range: window.y..<window.y + window.height)
    var out: [UInt8] = []
    out.reserveCapacity(3 * columns.count * rows.count)
    for row in rows {
      for column in columns {
        let from = 3 * (row * self.width + column)
        out.append(pixels[from])
        out.append(pixels[from + 1])
        out.append(pixels[from + 2])
      }
    }
    return ImageBuffer(width: window.width, height: window.height, pixels: out)
  }

  /// The source position of each target; summed up step by step, as Pillow's `Geometry.c` does.
  private static func nearestPositions(source: Int, target: Int, range: Range<Int>) -> [Int] {
    let step = Double(source) / Double(target)
    var position = step * 0.5
    var positions: [Int] = []
    for index in 0..<range.upperBound {
      if index >= range.lowerBound { positions.append(min(Int(position), source - 1)) }
      position += step
    }
    return positions
  }
}

/// Pillow's `clip8`: the fixed-point sum as a byte.
@inline(__always)
private func clip8(_ sum: Int32) -> UInt8 {
  let value = sum >> Resampling.precision
  return value < 0 ? 0 : value > 255 ? 255 : UInt8(truncatingIfNeeded: value)
}
