import ParallaxTensors

/// The sums that a least-squares probe of any number of images is fitted from: memory does not grow with the images.
///
/// ```swift
/// var sums = ProbeSums(width: 768, classes: 10)
/// for (features, labels) in batches { try sums.add(features, labellings: [labels]) }
/// let fit = try sums.fit(FewShotProbe())
/// ```
///
/// Of features x, shifted by the first image's s, and targets t of −1 and +1 are kept n, Σ(x − s), Σ(x − s)(x − s)ᵀ, Σ(x − s)tᵀ and
/// Σt. With the mean m of the shifted features and σ their population deviation, ZᵀZ and ZᵀT of ``FewShotProbe`` follow exactly:
///
///     ZᵀZ = diag(1/(σ + 10⁻⁵)) · (Σ(x − s)(x − s)ᵀ − n·m·mᵀ) · diag(1/(σ + 10⁻⁵)),   ZᵀT = diag(1/(σ + 10⁻⁵)) · (Σ(x − s)tᵀ − m·Σtᵀ),
///
/// with the constant feature's n·100² and 100·Σt beside them. Float64 throughout. Agrees with ``FewShotProbe`` and with
/// scikit-learn's `Ridge` on all images at once to 1e-9 of the largest score.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 7: probes of CIFAR on all training images.
public struct ProbeSums: Sendable {
  /// The number of features.
  public let width: Int
  /// The number of classes.
  public let classes: Int
  /// How many labellings of the same images there are.
  public let labellings: Int
  /// Images so far.
  public private(set) var images = 0
  private var shift, sum, products, mixed, targets: Tensor

  /// No image yet.
  ///
  /// - Parameters:
  ///   - width: the number of features.
  ///   - classes: how many there are, 2 at least.
  ///   - labellings: such as the true one and a shuffled one.
  /// - Precondition: numbers are positive.
  public init(width: Int, classes: Int, labellings: Int = 1) {
    precondition(width > 0 && classes > 1 && labellings > 0, "ProbeSums: expected positive numbers")
    (self.width, self.classes, self.labellings) = (width, classes, labellings)
    shift = .zeros([1, width], .float64)
    sum = .zeros([1, width], .float64)
    products = .zeros([width, width], .float64)
    mixed = .zeros([width, classes * labellings], .float64)
    targets = .zeros([1, classes * labellings], .float64)
  }

  /// Bytes that such sums take.
  public static func bytes(width: Int, classes: Int, labellings: Int) -> Int {
    8 * (width * width + (width + 1) * classes * labellings + 2 * width)
  }

  /// Adds images.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - labels: by labelling, of each image its class, from 0.
  /// - Throws: `MeasureError.shape`, `.notFinite`, `.unequalCounts`, `.undefined`; nothing has been added then.
  public mutating func add(_ features: Tensor, labellings labels: [[Int]]) throws {
    guard features.rank == 2, features.shape[1] == width, labels.count == labellings else {
      throw MeasureError.shape(
        measure: FewShotProbe.name, expected: "[images, \(width)]", found: features.shape)
    }
    guard features.shape[0] > 0 else { return }
    let t = try ProbeLabels.targets(
      labels, classes: classes, images: features.shape[0], measure: FewShotProbe.name)
    let x = Gram.widened(features.to(.cpu))
    guard x.isFinite() else { throw MeasureError.notFinite(measure: FewShotProbe.name) }
    if images == 0 { shift = x.sliced(0, 0, 1).cloned() }
    let shifted = x - shift
    sum = sum + shifted.sum(over: [0], keeping: true)
    products = products + shifted.transposed().times(shifted)
    mixed = mixed + shifted.transposed().times(t)
    targets = targets + t.sum(over: [0], keeping: true)
    images += x.shape[0]
  }

  /// The fit of all images that were added.
  ///
  /// - Parameter probe: with its penalties.
  /// - Returns: the fit for all of them.
  /// - Throws: `MeasureError.tooFew` without images, `.notFinite`; `TensorError.operation` where LAPACK does not converge.
  /// - Complexity: width³, whatever the number of images.
  public func fit(_ probe: FewShotProbe) throws -> FewShotProbe.Fit {
    guard images > 0 else {
      throw MeasureError.tooFew(measure: FewShotProbe.name, images: 0, needed: 1)
    }
    let (count, bias) = (Double(images), FewShotProbe.bias)
    let mean = sum / count
    let centred = products - mean.transposed().times(mean) * count
    // Rounding may leave a constant column below 0.
    let variance = (centred.diagonal() / count).clamped(0, nil).unsqueezed(0)
    let scale = variance.squareRoot() + Standardisation.epsilon
    let inner = centred / scale / scale.transposed()
    let outer = (mixed - mean.transposed().times(targets)) / scale.transposed()
    let none = Tensor.zeros([1, width], .float64)
    let corner = Tensor([count * bias * bias], shape: [1, 1])
    let full = Tensor.concatenated(
      [
        Tensor.concatenated([(inner + inner.transposed()) / 2, none.transposed()], 1),
        Tensor.concatenated([none, corner], 1),
      ], 0)
    guard full.isFinite() else { throw MeasureError.notFinite(measure: FewShotProbe.name) }
    let (values, vectors) = try Decomposition.eigen(full)
    let right = Tensor.concatenated([outer, targets * bias], 0)
    return FewShotProbe.Fit(
      penalties: probe.penalties, classes: classes, labellings: labellings,
      standardisation: Standardisation(mean: shift + mean, scale: scale), values: values,
      vectors: vectors, along: vectors.transposed().times(right), rows: nil)
  }

  /// The sums as tensors.
  public func state() -> [(name: String, tensor: Tensor)] {
    [
      ("images", Tensor([Int64(images)], shape: [1])), ("shift", shift), ("sum", sum),
      ("products", products), ("mixed", mixed), ("targets", targets),
    ]
  }

  /// Goes on from sums that `state` gave.
  ///
  /// - Returns: false where they are of other sizes; nothing has changed then.
  public mutating func restore(_ state: [String: Tensor]) -> Bool {
    guard let count = state["images"]?.scalars(Int64.self).first, count >= 0 else { return false }
    var found: [Tensor] = []
    for (name, own) in self.state().dropFirst() {
      guard let other = state[name], other.shape == own.shape, other.dtype == .float64 else {
        return false
      }
      found.append(other)
    }
    images = Int(count)
    (shift, sum, products, mixed, targets) = (found[0], found[1], found[2], found[3], found[4])
    return true
  }
}
