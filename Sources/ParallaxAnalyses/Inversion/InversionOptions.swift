import ParallaxModels

extension InversionAnalysis {
  /// The recipes that have names.
  public enum Preset: String, Sendable, CaseIterable {
    /// ``InversionRecipe/quick``.
    case quick
    /// ``InversionRecipe/badger2022(_:features:)`` for the model's kind.
    case badger2022
    /// ``InversionRecipe/fourier``.
    case fourier
    /// ``InversionRecipe/octaves``.
    case octaves
    /// ``InversionRecipe/lbfgs``.
    case lbfgs
    /// ``InversionRecipe/prior``.
    case prior
    /// ``InversionRecipe/feather2023``.
    case feather2023
  }

  /// How pictures are reconstructed.
  public struct Options: Sendable {
    /// The recipe.
    public var preset = Preset.quick
    /// Steps instead of the recipe's; nil for those.
    public var steps: Int?
    /// ε at the first step instead of the recipe's, the end in proportion; nil for that.
    public var rate: Double?
    /// λ of the total variation instead of the recipe's; nil for that.
    public var variation: Double?
    /// Pixels of jitter instead of the recipe's; nil for those.
    public var jitter: Int?
    /// Images that enter.
    public var images = 2
    /// Starts of each image.
    public var starts = 1
    /// Layers of a model whose sites nobody chose, evenly spread.
    public var layers = 4
    /// The shift that distances are held against.
    public var shift = ReferenceShift()
    /// Pictures that descend at once.
    public var batchSize = 8
    /// Embeddings to match instead of the images' own; nil for those. Row i belongs to the data set's image i.
    public var target: TargetEmbeddings?
    /// Models by name whose parameters are float64, in which the descents then run; empty for float32.
    public var precise: [String: any Model] = [:]
    /// Bytes that a descent may take by estimate; batches are made smaller until they fit.
    public var memoryLimit = 1 << 33
    /// The seed of starts, shifts and jitter.
    public var seed: UInt64 = 0
    /// What the models stand along; nil for nothing.
    public var axis: InversionAxis?

    /// Two images, one start each, the quick recipe.
    public init() {}

    /// The recipe for a layer.
    func recipe(_ design: Design, features: Int) -> InversionRecipe {
      var recipe: InversionRecipe
      switch preset {
      case .quick: recipe = .quick
      case .badger2022:
        let kind: InversionRecipe.Kind =
          switch design {
          case .transformer: .transformer
          case .convolutional: .convolutional
          case .mixer: .mixer
          case .other: .perceptron
          }
        recipe = .badger2022(kind, features: features)
      case .fourier: recipe = .fourier
      case .octaves: recipe = .octaves
      case .lbfgs: recipe = .lbfgs
      case .prior: recipe = .prior
      case .feather2023: recipe = .feather2023
      }
      if let rate {
        for octave in recipe.descent.octaves.indices {
          let own = recipe.descent.octaves[octave].rate
          recipe.descent.octaves[octave].rate = LinearSchedule(rate, own.end * (rate / own.start))
        }
      }
      if let steps { recipe.descent.spread(steps) }
      if let variation { recipe.descent.variation = variation }
      if let jitter {
        for octave in recipe.descent.octaves.indices {
          recipe.descent.octaves[octave].jitter = jitter
        }
      }
      return recipe
    }
  }
}
