import Foundation
import ParallaxTensors

/// How a picture's spectrum falls off: the slope of log power over log frequency.
///
/// Of the mean of the channels, less its mean, under a Hann window (`numpy.hanning` on both sides): |DFT|² averaged over rings of
/// r = round(√(f_y² + f_x²) · min(height, width)) cycles, f in cycles a pixel; least squares of log power over log r,
/// r = 2 … min(height, width) / 2. About −2 for photographs and 0 for white noise. Agrees with NumPy to 1e-9.
public struct SpectralSlope: Sendable {
  private let ring: [Int]
  private let window: Tensor
  private let sides: (height: Int, width: Int)

  /// For pictures of one size.
  ///
  /// - Parameters:
  ///   - height: in pixels.
  ///   - width: in pixels.
  public init(height: Int, width: Int) {
    sides = (height, width)
    func frequency(_ index: Int, _ count: Int) -> Double {
      Double(index < (count + 1) / 2 ? index : index - count) / Double(count)
    }
    let least = Double(min(height, width))
    ring = (0..<height * width).map { place in
      let (y, x) = (frequency(place / width, height), frequency(place % width, width))
      return Int(((y * y + x * x).squareRoot() * least).rounded(.toNearestOrEven))
    }
    func hann(_ count: Int) -> [Double] {
      (0..<count).map {
        count > 1 ? 0.5 - 0.5 * cos(2 * Double.pi * Double($0) / Double(count - 1)) : 1
      }
    }
    window =
      Tensor(hann(height), shape: [height, 1]) * Tensor(hann(width), shape: [1, width])
  }

  /// The slope.
  ///
  /// - Parameter picture: `[channels, height, width]`.
  /// - Returns: nil where the picture is flat or smaller than 8 pixels.
  public func callAsFunction(_ picture: Tensor) -> Double? {
    let last = min(sides.height, sides.width) / 2
    guard last >= 4 else { return nil }
    let grey = picture.to(.cpu).to(.float64).mean(over: [0])
    let spectrum = InversionOperators.fourier(
      (grey - grey.mean()) * window, Absent.none, [-2, -1], Absent.none)
    let power = InversionOperators.magnitude(spectrum).squared().reshaped(-1).scalars(Double.self)
    var (sums, counts) = (
      [Double](repeating: 0, count: last + 1), [Int](repeating: 0, count: last + 1)
    )
    for (place, value) in power.enumerated() where ring[place] <= last {
      sums[ring[place]] += value
      counts[ring[place]] += 1
    }
    var (x, y): ([Double], [Double]) = ([], [])
    for radius in 2...last {
      guard counts[radius] > 0, sums[radius] > 0 else { return nil }
      x.append(log(Double(radius)))
      y.append(log(sums[radius] / Double(counts[radius])))
    }
    let (meanX, meanY) = (x.reduce(0, +) / Double(x.count), y.reduce(0, +) / Double(y.count))
    let above = zip(x, y).reduce(0) { $0 + ($1.0 - meanX) * ($1.1 - meanY) }
    return above / x.reduce(0) { $0 + ($1 - meanX) * ($1 - meanX) }
  }
}

/// Shares of pixel values in 64 equal bins of [0, 1], a row each channel.
///
/// Values outside are put to the ends.
public struct PixelHistogram: Sendable, Equatable {
  private static let histogram = Operator("aten::histc")
  static let bins = 64

  /// Numbers of pixels, channel after channel.
  public private(set) var counts: [[Double]]

  /// The histogram of a picture.
  ///
  /// - Parameter picture: `[channels, height, width]`.
  public init(_ picture: Tensor) {
    let clamped = picture.to(.cpu).to(.float64).clamped(0, 1)
    counts = (0..<picture.shape[0]).map {
      Self.histogram(clamped.selected(0, $0).reshaped(-1), Self.bins, 0.0, 1.0).scalars(
        Double.self)
    }
  }

  init(counts: [[Double]]) { self.counts = counts }

  /// The pixels of both.
  public static func + (a: PixelHistogram, b: PixelHistogram) -> PixelHistogram { a.joined(b, 1) }
  /// The pixels of the first without those of the second, which it holds.
  public static func - (a: PixelHistogram, b: PixelHistogram) -> PixelHistogram { a.joined(b, -1) }

  private func joined(_ other: PixelHistogram, _ sign: Double) -> PixelHistogram {
    var both = self
    for channel in counts.indices {
      for bin in counts[channel].indices {
        both.counts[channel][bin] += sign * other.counts[channel][bin]
      }
    }
    return both
  }

  /// The Wasserstein distance, mean over the channels: ∫|F − G| of the two distributions of pixel values, in units of [0, 1].
  ///
  /// Agrees with SciPy's `wasserstein_distance` over the bins' centres to 1e-12.
  ///
  /// - Parameter other: of as many channels.
  /// - Returns: nil where one has no pixels.
  public func distance(_ other: PixelHistogram) -> Double? {
    var total = 0.0
    for (a, b) in zip(counts, other.counts) {
      let (sumA, sumB) = (a.reduce(0, +), b.reduce(0, +))
      guard sumA > 0, sumB > 0 else { return nil }
      var (difference, area) = (0.0, 0.0)
      for (x, y) in zip(a, b).dropLast() {
        difference += x / sumA - y / sumB
        area += abs(difference)
      }
      total += area / Double(Self.bins)
    }
    return counts.isEmpty ? nil : total / Double(counts.count)
  }
}
