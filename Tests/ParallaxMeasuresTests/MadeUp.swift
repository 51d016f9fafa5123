import Parallax
import Testing

/// A measure as an argument of a test, which is then called by its name.
struct Conformer: Sendable, CustomTestStringConvertible {
  let measure: any Measure
  var testDescription: String { measure.name }

  /// As many images as a law is tried on: enough for the neighbours that the measure looks at to mean something.
  var images: Int { max(24, 6 * measure.fewestImages) }

  /// Whether a representation that does not vary has a value: means, cosines and norms do.
  var takesConstants: Bool {
    measure is MagnitudeDifference || measure is UniformityDifference
      || measure is ConcentricityDifference
  }

  /// Whether the related must be more alike than the unrelated: not where the pairing is unknown, nor for one
  /// direction of RTD-Lite, which is small against any second side without clusters of its own.
  var tellsRelated: Bool {
    measure.needsPairing && (measure as? RTDLite)?.isDirected != true
  }

  /// What made-up features are multiplied by to be of the size that the measure tells apart.
  var size: Double { measure is UniformityDifference ? 0.15 : 1 }

  /// Two representations of them that have something in common.
  var pair: [Tensor] { MadeUp.related(images, [9, 6], seed: 11) }

  /// Every measure of the catalog, and variants of them that it does not list.
  static let all: [Conformer] =
    (MeasureCatalog.measures + [
      HSIC(kernel: .rbf(0.5)), HSIC(kernel: .rbf(0.5), estimator: .biased), CKA(kernel: .rbf(1)),
      SVCCA(threshold: 0.9), GULP(penalty: 0.01), GULP(penalty: 0.01, squared: true),
      GULP(penalty: 1),
      GULP(penalty: 1, squared: true), ShapeMetric(.euclidean),
    ] as [any Measure]).map(Conformer.init)
}

/// Representations of made-up images in float64.
enum MadeUp {
  /// Independent draws from N(0, 1), `[images, width]`.
  static func noise(_ images: Int, _ width: Int, seed: UInt64) -> Tensor {
    RandomSource(seed: seed).normal([images, width]).to(.float64)
  }

  /// Representations that share four latent directions, `[images, width]` each.
  static func related(_ images: Int, _ widths: [Int], noise level: Double = 0.7, seed: UInt64)
    -> [Tensor]
  {
    let latent = noise(images, 4, seed: seed)
    return widths.enumerated().map { index, width in
      let draws = seed + 101 * UInt64(index + 1)
      return latent.times(noise(4, width, seed: draws))
        + noise(images, width, seed: draws + 50) * level
    }
  }

  /// An orthogonal matrix, `[width, width]`.
  static func orthogonal(_ width: Int, seed: UInt64) -> Tensor {
    Operator("aten::linalg_qr").all([noise(width, width, seed: seed), "reduced"])[0]
  }

  /// An invertible matrix whose singular values run from 0.2 to 3, `[width, width]`.
  static func invertible(_ width: Int, seed: UInt64) -> Tensor {
    let stretch = (0..<width).map { 0.2 + 2.8 * Double($0) / Double(max(1, width - 1)) }
    let stretched = orthogonal(width, seed: seed) * Tensor(stretch, shape: [1, width])
    return stretched.times(orthogonal(width, seed: seed + 1))
  }
}

extension Tensor {
  /// The rows in the order of the indices.
  func rows(_ order: [Int]) -> Tensor { gathered(0, order) }
}

/// The names of a state's tensors and their bytes.
func bytes(_ state: [(name: String, tensor: Tensor)]) -> [String: [UInt8]] {
  Dictionary(uniqueKeysWithValues: state.map { ($0.name, $0.tensor.bytes()) })
}

/// A state as `restore` takes it.
func table(_ state: [(name: String, tensor: Tensor)]) -> [String: Tensor] {
  Dictionary(uniqueKeysWithValues: state.map { ($0.name, $0.tensor) })
}

/// The tensors of a file as `restore` takes them, still over the file's own memory.
func table(of file: Safetensors) -> [String: Tensor] {
  file.names.reduce(into: [:]) { $0[$1] = file[$1] }
}
