import ParallaxTensors

extension MomentSums {
  /// The moments of all images, or of all but one group.
  public struct Sample {
    /// The number of images.
    public let images: Int
    private let sums: MomentSums
    private let isCentred: Bool
    private let groups: [Group]
    /// `[P]`.
    private let mean: Tensor
    /// √n_g·(μ_g−μ), `[groups, P]`; nil for a single group.
    private let apart: Tensor?
    private let lengths: Lengths?

    fileprivate init(_ sums: MomentSums, _ groups: [Group], _ isCentred: Bool) {
      self.isCentred = isCentred
      (self.sums, self.groups) = (sums, groups)
      let images = groups.reduce(0) { $0 + $1.images }
      self.images = images
      guard let first = groups.first else {
        (mean, apart, lengths) = (Tensor.zeros([sums.widths.reduce(0, +)], .float64), nil, nil)
        return
      }
      guard groups.count > 1 else {
        (mean, apart, lengths) = (first.mean, nil, first.lengths)
        return
      }
      // Means relative to the first group's, so that an offset that all share costs no digits.
      let mean = groups.dropFirst().reduce(first.mean) {
        $0 + ($1.mean - first.mean) * (Double($1.images) / Double(images))
      }
      self.mean = mean
      apart = .stacked(groups.map { ($0.mean - mean) * Double($0.images).squareRoot() })
      lengths = groups.dropFirst().reduce(first.lengths) { sum, group in
        guard var sum, let more = group.lengths else { return nil }
        sum.products = sum.products + more.products
        sum.weighted = sum.weighted + more.weighted
        sum.norms = sum.norms + more.norms
        return sum
      }
    }

    /// The moments of one representation.
    public func moments(_ index: Int) -> Moments {
      let cross = cross(index, index)
      return Moments(
        images: images, precision: sums.precision ?? .float32, mean: cross.means.left,
        centred: cross.centred, lengths: cross.lengths)
    }

    /// The moments of two representations with one another, the first not after the second.
    ///
    /// - Parameters:
    ///   - first: the place of the first side.
    ///   - second: the place of the second side, no smaller.
    /// - Returns: C, on the host.
    public func cross(_ first: Int, _ second: Int) -> CrossMoment {
      let rows = sums.columns(first)
      var centred = sum(
        groups.map { $0.products[second].sliced(0, rows.lowerBound, rows.upperBound) })
      if let apart {
        centred =
          centred
          + part(apart, first).transposed().times(part(apart, second))
      }
      return made(first, second, centred, lengths, isOwn: first == second)
    }

    /// The same with the images of the second side in another order.
    ///
    /// - Parameters:
    ///   - order: which order.
    ///   - first: the place of the first side.
    ///   - second: the place of the second side, no smaller.
    /// - Returns: C of that order; nil where there are no images.
    /// - Precondition: no group is left out.
    public func shuffled(_ order: Int, _ first: Int, _ second: Int) -> CrossMoment? {
      guard let sums = self.sums.orders[order] else { return nil }
      let rows = self.sums.columns(first)
      return made(
        first, second,
        sums.products[second].sliced(0, rows.lowerBound, rows.upperBound).to(.cpu), sums.lengths,
        isOwn: false)
    }

    private func sum(_ parts: [Tensor]) -> Tensor {
      guard parts.count > 1 else { return parts[0].to(.cpu).contiguous() }
      let sum = parts[0].cloned()
      for part in parts.dropFirst() { _ = InPlace.add(sum, part) }
      return sum.to(.cpu)
    }

    /// The columns of one representation, on the host.
    private func part(_ tensor: Tensor, _ index: Int) -> Tensor {
      let columns = sums.columns(index)
      return tensor.sliced(tensor.rank - 1, columns.lowerBound, columns.upperBound).to(.cpu)
    }

    private func none(_ index: Int) -> Tensor { .zeros([sums.widths[index]], .float64) }

    private func made(
      _ k: Int, _ l: Int, _ centred: Tensor, _ lengths: Lengths?, isOwn: Bool
    ) -> CrossMoment {
      CrossMoment(
        images: images, centred: centred, lengths: lengths.map { joint($0, k, l, centred) },
        isOwn: isOwn, means: isCentred ? (none(k), none(l)) : (part(mean, k), part(mean, l)))
    }

    /// Σᵢ‖xᵢ−μ‖²‖yᵢ−ν‖² from sums of rows less a shift: with u = μ − shift, v = ν − shift, a = ‖u‖², b = ‖v‖²,
    /// Q − 2G_y·v − 2G_x·u + bΣnᵢ + aΣn′ᵢ + 4uᵀCv + n·ab, C about the mean.
    private func joint(_ lengths: Lengths, _ k: Int, _ l: Int, _ centred: Tensor) -> Double {
      guard let shift = sums.shift else { return .nan }
      let n = Double(images)
      let (u, v) = (part(mean, k) - part(shift, k), part(mean, l) - part(shift, l))
      let (a, b) = (u.squaredNorm(), v.squaredNorm())
      let norms = lengths.norms.doubles
      func dot(_ rows: Tensor, _ row: Int, _ index: Int, _ vector: Tensor) -> Double {
        (part(rows.selected(0, row), index) * vector).sum().item(Double.self)
      }
      let q = lengths.products.selected(0, k).selected(0, l).item(Double.self)
      let there = dot(lengths.weighted, k, l, v)
      let back = dot(lengths.back ?? lengths.weighted, l, k, u)
      let middle = (centred.times(v) * u).sum().item(Double.self)
      return q - 2 * there - 2 * back + b * norms[k] + a * norms[l] + 4 * middle + n * a * b
    }
  }

  /// The groups that hold images, and can be left out; none where there is one.
  public var filledGroups: [Int] {
    let filled = groups.indices.filter { groups[$0] != nil }
    return filled.count > 1 ? filled : []
  }

  /// The moments of all images, or of all but those of one group.
  ///
  /// - Parameters:
  ///   - group: the one to leave out.
  ///   - isCentred: whether the features count as centred: the mean of the images is zero then.
  /// - Returns: the moments.
  /// - Precondition: `close()` has been called.
  public func sample(leavingOut group: Int? = nil, centred isCentred: Bool = false) -> Sample {
    Sample(self, groups.indices.compactMap { $0 == group ? nil : groups[$0] }, isCentred)
  }
}
