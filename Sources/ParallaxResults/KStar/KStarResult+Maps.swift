extension KStarResult {
  /// A flat map of a space by two principal components, for whoever wants to look around, and by t-SNE.
  public struct Map: Codable, Sendable, Equatable {
    /// The places of the images that are drawn.
    public var images: [Int]
    /// x and y of each.
    public var points: [[Double]]
    /// The share of the variance along each axis.
    public var variance: [Double]
    /// How far neighbours in the map are neighbours in the space; nil where ``note`` says why.
    public var trustworthiness: Double?
    /// How far neighbours in the space are neighbours in the map.
    public var continuity: Double?
    /// Of both.
    public var neighbours: Int
    /// Of each image that is drawn its neighbours in order, up to the first of another class; cut where there are many.
    public var chains: [[Int]]
    /// Where a chain is cut.
    public var limit: Int
    /// Why the map's quality is unknown, or of what distance it is.
    public var note: String?
    /// The same images by t-SNE; nil where it was not asked for, or ``tsneNote`` says why.
    public var tsne: Embedding?
    /// Why there is no t-SNE where one is due.
    public var tsneNote: String?

    /// A map from its parts.
    public init(
      images: [Int], points: [[Double]], variance: [Double], trustworthiness: Double?,
      continuity: Double?, neighbours: Int, chains: [[Int]], limit: Int
    ) {
      (self.images, self.points, self.variance) = (images, points, variance)
      (self.trustworthiness, self.continuity) = (trustworthiness, continuity)
      (self.neighbours, self.chains, self.limit) = (neighbours, chains, limit)
    }
  }

  /// The images of a map by t-SNE.
  ///
  /// > Source: van der Maaten and Hinton, 2008, JMLR 9, 2579–2605.
  public struct Embedding: Codable, Sendable, Equatable {
    /// x and y of each image that is drawn.
    public var points: [[Double]]
    /// Images that were laid out, those that are drawn among them.
    public var images: Int
    /// About how many neighbours an image has.
    public var perplexity: Double
    /// What was asked for: more where there are too few images.
    public var askedPerplexity: Double
    /// The divergence of the map's affinities from those of the space, in nats.
    public var divergence: Double
    /// Steps of descent.
    public var iterations: Int
    /// Images whose nearest ones, equally far, are more than the perplexity.
    public var crowded: Int
    /// How far neighbours in the map are neighbours in the space.
    public var trustworthiness: Double?
    /// How far neighbours in the space are neighbours in the map.
    public var continuity: Double?
    /// Of both.
    public var neighbours: Int

    /// A map from its parts.
    public init(
      points: [[Double]], images: Int, perplexity: Double, askedPerplexity: Double,
      divergence: Double, iterations: Int, crowded: Int, trustworthiness: Double?,
      continuity: Double?, neighbours: Int
    ) {
      (self.points, self.images) = (points, images)
      (self.perplexity, self.askedPerplexity) = (perplexity, askedPerplexity)
      (self.divergence, self.iterations, self.crowded) = (divergence, iterations, crowded)
      (self.trustworthiness, self.continuity) = (trustworthiness, continuity)
      self.neighbours = neighbours
    }
  }
}
