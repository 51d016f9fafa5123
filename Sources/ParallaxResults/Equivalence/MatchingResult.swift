import Foundation

/// Pictures changed, hardly visibly, until their embeddings are those of other pictures.
///
/// Distances of embeddings are Euclidean in the representation's own numbers, which are not normalised; those of pictures are in
/// pixels of 0 to 1 and of the saved 8-bit picture.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568.
public struct MatchingResult: Codable, Sendable, Equatable {
  /// One of the images that are sources or targets.
  public struct Image: Codable, Sendable, Equatable {
    /// The sample's id; of a picture outside the set its path.
    public var id: String
    /// Its class; nil where it has none.
    public var className: String?
    /// The SHA-256 of the bytes of a picture that lies outside the set; nil for images of the set.
    public var sha256: String?

    /// An image and its class.
    public init(id: String, className: String?) { (self.id, self.className) = (id, className) }
  }

  /// One point of a match.
  public struct Point: Codable, Sendable, Equatable {
    /// Steps done.
    public var step: Int
    /// The loss before the step.
    public var loss: Double
    /// d = ‖f(x) − t‖², after the step.
    public var distance: Double
    /// cos(f(x), t), after the step; nil where one of them is 0.
    public var cosine: Double?
    /// ‖x − x₀‖₁ in the recipe's unit.
    public var change: Double

    /// A point from its parts.
    public init(step: Int, loss: Double, distance: Double, cosine: Double?, change: Double) {
      (self.step, self.loss, self.distance) = (step, loss, distance)
      (self.cosine, self.change) = (cosine, change)
    }
  }

  /// How near an embedding is to the target's.
  public struct Nearness: Codable, Sendable, Equatable {
    /// d = ‖f − t‖².
    public var distance: Double
    /// cos(f, t); nil where one of them is 0.
    public var cosine: Double?

    /// A distance and a cosine.
    public init(distance: Double, cosine: Double?) {
      (self.distance, self.cosine) = (distance, cosine)
    }
  }

  /// How far the saved picture is from its source.
  public struct Change: Codable, Sendable, Equatable {
    /// ‖Δx‖₂.
    public var euclidean: Double
    /// max |Δx|.
    public var maximum: Double
    /// In decibels; nil where the pictures are equal.
    public var psnr: Double?
    /// Structural similarity; nil where they are too small.
    public var ssim: Double?

    /// A change from its parts.
    public init(euclidean: Double, maximum: Double, psnr: Double?, ssim: Double?) {
      (self.euclidean, self.maximum, self.psnr, self.ssim) = (euclidean, maximum, psnr, ssim)
    }
  }

  /// A source and its target.
  public struct Pair: Codable, Sendable, Equatable {
    /// Which of the images is changed, from 0.
    public var source: Int
    /// Which one's embedding it gets.
    public var target: Int
    /// Before.
    public var before: Nearness
    /// After, of the picture as it was computed.
    public var after: Nearness
    /// After, of the picture as it is saved, with 8 bits a channel.
    public var saved: Nearness
    /// ‖t‖, without which d says little.
    public var targetNorm: Double
    /// How far the saved picture is from its source.
    public var change: Change
    /// ‖x_tg − x₀‖₂, how far source and target are from each other; 0 where the target is an embedding without a picture.
    public var between: Double
    /// Steps that it took.
    public var steps: Int
    /// `matched`, `already`, `steps`, `diverged` or `stuck`.
    public var ending: String
    /// The way there.
    public var trace: [Point]
    /// A small PNG of the matched picture.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""
    /// A small PNG of |Δx|, times ``amplification``.
    public var difference = Data()
    /// Targets before this one, which pulled too; nil where there are none.
    public var others: [Int]?
    /// What |Δx| is multiplied with for the eye.
    public var amplification = 1.0

    /// A pair from its parts.
    public init(
      source: Int, target: Int, before: Nearness, after: Nearness, saved: Nearness,
      targetNorm: Double, change: Change, between: Double, steps: Int, ending: String,
      trace: [Point]
    ) {
      (self.source, self.target, self.before) = (source, target, before)
      (self.after, self.saved, self.targetNorm) = (after, saved, targetNorm)
      (self.change, self.between, self.steps) = (change, between, steps)
      (self.ending, self.trace) = (ending, trace)
    }

    /// Whether both conditions held at the end.
    public var isMatched: Bool { ending == "matched" || ending == "already" }
  }

  /// What one way of reading classes off embeddings says of the sources, before and after.
  public struct Readout: Codable, Sendable, Equatable {
    /// `nearest neighbour`, `prototype` or `probe`.
    public var name: String
    /// Share of sources whose own class is read; sources without a class do not count.
    public var before: Double
    /// The same share after matching.
    public var after: Double
    /// Share of sources that are read as the target's class after matching; of a target without a class as what is read off its own embedding.
    public var fooled: Double
    /// How many sources.
    public var count: Int
    /// How many lose their own class; nil in runs of older versions.
    public var lost: Int?
    /// How many win it.
    public var won: Int?

    /// A readout from its parts.
    public init(name: String, before: Double, after: Double, fooled: Double, count: Int) {
      (self.name, self.before, self.after) = (name, before, after)
      (self.fooled, self.count) = (fooled, count)
    }
  }

