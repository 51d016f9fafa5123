import ParallaxTensors

/// The few-shot linear probe: regularised least squares to targets of −1 and +1, in closed form.
///
/// ```swift
/// let fit = try FewShotProbe().fit(features, labels: labels, classes: 10)
/// let scores = fit.scores(of: others)          // [images, penalties, classes]
/// ```
///
/// Features are standardised with the fitted images' mean and population standard deviation + 10⁻⁵, and a constant feature of
/// ``bias`` is put beside them, so that the intercept is all but free. One class against the rest,
///
///     W(λ) = (ZᵀZ + λI)⁻¹ZᵀT  where n ≥ d,   else  Zᵀ(ZZᵀ + λI)⁻¹T,
///
/// d with the constant feature, T = 2·one-hot − 1. Of the smaller of the two matrices there is **one** eigendecomposition, which
/// serves all penalties, all classes, and more than one labelling of the same images. Scores are ZW; the class is the one with the
/// largest.
///
/// A leading dimension of features is a batch of representations that are fitted side by side.
///
/// Float64 throughout. Agrees with a transcription of the reference form in NumPy, itself held against scikit-learn's `Ridge`, to
/// 1e-9 of the largest score for all penalties, and with the reference values of a fixture to 10 digits.
///
/// > Source: google-research/big_vision, `evaluators/fewshot_lsr.py`; Raghu et al., 2021, arXiv 2108.08810, section 7, "following
/// > Dosovitskiy et al.".
public struct FewShotProbe: Sendable, Hashable {
  /// λ, positive numbers in ascending order.
  public let penalties: [Double]

  /// The constant feature.
  public static let bias = 100.0
  /// λ where nothing chooses one: 2¹⁰.
  public static let defaultPenalty = 1024.0
  /// 2⁻¹⁰, 2⁻⁸, …, 2²⁰; 2¹⁰ is among them.
  public static let defaultPenalties: [Double] = (0...15).map { place in
    (0..<place).reduce(1.0 / 1024) { value, _ in 4 * value }
  }

  /// A probe.
  ///
  /// - Parameter penalties: λ, positive numbers in ascending order.
  /// - Precondition: penalties are as said.
  public init(penalties: [Double] = defaultPenalties) {
    precondition(
      penalties.first.map { $0 > 0 } == true && penalties.allSatisfy(\.isFinite)
        && zip(penalties, penalties.dropFirst()).allSatisfy { $0 < $1 },
      "FewShotProbe: expected positive penalties in ascending order, found \(penalties)")
    self.penalties = penalties
  }

  /// `few-shot-probe`, as errors call it.
  public static var name: String { "few-shot-probe" }

  /// Fits one labelling.
  ///
  /// - Parameters:
  ///   - features: `[..., images, width]`.
  ///   - labels: of each image its class, from 0.
  ///   - classes: how many there are.
  /// - Returns: the fit for all penalties.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.unequalCounts`, `.undefined`; `TensorError.operation` where
  ///   LAPACK does not converge.
  public func fit(_ features: Tensor, labels: [Int], classes: Int) throws -> Fit {
    try fit(features, labellings: [labels], classes: classes)
  }

  /// Fits several labellings of the same images, such as the true one and a shuffled one.
  ///
  /// - Parameters:
  ///   - features: `[..., images, width]`.
  ///   - labellings: each with a class, from 0, of each image.
  ///   - classes: how many there are.
  /// - Returns: the fit for all penalties; its scores are those of the labellings' classes, one labelling after the other.
  /// - Throws: as `fit(_:labels:classes:)`.
  /// - Complexity: with n images and d features, m = min(n, d): nd·m + m³, whatever the penalties and labellings.
  public func fit(_ features: Tensor, labellings: [[Int]], classes: Int) throws -> Fit {
    let rank = features.rank
    guard rank >= 2, features.shape[rank - 1] > 0 else {
      throw MeasureError.shape(
        measure: Self.name, expected: "[images, width]", found: features.shape)
    }
    let images = features.shape[rank - 2]
    guard images > 0 else {
      throw MeasureError.tooFew(measure: Self.name, images: images, needed: 1)
    }
    let targets = try ProbeLabels.targets(
      labellings, classes: classes, images: images, measure: Self.name
    ).to(features.device)
    let standardisation = Standardisation(of: features)
    let z = standardisation(features)
    let isWide = images <= z.shape[rank - 1]
    // The constant feature adds its square to every product of two images.
    let full = isWide ? z : Self.beside(z)
    let product =
      isWide ? z.times(z.transposed()) + Self.bias * Self.bias : full.transposed().times(full)
    guard product.isFinite() else { throw MeasureError.notFinite(measure: Self.name) }
    let (values, vectors) = try Decomposition.eigen(product)
    let right = isWide ? targets : full.transposed().times(targets)
    return Fit(
      penalties: penalties, classes: classes, labellings: labellings.count,
      standardisation: standardisation, values: values, vectors: vectors,
      along: vectors.transposed().times(right), rows: isWide ? z : nil)
  }

