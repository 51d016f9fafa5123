import Foundation

/// The filters for resizing, with Pillow's names and arithmetic.
///
/// > Source: Pillow's `Resample.c`: coefficients in double precision, normalised, rounded to
/// > fixed point with 22 fractional bits; a horizontal pass, then a vertical one, with an 8-bit
/// > intermediate.
public enum Resampling: String, Codable, CaseIterable, Sendable {
  /// The pixel that lies under the target's centre; no antialiasing.
  case nearest
  /// The mean of the covered pixels.
  case box
  /// A triangle of support 1.
  case bilinear
  /// A Hamming window of support 1.
  case hamming
  /// Keys' cubic with a = -0.5, support 2.
  case bicubic
  /// A windowed sinc of support 3.
  case lanczos

  /// Half the filter's width in source pixels, at scale 1; 0 where there is no filter.
  public var support: Double {
    switch self {
    case .nearest: 0
    case .box: 0.5
    case .bilinear, .hamming: 1
    case .bicubic: 2
    case .lanczos: 3
    }
  }

  /// The weight of a source pixel at a distance from the target's centre.
  ///
  /// - Parameter distance: in source pixels over the scale.
  /// - Returns: the weight before normalisation.
  public func weight(_ distance: Double) -> Double {
    let x = abs(distance)
    switch self {
    case .nearest: return 0
    case .box: return distance > -0.5 && distance <= 0.5 ? 1 : 0
    case .bilinear: return x < 1 ? 1 - x : 0
    case .hamming:
      if x == 0 { return 1 }
      if x >= 1 { return 0 }
      let angle = x * .pi
      // Pillow's constants are single precision.
      return sin(angle) / angle * (Double(Float(0.54)) + Double(Float(0.46)) * cos(angle))
    case .bicubic:
      let a = -0.5
      if x < 1 { return ((a + 2) * x - (a + 3)) * x * x + 1 }
      if x < 2 { return (((x - 5) * x + 8) * x - 4) * a }
      return 0
    case .lanczos:
      return distance >= -3 && distance < 3 ? Self.sinc(distance) * Self.sinc(distance / 3) : 0
    }
  }

  private static func sinc(_ x: Double) -> Double {
    if x == 0 { return 1 }
    let angle = x * .pi
    return sin(angle) / angle
  }

  static let precision: Int32 = 32 - 8 - 2

  /// The fixed-point weights of some target positions along one axis.
  struct Kernel {
    /// The first source position of each target.
    var starts: [Int] = []
    /// How many source positions each target reads.
    var counts: [Int] = []
    /// The weights, `stride` a target.
    var weights: [Int32] = []
    var stride = 0
    /// The source positions that any target reads.
    var reach: Range<Int> {
      var low = Int.max
      var high = 0
      for (start, count) in zip(starts, counts) {
        low = min(low, start)
        high = max(high, start + count)
      }
      return min(low, high)..<high
    }
  }

  /// The kernel for targets `range` of `target` positions over `source` positions.
  func kernel(source: Int, target: Int, range: Range<Int>) -> Kernel {
    let scale = Double(source) / Double(target)
    let stretch = max(scale, 1)
    let support = support * stretch
    var kernel = Kernel()
    kernel.stride = Int(support.rounded(.up)) * 2 + 1
    kernel.weights.reserveCapacity(kernel.stride * range.count)
    var row: [Double] = []
    for position in range {
      let center = (Double(position) + 0.5) * scale
      let low = max(0, Int(center - support + 0.5))
      let high = min(source, Int(center + support + 0.5))
      let count = max(0, high - low)
      row.removeAll(keepingCapacity: true)
      var sum = 0.0
      for step in 0..<count {
        let weight = weight((Double(step + low) - center + 0.5) / stretch)
        row.append(weight)
        sum += weight
      }
      kernel.starts.append(low)
      kernel.counts.append(count)
      for step in 0..<kernel.stride {
        let weight = step < count ? (sum == 0 ? row[step] : row[step] / sum) : 0
        let scaled = weight * Double(1 << Self.precision)
        kernel.weights.append(Int32(scaled < 0 ? scaled - 0.5 : scaled + 0.5))
      }
    }
    return kernel
  }
}
