import Foundation

/// Pictures that models were made to make: classes, features, dreams.
///
/// > Source: Badger, 2022, arXiv 2211.06496, and its author's published chapters on input generation and deep dream.
public struct GenerationResult: Codable, Sendable, Equatable {
  /// A model.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The site that its logits are taken from; nil where it has none.
    public var logits: String?
    /// The number of classes; 0 where it has none.
    public var classes: Int
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?

    /// A model from its parts.
    public init(
      name: String, family: String, height: Int, width: Int, logits: String?, classes: Int,
      twinOf: String?
    ) {
      (self.name, self.family, self.height, self.width) = (name, family, height, width)
      (self.logits, self.classes, self.twinOf) = (logits, classes, twinOf)
    }
  }

  /// How much of what was asked for a picture has.
  public struct Score: Codable, Sendable, Equatable {
    /// Which model.
    public var model: Int
    /// The class, or the site and what of it.
    public var label: String
    /// The logit, or the activation, mean over its places.
    public var value: Double
    /// The softmax's share of the class; nil of features.
    public var probability: Double?
    /// How many classes have a higher logit, plus 1; nil of features.
    public var rank: Int?

    /// A score from its parts.
    public init(model: Int, label: String, value: Double, probability: Double?, rank: Int?) {
      (self.model, self.label, self.value) = (model, label, value)
      (self.probability, self.rank) = (probability, rank)
    }
  }

  /// One point of a descent.
  public struct Point: Codable, Sendable, Equatable {
    /// Steps done, over all octaves.
    public var step: Int
    /// The loss.
    public var loss: Double

    /// A point from its parts.
    public init(step: Int, loss: Double) { (self.step, self.loss) = (step, loss) }
  }

  /// What a picture was asked to be.
  public enum Kind: String, Codable, Sendable, CaseIterable {
    /// One class.
    case classImage = "class"
    /// As little of a class as can be.
    case opposite
    /// Several classes at once.
    case sum = "sum of classes"
    /// Several classes by turns.
    case juxtaposition
    /// Between two classes.
    case interpolation
    /// One class for two models.
    case joint = "two models"
    /// One channel.
    case channel
    /// One channel at one place.
    case neuron
    /// A direction among channels.
    case direction
    /// A whole layer.
    case layer
  }

  /// A picture.
  public struct Picture: Codable, Sendable, Equatable {
    /// Which models it was made for.
    public var models: [Int]
    /// What it was asked to be.
    public var kind: Kind
    /// What figures call it.
    public var title: String
    /// The site of a feature; nil of classes.
    public var site: String?
    /// Which of the starts, from 0.
    public var start: Int
    /// Of interpolations which frame, from 0; nil of others.
    public var frame: Int?
    /// What the start has.
    public var before: [Score]
    /// What the picture has.
    public var after: [Score]
    /// The three classes with the highest logits, best first; empty without logits.
    public var best: [Score]
    /// The way there.
    public var trace: [Point]
    /// The step at which the descent diverged; nil where it did not.
    public var diverged: Int?
    /// Its height in pixels.
    public var height = 0
    /// Its width in pixels.
    public var width = 0
    /// A small PNG.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""

    /// A picture without pixels.
    public init(
      models: [Int], kind: Kind, title: String, site: String?, start: Int, frame: Int?,
      before: [Score], after: [Score], best: [Score], trace: [Point], diverged: Int?
    ) {
      (self.models, self.kind, self.title, self.site) = (models, kind, title, site)
      (self.start, self.frame, self.before, self.after) = (start, frame, before, after)
      (self.best, self.trace, self.diverged) = (best, trace, diverged)
    }
  }

  /// The recipe's name.
  public var preset: String
  /// Steps of a descent.
  public var steps: Int
  /// Starts of each picture.
  public var starts: Int
  /// The picture that descents begin with; nil for noise.
  public var beginning: String?
  /// That picture, a small PNG.
  public var beginningPicture = Data()
  /// The seed of starts, crops, jitter and directions.
  public var seed: UInt64
  /// The element type of the descent.
  public var dtype: String
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, untrained twins last.
  public var models: [Model] = []
  /// The pictures, model after model.
  public var pictures: [Picture] = []
  /// What was found.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    preset: String, steps: Int, starts: Int, beginning: String?, seed: UInt64, dtype: String
  ) {
    (self.preset, self.steps, self.starts) = (preset, steps, starts)
    (self.beginning, self.seed, self.dtype) = (beginning, seed, dtype)
  }

  /// Every number as rows of `results.csv`: `a` is the model, `b` the picture and what is scored, `x` the step of a trace.
  public func tidyRows() -> [TidyRow] {
    pictures.flatMap { picture -> [TidyRow] in
      let made = picture.models.map { models[$0].name }.joined(separator: " + ")
      let name =
        "\(picture.kind.rawValue): \(picture.title)"
        + (starts > 1 ? ", start \(picture.start + 1)" : "")
      func row(_ measure: String, _ a: String, _ b: String, _ x: String, _ value: Double?)
        -> TidyRow
      {
        TidyRow(
          analysis: "generation", measure: measure, a: a, b: b, x: x, value: value, n: 1,
          estimator: preset)
      }
      return [("before", picture.before), ("after", picture.after)].flatMap { when, scores in
        scores.flatMap { score -> [TidyRow] in
          let (a, b) = (models[score.model].name, "\(name) / \(score.label)")
          return [row("score \(when)", a, b, "", score.value)]
            + (score.probability.map { [row("probability \(when)", a, b, "", $0)] } ?? [])
            + (score.rank.map { [row("rank \(when)", a, b, "", Double($0))] } ?? [])
        }
      } + picture.trace.map { row("loss", made, name, "\($0.step)", $0.loss) }
    }
  }
}
