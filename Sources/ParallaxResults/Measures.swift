/// Measures between all pairs of sites, with errors and what chance gives.
public struct MeasuresResult: Codable, Sendable, Equatable {
  /// One measure; its tables are `[sites × sites]` over the sites of all models in order, the first side the row.
  public struct Entry: Codable, Sendable, Equatable {
    /// The name: `procrustes`.
    public var name: String
    /// `similarity` or `distance`.
    public var direction: String
    /// Whether the order of the sides does not matter.
    public var isSymmetric: Bool
    /// The changes of one side that it ignores, as letters: `T S P O`.
    public var invariances: String
    /// Whether values are to be compared at equal numbers of images only.
    public var dependsOnImages: Bool
    /// Where it is defined.
    public var source: String
    /// Who gives the same numbers.
    public var agreesWith: String
    /// The values; nil where there is none.
    public var values: [[Double?]]
    /// Standard errors; nil where none were estimated.
    public var errors: [[Double?]]?
    /// How often shuffled pairs of images are as alike or more; nil where nothing was shuffled.
    public var pValues: [[Double?]]?
    /// What 95 % of shuffled pairs do not reach.
    public var bounds: [[Double?]]?
    /// Sites without a value.
    public var refusals: [SimilarityResult.Refusal]
    /// Why other pairs have none; nil where all have one.
    public var pairRefusal: String?
    /// Where the values come from: `features` of all images, or their second `moments`; nil in results of earlier versions.
    public var route: String?

    /// An entry from its parts.
    public init(
      name: String, direction: String, isSymmetric: Bool, invariances: String,
      dependsOnImages: Bool = false, source: String, agreesWith: String, values: [[Double?]],
      errors: [[Double?]]?, pValues: [[Double?]]?,
      bounds: [[Double?]]?, refusals: [SimilarityResult.Refusal], pairRefusal: String? = nil
    ) {
      (self.name, self.direction, self.isSymmetric) = (name, direction, isSymmetric)
      (self.invariances, self.dependsOnImages) = (invariances, dependsOnImages)
      (self.source, self.agreesWith) = (source, agreesWith)
      (self.values, self.errors, self.pValues) = (values, errors, pValues)
      (self.bounds, self.refusals, self.pairRefusal) = (bounds, refusals, pairRefusal)
    }
  }

  /// The images that a representation's linear Gram matrix, centred, is mostly made of.
  public struct Dominance: Codable, Sendable, Equatable {
    /// An image and its share.
    public struct Item: Codable, Sendable, Equatable {
      /// The image's id.
      public var id: String
      /// Σ_j K̂_ij² over ‖K̂‖².
      public var share: Double

      /// An image and its share.
      public init(id: String, share: Double) { (self.id, self.share) = (id, share) }
    }

    /// The site's address.
    public var address: String
    /// The images with the largest shares, the largest first.
    public var largest: [Item]
    /// The fewest images that hold more than half of ‖K̂‖² together.
    public var holdingHalf: Int
    /// The share of the variance along the first principal component.
    public var firstComponent: Double
    /// The root mean square distance of the images from their mean, in the features' units.
    public var size: Double

    /// A site's dominant images from their parts.
    public init(
      address: String, largest: [Item], holdingHalf: Int, firstComponent: Double, size: Double
    ) {
      (self.address, self.largest, self.holdingHalf) = (address, largest, holdingHalf)
      (self.firstComponent, self.size) = (firstComponent, size)
    }
  }

  /// Something that may make values say less than they seem to.
  public struct Warning: Codable, Sendable, Equatable {
    /// The measure's name; nil where it concerns all that start from the Gram matrix.
    public var measure: String?
    /// The sites.
    public var addresses: [String]
    /// A sentence, without the full stop.
    public var text: String
    /// Where it is known from.
    public var source: String

    /// A warning from its parts.
    public init(measure: String?, addresses: [String], text: String, source: String) {
      (self.measure, self.addresses, self.text, self.source) = (measure, addresses, text, source)
    }
  }

  /// Images that entered.
  public var images: Int
  /// The element type of the activations.
  public var dtype: String
  /// The seed of groups and shuffles.
  public var seed: UInt64
  /// Groups of images that were left out in turn; 0 for none.
  public var groups: Int
  /// Orders of shuffled images; 0 for none.
  public var permutations: Int
  /// What was done to each representation first, in words; nil where nothing was.
  public var preprocessing: String?
  /// Why the measures were computed from features or from moments; nil in results of earlier versions.
  public var routeReason: String?
  /// The models, in the order asked for.
  public var models: [ModelSites]
  /// The measures, in the order asked for.
  public var measures: [Entry]
  /// The images that dominate each site, in the order of the sites that have values.
  public var dominance: [Dominance]
  /// What may make values say less than they seem to.
  public var warnings: [Warning]
  /// Sentences that the numbers support, or do not.
  public var findings: [Finding]

  /// A result from its parts.
  public init(
    images: Int, dtype: String, seed: UInt64, groups: Int, permutations: Int,
    preprocessing: String? = nil, models: [ModelSites], measures: [Entry],
    dominance: [Dominance] = [], warnings: [Warning] = [], findings: [Finding] = []
  ) {
    (self.images, self.dtype, self.seed) = (images, dtype, seed)
    (self.groups, self.permutations) = (groups, permutations)
    self.preprocessing = preprocessing
    (self.models, self.measures, self.dominance) = (models, measures, dominance)
    (self.warnings, self.findings) = (warnings, findings)
  }

  /// The address of every site, in the order of rows and columns.
  public var addresses: [String] {
    models.flatMap { model in model.sites.indices.map { model.address($0) } }
  }

  /// The 95 % interval of a value: Student's t with one degree of freedom fewer than groups.
  public func interval(_ entry: Entry, _ a: Int, _ b: Int) -> (low: Double, high: Double)? {
    guard let value = entry.values[a][b], let error = entry.errors?[a][b] else { return nil }
    let margin = StudentT.quantile975(degrees: groups - 1) * error
    return (value - margin, value + margin)
  }

  /// The values as rows of `results.csv`; of a symmetric measure each pair once.
  public func tidyRows() -> [TidyRow] {
    let names = addresses
    return measures.flatMap { entry in
      names.indices.flatMap { a in
        names.indices.compactMap { b -> TidyRow? in
          guard !entry.isSymmetric || b >= a else { return nil }
          let ends = interval(entry, a, b)
          return TidyRow(
            analysis: "measures", measure: entry.name, a: names[a], b: names[b],
            value: entry.values[a][b], low: ends?.low, high: ends?.high, n: images,
            estimator: "over the whole set"
              + (entry.route == "moments" ? ", by second moments" : "")
              + (preprocessing.map { "; features \($0)" } ?? ""))
        }
      }
    }
  }
}
