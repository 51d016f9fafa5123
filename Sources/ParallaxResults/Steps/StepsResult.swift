/// How far apart models are at each stage of processing, which steps differ most, how smoothly each model changes, and
/// what each layer still knows of low-level image statistics.
///
/// Everything is in one quantity, "how far" (``quantity``): the value of a measure that is a distance, 1 minus the value of
/// one that is a similarity. Larger is farther. Where the measure is asymmetric, `forward` is from the first side to the
/// second.
///
/// > Source: Mahaut and Baroni, 2026, arXiv 2601.21621. The paper's questions and findings are its own; the switches
/// > are a reconstruction, and ``switches`` says which.
public struct StepsResult: Codable, Sendable, Equatable {
  /// A number with its interval by a jackknife over groups of images.
  public typealias Estimate = IntervalEstimate

  /// A model, what kind it is, and its sites.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it, its family and its sites; the depth of leading sites is 0.
    public var sites: ModelSites
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// The training objective, as the catalog or the user says: `classification`, `language–image`, ….
    public var objective: String
    /// How many sites come before the blocks: the input and the stem. They are in the maps and the curves of low-level
    /// information, not among the steps.
    public var leading: Int

    /// A model from its parts.
    public init(sites: ModelSites, design: String, objective: String, leading: Int) {
      (self.sites, self.design) = (sites, design)
      (self.objective, self.leading) = (objective, leading)
    }

