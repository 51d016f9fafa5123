import ParallaxTensors

/// What takes features to mean 0 and standard deviation 1, learnt from some images and applied to others.
///
///     z = (x − μ) / (σ + 10⁻⁵),
///
/// μ and σ of each column over the images that are fitted, σ the population's (divided by n). A column that is constant stays
/// finite: its z are 0 for the fitted images.
///
/// > Source: google-research/big_vision, `evaluators/fewshot_lsr.py`.
public struct Standardisation: Sendable {
  /// Added to every standard deviation.
  public static let epsilon = 1e-5
  /// μ, `[..., 1, width]`, float64.
  public let mean: Tensor
  /// σ + 10⁻⁵, `[..., 1, width]`, float64.
  public let scale: Tensor

  /// From μ and σ + 10⁻⁵, learnt elsewhere.
  init(mean: Tensor, scale: Tensor) { (self.mean, self.scale) = (mean, scale) }

  /// Learns from features.
  ///
  /// - Parameter features: `[..., images, width]`.
  public init(of features: Tensor) {
    let x = Gram.widened(features)
    // The first row goes before the mean: that is exact where an offset hides a small spread.
    let first = x.sliced(x.rank - 2, 0, 1)
    let shifted = x - first
    let shift = shifted.mean(over: [x.rank - 2], keeping: true)
    mean = first + shift
    let variance = (shifted - shift).squared().mean(over: [x.rank - 2], keeping: true)
    scale = variance.squareRoot() + Self.epsilon
  }

  /// z of features `[..., images, width]`, float64.
  public func callAsFunction(_ features: Tensor) -> Tensor {
    (Gram.widened(features) - mean) / scale
  }
}

/// The classes of images as probes take them.
enum ProbeLabels {
  /// 2·one-hot − 1 of some labellings side by side: `[images, labellings · classes]`.
  ///
  /// - Throws: `MeasureError.undefined` where a label is none of the classes, or there are fewer than two of these;
  ///   `.unequalCounts`.
  static func targets(
    _ labellings: [[Int]], classes: Int, images: Int, measure: String
  ) throws -> Tensor {
    for labels in labellings { try check(labels, classes: classes, images: images, measure) }
    var values = [Double](repeating: -1, count: images * labellings.count * classes)
    for (place, labels) in labellings.enumerated() {
      for (image, label) in labels.enumerated() {
        values[(image * labellings.count + place) * classes + label] = 1
      }
    }
    return Tensor(values, shape: [images, labellings.count * classes])
  }

  /// - Throws: `MeasureError.undefined`, `.unequalCounts`.
  static func check(_ labels: [Int], classes: Int, images: Int, _ measure: String) throws {
    guard classes >= 2 else {
      throw MeasureError.undefined(
        measure: measure, problem: "expected at least 2 classes, found \(classes)")
    }
    guard labels.count == images else {
      throw MeasureError.unequalCounts(measure: measure, left: images, right: labels.count)
    }
    if let odd = labels.first(where: { !(0..<classes).contains($0) }) {
      throw MeasureError.undefined(
        measure: measure, problem: "expected labels from 0 to \(classes - 1), found \(odd)")
    }
  }
}
