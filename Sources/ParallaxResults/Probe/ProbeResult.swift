/// How well classes can be read off each layer: few-shot linear probes, neighbours and logistic regression over depth, and a map of
/// accuracy per token.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 7 and figures 11, 13 and D.4; ``switches`` says which choices are ours.
public struct ProbeResult: Codable, Sendable, Equatable {
  /// A number with its 95 % interval.
  public typealias Estimate = IntervalEstimate

  /// A class, and how many images of it entered.
  public struct Class: Codable, Sendable, Equatable {
    /// Its name.
    public var name: String
    /// Images that shots are drawn from, the bank of the neighbours.
    public var training: Int
    /// Images that are scored.
    public var test: Int

    /// A class from its parts.
    public init(name: String, training: Int, test: Int) {
      (self.name, self.training, self.test) = (name, training, test)
    }
  }

  /// A few-shot probe of one representation with so many shots.
  public struct Score: Codable, Sendable, Equatable {
    /// The share of test images whose class it finds, mean over draws of the shots.
    public var accuracy: Estimate
    /// The same where the shots' labels were shuffled.
    public var shuffled: Estimate
    /// log₂ λ, mean over draws.
    public var penalty: Double
    /// Draws whose λ was tuned on held-out training images; the others took 2¹⁰.
    public var tuned: Int
    /// The accuracy at each λ of the list, mean over draws.
    public var byPenalty: [Double]

    /// A score from its parts.
    public init(
      accuracy: Estimate, shuffled: Estimate, penalty: Double, tuned: Int, byPenalty: [Double]
    ) {
      (self.accuracy, self.shuffled, self.penalty) = (accuracy, shuffled, penalty)
      (self.tuned, self.byPenalty) = (tuned, byPenalty)
    }
  }

  /// How many images the probes of all training images had.
  public struct AllTraining: Codable, Sendable, Equatable {
    /// Images that were fitted.
    public var training: Int
    /// Training images that λ was tuned with.
    public var validation: Int

    /// Numbers of images.
    public init(training: Int, validation: Int) {
      (self.training, self.validation) = (training, validation)
    }
  }

  /// The plain vote of k neighbours.
  public struct Vote: Codable, Sendable, Equatable {
    /// k.
    public var count: Int
    /// The share of test images whose class wins.
    public var accuracy: Estimate

    /// A vote from its parts.
    public init(count: Int, accuracy: Estimate) { (self.count, self.accuracy) = (count, accuracy) }
  }

  /// All probes of one representation.
  public struct Site: Codable, Sendable, Equatable {
    /// The dotted path.
    public var name: String
    /// The stage that it belongs to.
    public var stage: String
    /// Where it stands, from 0 (the first site of the model) to 1 (the last).
    public var depth: Double
    /// The number of features.
    public var features: Int
    /// By number of shots, in the order of ``ProbeResult/shots``; empty where it has no value.
    public var scores: [Score]
    /// The plain votes of neighbours.
    public var votes: [Vote] = []
    /// DINO's weighted vote.
    public var weighted = Estimate(nil)
    /// Logistic regression with the most shots.
    public var logistic = Estimate(nil)
    /// Least squares on all training images, one fit; nil where it was not asked for.
    public var all: Score?

    /// A site without neighbours and logistic regression.
    public init(name: String, stage: String, depth: Double, features: Int, scores: [Score]) {
      (self.name, self.stage, self.depth) = (name, stage, depth)
      (self.features, self.scores) = (features, scores)
    }
  }

  /// One way of taking features from every site of a model.
  public struct View: Codable, Sendable, Equatable {
    /// `cls`, `avg`, `all`, `first`, `patches`, or what was asked for.
    public var tokens: String
    /// In words: `class token`.
    public var label: String
    /// Whether it is what suits the model: the class token where there is one, else the mean.
    public var isNative: Bool
    /// In execution order.
    public var sites: [Site]

    /// A view from its parts.
    public init(tokens: String, label: String, isNative: Bool, sites: [Site]) {
      (self.tokens, self.label, self.isNative, self.sites) = (tokens, label, isNative, sites)
    }
  }