    /// The name.
    public var name: String { sites.name }
    /// The indices of the sites that count as stages of processing.
    public var blocks: Range<Int> { min(leading, sites.sites.count)..<sites.sites.count }
  }

  /// How far the sites of one model (rows, the first side) are from those of another (columns).
  public struct Grid: Codable, Sendable, Equatable {
    /// Index of the rows' model.
    public var a: Int
    /// Index of the columns' model; `a` itself for a model with itself.
    public var b: Int
    /// Row by row, leading sites included; nil where the value is undefined.
    public var values: [[Double?]]
    /// How often shuffled pairs of images are as near or nearer; nil where nothing was shuffled.
    public var pValues: [[Double?]]?

    /// A grid from its parts.
    public init(a: Int, b: Int, values: [[Double?]], pValues: [[Double?]]?) {
      (self.a, self.b, self.values, self.pValues) = (a, b, values, pValues)
    }
  }

  /// One stretch of relative depth, and how much two models part (above 0) or meet (below) on it.
  public struct Step: Codable, Sendable, Equatable {
    /// Where it begins, from 0 to 1.
    public var from: Double
    /// Where it ends.
    public var to: Double
    /// How much farther apart the models are at the end than at the beginning.
    public var change: Estimate
    /// The sites of the first model that the stretch lies between: its nearest sites at both ends.
    public var sitesA: [String]
    /// The same of the second model.
    public var sitesB: [String]

    /// A step from its parts.
    public init(from: Double, to: Double, change: Estimate, sitesA: [String], sitesB: [String]) {
      (self.from, self.to, self.change) = (from, to, change)
      (self.sitesA, self.sitesB) = (sitesA, sitesB)
    }
  }

  /// The distance of two models along relative depth.
  public struct Evolution: Codable, Sendable, Equatable {
    /// Index of the first model.
    public var a: Int
    /// Index of the second.
    public var b: Int
    /// The mean of both directions, at each of the depths.
    public var mean: [Estimate]
    /// From the first to the second.
    public var forward: [Double?]
    /// From the second to the first.
    public var backward: [Double?]
    /// What shuffled pairs of images give, mean over the relative diagonal; nil where nothing was shuffled.
    public var chance: Double?
    /// A step between each two depths that follow one another.
    public var steps: [Step]

    /// A curve from its parts.
    public init(
      a: Int, b: Int, mean: [Estimate], forward: [Double?], backward: [Double?], chance: Double?,
      steps: [Step]
    ) {
      (self.a, self.b, self.mean, self.forward) = (a, b, mean, forward)
      (self.backward, self.chance, self.steps) = (backward, chance, steps)
    }
  }

  /// The mean curve over the pairs of one type.
  public struct Aggregate: Codable, Sendable, Equatable {
    /// `all pairs`, `same design`, `different design`, `same objective`, `different objective`.
    public var name: String
    /// How many pairs.
    public var pairs: Int
    /// The mean of both directions and of all pairs, at each of the depths.
    public var mean: [Estimate]
    /// The change of that mean between each two depths.
    public var changes: [Estimate]

    /// A mean curve from its parts.
    public init(name: String, pairs: Int, mean: [Estimate], changes: [Estimate]) {
      (self.name, self.pairs, self.mean, self.changes) = (name, pairs, mean, changes)
    }
  }

  /// Whether layers at similar relative depth match, for one ordered pair of models.
  public struct Position: Codable, Sendable, Equatable {
    /// Index of the model whose layers look for a match.
    public var a: Int
    /// Index of the model where they find it.
    public var b: Int
    /// For each block of `a` the index of the nearest site of `b`; nil where the row is undefined.
    public var matches: [Int?]
    /// Spearman's correlation of the depths of the blocks and of their matches.
    public var correlation: Estimate
    /// Mean distance in relative depth to the match.
    public var gap: Estimate
    /// The same where the matches are dealt out anew among the blocks, mean over permutations.
    public var gapByChance: Double?
    /// How often such permutations have a gap as small: (1 + those) / (1 + all).
    public var pValue: Double?
    /// Mean over cells at most 0.1 of relative depth apart, divided by the mean over the others.
    public var ratio: Estimate
    /// Mean along the matches minus what a representation has with itself.
    public var residual: Estimate
    /// Mean along the matches minus the same between models that differ in their seed only; nil where there are none, or these
    /// are such.
    public var aboveSeeds: Estimate?

    /// A position effect from its parts.
    public init(
      a: Int, b: Int, matches: [Int?], correlation: Estimate, gap: Estimate, gapByChance: Double?,
      pValue: Double?, ratio: Estimate, residual: Estimate, aboveSeeds: Estimate?
    ) {
      (self.a, self.b, self.matches, self.correlation) = (a, b, matches, correlation)
      (self.gap, self.gapByChance, self.pValue) = (gap, gapByChance, pValue)
      (self.ratio, self.residual, self.aboveSeeds) = (ratio, residual, aboveSeeds)
    }
  }

  /// The driving measure's name in the catalog.
  public var measure: String
  /// What the numbers are: `information-imbalance`, or `1 − cka`.
  public var quantity: String
  /// Whether the order of the sides does not matter.
  public var isSymmetric: Bool
  /// What a representation has with itself: 2/N for the information imbalance, not 0; nil where that depends on it.
  public var floor: Double?
  /// The same numbers by the measure's other normalisation; nil where it has none.
  public var rescaled: Rescaling?
  /// Where the measure is defined.
  public var source: String
  /// Images that entered.
  public var images: Int
  /// The element type of the activations.
  public var dtype: String
  /// The seed of groups, permutations and folds.
  public var seed: UInt64
  /// Groups of images that were left out in turn; 0 for none.
  public var groups: Int
  /// Orders of shuffled images; 0 for none.
  public var permutations: Int
  /// Every choice that changes the numbers.
  public var switches: [Switch]
  /// The models, in the order asked for.
  public var models: [Model]
  /// One for each ordered pair of models, each model with itself among them.
  public var grids: [Grid]
  /// Relative depths of the curves, from 0 to 1.
  public var depths: [Double]
  /// One for each two models.
  public var evolutions: [Evolution]
  /// Mean curves by type of pair.
  public var aggregates: [Aggregate]
  /// One for each ordered pair of different models.
  public var positions: [Position]
  /// Pairs of models of one architecture, sites and objective, the earlier first: what differs is how their training began.
  public var seedPairs: [[Int]]
  /// One for each model.
  public var smoothness: [Smoothness]
  /// What each layer knows of the images' low-level statistics, one for each model.
  public var lowLevel: [LowLevel]
  /// Companions of each layer, one for each model.
  public var geometry: [Geometry]
  /// Untrained models beside these; nil where there are none.
  public var untrained: Untrained?
  /// Where outliers were cut off, one for each model and way to do it.
  public var clipping: [Clipping]
  /// Sites and spaces without a value.
  public var refusals: [SimilarityResult.Refusal]
  /// The paper's findings on these models.
  public var findings: [Finding]
  /// The same by other measures.
  public var alternatives: [Alternative]

  /// An empty result to be filled.
  public init(
    measure: String, quantity: String, isSymmetric: Bool, floor: Double?, source: String,
    images: Int, dtype: String, seed: UInt64, groups: Int, permutations: Int, models: [Model]
  ) {
    (self.measure, self.quantity, self.isSymmetric) = (measure, quantity, isSymmetric)
    (self.floor, self.source, self.images, self.dtype) = (floor, source, images, dtype)
    (self.seed, self.groups, self.permutations) = (seed, groups, permutations)
    self.models = models
    (switches, grids, depths, evolutions, aggregates) = ([], [], [], [], [])
    (positions, seedPairs, smoothness, lowLevel, geometry) = ([], [], [], [], [])
    (untrained, clipping, rescaled) = (nil, [], nil)
    (refusals, findings, alternatives) = ([], [], [])
  }

  /// The grid of an ordered pair; nil where there is none.
  public func grid(_ a: Int, _ b: Int) -> Grid? { grids.first { $0.a == a && $0.b == b } }

  /// The path through the blocks of two models that keeps the two nearest on average: pairs of sites.
  public func path(_ a: Int, _ b: Int) -> [(row: Int, column: Int)] {
    guard let there = grid(a, b)?.values, let back = grid(b, a)?.values else { return [] }
    let (rows, columns) = (models[a].blocks, models[b].blocks)
    let nearness = rows.map { row in
      columns.map { column -> Double? in
        guard let forward = there[row][column], let backward = back[column][row] else { return nil }
        return -(forward + backward) / 2
      }
    }
    return MatchedPath.best(nearness).map {
      ($0.row + rows.lowerBound, $0.column + columns.lowerBound)
    }
  }
}
