import ParallaxTensors

/// The neurons of a representation as columns that are matched with another's one by one.
///
/// Always float64: 8 bytes for each image and neuron.
public struct NeuronSummary: Sendable {
  /// How the columns are prepared.
  enum Preparation: String, Sendable {
    /// As they are.
    case raw
    /// Centred and of norm one, so that a product of two is their correlation.
    case standardized
  }

  /// The number of images.
  public let images: Int
  /// The number of neurons that take part.
  public let neurons: Int
  /// Neurons that are the same for every image, and have no correlation with anything.
  public let deadNeurons: Int
  /// The neurons, one a column.
  let columns: Columns
  /// Σ(x − μ)² of each neuron, of moments alone.
  let squares: [Double]
  private let isRaw: Bool
  let recipe: Recipe

  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`.
  init(
    _ features: Tensor, _ preparation: Preparation, atLeast fewest: Int, measure: String
  ) throws {
    let checked = try CheckedFeatures(features, atLeast: fewest, measure: measure)
    images = checked.images
    let norms = checked.centred.norm(over: [0]).doubles
    let alive = norms.indices.filter { norms[$0] > 0 }
    deadNeurons = norms.count - alive.count
    switch preparation {
    case .raw: columns = .rows(checked.values)
    case .standardized:
      columns = .rows(
        checked.centred.gathered(1, alive).columns(times: alive.map { 1 / norms[$0] }))
    }
    (neurons, squares) = (columns.count, [])
    recipe = Recipe(precision: checked.precision, treatment: preparation.rawValue)
    isRaw = preparation == .raw
  }

  /// The same from second moments.
  ///
  /// - Throws: `MeasureError.tooFew`, `.notFinite`, `.constant`.
  init(
    _ moments: Moments, _ preparation: Preparation, atLeast fewest: Int, measure: String
  ) throws {
    let checked = try moments.checked(atLeast: fewest, measure: measure)
    images = checked.images
    let own = checked.centred.diagonal().doubles
    let alive = own.indices.filter { own[$0] > 0 }
    deadNeurons = own.count - alive.count
    switch preparation {
    case .raw:
      columns = .neurons(Array(own.indices), times: own.map { _ in 1 })
    case .standardized:
      columns = .neurons(alive, times: alive.map { 1 / own[$0].squareRoot() })
    }
    squares = own
    neurons = columns.count
    recipe = Recipe(
      precision: checked.precision, treatment: "\(preparation.rawValue), of moments")
    isRaw = preparation == .raw
  }

  /// The same neurons with the images in another order; nil where images are left out.
  func selected(_ images: ImageSelection) -> NeuronSummary? {
    images.isWhole ? NeuronSummary(self, columns.selected(images)) : nil
  }

  private init(_ other: NeuronSummary, _ columns: Columns) {
    (images, neurons, deadNeurons) = (other.images, other.neurons, other.deadNeurons)
    (self.columns, recipe) = (columns, other.recipe)
    (squares, isRaw) = (other.squares, other.isRaw)
  }

  /// AᵀB, `[neurons, other's neurons]`: correlations, where the columns are standardised.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func products(_ other: NeuronSummary, _ cross: CrossMoment?, measure: String) throws -> Tensor {
    try recipe.check(other.recipe, images: (images, other.images), measure: measure)
    return try columns.products(
      other.columns, isRaw ? cross?.raw : cross?.centred, measure: measure)
  }

  /// ‖a − b‖² summed over neurons of this side and of the other that are matched, and ‖·‖² of those that are left over.
  ///
  /// - Parameters:
  ///   - other: the other side, its neurons raw as these.
  ///   - pairs: the matched neurons.
  ///   - cross: the moments of both sides, where they were made of moments.
  /// - Returns: the square of a distance, which rounding may leave below zero.
  func squaredDistance(
    _ other: NeuronSummary, _ pairs: Assignment, _ cross: CrossMoment?
  ) -> Double {
    // The wider side's neurons that were left over meet zeros.
    let (wide, used) =
      neurons > other.neurons ? (self, Set(pairs.rows)) : (other, Set(pairs.columns))
    let left = (0..<wide.neurons).filter { !used.contains($0) }
    if let a = columns.rows, let b = other.columns.rows, let all = wide.columns.rows {
      return (a.gathered(1, pairs.rows) - b.gathered(1, pairs.columns)).squaredNorm()
        + all.gathered(1, left).squaredNorm()
    }
    guard let cross else { return .nan }
    // About the means, so that an offset that both share costs no digits.
    let (mu, nu) = (cross.means.left.doubles, cross.means.right.doubles)
    let products = cross.centred.doubles
    let (n, width) = (Double(images), other.neurons)
    let matched = zip(pairs.rows, pairs.columns).reduce(0.0) { sum, pair in
      let (i, j) = pair
      if cross.isOwn, i == j { return sum }
      return sum + squares[i] + other.squares[j] - 2 * products[i * width + j]
        + n * (mu[i] - nu[j]) * (mu[i] - nu[j])
    }
    let offsets = neurons > other.neurons ? mu : nu
    return matched
      + left.reduce(0) { $0 + wide.squares[$1] + n * offsets[$1] * offsets[$1] }
  }
}
