extension AttentionResult {
  /// Subsets of a model's first heads, from the most local to the most global, and how much each is like the early layers
  /// of another model.
  public struct Subsets: Codable, Sendable, Equatable {
    /// One subset.
    public struct Point: Codable, Sendable, Equatable {
      /// The heads' numbers.
      public var heads: [Int]
      /// The mean of their distances, in pixels.
      public var distance: Double
      /// Linear CKA with each of the other model's layers.
      public var values: [Estimate]

      /// A subset from its parts.
      public init(heads: [Int], distance: Double, values: [Estimate]) {
        (self.heads, self.distance, self.values) = (heads, distance, values)
      }
    }

    /// Index of the model whose heads these are.
    public var model: Int
    /// The site of its first pattern.
    public var site: String
    /// The other model.
    public var other: String
    /// The other model's layers.
    public var layers: [String]
    /// Blocks of images that products were summed over.
    public var blocks: Int
    /// In the order of their distances.
    public var points: [Point]

    /// Subsets from their parts.
    public init(
      model: Int, site: String, other: String, layers: [String], blocks: Int, points: [Point]
    ) {
      (self.model, self.site, self.other) = (model, site, other)
      (self.layers, self.blocks, self.points) = (layers, blocks, points)
    }
  }

  /// The subsets as rows of `results.csv`: `a` the heads, `b` the other model's layer, `x` the mean distance.
  var subsetRows: [TidyRow] {
    subsets.flatMap { subsets in
      subsets.points.flatMap { point in
        zip(subsets.layers, point.values).map { layer, value in
          TidyRow(
            analysis: "attention", measure: "CKA of heads",
            a:
              "\(models[subsets.model].name)@\(subsets.site) heads \(point.heads.map(String.init).joined(separator: " "))",
            b: "\(subsets.other)@\(layer)", x: "\(point.distance)", value: value.value,
            low: value.low, high: value.high, n: images, estimator: "unbiased, minibatch")
        }
      }
    }
  }
}
