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
  /// Of images that take part and stand behind no reader, by their places: one row for each representation.
  private let outside: [Int: [Tensor]]

  /// - Parameters:
  ///   - gathered: what a pass gave.
  ///   - samples: the set.
  ///   - outside: of pictures outside the set, by their places, one row for each representation.
  init(_ gathered: GatheredFeatures, samples: [Sample], outside: [Int: [Tensor]] = [:]) {
    self.outside = outside.mapValues { $0.map { $0.to(.float64) } }
      .filter { $0.value.allSatisfy { $0.isFinite() } }
    let all = (0..<gathered.count).map { gathered.whole($0).to(.float64) }
    // An image with NaN anywhere is nobody's neighbour.
    let kept = gathered.samples.indices.filter { row in
      all.allSatisfy { $0.sliced(0, row, row + 1).isFinite() }
    }
    self.samples = kept.map { gathered.samples[$0] }
    labels = self.samples.map { samples[$0].label }
    names = Dictionary(
      samples.compactMap { one in
        one.label.flatMap { label in one.className.map { (label, $0) } }
      }
    ) { first, _ in first }
    features = kept.count == gathered.samples.count ? all : all.map { $0.gathered(0, kept) }
    rows = Dictionary(self.samples.enumerated().map { ($1, $0) }) { first, _ in first }
  }

  /// Representations `[images, features]` in float64, the place in the order of the analysis.
  func all(_ place: Int) -> Tensor { features[place] }

  /// Those of some images, by their places in the set.
  func of(_ samples: [Int], _ place: Int) -> Tensor {
    guard samples.contains(where: { rows[$0] == nil }) else {
      return features[place].gathered(0, samples.compactMap { rows[$0] })
    }
    return Tensor.concatenated(
      samples.compactMap { sample in
        rows[sample].map { features[place].sliced(0, $0, $0 + 1) } ?? outside[sample]?[place]
      }, 0)
  }

  /// Whether an image's representations are known, by its place in the set.
  func holds(_ sample: Int) -> Bool { rows[sample] != nil || outside[sample] != nil }

  /// The class of an image, by its place in the set; nil where it has none or lies outside.
  func label(_ sample: Int) -> Int? { rows[sample].flatMap { labels[$0] } }

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

  /// Cosines `[queries, classes]` with the classes' means, each without the excluded image; −∞ where nothing else is of the class.
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
          guard let row = rows[sample], labels[row] == label else { return sum / count }
          return count == 1 ? sum : (sum - bank.sliced(0, row, row + 1)) / (count - 1)
        }, 0)
      let cosines =
        (q * means).sum(over: [1]) / (q.norm(over: [1]) * means.norm(over: [1]) + 1e-300)
      guard count == 1 else { return cosines }
      let alone = excluded.map { sample in rows[sample].map { labels[$0] == label } ?? false }
      return EquivalenceOperators.masked(
        cosines, Tensor(alone, shape: [alone.count]), -Double.infinity)
    }
    return Tensor.stacked(columns, 1)
  }

  /// Parts that images asked for are left out in.
  static let folds = 5

  /// Classes that few-shot probes give to queries: those asked for are split into up to five parts, and each part is read by a probe that is
  /// fitted to all images but its own; nil where those that are left are of fewer than two classes.
  ///
  /// - Parameters:
  ///   - queries: lists of as many rows.
  ///   - place: which representation.
  ///   - excluded: of each row an image that its probe is not fitted to, by its place in the set.
  /// - Returns: of each list a class each row.
  /// - Throws: `MeasureError` of the fit.
  func probed(_ queries: [Tensor], _ place: Int, excluding excluded: [Int]) throws -> [[Int]]? {
    var seen: Set<Int> = []
    let asked = excluded.filter { seen.insert($0).inserted }
    let parts = min(Self.folds, asked.count)
    guard parts > 0 else { return nil }
    var found = queries.map { _ in [Int](repeating: 0, count: excluded.count) }
    for part in 0..<parts {
      let out = Set(asked.indices.filter { $0 % parts == part }.map { asked[$0] })
      let kept = samples.indices.filter { labels[$0] != nil && !out.contains(samples[$0]) }
      let own = kept.compactMap { labels[$0] }
      let classes = Set(own).sorted()
      guard classes.count > 1 else { return nil }
      let numbers = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
      let fit = try FewShotProbe(penalties: [FewShotProbe.defaultPenalty]).fit(
        features[place].gathered(0, kept), labels: own.compactMap { numbers[$0] },
        classes: classes.count)
      let rows = excluded.indices.filter { out.contains(excluded[$0]) }
      for (list, query) in queries.enumerated() {
        let read = fit.classes(of: query.to(.cpu).to(.float64).gathered(0, rows)).reshaped(-1)
          .scalars(Int64.self)
        for (row, label) in zip(rows, read) { found[list][row] = classes[Int(label)] }
      }
    }
    return found
  }
}
