/// How latent spaces hold concepts: the k\* distributions of classes in the representations of some models.
///
/// > Source: Kotyan et al., 2023, arXiv 2312.04024, and 2024, arXiv 2408.09065.
public struct KStarResult: Codable, Sendable, Equatable {
  /// How the images of a concept lie.
  public enum Pattern: String, Codable, Sendable, CaseIterable {
    /// Skewness above ½.
    case fractured
    /// Between.
    case overlapped
    /// Below −½.
    case clustered
    /// Fewer than three images, or no skewness.
    case undefined
  }

  /// A class in a space.
  public struct Concept: Codable, Sendable, Equatable {
    /// Which of the classes.
    public var label: Int
    /// Images whose k\* enters.
    public var count: Int
    /// What k\* is divided by.
    public var size: Int
    /// Mean of k\*/n.
    public var mean: Double
    /// Population standard deviation of k\*/n.
    public var deviation: Double
    /// g₁ with its bootstrap interval.
    public var skewness: IntervalEstimate
    /// G₁.
    public var adjustedSkewness: Double?
    /// The pattern.
    public var pattern: Pattern
    /// The share of resamples that have the pattern; nil without resamples.
    public var support: Double?
    /// Whether 95 % of the resamples and more have the pattern, or all images agree.
    public var isDecided: Bool
    /// Why something is undefined.
    public var note: String?
    /// Intrinsic dimension by two neighbours, with its standard error as an interval of 1.96; nil where it is undefined.
    public var dimension = IntervalEstimate(nil)
    /// Why it has none; nil where it has.
    public var dimensionNote: String?

    /// A concept from its parts.
    public init(
      label: Int, count: Int, size: Int, mean: Double, deviation: Double,
      skewness: IntervalEstimate, adjustedSkewness: Double?, pattern: Pattern, isDecided: Bool,
      note: String?
    ) {
      (self.label, self.count, self.size) = (label, count, size)
      (self.mean, self.deviation) = (mean, deviation)
      (self.skewness, self.adjustedSkewness) = (skewness, adjustedSkewness)
      (self.pattern, self.isDecided, self.note) = (pattern, isDecided, note)
    }
  }

  /// Images at one place, of which some are of different classes.
  public struct Coincidence: Codable, Sendable, Equatable {
    /// Their places among the images.
    public var images: [Int]
    /// What images of the bank are called that lie there too.
    public var bank: [String]
    /// Pairs of them of different classes; against a bank, of an image and one of the bank.
    public var pairs: Int

    /// A group from its parts.
    public init(images: [Int], bank: [String] = [], pairs: Int) {
      (self.images, self.bank, self.pairs) = (images, bank, pairs)
    }
  }

  /// An image of a class that a bank lacks: it has no k\*, which is a count among images of its class.
  public struct Outside: Codable, Sendable, Equatable {
    /// What it is called.
    public var image: String
    /// Its class.
    public var className: String

    /// An image from its parts.
    public init(image: String, className: String) {
      (self.image, self.className) = (image, className)
    }
  }

  /// How far a space lies from another of the same images: differences over concepts, with intervals that resample the same images in
  /// both.
  public struct Change: Codable, Sendable, Equatable {
    /// What differs between the spaces.
    public enum Kind: String, Codable, Sendable {
      /// The layer: the last of a model against the first.
      case depth
      /// What was done to the images.
      case corruption
    }

    /// What differs.
    public var kind: Kind
    /// The model, as it is.
    public var model: String
    /// The space that is taken off.
    public var from: String
    /// The other.
    public var to: String
    /// What was done to the images; nil where nothing was.
    public var corruption: String?
    /// The mean over concepts of the difference of γ, over those that have one in both spaces.
    public var skewness: IntervalEstimate
    /// How many have.
    public var concepts: Int
    /// Concepts of three images and more.
    public var all: Int
    /// The mean over all these of the difference of the mean k\*/n.
    public var mean: IntervalEstimate

    /// A change from its parts.
    public init(
      kind: Kind, model: String, from: String, to: String, corruption: String?,
      skewness: IntervalEstimate, concepts: Int, all: Int, mean: IntervalEstimate
    ) {
      (self.kind, self.model, self.from, self.to) = (kind, model, from, to)
      (self.corruption, self.skewness, self.concepts) = (corruption, skewness, concepts)
      (self.all, self.mean) = (all, mean)
    }
  }

  /// Numbers of a whole space; those of skewness and patterns have bootstrap intervals.
  public struct Aggregates: Codable, Sendable, Equatable {
    /// Γ: the mean of the concepts' skewness.
    public var macroMean = IntervalEstimate(nil)
    /// The mean weighted by images.
    public var sizeWeighted = IntervalEstimate(nil)
    /// Γ′, one reading: the skewness of all values together.
    public var pooled = IntervalEstimate(nil)
    /// Γ′, another: the third moment about the mean mean, in mean deviations.
    public var momentSubstituted = IntervalEstimate(nil)
    /// The median of the concepts' skewness.
    public var median = IntervalEstimate(nil)
    /// The mean of the concepts' means.
    public var mean = IntervalEstimate(nil)
    /// The share of concepts that are fractured.
    public var fractured = IntervalEstimate(nil)
    /// The share of concepts that overlap.
    public var overlapped = IntervalEstimate(nil)
    /// The share of concepts that are clustered.
    public var clustered = IntervalEstimate(nil)
    /// Concepts of three images and more.
    public var concepts = 0
    /// Concepts of them without a skewness, left out of the means of it.
    public var withoutSkewness = 0
    /// Concepts of fewer than three images, left out.
    public var tooSmall = 0