  /// Softmax over classes for each source, before and after.
  public struct Scores: Codable, Sendable, Equatable {
    /// The columns.
    public var classes: [String]
    /// The rows' pairs.
    public var pairs: [Int]
    /// Before.
    public var before: [[Double]]
    /// After.
    public var after: [[Double]]

    /// Scores from their parts.
    public init(classes: [String], pairs: [Int], before: [[Double]], after: [[Double]]) {
      (self.classes, self.pairs, self.before, self.after) = (classes, pairs, before, after)
    }
  }

  /// The first principal coordinates of sources, targets and matched pictures.
  public struct Coordinates: Codable, Sendable, Equatable {
    /// Shares of variance of the coordinates.
    public var variances: [Double]
    /// Of each pair's source.
    public var sources: [[Double]]
    /// Of each pair's target.
    public var targets: [[Double]]
    /// Of each pair's matched picture.
    public var matched: [[Double]]

    /// Coordinates from their parts.
    public init(
      variances: [Double], sources: [[Double]], targets: [[Double]], matched: [[Double]]
    ) {
      (self.variances, self.sources, self.targets) = (variances, sources, targets)
      self.matched = matched
    }
  }

  /// What noise on the pixels does to sources and matched pictures.
  public struct Noise: Codable, Sendable, Equatable {
    /// The standard deviation, in pixels of 0 to 1.
    public var deviation: Double
    /// Share of draws in which a source keeps the class that it was read as.
    public var sources: Double?
    /// The same of matched pictures.
    public var matched: Double?
    /// How far noise moves a source's embedding, mean over draws and pairs, over how far source and target are apart.
    public var sourceShift: Double
    /// The same of matched pictures.
    public var matchedShift: Double
    /// The chance that a matched picture's embedding moves further than a source's: the area under the detector's curve.
    public var detection: Double
    /// Of each pair that was changed the share of draws in which the matched picture's embedding moves further than the source's under
    /// the same noise, ties counted half; nil in runs of older versions.
    public var paired: [Double]?
    /// √(σ²‖J‖²_F), how far linearisation expects noise to move a source's embedding, as ``sourceShift`` over how far source and matched
    /// picture are apart; nil where the model has no forward derivative.
    public var sourceExpected: Double?
    /// The same of matched pictures.
    public var matchedExpected: Double?

    /// Numbers of a deviation.
    public init(
      deviation: Double, sources: Double?, matched: Double?, sourceShift: Double,
      matchedShift: Double, detection: Double
    ) {
      (self.deviation, self.sources, self.matched) = (deviation, sources, matched)
      (self.sourceShift, self.matchedShift) = (sourceShift, matchedShift)
      self.detection = detection
    }
  }

  /// A representation and the pictures matched in it.
  public struct Place: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// Which tokens.
    public var tokens: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// D.
    public var features: Int
    /// The pairs.
    public var pairs: [Pair] = []
    /// What downstream readers say; empty where images have no classes.
    public var readouts: [Readout] = []
    /// Softmax over classes; nil where there are none.
    public var scores: Scores?
    /// Principal coordinates; nil where there are too few images.
    public var coordinates: Coordinates?
    /// The noise detector.
    public var noise: [Noise] = []

    /// A place without pairs.
    public init(site: String, tokens: String, depth: Double, features: Int) {
      (self.site, self.tokens, self.depth, self.features) = (site, tokens, depth, features)
    }
  }

  /// A model and its places.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The images as they go in: small PNGs.
    public var originals: [Data] = []
    /// Its places in execution order.
    public var places: [Place] = []

    /// A model without places.
    public init(name: String, family: String, design: String, height: Int, width: Int) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width) = (height, width)
    }
  }

  /// Where pictures that were matched in one place stand in all places, over the places of all models in order: the row where they
  /// were matched, the column where they are looked at.
  public struct Transfer: Codable, Sendable, Equatable {
    /// 1 − ‖f(x_m) − t‖/‖f(x₀) − t‖, mean over pairs: 0 where nothing has moved towards the target, 1 where it is reached, below 0
    /// where the picture has moved away.
    public var way: [[Double?]]
    /// Share of pairs whose nearest neighbour in the set is the target.
    public var nearest: [[Double?]]

    /// Matrices.
    public init(way: [[Double?]], nearest: [[Double?]]) {
      (self.way, self.nearest) = (way, nearest)
    }
  }

  /// The recipe's name.
  public var preset: String
  /// `normalised` or `pixels`: what losses' rates and L1 changes are meant in.
  public var unit: String
  /// Images that are sources or targets.
  public var images: [Image]
  /// How many images stand behind nearest neighbours, prototypes and principal coordinates.
  public var bank: Int
  /// The seed of pairs and noise.
  public var seed: UInt64
  /// When a match is one: `d < 0.0001 and cosine > 0.99`.
  public var criterion: String
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models.
  public var models: [Model] = []
  /// Pairs that were left out, and why.
  public var left: [String]?
  /// From place to place; nil where there is only one.
  public var transfer: Transfer?
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    preset: String, unit: String, images: [Image], bank: Int, seed: UInt64, criterion: String
  ) {
    (self.preset, self.unit, self.images, self.bank) = (preset, unit, images, bank)
    (self.seed, self.criterion) = (seed, criterion)
  }
}
