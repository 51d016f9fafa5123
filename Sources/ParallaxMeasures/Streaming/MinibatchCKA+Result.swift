import ParallaxTensors

extension MinibatchCKA {
  /// CKA of all pairs from what has been added.
  ///
  /// - Throws: `MeasureError.tooFew` where no block had enough images.
  public func result() throws -> CKAMatrix {
    let parts = groups.sorted { $0.key < $1.key }.map(\.value)
    guard let first = parts.first else {
      throw MeasureError.tooFew(
        measure: Self.name, images: skipped.map(\.images).max() ?? 0,
        needed: options.estimator.fewest)
    }
    let total = parts.dropFirst().reduce(first.sums) { $0 + $1.sums }
    let norms = Self.norms(total)
    var shuffled: ShuffledCKA?
    if let draws = first.shuffled {
      let sum = parts.dropFirst().reduce(draws) { sum, part in
        part.shuffled.map { sum + $0 } ?? sum
      }
      shuffled = ShuffledCKA(
        size: count, draws: (sum / norms).unbound(0).map { masked($0) })
    }
    let left = Self.leavingOut(parts.map(\.sums), total)
    return CKAMatrix(
      size: count, values: masked(total / norms),
      standardErrors: left.map { masked(Self.jackknife($0)) },
      estimator: options.estimator, route: .minibatch,
      images: parts.reduce(0) { $0 + $1.images }, blocks: parts.reduce(0) { $0 + $1.blocks },
      groups: parts.count, skipped: skipped.sorted { $0.block < $1.block },
      refusals: refusals.values.sorted { $0.index < $1.index }, shuffled: shuffled,
      leftOut: left.map { $0.unbound(0).map { masked($0) } } ?? [])
  }

  /// √(S_kk · S_ll).
  private static func norms(_ sums: Tensor) -> Tensor {
    let squares = sums.diagonal()
    // One root of the product, so that a representation is exactly 1 with itself.
    return (squares.unsqueezed(0) * squares.unsqueezed(1)).squareRoot()
  }

  /// The ratio with each group left out in turn, `[groups, L, L]`; nil where there is one group.
  private static func leavingOut(_ parts: [Tensor], _ total: Tensor) -> Tensor? {
    guard parts.count > 1 else { return nil }
    return Tensor.stacked(
      parts.map { part in
        let rest = total - part
        return rest / norms(rest)
      })
  }

  /// √((G−1)/G · Σ_g (θ₍₋g₎ − θ̄)²), the standard error of the ratio.
  ///
  /// > Source: Efron and Tibshirani, 1993, An Introduction to the Bootstrap, equation 11.5.
  private static func jackknife(_ left: Tensor) -> Tensor {
    let groups = Double(left.shape[0])
    let spread = (left - left.mean(over: [0], keeping: true)).squared().sum(over: [0])
    return (spread * ((groups - 1) / groups)).squareRoot()
  }

  /// The numbers, with NaN in rows and columns of refused representations.
  private func masked(_ matrix: Tensor) -> [Double] {
    var numbers = matrix.scalars(Double.self)
    for refused in refusals.keys {
      for other in 0..<count {
        numbers[refused * count + other] = .nan
        numbers[other * count + refused] = .nan
      }
    }
    return numbers
  }
}
