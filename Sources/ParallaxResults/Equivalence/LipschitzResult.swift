import Foundation

/// How steep embeddings are at some pictures, direction by direction, and the pictures that share one.
///
/// Distances of pictures are Euclidean in pixels of 0 to 1, those of embeddings in the representation's own numbers.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568, for the idea; the protocol is our reconstruction.
public struct LipschitzResult: Codable, Sendable, Equatable {
  /// Of which kind a direction is.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// v₁, the direction in which the embedding moves most.
    case steepest = "v₁"
    /// From the source to the picture that was matched to the target.
    case matching
    /// Jᵀ(f(x) − t), along which descent goes.
    case gradient
    /// A random one.
    case random
    /// From the source to the target.
    case target
    /// A random one without its part in the normal space.
    case tangent
  }

  /// L_v(x, h) = ‖f(x + h·v) − f(x)‖/h along a unit vector v.
  public struct Curve: Codable, Sendable, Equatable {
    /// Of which kind v is.
    public var kind: Kind
    /// ‖J·v‖, the limit for h → 0.
    public var limit: Double
    /// A number each step; nil where f moves by less than five times its rounding, ``Picture/rounding``.
    public var values: [Double?]
    /// ‖f(x + h·v) − f(x) − h·J·v‖/‖f(x + h·v) − f(x)‖, a number each step: how far the function is from linear; nil where f does not
    /// move, or either difference is below five times its rounding.
    public var errors: [Double?]
    /// ‖P_N·v‖, the part in the normal space; nil where the whole of that is not known.
    public var share: Double?

    /// A curve from its parts.
    public init(
      kind: Kind, limit: Double, values: [Double?], errors: [Double?], share: Double?
    ) {
      (self.kind, self.limit, self.values) = (kind, limit, values)
      (self.errors, self.share) = (errors, share)
    }
  }

  /// What the embedding does along a segment between two pictures.
  public struct Segment: Codable, Sendable, Equatable {
    /// `matched` or `target`.
    public var to: String
    /// The segment's length in pixels of 0 to 1.
    public var length: Double
    /// ‖f(x(s + δ)) − f(x(s))‖/(δ·length), of each part.
    public var parts: [Double]
    /// ‖f(x₁) − f(x₀)‖/length.
    public var secant: Double
    /// cos(f(x(s)), f(x₀)), at both ends and between the parts.
    public var toSource: [Double]
    /// cos(f(x(s)), t).
    public var toTarget: [Double]
    /// The classifier's probability of the source's class at these places; nil where the model ends with no classes.
    public var sourceClass: [Double]?
    /// That of the target's class.
    public var targetClass: [Double]?

    /// max ≥ mean ≥ secant.
    public var largest: Double { parts.max() ?? 0 }
    /// The mean over the parts.
    public var mean: Double { parts.isEmpty ? 0 : parts.reduce(0, +) / Double(parts.count) }

    /// A segment from its parts.
    public init(
      to: String, length: Double, parts: [Double], secant: Double, toSource: [Double],
      toTarget: [Double]
    ) {
      (self.to, self.length, self.parts, self.secant) = (to, length, parts, secant)
      (self.toSource, self.toTarget) = (toSource, toTarget)
    }
  }

  /// A place of a walk among pictures.
  public struct Stop: Codable, Sendable, Equatable {
    /// Steps done.
    public var step: Int
    /// ‖x − x₀‖₂ over ‖x_tg − x₀‖₂.
    public var way: Double
    /// ‖f(x) − f(x₀)‖ over ‖f(x_tg) − f(x₀)‖.
    public var drift: Double
    /// A small PNG.
    public var picture: Data
    /// The whole picture, within the run folder.
    public var file: String
    /// δ of the step to here along an eigenvector of JᵀJ, in pixels of 0 to 1; nil at the start and of other walks.
    public var length: Double?
    /// Its eigenvalue λ = ‖J·v‖².
    public var eigenvalue: Double?

    /// A stop from its parts.
    public init(step: Int, way: Double, drift: Double, picture: Data = Data(), file: String = "") {
      (self.step, self.way, self.drift) = (step, way, drift)
      (self.picture, self.file) = (picture, file)
    }
  }

  /// The extreme-value score of one picture of a classifier.
  public struct Score: Codable, Sendable, Equatable {
    /// The radius within which its class should stay against the classes next to it, in pixels of 0 to 1; nil where the maxima of one of them
    /// do not tell where they end. The other numbers are those of the class with the least score.
    public var radius: Double?
    /// The largest gradient norm that was seen.
    public var largest: Double
    /// The location of the fitted distribution.
    public var location: Double
    /// Kolmogorov's and Smirnov's p of the fit. A fit whose location is no estimate may well have a high one.
    public var p: Double
    /// Other classes that it is the least over; nil in runs of older versions: the runner-up.
    public var classes: Int?
    /// `L2` or `L∞`; nil in runs of older versions: L2.
    public var norm: String?

    /// A score from its parts.
    public init(radius: Double?, largest: Double, location: Double, p: Double) {
      (self.radius, self.largest, self.location, self.p) = (radius, largest, location, p)
    }
  }

  /// A path towards the target on which a classifier stays as sure.
  public struct LevelSet: Codable, Sendable, Equatable {
    /// The source's class, from 0.
    public var label: Int
    /// Of the source, then after each step.
    public var confidences: [Double]
    /// ‖x − x_tg‖₂ over ‖x₀ − x_tg‖₂, of the source and after each step.
    public var left: [Double]
    /// A small PNG of the last picture.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""

    /// ‖x − x_tg‖₂ of the last picture.
    public var euclidean: Double?
    /// max |x − x_tg| of the last picture.
    public var maximum: Double?
    /// Its structural similarity with the target.
    public var ssim: Double?
    /// How sure the classifier is around the source and around the last picture.
    public var widths: [Width]?

    /// Confidences at one distance from a picture, over random directions.
    public struct Width: Codable, Sendable, Equatable {
      /// Whether around the last picture, not the source.
      public var isEnd: Bool
      /// The distance.
      public var radius: Double
      /// The 5th percentile.
      public var low: Double
      /// The 95th.
      public var high: Double

      /// A width from its parts.
      public init(isEnd: Bool, radius: Double, low: Double, high: Double) {
        (self.isEnd, self.radius, self.low, self.high) = (isEnd, radius, low, high)
      }
    }

    /// A path from its parts.
    public init(label: Int, confidences: [Double], left: [Double]) {
      (self.label, self.confidences, self.left) = (label, confidences, left)
    }
  }

  /// A picture, the target that it is held against, and what was found there.
  public struct Picture: Codable, Sendable, Equatable {
    /// The source, among the result's images.
    public var source: Int
    /// The target.
    public var target: Int
    /// How the match ended that the matching direction comes from.
    public var ending: String
    /// ‖Δx‖₂ of it.
    public var change: Double
    /// Its cosine with the target.
    public var cosine: Double?
    /// h.
    public var steps: [Double]
    /// The directions.
    public var curves: [Curve] = []
    /// Along segments.
    public var segments: [Segment] = []
    /// σ₁ at the picture.
    public var steepest = 0.0
    /// A lower bound of the Lipschitz constant in the ball: the largest σ₁ among its pictures.
    public var bound = 0.0
    /// The ball's radius.
    public var radius = 0.0
    /// How far rounding moves a difference of two embeddings near the picture; nil in runs of older versions.
    public var rounding: Double?
    /// Why there are no numbers; nil where there are.
    public var problem: String?
    /// The leading singular values of J that have converged, all where ``isWhole``.
    public var values: [Double] = []
    /// Whether these are all.
    public var isWhole = false
    /// r, the dimensions of the normal space.
    public var rank = 0
    /// The walk; empty where none was asked for.
    public var walk: [Stop] = []
    /// The level-set traversal; nil where none was asked for.
    public var levelSet: LevelSet?
    /// CLEVER's score; nil where the site is no classifier's output or none was asked for.
    public var clever: Score?
    /// A small PNG of the matched picture.
    public var matched = Data()

    /// A picture without numbers.
    public init(
      source: Int, target: Int, ending: String, change: Double, cosine: Double?, steps: [Double]
    ) {
      (self.source, self.target, self.ending) = (source, target, ending)
      (self.change, self.cosine, self.steps) = (change, cosine, steps)
    }
  }

  /// A representation.
  public struct Place: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// Which tokens.
    public var tokens: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// D.
    public var features: Int
    /// The pictures.
    public var pictures: [Picture] = []

    /// A place without pictures.
    public init(site: String, tokens: String, depth: Double, features: Int) {
      (self.site, self.tokens, self.depth, self.features) = (site, tokens, depth, features)
    }
  }

  /// A model.
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
    /// Small PNGs of the images.
    public var originals: [Data] = []
    /// Its places in execution order.
    public var places: [Place] = []

    /// n.
    public var inputs: Int { 3 * height * width }

    /// A model without places.
    public init(name: String, family: String, design: String, height: Int, width: Int) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width) = (height, width)
    }
  }

  /// Images that are sources or targets.
  public var images: [MatchingResult.Image]
  /// The seed of pairs, directions and samples.
  public var seed: UInt64
  /// The element type of the numbers; nil in runs of older versions.
  public var dtype: String?
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models.
  public var models: [Model] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without models.
  public init(images: [MatchingResult.Image], seed: UInt64) {
    (self.images, self.seed) = (images, seed)
  }
}
