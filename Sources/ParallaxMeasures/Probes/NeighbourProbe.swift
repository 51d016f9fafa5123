import ParallaxTensors

/// k-nearest-neighbour classification by the cosine: what a representation knows of classes without any training.
///
/// Two votes: the plain majority of the k nearest images of a bank, for several k; and DINO's, where each of the k nearest votes
/// with exp(cos/τ). Of classes with equally many votes the first wins, as in scikit-learn's `KNeighborsClassifier`.
///
/// Images that are probed are never in the bank: none is its own neighbour. Float64.
///
/// > Source: Caron et al., 2021, arXiv 2104.14294 (k = 20, τ = 0.07; facebookresearch/dino, `eval_knn.py`); Wu et al., 2018, arXiv
/// > 1805.01978.
public struct NeighbourProbe: Sendable, Hashable {
  /// Neighbours that vote, in ascending order.
  public let counts: [Int]
  /// Neighbours of the weighted vote.
  public let weightedCount: Int
  /// τ of the weighted vote.
  public let temperature: Double

  /// A probe.
  ///
  /// - Parameters:
  ///   - counts: k of the plain votes, positive.
  ///   - weightedCount: k of the weighted vote, positive.
  ///   - temperature: τ, positive.
  /// - Precondition: all are positive.
  public init(counts: [Int] = [1, 5, 10, 20], weightedCount: Int = 20, temperature: Double = 0.07) {
    precondition(
      counts.allSatisfy { $0 > 0 } && weightedCount > 0 && temperature > 0,
      "NeighbourProbe: expected positive numbers")
    (self.counts, self.weightedCount, self.temperature) = (counts, weightedCount, temperature)
  }

  /// `neighbour-probe`, as errors call it.
  public static var name: String { "neighbour-probe" }

  /// The classes that neighbours vote for.
  public struct Votes: Sendable, Equatable {
    /// By k, for those of ``NeighbourProbe/counts`` that the bank holds: the class of each query.
    public let majority: [Int: [Int]]
    /// The weighted vote's class of each query, of ``weightedCount`` neighbours.
    public let weighted: [Int]
    /// The weighted vote's k: at most the size of the bank.
    public let weightedCount: Int
  }

  /// Classifies queries by a bank.
  ///
  /// - Parameters:
  ///   - queries: `[queries, width]`.
  ///   - bank: `[images, width]`.
  ///   - labels: of the bank's images, from 0.
  ///   - classes: how many there are.
  /// - Returns: the classes.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.unequalCounts`, `.undefined`, and `.row` for an image whose
  ///   features are all zero.
  /// - Complexity: queries · images · width.
  public func callAsFunction(
    _ queries: Tensor, bank: Tensor, labels: [Int], classes: Int
  ) throws -> Votes {
    let images = try Checked.images(of: bank, atLeast: 1, measure: Self.name)
    let count = try Checked.images(of: queries, atLeast: 1, measure: Self.name)
    try ProbeLabels.check(labels, classes: classes, images: images, Self.name)
    let near = min(images, max(weightedCount, counts.max() ?? 1))
    let cosines = try Self.directions(queries).times(Self.directions(bank).transposed())
    let (values, places) = cosines.topK(near)
    // The largest cosine is 1: taken off, nothing overflows, and the order of the votes stays.
    let weights = ((values - 1) / temperature).exponential().scalars(Double.self)
    let neighbours = places.scalars(Int64.self).map { labels[Int($0)] }
    func vote(_ k: Int, isWeighted: Bool) -> [Int] {
      (0..<count).map { query in
        var votes = [Double](repeating: 0, count: classes)
        for place in (query * near)..<(query * near + k) {
          votes[neighbours[place]] += isWeighted ? weights[place] : 1
        }
        let most = votes.max() ?? 0
        return votes.firstIndex(of: most) ?? 0
      }
    }
    let weighted = min(weightedCount, images)
    var majority: [Int: [Int]] = [:]
    for k in counts where k <= images { majority[k] = vote(k, isWeighted: false) }
    return Votes(
      majority: majority, weighted: vote(weighted, isWeighted: true), weightedCount: weighted)
  }

  private static func directions(_ features: Tensor) throws -> Tensor {
    let x = Gram.widened(features)
    guard x.isFinite() else { throw MeasureError.notFinite(measure: name) }
    let lengths = x.norm(over: [1], keeping: true)
    if let row = lengths.scalars(Double.self).firstIndex(of: 0) {
      throw MeasureError.row(measure: name, row: row, problem: "is all zeros: it has no direction")
    }
    return x / lengths
  }
}
