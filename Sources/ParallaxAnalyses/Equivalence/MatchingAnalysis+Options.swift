import ParallaxImages

extension MatchingAnalysis {
  /// The recipes that have names.
  public enum Preset: String, Sendable, CaseIterable {
    /// ``MatchRecipe/quick``.
    case quick
    /// ``MatchRecipe/salman2024``.
    case salman2024
    /// ``MatchRecipe/salman2024Several``.
    case several = "salman2024-several"
    /// ``MatchRecipe/newton``.
    case newton
    /// ``MatchRecipe/pgd``.
    case pgd
    /// ``MatchRecipe/sabour2016``.
    case sabour2016

    /// The recipe.
    public var recipe: MatchRecipe {
      switch self {
      case .quick: .quick
      case .salman2024: .salman2024
      case .several: .salman2024Several
      case .newton: .newton
      case .pgd: .pgd
      case .sabour2016: .sabour2016
      }
    }
  }

  /// What is matched, and how.
  public struct Options: Sendable {
    /// How.
    public var recipe = MatchRecipe.quick
    /// Which images with which.
    public var pairs = MatchPairs.random(8)
    /// Embeddings that sources are matched to instead of those of images; nil for images.
    public var vectors: MatchVectors?
    /// Sites of a model whose sites nobody chose, evenly spread over the blocks; 1: where its embedding is.
    public var sites = 1
    /// Pictures that are changed at once, fewer where more would not fit into memory; nil for 8. No number depends on it but by rounding.
    public var batchSize: Int?
    /// What becomes of transparency of pictures that lie outside the set.
    public var alpha = ImageBuffer.Alpha.overWhite
    /// Standard deviations of the noise of the detector, in pixels of 0 to 1.
    public var noise = [0.01, 0.02, 0.05, 0.1]
    /// Draws of noise for each.
    public var draws = 4
    /// The seed of pairs and noise.
    public var seed: UInt64 = 0

    /// Eight random pairs, the quick recipe, the last site.
    public init() {}
  }
}
