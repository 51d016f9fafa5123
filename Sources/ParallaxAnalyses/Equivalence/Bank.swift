import ParallaxImages
import ParallaxMeasures
import ParallaxTensors

/// The representations of a whole set of images, and readers of classes that stand on them.
///
/// Readers leave the picture that they are asked for out: an image is not its own neighbour.
struct Bank {
  /// Of each row the image's place in the set.
  let samples: [Int]
  /// Of each row its class; nil where the image has none.
  let labels: [Int?]
  /// Names of the classes.
  let names: [Int: String]
  private let features: [Tensor]
  private let rows: [Int: Int]

  init(_ gathered: GatheredFeatures, samples: [Sample]) {
    self.samples = gathered.samples
    labels = gathered.samples.map { samples[$0].label }
    names = Dictionary(
      samples.compactMap { one in
        one.label.flatMap { label in one.className.map { (label, $0) } }
      }
    ) { first, _ in first }
    features = (0..<gathered.count).map { gathered.whole($0).to(.float64) }
    rows = Dictionary(gathered.samples.enumerated().map { ($1, $0) }) { first, _ in first }
  }

  /// Representations `[images, features]` in float64, the place in the order of the analysis.
  func all(_ place: Int) -> Tensor { features[place] }

  /// Those of some images, by their places in the set.
  func of(_ samples: [Int], _ place: Int) -> Tensor {
    features[place].gathered(0, samples.compactMap { rows[$0] })
  }

  /// Whether there are classes, at least two.
  var hasClasses: Bool { Set(labels.compactMap(\.self)).count > 1 }

  /// The row of the nearest image for each query, by Euclidean distance.
  ///
  /// - Parameters:
  ///   - queries: `[queries, features]`.
  ///   - place: which representation.
  ///   - excluded: of each query an image that is not looked at, by its place in the set.
  /// - Returns: places in the set.
  func nearest(_ queries: Tensor, _ place: Int, excluding excluded: [Int]) -> [Int] {
    let bank = features[place]
    // Centred, so that the product's rounding is that of the spread, not of the mean.
    let mean = bank.mean(over: [0])
    let (q, b) = (queries.to(.cpu).to(.float64) - mean, bank - mean)
    let distances =
      q.squared().sum(over: [1], keeping: true) - q.times(b.transposed()) * 2.0
      + b.squared().sum(over: [1]).reshaped(1, -1)
    var mask = [Bool](repeating: false, count: queries.shape[0] * bank.shape[0])
    for (query, sample) in excluded.enumerated() {
      if let row = rows[sample] { mask[query * bank.shape[0] + row] = true }
    }
    let closed = EquivalenceOperators.masked(
      distances, Tensor(mask, shape: distances.shape), Double.infinity)
    return (closed * -1.0).argmax(1).scalars(Int64.self).map { samples[Int($0)] }
  }

  /// Cosines `[queries, classes]` with the classes' means, each without the excluded image.
  ///
  /// - Parameters:
  ///   - queries: `[queries, features]`.
  ///   - place: which representation.
  ///   - classes: labels.
  ///   - excluded: of each query an image that no mean holds.
  /// - Returns: a row each query.
  func prototypes(_ queries: Tensor, _ place: Int, _ classes: [Int], excluding excluded: [Int])
    -> Tensor
  {
    let bank = features[place]
    let q = queries.to(.cpu).to(.float64)
    let columns = classes.map { label -> Tensor in
      let members = labels.indices.filter { labels[$0] == label }
      let sum = bank.gathered(0, members).sum(over: [0], keeping: true)
      let count = Double(members.count)
      let means = Tensor.concatenated(
        excluded.map { sample -> Tensor in
          guard let row = rows[sample], labels[row] == label, count > 1 else { return sum / count }
          return (sum - bank.sliced(0, row, row + 1)) / (count - 1)
        }, 0)
      return (q * means).sum(over: [1]) / (q.norm(over: [1]) * means.norm(over: [1]) + 1e-300)
    }
    return Tensor.stacked(columns, 1)
  }

  /// Classes that a few-shot probe, fitted to all images but the excluded, gives to queries; nil where those that are left are of
  /// fewer than two classes.
  func probed(_ queries: [Tensor], _ place: Int, excluding excluded: [Int]) throws -> [[Int]]? {
    let out = Set(excluded)
    let kept = samples.indices.filter { labels[$0] != nil && !out.contains(samples[$0]) }
    let own = kept.compactMap { labels[$0] }
    let classes = Set(own).sorted()
    guard classes.count > 1 else { return nil }
    let numbers = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    let fit = try FewShotProbe(penalties: [FewShotProbe.defaultPenalty]).fit(
      features[place].gathered(0, kept), labels: own.compactMap { numbers[$0] },
      classes: classes.count)
    return queries.map { query in
      fit.classes(of: query.to(.cpu).to(.float64)).reshaped(-1).scalars(Int64.self)
        .map { classes[Int($0)] }
    }
  }
}
