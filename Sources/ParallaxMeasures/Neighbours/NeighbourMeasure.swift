import ParallaxTensors

/// A measure that compares the k nearest neighbours of every image in two representations.
///
/// A conformer says what one image contributes, or the whole; the rest is the same for all. Neighbours are
/// those of ``Neighbours``, self excluded, ties by the lowest index. Values depend on k/N: compare at equal
/// numbers of images. Two unrelated representations share k/(N−1) of their neighbours by chance.
public protocol NeighbourMeasure: Measure where Summary == Neighbours {
  /// k: how many neighbours of each image are looked at.
  var neighbours: Int { get }
  /// What is near.
  var distance: Distance { get }
  /// The value for neighbours that fit together.
  func value(_ a: Neighbours, _ b: Neighbours) -> Double
}

extension NeighbourMeasure {
  /// A similarity.
  public var direction: Direction { .similarity }
  /// Neighbours in common do not know which side is which.
  public var isSymmetric: Bool { true }
  /// The triangle inequality does not hold.
  public var isMetric: Bool { false }
  /// What the order of distances ignores: rotations and scaling, and for Euclidean distances translation.
  public var invariances: Invariance { distance.invariances }
  /// From nothing in common to everything.
  public var range: ClosedRange<Double> { 0...1 }
  /// One blocked pass of distances once a representation.
  public var cost: String { "N²D once a representation, Nk a pair" }
  /// Row i of both sides is the same image.
  public var needsPairing: Bool { true }
  /// How near the k nearest are depends on k/N.
  public var pitfalls: [Pitfall] { [.neighbourhood(neighbours)] }
  /// k + 2: with k + 1 images all others are neighbours.
  public var fewestImages: Int { neighbours + 2 }

  /// The k nearest of every image.
  ///
  /// - Parameter features: `[images, width]`, at least k + 2 images.
  /// - Returns: N·k indices, the same sorted, and squared distances.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`, or `.row` where a row has no direction.
  public func summary(of features: Tensor) throws -> Neighbours {
    try summary(from: SharedParts(features))
  }

  /// The neighbours by that distance.
  public var sharedPart: SharedPart? { .neighbours(distance, neighbours) }

  /// The same, of one pass over the distances for all measures.
  ///
  /// - Throws: as `summary(of:)`.
  public func summary(from parts: SharedParts) throws -> Neighbours {
    try parts.neighbours(neighbours, distance, measure: name)
  }

  /// The neighbours among those images; nil where too few of them are known.
  public func selected(_ summary: Neighbours, _ images: ImageSelection) throws -> Neighbours? {
    summary.selected(images)
  }

  /// The value for two representations.
  ///
  /// - Throws: `MeasureError.unequalCounts`, or `MeasureError.summaries` where element types, distances or numbers of
  ///   neighbours differ.
  public func similarity(_ a: Neighbours, _ b: Neighbours) throws -> Double {
    try a.check(b, measure: name)
    return value(a, b)
  }

  /// A name with k and the distance where they are not the usual ones: `mutual-knn-euclidean-k5`.
  func named(_ base: String, _ usual: Int, _ usualDistance: Distance = .cosine) -> String {
    base + (distance == usualDistance ? "" : "-\(distance)")
      + (neighbours == usual ? "" : "-k\(neighbours)")
  }
}

extension Neighbours {
  /// The mean over the images.
  func mean(_ value: (Int) -> Double) -> Double {
    var total = 0.0
    for image in 0..<images { total += value(image) }
    return total / Double(images)
  }
}