  /// A token that is no patch.
  public struct Token: Codable, Sendable, Equatable {
    /// `class`, `register 1`.
    public var name: String
    /// Its probe's accuracy.
    public var accuracy: Double

    /// A token from its parts.
    public init(name: String, accuracy: Double) { (self.name, self.accuracy) = (name, accuracy) }
  }

  /// One probe for each token of a site.
  public struct Map: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// Where it stands.
    public var depth: Double
    /// Rows of the grid.
    public var rows: Int
    /// Columns of the grid.
    public var columns: Int
    /// Whether positions were averaged to this grid.
    public var isPooled: Bool
    /// The accuracy of each patch or position, row by row.
    public var values: [Double]
    /// Class, register and distillation tokens, in the model's order.
    public var others: [Token]
    /// The mean over the grid.
    public var mean: Estimate
    /// The probe that suits the model, of the same images.
    public var native: Estimate

    /// A map from its parts.
    public init(
      site: String, depth: Double, rows: Int, columns: Int, isPooled: Bool, values: [Double],
      others: [Token], mean: Estimate, native: Estimate
    ) {
      (self.site, self.depth, self.rows, self.columns) = (site, depth, rows, columns)
      (self.isPooled, self.values, self.others) = (isPooled, values, others)
      (self.mean, self.native) = (mean, native)
    }
  }

  /// A model's probes.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// What it was trained to do.
    public var objective: String
    /// Whether its head reads a class token.
    public var hasClassToken: Bool
    /// The one that suits the model first.
    public var views: [View]
    /// Of some sites, in execution order.
    public var maps: [Map] = []

    /// A model without maps.
    public init(
      name: String, family: String, design: String, objective: String, hasClassToken: Bool,
      views: [View]
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.objective, self.hasClassToken, self.views) = (objective, hasClassToken, views)
    }

    /// What suits the model; the first where nothing says so.
    public var native: View? { views.first(where: \.isNative) ?? views.first }

    /// Each site by what suits it, in execution order: those of ``native``, and sites that it lacks by the other native views.
    public var nativeSites: [Site] {
      var found = native?.sites ?? []
      for view in views where view.isNative {
        found += view.sites.filter { site in !found.contains { $0.name == site.name } }
      }
      return found.sorted { $0.depth < $1.depth }
    }
  }

  /// Images that entered.
  public var images: Int
  /// The element type of the activations; probes compute in float64.
  public var dtype: String
  /// The seed of split and draws.
  public var seed: UInt64
  /// How the images were split, in words.
  public var split: String
  /// Draws of the shots.
  public var draws: Int
  /// Training images a class, in ascending order.
  public var shots: [Int]
  /// λ, in ascending order.
  public var penalties: [Double]
  /// Groups of test images that were left out in turn for intervals; 0 for none.
  public var groups: Int
  /// The classes.
  public var classes: [Class]
  /// Shots of the probes of single tokens; 0 where there are none.
  public var tokenShots = 0
  /// Test images of the probes of single tokens.
  public var tokenTest = 0
  /// Of the probes of all training images; nil where there are none.
  public var all: AllTraining?
  /// The models, in the order asked for.
  public var models: [Model]
  /// Every choice, and whose it is.
  public var switches: [Switch] = []
  /// What has no value, with the reasons.
  public var refusals: [SimilarityResult.Refusal] = []
  /// What the numbers say about the paper's findings.
  public var findings: [Finding] = []

  /// A result without maps, switches and findings.
  public init(
    images: Int, dtype: String, seed: UInt64, split: String, draws: Int, shots: [Int],
    penalties: [Double], groups: Int, classes: [Class], models: [Model]
  ) {
    (self.images, self.dtype, self.seed, self.split) = (images, dtype, seed, split)
    (self.draws, self.shots, self.penalties) = (draws, shots, penalties)
    (self.groups, self.classes, self.models) = (groups, classes, models)
  }

  /// Test images.
  public var test: Int { classes.reduce(0) { $0 + $1.test } }
  /// What guessing finds: one in so many classes.
  public var chance: Double { classes.isEmpty ? 0 : 1 / Double(classes.count) }
}
