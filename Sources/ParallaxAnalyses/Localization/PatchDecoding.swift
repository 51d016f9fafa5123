import ParallaxMeasures
import ParallaxTensors

/// How well the pixels of every patch can be read off one token, by ridge regressions on images that they were not fitted to.
///
/// A regression is linear in its targets, so of the pixels Y_p of a patch only their Gram matrix is needed: with the errors
/// E = B·Y_p of held-out images ‖E‖² = ⟨BᵀB, Y_pY_pᵀ⟩, and all patches are one product. R² = 1 − Σ‖E‖²/Σ‖Y_p − mean‖² over all
/// pixels of a patch together. Folds, penalties and their choice are `RidgeProbe`'s: for each fold and patch the ρ whose
/// leave-one-out error among the fitted images is least, λ = ρ · trace of the centred Gram matrix of the token.
struct PatchDecoding {
  static let penalties = [1e-5, 1e-4, 1e-3, 1e-2, 0.1, 1, 10]
  static let folds = 5
  private static let eigh = Operator("aten::linalg_eigh")

  /// Gram matrices of the patches, centred over all images, `[patches, images²]` float64.
  let patches: Tensor
  let images: Int
  let parts: [[Int]]

  /// - Parameters:
  ///   - vectors: pixels of each patch `[images, patches, width]`.
  ///   - seed: of the folds.
  init(_ vectors: Tensor, seed: UInt64) {
    images = vectors.shape[0]
    patches = Self.grams(vectors).reshaped(vectors.shape[1], -1)
    parts = RidgeProbe(folds: Self.folds, seed: seed).parts(of: images)
  }

  private static func grams(_ vectors: Tensor) -> Tensor {
    let x = vectors.to(.float64).transposed(0, 1)
    let centred = x - x.mean(over: [1], keeping: true)
    return centred.times(centred.transposed())
  }

  /// How well every patch is read off a token.
  ///
  /// - Parameter token: its vectors `[images, width]`.
  /// - Returns: of all images, then without each fold, R² of every patch; nil of a patch that does not vary, and of a
  ///   token with a number that is not finite.
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  func scores(_ token: Tensor) throws -> [[Double?]] {
    guard token.isFinite() else {
      return Array(
        repeating: Array(repeating: nil, count: patches.shape[0]), count: parts.count + 1)
    }
    let gram = Self.grams(token.unsqueezed(1)).selected(0, 0)
    let cube = patches.reshaped(-1, images, images)
    var errors: [[Double]] = []
    var totals: [[Double]] = []
    for held in parts {
      let isHeld = Set(held)
      let fitted = (0..<images).filter { !isHeld.contains($0) }
      errors.append(try misses(gram, cube, held, fitted))
      let squares = cube.gathered(1, held).gathered(2, held).diagonal().sum(over: [1])
      totals.append(squares.scalars(Double.self))
    }
    func score(_ folds: [Int]) -> [Double?] {
      (0..<patches.shape[0]).map { patch in
        let total = folds.reduce(0) { $0 + totals[$1][patch] }
        guard total > 0 else { return nil }
        return 1 - folds.reduce(0) { $0 + errors[$1][patch] } / total
      }
    }
    let all = Array(parts.indices)
    return [score(all)] + all.map { fold in score(all.filter { $0 != fold }) }
  }

  /// ‖E‖² of every patch over the held images.
  private func misses(
    _ gram: Tensor, _ cube: Tensor, _ held: [Int], _ fitted: [Int]
  ) throws -> [Double] {
    let count = fitted.count
    let columns = gram.gathered(1, fitted)
    let inner = columns.gathered(0, fitted)
    let means = inner.mean(over: [0], keeping: true)
    let mean = means.mean()
    let centred = inner - means - means.transposed() + mean
    let outer = columns.gathered(0, held)
    let outside = outer - outer.mean(over: [1], keeping: true) - means + mean
    let trace = centred.diagonal().sum().item(Double.self)
    let order = held + fitted
    let whole = cube.gathered(1, order).gathered(2, order).reshaped(-1, images * images)
    let unit = Tensor.identity(held.count, .float64)
    let share = Tensor.ones([held.count, count], .float64) / Double(count)
    guard trace > 1e-12 * gram.diagonal().sum().item(Double.self) else {
      // Of a token that is the same for all fitted images nothing is read off but their mean.
      let mean = Tensor.concatenated([unit, -share], 1)
      return whole.times(mean.transposed().times(mean).reshaped(-1, 1)).scalars(Double.self)
    }
    // Centring takes one direction away, in which nothing is penalised.
    let flat = Tensor.ones([count, count], .float64) / Double(count)
    let own = cube.gathered(1, fitted).gathered(2, fitted).reshaped(-1, count * count)
    let decomposed = try Self.eigh.attempt([(centred + centred.transposed()) / 2, "L"])
      .compactMap(\.tensor)
    let (squares, vectors) = (decomposed[0].clamped(0, nil), decomposed[1])
    var leaving: [Tensor] = []
    var predicting: [Tensor] = []
    for penalty in Self.penalties {
      let lambda = penalty * trace
      let shrunk = (squares + lambda).power(-1)
      // What regressions leave of the fitted images, R·Y.
      let rest = (vectors * (shrunk * lambda)).times(vectors.transposed()) - flat
      let weights = rest.diagonal().power(-1).unsqueezed(1)
      let leave = rest * weights
      leaving.append(leave.transposed().times(leave).reshaped(-1))
      // Errors of held images: Y_held − mean − K (K + λ)⁻¹ (Y_fitted − mean).
      let smooth = (outside.times(vectors) * shrunk).times(vectors.transposed())
      let centre = Tensor.identity(count, .float64) - flat
      let operators = Tensor.concatenated([unit, -(smooth.times(centre) + share)], 1)
      predicting.append(operators.transposed().times(operators).reshaped(-1))
    }
    // The constant direction of `rest` has weight 1 − 1 = 0, for it is no eigenvector that is shrunk.
    let chosen = own.times(Tensor.stacked(leaving).transposed()).scalars(Double.self)
    let found = whole.times(Tensor.stacked(predicting).transposed()).scalars(Double.self)
    let number = Self.penalties.count
    return (0..<cube.shape[0]).map { patch in
      var best = 0
      for one in 1..<number where chosen[patch * number + one] < chosen[patch * number + best] {
        best = one
      }
      return found[patch * number + best]
    }
  }
}
