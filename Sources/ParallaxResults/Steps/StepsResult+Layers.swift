extension StepsResult {
  /// How much a model changes from each block to the next.
  public struct Smoothness: Codable, Sendable, Equatable {
    /// One step from a block to the next.
    public struct Change: Codable, Sendable, Equatable {
      /// Index of the block before.
      public var from: Int
      /// Index of the block after.
      public var to: Int
      /// From the one before to the one after.
      public var forward: Estimate
      /// From the one after to the one before.
      public var backward: Estimate
      /// The mean of both.
      public var mean: Estimate
      /// Whether the two belong to different stages of the network.
      public var isBoundary: Bool
      /// 1 − debiased linear CKA of the two.
      public var cka: Double?
      /// 1 − the Jaccard similarity of their neighbours, k = 10, cosine.
      public var jaccard: Double?

      /// A change from its parts.
      public init(
        from: Int, to: Int, forward: Estimate, backward: Estimate, mean: Estimate,
        isBoundary: Bool, cka: Double?, jaccard: Double?
      ) {
        (self.from, self.to, self.forward) = (from, to, forward)
        (self.backward, self.mean, self.isBoundary) = (backward, mean, isBoundary)
        (self.cka, self.jaccard) = (cka, jaccard)
      }
    }

    /// A statistic of all steps, by the driving measure and by two others.
    public struct Statistic: Codable, Sendable, Equatable {
      /// `mean step`, `largest step`, `coefficient of variation`, `jumps`, `total variation`, `mean step per depth`,
      /// `mean asymmetry`.
      public var name: String
      /// By the driving measure.
      public var value: Estimate
      /// By 1 − CKA; nil for the asymmetry.
      public var cka: Double?
      /// By 1 − Jaccard; nil for the asymmetry.
      public var jaccard: Double?

      /// A statistic from its parts.
      public init(name: String, value: Estimate, cka: Double?, jaccard: Double?) {
        (self.name, self.value, self.cka, self.jaccard) = (name, value, cka, jaccard)
      }
    }

    /// Index of the model.
    public var model: Int
    /// In execution order.
    public var changes: [Change]
    /// Of all steps.
    public var statistics: [Statistic]
    /// The mean step where the images of the block after are shuffled; nil where nothing was.
    public var chance: Double?

    /// A profile from its parts.
    public init(model: Int, changes: [Change], statistics: [Statistic], chance: Double?) {
      (self.model, self.changes, self.statistics) = (model, changes, statistics)
      self.chance = chance
    }

    /// The statistic of that name.
    public func statistic(_ name: String) -> Statistic? { statistics.first { $0.name == name } }
  }

  /// What the layers of a model know of the images' low-level statistics.
  public struct LowLevel: Codable, Sendable, Equatable {
    /// One space of statistics or pixels against every site.
    public struct Space: Codable, Sendable, Equatable {
      /// `all statistics`, `luminance`, …, `pixels`, `coarse pixels`.
      public var name: String
      /// How many numbers an image.
      public var width: Int
      /// How many images have the same numbers as another one.
      public var equalImages: Int
      /// From each site (leading ones included) to the space: small where the layer knows the statistics.
      public var known: [Estimate]
      /// From the space to each site.
      public var back: [Double?]
      /// `known` again with activations clipped at the 0.95 quantile of their magnitude; empty where it was not computed.
      public var clipped: [Double?]
      /// `known` again by strict ranks: of equally far images all have the lowest rank. Empty where the measure has no ranks.
      public var strict: [Double?]
      /// `known` where the images of the space are shuffled, mean over the sites; nil where nothing was.
      public var chance: Double?

      /// A space from its parts.
      public init(
        name: String, width: Int, equalImages: Int, known: [Estimate], back: [Double?],
        clipped: [Double?], strict: [Double?] = [], chance: Double?
      ) {
        (self.name, self.width, self.equalImages) = (name, width, equalImages)
        (self.known, self.back, self.clipped, self.chance) = (known, back, clipped, chance)
        self.strict = strict
      }
    }

    /// How well a linear probe tells a statistic from each site.
    public struct Probe: Codable, Sendable, Equatable {
      /// `luminance.mean`.
      public var statistic: String
      /// Out-of-fold R² at each site; may be negative; nil where the statistic is constant.
      public var scores: [Double?]

      /// A probe from its parts.
      public init(statistic: String, scores: [Double?]) {
        (self.statistic, self.scores) = (statistic, scores)
      }
    }

    /// Index of the model.
    public var model: Int
    /// `all statistics` first.
    public var spaces: [Space]
    /// Each statistic by itself, in their order.
    public var statistics: [Space]
    /// One a statistic.
    public var probes: [Probe]
    /// The mean R² over the statistics, at each site.
    public var meanScore: [Double?]
    /// How much less the last fifth of the blocks knows of all statistics than the middle three fifths: above 0 the model
    /// discards them at its end.
    public var rise: Estimate
    /// The same with clipped activations; nil where it was not computed.
    public var riseClipped: Double?
    /// How much lower the mean R² is in the last fifth than in the middle three fifths.
    public var fall: Double?

    /// A model's curves from their parts.
    public init(
      model: Int, spaces: [Space], statistics: [Space], probes: [Probe], meanScore: [Double?],
      rise: Estimate, riseClipped: Double?, fall: Double?
    ) {
      (self.model, self.spaces, self.statistics) = (model, spaces, statistics)
      (self.probes, self.meanScore) = (probes, meanScore)
      (self.rise, self.riseClipped, self.fall) = (rise, riseClipped, fall)
    }
  }

  /// Numbers of single layers that this line of research reports beside distances.
  public struct Geometry: Codable, Sendable, Equatable {
    /// One kind of number at every site.
    public struct Curve: Codable, Sendable, Equatable {
      /// `intrinsic dimension (TwoNN)`, `label overlap`, `overlap with the next block`, ….
      public var name: String
      /// In execution order, leading sites included; nil where it is undefined.
      public var values: [Double?]

      /// A curve from its parts.
      public init(name: String, values: [Double?]) { (self.name, self.values) = (name, values) }
    }

    /// Index of the model.
    public var model: Int
    /// One a kind.
    public var curves: [Curve]

    /// A model's curves from their parts.
    public init(model: Int, curves: [Curve]) { (self.model, self.curves) = (model, curves) }
  }
}

