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
    /// A recipe of somebody's own instead of the preset's; nil for that. What is said below changes it too.
    public var recipe: InversionRecipe?
    /// The loss instead of the recipe's; nil for that.
    public var loss: EmbeddingLoss?
    /// ε at the first step instead of the recipe's, the end in proportion; nil for that.
    public var rate: Double?
    /// ε that the last octave ends with, instead of the recipe's; nil for that.
    public var lastRate: Double?
    /// The 3 × 3 blur after each step instead of the recipe's: σ at the first step and at the end, both 0 for none; nil for the recipe's.
    public var blur: LinearSchedule?
    /// Whether pixels are put back into [0, 1] after each step, instead of the recipe's; nil for that.
    public var clamps: Bool?
    /// Where descents begin instead of the recipe's; nil for that.
    public var start: DescentRecipe.Start?
    /// λ of the total variation instead of the recipe's; nil for that.
    public var variation: Double?
    /// Pixels of jitter instead of the recipe's; nil for those.
    public var jitter: Int?
    /// Images that enter.
    public var images = 2
    /// Ids of the images that may enter; where the data set has none of them, and where none are named, any may.
    public var chosen: [String] = []
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
      var recipe = self.recipe ?? named(design, features: features)
      if let loss { recipe.loss = loss }
      change(&recipe.descent)
      return recipe
    }

    private func named(_ design: Design, features: Int) -> InversionRecipe {
      switch preset {
      case .quick: return .quick
      case .badger2022:
        let kind: InversionRecipe.Kind =
          switch design {
          case .transformer: .transformer
          case .convolutional: .convolutional
          case .mixer: .mixer
          case .other: .perceptron
          }
        return .badger2022(kind, features: features)
      case .fourier: return .fourier
      case .octaves: return .octaves
      case .lbfgs: return .lbfgs
      case .prior: return .prior
      case .feather2023: return .feather2023
      }
    }

    private func change(_ descent: inout DescentRecipe) {
      for octave in descent.octaves.indices {
        let own = descent.octaves[octave].rate
        if let rate {
          descent.octaves[octave].rate = LinearSchedule(rate, own.end * (rate / own.start))
        }
        if let jitter { descent.octaves[octave].jitter = jitter }
        if let blur {
          descent.octaves[octave].smoothing =
            blur.start > 0 && blur.end > 0 ? .init(sigma: blur) : nil
        }
      }
      if let lastRate, let last = descent.octaves.indices.last {
        let own = descent.octaves[last].rate
        descent.octaves[last].rate = LinearSchedule(own.start, lastRate)
      }
      if let steps { descent.spread(steps) }
      if let variation { descent.variation = variation }
      if let clamps { descent.clamps = clamps }
      if let start { descent.start = start }
    }
  }
}
