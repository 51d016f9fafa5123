import ParallaxTensors

/// Centred kernel nearest-neighbour alignment: the unbiased HSIC of similarities to common neighbours.
///
/// K and L are the cosines of all pairs of rows, not centred. With the mask M_ij = 1 where j is one of the
/// k nearest of i on both sides, K and L multiplied by it,
/// h(K, L) = Σ_ij K_ij L_ji + ΣK·ΣL/((N−1)(N−2)) − 2/(N−2)·Σ_ij (KL)_ij; the value is
/// h(K, L)/√(h(K, K)·h(L, L)), where each side against itself has its own neighbours for a mask. k ≥ 2;
/// the usual choice is 10.
///
/// The mask is not symmetric, so that Σ(KL)_ij, and with it the value, changes a little when the sides are
/// exchanged (0.7140 and 0.7070 on the golden pair). Variants that make the mask symmetric, or sum columns on
/// both sides, give other numbers. The authors' code adds 1e-6 to the root of h·h; nothing is added here.
/// Agrees with NumPy to 12 digits in float64.
///
/// > Source: Huh et al., 2024, arXiv 2405.07987, appendix A, and its code (`cknna`).
public struct CKNNA: Measure {
  /// k, 10 by default.
  public let neighbours: Int

  /// The measure with k neighbours.
  ///
  /// - Precondition: k is at least 2.
  public init(neighbours: Int = 10) {
    precondition(neighbours > 1, "k is at least 2")
    self.neighbours = neighbours
  }

  /// `cknna`; `cknna-k5` with another k.
  public var name: String { "cknna" + (neighbours == 10 ? "" : "-k\(neighbours)") }
  /// A similarity: 1 for a representation with itself.
  public var direction: Direction { .similarity }
  /// The mask is not.
  public var isSymmetric: Bool { false }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// Whatever keeps angles between rows.
  public var invariances: Invariance { Distance.cosine.invariances }
  /// It may be negative; the three masks differ, so that nothing bounds it by 1.
  public var range: ClosedRange<Double> { -Double.infinity...(.infinity) }
  /// Neighbours once a representation, sums over common neighbours a pair.
  public var cost: String { "N²D once a representation, Nk² a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// How near the k nearest are depends on k/N.
  public var pitfalls: [Pitfall] { [.neighbourhood(neighbours)] }
  /// k + 2: with k + 1 images all others are neighbours.
  public var fewestImages: Int { neighbours + 2 }
  /// The paper and its section.
  public var source: String { "Huh et al., 2024, arXiv 2405.07987, appendix A" }
  /// The implementation that gives the same numbers.
  public var agreesWith: String { "NumPy, by the definition, to 12 digits in float64" }

  /// Neighbours, and the alignment of a representation with itself.
  public struct Summary: Sendable {
    /// The neighbours; their squared distances are the similarities.
    public let neighbours: Neighbours
    let own: Double
  }

  /// The k nearest of every image with their similarities, and h(K, K).
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images.
  /// - Returns: neighbours and one number.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.row` where a row is zero, or `.constant`, also where
  ///   h(K, K) is not above zero.
  public func summary(of features: Tensor) throws -> Summary {
    try summary(from: SharedParts(features))
  }

  /// The neighbours by the cosine.
  public var sharedPart: SharedPart? { .neighbours(.cosine, neighbours) }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> Summary {
    try summary(parts.neighbours(neighbours, .cosine, measure: name))
  }

  /// Of the neighbours among those images; nil where too few of them are known.
  ///
  /// - Throws: `MeasureError.constant` where h(K, K) is not above zero.
  public func selected(_ summary: Summary, _ images: ImageSelection) throws -> Summary? {
    guard let nearest = summary.neighbours.selected(images) else { return nil }
    return images.isWhole
      ? Summary(neighbours: nearest, own: summary.own) : try self.summary(nearest)
  }

  private func summary(_ nearest: Neighbours) throws -> Summary {
    let own = Self.alignment(nearest, nearest)
    guard own > 0 else { throw MeasureError.constant(measure: name) }
    return Summary(neighbours: nearest, own: own)
  }

  /// h(K, L)/√(h(K, K)·h(L, L)).
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types or numbers of neighbours
  ///   differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    try a.neighbours.check(b.neighbours, measure: name)
    return Self.alignment(a.neighbours, b.neighbours) / (a.own * b.own).squareRoot()
  }

  /// 1.
  public func selfValue(images: Int) -> Double? { 1 }

  /// h(K, L) with the mask of neighbours on both sides.
  private static func alignment(_ a: Neighbours, _ b: Neighbours) -> Double {
    let n = Double(a.images)
    /// Where j stands among the neighbours of i, on both sides.
    func places(_ i: Int, _ j: Int32) -> (Int, Int)? {
      guard let left = a.list(i).firstIndex(of: j), let right = b.list(i).firstIndex(of: j)
      else { return nil }
      return (left, right)
    }
    var columns = [Double](repeating: 0, count: a.images)
    var rows = columns
    var (trace, left, right) = (0.0, 0.0, 0.0)
    for i in 0..<a.images {
      for place in a.list(i).indices {
        let j = a.indices[place]
        guard let other = b.list(i).firstIndex(of: j) else { continue }
        let (x, y) = (1 - a.squares[place] / 2, 1 - b.squares[other] / 2)
        columns[Int(j)] += x
        rows[i] += y
        left += x
        right += y
        if let back = places(Int(j), Int32(i)) { trace += x * (1 - b.squares[back.1] / 2) }
      }
    }
    var product = 0.0
    for i in 0..<a.images { product += columns[i] * rows[i] }
    return trace + left * right / ((n - 1) * (n - 2)) - 2 / (n - 2) * product
  }
}