extension StepsResult {
  /// The same architectures with made-up weights: what comes of the architecture and the images alone.
  public struct Untrained: Codable, Sendable, Equatable {
    /// The untrained models; their indices in the lists here are places among these.
    public var models: [Model]
    /// Of each the index of the trained model of the same architecture; nil where there is none.
    public var twinOf: [Int?]
    /// One for each two of them.
    public var evolutions: [Evolution]
    /// One for each.
    public var smoothness: [Smoothness]
    /// One for each, without probes.
    public var lowLevel: [LowLevel]

    /// Untrained models from their parts.
    public init(
      models: [Model], twinOf: [Int?], evolutions: [Evolution], smoothness: [Smoothness],
      lowLevel: [LowLevel]
    ) {
      (self.models, self.twinOf, self.evolutions) = (models, twinOf, evolutions)
      (self.smoothness, self.lowLevel) = (smoothness, lowLevel)
    }
  }

  /// Where the outliers of a model's layers were cut off, fitted on the images of this result.
  public struct Clipping: Codable, Sendable, Equatable {
    /// The two ends of what is left.
    public struct Limits: Codable, Sendable, Equatable {
      /// What is smaller became this.
      public var low: Double
      /// What is larger became this.
      public var high: Double

      /// Limits from their ends.
      public init(low: Double, high: Double) { (self.low, self.high) = (low, high) }
    }

    /// Index of the model.
    public var model: Int
    /// `clipped at ± the 0.95 quantile of each layer's magnitudes`.
    public var how: String
    /// Whether all numbers are of the clipped layers, or the repetition alone.
    public var isOfAll: Bool
    /// At each site, leading ones included; nil where it has no features.
    public var limits: [Limits?]

    /// A model's limits from their parts.
    public init(model: Int, how: String, isOfAll: Bool, limits: [Limits?]) {
      (self.model, self.how, self.isOfAll, self.limits) = (model, how, isOfAll, limits)
    }
  }

  /// The same numbers on another scale.
  public struct Rescaling: Codable, Sendable, Equatable {
    /// What they are there.
    public var quantity: String
    /// What a number is multiplied by.
    public var scale: Double
    /// What is added then.
    public var shift: Double

    /// A scale from its parts.
    public init(quantity: String, scale: Double, shift: Double) {
      (self.quantity, self.scale, self.shift) = (quantity, scale, shift)
    }

    /// A number there; of a difference the shift is left out.
    public func callAsFunction(_ value: Double, isDifference: Bool = false) -> Double {
      scale * value + (isDifference ? 0 : shift)
    }
  }

  /// The findings asked again of another measure, so that none hangs on one choice.
  public struct Alternative: Codable, Sendable, Equatable {
    /// What its numbers are.
    public var quantity: String
    /// The same findings, in the same order.
    public var findings: [Finding]

    /// An alternative from its parts.
    public init(quantity: String, findings: [Finding]) {
      (self.quantity, self.findings) = (quantity, findings)
    }
  }
}
