import ParallaxTensors

/// Ridge regressions with an intercept from parts of the same images, one decomposition a part.
struct RidgeRegressions {
  private static let eigh = Operator("aten::linalg_eigh")

  /// `[images, width]`, centred over all images, float64.
  private let x: Tensor
  /// XXᵀ where there are more neurons than images to fit.
  private let gram: Tensor?
  private let squaredNorm: Double
  private let penalties: [Double]

  init(_ centred: Tensor, penalties: [Double]) {
    x = centred
    self.penalties = penalties
    let isWide = centred.shape[1] > centred.shape[0]
    gram = isWide ? centred.times(centred.transposed()) : nil
    squaredNorm = centred.squaredNorm()
  }

  /// What the fitted images say of the held ones.
  ///
  /// - Parameters:
  ///   - held: places of the images to predict.
  ///   - fitted: places of the images to fit.
  ///   - y: targets of all images, `[images, targets]`, float64.
  /// - Returns: `[held, targets]`, and the penalty of each target.
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  func prediction(of held: [Int], from fitted: [Int], _ y: Tensor) throws -> (
    predicted: Tensor, penalties: [Double]
  ) {
    let targets = y.gathered(0, fitted)
    let base = targets.mean(over: [0], keeping: true)
    let centred = Gram.centred(targets, in: .float64)
    let fit = try gram.map { try wide($0, held, fitted) } ?? narrow(held, fitted)
    // Where nothing varies among the fitted images, the mean is all there is to say.
    guard fit.trace > squaredNorm * 1e-24 else {
      let best = [Double](repeating: penalties[0], count: y.shape[1])
      return (base.expanded(held.count, y.shape[1]), best)
    }
    // Vᵀ(XᵀY), or VᵀY where V are the eigenvectors of XXᵀ.
    let along = fit.vectors.transposed().times(centred)
    var best = [Double](repeating: penalties[0], count: y.shape[1])
    var least = [Double](repeating: .infinity, count: y.shape[1])
    for penalty in penalties {
      let errors = fit.leaveOneOut(penalty * fit.trace, centred, along)
      for (target, error) in errors.enumerated() where error < least[target] {
        (best[target], least[target]) = (penalty, error)
      }
    }
    let lambda = Tensor(best.map { $0 * fit.trace }, shape: [1, best.count]).to(x.device)
    let weights = along / (fit.squares.unsqueezed(1) + lambda)
    return (base + fit.held.times(weights), best)
  }

  /// X = vectors in the basis of XᵀX's eigenvectors, for fewer neurons than images.
  private func narrow(_ held: [Int], _ fitted: [Int]) throws -> Fit {
    let rows = x.gathered(0, fitted)
    let first = rows.sliced(0, 0, 1)
    let shifted = rows - first
    let mean = shifted.mean(over: [0], keeping: true)
    let centred = shifted - mean
    let (values, basis) = try decomposed(centred.transposed().times(centred))
    return Fit(
      isWide: false, vectors: centred.times(basis), squares: values,
      held: (x.gathered(0, held) - first - mean).times(basis), trace: centred.squaredNorm())
  }

  /// The eigenvectors of XXᵀ, for fewer images than neurons.
  private func wide(_ gram: Tensor, _ held: [Int], _ fitted: [Int]) throws -> Fit {
    let columns = gram.gathered(1, fitted)
    let inner = columns.gathered(0, fitted)
    let means = inner.mean(over: [0], keeping: true)
    let mean = means.mean()
    let centred = inner - means - means.transposed() + mean
    let outer = columns.gathered(0, held)
    let outside = outer - outer.mean(over: [1], keeping: true) - means + mean
    let (values, vectors) = try decomposed((centred + centred.transposed()) / 2)
    return Fit(
      isWide: true, vectors: vectors, squares: values, held: outside.times(vectors),
      trace: centred.diagonal().sum().item(Double.self))
  }

  /// Eigenvalues, those that rounding made negative as 0, and eigenvectors.
  private func decomposed(_ matrix: Tensor) throws -> (Tensor, Tensor) {
    let parts = try Self.eigh.attempt([matrix, "L"]).compactMap(\.tensor)
    return (parts[0].clamped(0, nil), parts[1])
  }

  /// A decomposition of fitted images.
  private struct Fit {
    let isWide: Bool
    /// XV of the narrow form, V of the wide one, `[fitted, m]`.
    let vectors: Tensor
    /// s², `[m]`.
    let squares: Tensor
    /// What V's weights are multiplied with for the held images, `[held, m]`.
    let held: Tensor
    /// Σs².
    let trace: Double

    /// Σ_i (e_i/(1 − h_ii))² of each target.
    func leaveOneOut(_ lambda: Double, _ y: Tensor, _ along: Tensor) -> [Double] {
      let shrunk = squares + lambda
      let residual: Tensor
      let rest: Tensor
      let mean = 1 / Double(y.shape[0])
      if isWide {
        // What is left, by itself: one minus what was taken would lose the digits of a small λ.
        let left = (lambda / shrunk).unsqueezed(1)
        residual = vectors.times(along * left)
        rest = vectors.squared().times(left) - mean
      } else {
        residual = y - vectors.times(along / shrunk.unsqueezed(1))
        rest = 1 - mean - vectors.squared().times((1 / shrunk).unsqueezed(1))
      }
      return (residual / rest).squared().sum(over: [0]).doubles
    }
  }
}

extension Tensor {
  fileprivate static func / (a: Double, b: Tensor) -> Tensor { b.power(-1) * a }
  fileprivate static func - (a: Double, b: Tensor) -> Tensor { -b + a }
}
