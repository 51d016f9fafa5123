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
  /// `[images, neurons]`.
  let columns: Tensor
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
    case .raw: columns = checked.values
    case .standardized:
      columns = checked.centred.gathered(1, alive).columns(times: alive.map { 1 / norms[$0] })
    }
    neurons = columns.shape[1]
    recipe = Recipe(precision: checked.precision, treatment: preparation.rawValue)
  }

  /// The same neurons with the images in another order; nil where images are left out.
  func selected(_ images: ImageSelection) -> NeuronSummary? {
    images.isWhole ? NeuronSummary(self, images.rows(of: columns)) : nil
  }

  private init(_ other: NeuronSummary, _ columns: Tensor) {
    (images, neurons, deadNeurons) = (other.images, other.neurons, other.deadNeurons)
    (self.columns, recipe) = (columns, other.recipe)
  }

  /// AᵀB, `[neurons, other's neurons]`: correlations, where the columns are standardised.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func products(_ other: NeuronSummary, measure: String) throws -> Tensor {
    try recipe.check(other.recipe, images: (images, other.images), measure: measure)
    return columns.transposed().times(other.columns)
  }
}