    /// No numbers.
    public init() {}
  }

  /// What the same distances say of neighbours.
  public struct Neighbourhood: Codable, Sendable, Equatable {
    /// k.
    public var neighbours: Int
    /// The share of images whose k nearest vote for their class.
    public var accuracy: Double?
    /// The mean share of k nearest of the own class.
    public var hit: Double?
    /// The same, a mean over classes.
    public var overlap: Double?
    /// The mean silhouette.
    public var silhouette: Double?
    /// Skewness of k-occurrences.
    public var hubness: Double?
    /// Robin Hood index of k-occurrences.
    public var robinHood: Double?
    /// Gini coefficient of k-occurrences.
    public var gini: Double?
    /// Images that stand in 2k lists and more.
    public var hubs: Double?
    /// Images that stand in no list.
    public var antihubs: Double?

    /// Of k neighbours, without numbers.
    public init(neighbours: Int) { self.neighbours = neighbours }
  }

  /// One representation of one model.
  public struct Space: Codable, Sendable, Equatable {
    /// The dotted path, or what the file calls it.
    public var site: String
    /// Which of its numbers.
    public var tokens: String
    /// The stage that it belongs to.
    public var stage: String
    /// Where it stands among all sites of the model, from 0 to 1.
    public var depth: Double
    /// Numbers an image.
    public var features: Int
    /// k\* of each image.
    public var ranks: [Int]
    /// Images for which the order of equally far ones decides.
    public var tied: Int
    /// The concepts.
    public var concepts: [Concept]
    /// The whole.
    public var aggregates: Aggregates
    /// Neighbours.
    public var neighbourhood: Neighbourhood
    /// The first image of another class of each; nil where it is one of a bank.
    public var breakers: [Int]?
    /// The element type of the features: `float32`.
    public var dtype: String?
    /// Images of different classes at the same place.
    public var coincident: [Coincidence] = []
    /// A map; nil where none was drawn.
    public var map: Map?
    /// Why there is no map where one is due.
    public var mapNote: String?

    /// A space from its parts.
    public init(
      site: String, tokens: String, stage: String, depth: Double, features: Int, ranks: [Int],
      tied: Int, concepts: [Concept], aggregates: Aggregates, neighbourhood: Neighbourhood
    ) {
      (self.site, self.tokens, self.stage) = (site, tokens, stage)
      (self.depth, self.features, self.ranks, self.tied) = (depth, features, ranks, tied)
      (self.concepts, self.aggregates) = (concepts, aggregates)
      self.neighbourhood = neighbourhood
    }
  }

  /// A model and its spaces in execution order.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// Its spaces.
    public var spaces: [Space]
    /// The model whose images are corrupted here; nil where this is a model as it is.
    public var original: String?
    /// What was done to the images: `noise 0.1`, `blur 2.0`.
    public var corruption: String?

    /// A model from its parts.
    public init(name: String, family: String, spaces: [Space]) {
      (self.name, self.family, self.spaces) = (name, family, spaces)
    }
  }

  /// `euclidean`, `cosine`, `manhattan`.
  public var distance: String
  /// `index`, `pessimistic`, `optimistic`.
  public var ties: String
  /// `none`, `unitInterval`.
  public var anchoring: String
  /// Resamples of the intervals.
  public var resamples: Int
  /// Their seed.
  public var seed: UInt64
  /// Images that were looked at, as the table of images has them.
  public var images: [String]
  /// The class of each.
  public var labels: [Int]
  /// The classes' names.
  public var classes: [String]
  /// Images of the bank in which queries were counted; nil where images were compared with one another.
  public var bank: Int?
  /// Images that are left out, for the bank has none of their class; nil where there are none.
  public var outside: [Outside]?
  /// What the given accuracies are called; nil where none were given.
  public var accuracyName: String?
  /// The accuracy of a model by somebody else's measurement, by its name.
  public var accuracies: [String: Double]?
  /// The models.
  public var models: [Model] = []
  /// Changes over depth, and under corruption of the images.
  public var changes: [Change] = []
  /// Representations without a value, and why.
  public var refusals: [SimilarityResult.Refusal] = []
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// What the numbers say.
  public var findings: [Finding] = []

  /// Models as they are, their images not corrupted.
  public var plain: [Model] { models.filter { $0.original == nil } }

  /// A result without models.
  public init(
    distance: String, ties: String, anchoring: String, resamples: Int, seed: UInt64,
    images: [String], labels: [Int], classes: [String], bank: Int?
  ) {
    (self.distance, self.ties, self.anchoring) = (distance, ties, anchoring)
    (self.resamples, self.seed, self.bank) = (resamples, seed, bank)
    (self.images, self.labels, self.classes) = (images, labels, classes)
  }
}
