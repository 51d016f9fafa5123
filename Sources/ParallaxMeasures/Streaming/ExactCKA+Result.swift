import ParallaxTensors

extension ExactCKA {
  /// CKA of all pairs from what has been added.
  ///
  /// - Parameter estimator: both come from the same sums.
  /// - Returns: the matrix of all pairs, without standard errors and without shuffled pairs.
  /// - Throws: `MeasureError.tooFew`.
  public func result(_ estimator: Estimator = .debiased) throws -> CKAMatrix {
    guard images >= estimator.fewest, var sums else {
      throw MeasureError.tooFew(measure: Self.name, images: images, needed: estimator.fewest)
    }
    if sums.waitingCount > 0 {
      // Into a copy, so that asking for a result does not change how later rows are summed.
      sums.products = sums.products.map { Plain.clone($0) }
      multiply(&sums)
    }
    let count = widths.count
    let (hsic, crosses) = inner(sums, estimator)
    var refusals = self.refusals
    let unit = precision == .float64 ? 8 * Double.ulpOfOne : Double(Float.ulpOfOne) / 2
    for index in 0..<count where refusals[index] == nil {
      let (own, cross) = (hsic[index * count + index], crosses[index])
      // What is left of ‖XᵀX‖² after the debiasing terms has to be more than the products' rounding.
      if !(own > (estimator == .debiased ? unit * cross : 0)) {
        refusals[index] = CKARefusal(index: index, block: nil, reason: .constant)
      }
    }
    var values = [Double](repeating: .nan, count: count * count)
    for k in 0..<count where refusals[k] == nil {
      for l in 0..<count where refusals[l] == nil {
        values[k * count + l] =
          hsic[k * count + l]
          / (hsic[k * count + k] * hsic[l * count + l]).squareRoot()
      }
    }
    return CKAMatrix(
      size: count, values: values, standardErrors: nil, estimator: estimator, route: .exact,
      images: images, blocks: blocks, groups: 0, skipped: [],
      refusals: refusals.values.sorted { $0.index < $1.index }, shuffled: nil, leftOut: [])
  }

  /// n(n−3)·HSIC₁, or ‖X_kᵀX_l‖²_F, of all pairs, and ‖X_kᵀX_k‖²_F of each.
  private func inner(_ sums: Sums, _ estimator: Estimator) -> ([Double], [Double]) {
    let (n, count) = (Double(images), widths.count)
    let mean = sums.total / n
    let weighted = sums.weighted * mean.unsqueezed(0)  // [L, P], still to be summed per site
    let q = sums.normProducts.scalars(Double.self)
    let sizes = sums.norms.scalars(Double.self)
    var means: [Tensor] = []
    var squares: [Double] = []
    var dots: [[Double]] = []  // dots[l][k] = G of k's norms and l's rows, times l's mean
    for index in widths.indices {
      let columns = columns(index)
      means.append(mean.sliced(0, columns.lowerBound, columns.upperBound))
      squares.append(means[index].squared().sum().item(Double.self))
      dots.append(
        weighted.sliced(1, columns.lowerBound, columns.upperBound).sum(over: [1])
          .scalars(Double.self))
    }
    var hsic = [Double](repeating: 0, count: count * count)
    var crosses = [Double](repeating: 0, count: count)
    for l in 0..<count {
      for k in 0...l {
        let columns = columns(k)
        let product = sums.products[l].sliced(0, columns.lowerBound, columns.upperBound)
        let (mu, nu) = (means[k].unsqueezed(1), means[l].unsqueezed(0))
        let cross = (product - mu * nu * n).squared().sum().item(Double.self)
        if k == l { crosses[k] = cross }
        var value = cross
        if estimator == .debiased {
          let (a, b) = (squares[k], squares[l])
          let joint = product.times(means[l].unsqueezed(1)).squeezed(1)
          let middle = (joint * means[k]).sum().item(Double.self)
          let t =
            q[k * count + l] - 2 * dots[l][k] - 2 * dots[k][l] + b * sizes[k] + a * sizes[l]
            + 4 * middle - 3 * n * a * b
          let traces = (sizes[k] - n * a) * (sizes[l] - n * b)
          value += -n / (n - 2) * t + traces / ((n - 1) * (n - 2))
        }
        hsic[k * count + l] = value
        hsic[l * count + k] = value
      }
    }
    return (hsic, crosses)
  }
}