  /// The constant feature behind the others.
  private static func beside(_ z: Tensor) -> Tensor {
    var shape = z.shape
    shape[shape.count - 1] = 1
    let constant = Tensor.ones(shape, .float64).to(z.device) * bias
    return Tensor.concatenated([z, constant], z.rank - 1)
  }

  /// A fit for all penalties.
  public struct Fit: Sendable {
    /// λ.
    public let penalties: [Double]
    /// How many classes there are.
    public let classes: Int
    /// How many labellings were fitted.
    public let labellings: Int
    /// What is done to features first.
    public let standardisation: Standardisation
    /// Eigenvalues of the smaller matrix, `[..., m]`.
    let values: Tensor
    /// Its eigenvectors.
    let vectors: Tensor
    /// Vᵀ times the right-hand side, `[..., m, targets]`.
    let along: Tensor
    /// Z of the fitted images, where there are fewer of them than features.
    let rows: Tensor?

    private var targets: Int { classes * labellings }

    /// (1/(e + λ)) Vᵀ… for all penalties side by side: `[..., m, penalties · targets]`.
    private var shrunk: Tensor {
      Tensor.concatenated(
        penalties.map { along / (values + $0).unsqueezed(values.rank) }, along.rank - 1)
    }

    /// The weights of one penalty.
    ///
    /// - Parameter penalty: its place among ``penalties``.
    /// - Returns: `[..., width + 1, labellings · classes]`, the constant feature's last.
    public func weights(_ penalty: Int) -> Tensor {
      let solution = vectors.times(
        along / (values + penalties[penalty]).unsqueezed(values.rank))
      return rows.map { rows in
        Tensor.concatenated(
          [
            rows.transposed().times(solution),
            solution.sum(over: [solution.rank - 2], keeping: true) * FewShotProbe.bias,
          ], solution.rank - 2)
      } ?? solution
    }

    /// The scores of images.
    ///
    /// - Parameter features: `[..., images, width]`, with the batch of the fitted ones.
    /// - Returns: `[..., images, penalties, labellings · classes]`, float64.
    public func scores(of features: Tensor) -> Tensor {
      let centred = Gram.widened(features) - standardisation.mean
      let scores = rows.map { wide(centred, $0) } ?? narrow(centred)
      return scores.reshaped(Array(scores.shape.dropLast()) + [penalties.count, targets])
    }

    /// Features of the images times the weights of all penalties.
    private func narrow(_ centred: Tensor) -> Tensor {
      let (solution, width) = (vectors.times(shrunk), centred.shape[centred.rank - 1])
      let (first, last) = (
        solution.sliced(solution.rank - 2, 0, width), solution.sliced(solution.rank - 2, width)
      )
      return centred.times(first / standardisation.scale.transposed())
        + last * FewShotProbe.bias
    }

    /// Products with the fitted images times their coefficients, or features times weights: whichever is less work.
    private func wide(_ centred: Tensor, _ rows: Tensor) -> Tensor {
      let (images, width) = (centred.shape[centred.rank - 2], centred.shape[centred.rank - 1])
      let (fitted, columns) = (rows.shape[rows.rank - 2], penalties.count * targets)
      let directions = (rows / standardisation.scale).transposed()
      let square = FewShotProbe.bias * FewShotProbe.bias
      if images * (width * fitted + fitted * fitted + fitted * columns)
        <= columns * (fitted * fitted + width * fitted + images * width)
      {
        return (centred.times(directions) + square).times(vectors).times(shrunk)
      }
      let solution = vectors.times(shrunk)
      return centred.times(directions.times(solution))
        + solution.sum(over: [solution.rank - 2], keeping: true) * square
    }

    /// The classes with the largest scores.
    ///
    /// - Parameter features: `[..., images, width]`.
    /// - Returns: `[..., images, penalties, labellings]`, int64; of equal scores the first.
    public func classes(of features: Tensor) -> Tensor {
      let scores = scores(of: features)
      return scores.reshaped(Array(scores.shape.dropLast()) + [labellings, classes])
        .argmax(scores.rank)
    }
  }
}
