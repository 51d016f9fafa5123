import ParallaxTensors

/// How a picture is found whose embedding is a given one.
///
/// > Source: Badger, 2022, arXiv 2211.06496 for ``badger2022(_:features:)``; the other preset is ours.
public struct InversionRecipe: Sendable, Hashable, Codable {
  /// How a gradient becomes a step.
  public enum Optimiser: String, Sendable, Codable, CaseIterable {
    /// a − ε·g: no momentum, nothing scaled.
    case descent
    /// Adam with β₁ = 0.9, β₂ = 0.999 and 1e−8, PyTorch's defaults.
    case adam
  }

  /// Where the descent begins.
  public enum Start: Sendable, Hashable, Codable {
    /// Independent draws of N(mean, deviation²) for each element.
    case normal(mean: Double, deviation: Double)
    /// Independent draws of [0, 1).
    case uniform
  }

  /// Which of the steps' pictures is the result.
  public enum Kept: String, Sendable, Codable {
    /// The last, the paper's.
    case last
    /// The one whose embedding is nearest.
    case best
  }

  /// A blur after each step.
  public struct Smoothing: Sendable, Hashable, Codable {
    /// k in pixels.
    public var size: Int
    /// σ in pixels over the steps.
    public var sigma: LinearSchedule

    /// A blur of k × k pixels.
    public init(size: Int = 3, sigma: LinearSchedule) { (self.size, self.sigma) = (size, sigma) }
  }

  /// The kinds of network that the paper's table tells apart.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Convolutional networks: the ResNet's row.
    case convolutional
    /// Networks of fully connected layers.
    case perceptron
    /// The MLP-Mixer.
    case mixer
    /// Vision transformers; c and ε of this row are ours.
    case transformer
  }

  /// The preset's name.
  public var name: String
  /// The loss.
  public var loss = EmbeddingLoss.l1
  /// Whether the loss is divided by that of an embedding of zeros.
  public var isRelative = false
  /// c, what the loss is multiplied with.
  public var scale = 1.0
  /// N.
  public var steps = 500
  /// ε.
  public var rate = LinearSchedule(0.1, 0.1)
  /// How steps are made.
  public var optimiser = Optimiser.descent
  /// The blur after each step; nil for none.
  public var smoothing: Smoothing?
  /// λ of the total variation, mean over elements of |∂a/∂x| + |∂a/∂y|, added to the loss.
  public var variation = 0.0
  /// Pixels by which the picture is shifted at random in each step, at most; fades to 0 over the steps.
  public var jitter = 0
  /// Whether pixels are put back into [0, 1] after each step.
  public var clamps = false
  /// Where it begins.
  public var start = Start.normal(mean: 0.7, deviation: 0.05)
  /// Whether the model is given pixels in [0, 1] as they are instead of what its preprocessing makes of them.
  public var isRaw = false
  /// Which picture is the result.
  public var kept = Kept.best

  /// A recipe of that name with the paper's start and plain descent.
  public init(name: String) { self.name = name }

  /// The paper's recipe exactly: a₀ ~ 0.7 + N(0, 1)/20, L1 summed over all elements times c, plain descent, the blur after the
  /// step, pixels in [0, 1] without normalisation, no clamp, the last picture.
  ///
  /// | kind | c | N | ε | σ of the 3 × 3 blur |
  /// | --- | --- | --- | --- | --- |
  /// | convolutional | 0.15 | 500 | 0.1 → 0.1 | 2.4 → 0.4 |
  /// | perceptron | 0.35 | 500 | 0.1 → 0.1 | none |
  /// | mixer | 0.06 | 1500 | 0.1 → 0.1 | none |
  /// | transformer | 0.15 · 204 800 / features (ours) | 1500 | 0.1 → 0.1 (ours) | none |
  ///
  /// The paper names no c and ε for transformers: ours are the ResNet's at its last stage (204 800 numbers of a picture of 299
  /// × 299 pixels), scaled to the layer's size.
  ///
  /// - Parameters:
  ///   - kind: the row.
  ///   - features: numbers in the layer's embedding of one image.
  /// - Returns: the recipe.
  public static func badger2022(_ kind: Kind, features: Int) -> InversionRecipe {
    var recipe = InversionRecipe(name: "badger2022")
    (recipe.isRaw, recipe.kept) = (true, .last)
    switch kind {
    case .convolutional:
      recipe.scale = 0.15
      recipe.smoothing = Smoothing(sigma: LinearSchedule(2.4, 0.4))
    case .perceptron: recipe.scale = 0.35
    case .mixer: (recipe.scale, recipe.steps) = (0.06, 1500)
    case .transformer:
      (recipe.scale, recipe.steps) = (0.15 * 204_800 / Double(max(1, features)), 1500)
    }
    return recipe
  }

  /// A hundred steps of Adam on the pixels with total variation, through the model's own preprocessing.
  ///
  /// The loss is ‖ŷ − y‖² / ‖ŷ‖², so that one rate suits all layers. λ = 2 gave the smallest errors at an early layer of
  /// EfficientNet-Lite0 among 0.02, 0.1, 0.5, 2 and 8; with jitter of 4 pixels they were larger, so there is none.
  public static var quick: InversionRecipe {
    var recipe = InversionRecipe(name: "quick")
    (recipe.loss, recipe.isRelative) = (.rss, true)
    (recipe.optimiser, recipe.rate, recipe.steps) = (.adam, LinearSchedule(0.05, 0.005), 100)
    (recipe.variation, recipe.clamps, recipe.kept) = (2, true, .best)
    recipe.start = .normal(mean: 0.5, deviation: 0.05)
    return recipe
  }

  /// a₀.
  ///
  /// - Parameters:
  ///   - shape: of one picture, `[channels, height, width]`.
  ///   - seed: of the draws; the same seed gives the same picture for every layer.
  /// - Returns: the picture in float32.
  public func beginning(_ shape: [Int], seed: UInt64) -> Tensor {
    let source = RandomSource(seed: seed)
    switch start {
    case .normal(let mean, let deviation): return source.normal(shape) * deviation + mean
    case .uniform: return source.uniform(shape)
    }
  }

  /// One line that names everything that changes the numbers.
  var fingerprint: String {
    let start =
      switch start {
      case .normal(let mean, let deviation): "normal \(mean) \(deviation)"
      case .uniform: "uniform"
      }
    let blur = smoothing.map { "\($0.size) \($0.sigma.start) \($0.sigma.end)" } ?? "none"
    return
      "\(loss) \(isRelative) \(scale) N \(steps) ε \(rate.start) \(rate.end) \(optimiser) blur \(blur) tv \(variation) jitter \(jitter) clamp \(clamps) start \(start) raw \(isRaw) kept \(kept)"
  }
}
