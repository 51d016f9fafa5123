import Foundation

/// What layers know of their input: pictures found by descent whose embeddings are those of given pictures.
///
/// All distances are Euclidean, in pixels' units of [0, 1] on the input's side and in the layer's own on the other.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
public struct InversionResult: Codable, Sendable, Equatable {
  /// What follows from the distances of one reconstruction.
  public enum Verdict: String, Codable, Sendable, CaseIterable {
    /// The embedding is matched (m_g < m_r) and so is the picture (m_i ≤ m_a').
    case accurate
    /// The embedding is matched, the picture is another one: the layer's embedding is not unique.
    case embeddingOnly = "embedding only"
    /// The embedding was not matched, m_g ≥ m_r: nothing follows for the layer.
    case failed = "optimisation failed"
    /// An embedding that somebody gave is matched, m_g < m_r: of which picture it is, is not known, so nothing follows for the layer.
    case given = "given embedding matched"

    /// The verdict of the paper's equations 1 and 2.
    ///
    /// - Parameters:
    ///   - embedding: m_g.
    ///   - reference: m_r.
    ///   - input: m_i.
    ///   - inputReference: m_a'.
    public init(embedding: Double, reference: Double, input: Double, inputReference: Double) {
      if embedding < reference {
        self = input > inputReference ? .embeddingOnly : .accurate
      } else {
        self = .failed
      }
    }
  }

  /// One point of a descent.
  public struct Point: Codable, Sendable, Equatable {
    /// Steps done.
    public var step: Int
    /// The loss.
    public var loss: Double
    /// m_g.
    public var embedding: Double
    /// m_i.
    public var input: Double

    /// A point from its parts.
    public init(step: Int, loss: Double, embedding: Double, input: Double) {
      (self.step, self.loss, self.embedding, self.input) = (step, loss, embedding, input)
    }
  }

  /// One picture found for one layer.
  public struct Reconstruction: Codable, Sendable, Equatable {
    /// Which of the images, from 0.
    public var image: Int
    /// Which of the starts, from 0.
    public var start: Int
    /// m_g = ‖O(a) − O(a_g)‖.
    public var embedding: Double
    /// m_r = ‖O(a) − O(a')‖, mean over the shifts.
    public var reference: Double
    /// m_i = ‖a_g − a‖.
    public var input: Double
    /// m_a' = ‖a' − a‖, mean over the shifts.
    public var inputReference: Double
    /// ‖a₀ − a‖.
    public var beginning: Double
    /// m_i / √n.
    public var rmse: Double
    /// Of the pictures clamped to [0, 1], in decibels; nil where they are equal.
    public var psnr: Double?
    /// Of the pictures clamped to [0, 1]; nil where they are too small.
    public var ssim: Double?
    /// Energy of high frequencies over the original's.
    public var highFrequency: Double?
    /// What follows.
    public var verdict: Verdict
    /// The step whose picture this is.
    public var step: Int
    /// The step at which the descent diverged; nil where it did not.
    public var diverged: Int?
    /// The way there.
    public var trace: [Point]
    /// A small PNG.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""

    /// m_g / m_r; nil where a shift does not move the embedding.
    public var relativeEmbedding: Double? { reference > 0 ? embedding / reference : nil }
    /// m_i / m_a'.
    public var relativeInput: Double? { inputReference > 0 ? input / inputReference : nil }
    /// m_i / ‖a₀ − a‖.
    public var remaining: Double? { beginning > 0 ? input / beginning : nil }

    /// A reconstruction from its distances.
    public init(
      image: Int, start: Int, embedding: Double, reference: Double, input: Double,
      inputReference: Double, beginning: Double, rmse: Double, step: Int, diverged: Int?,
      trace: [Point]
    ) {
      (self.image, self.start, self.embedding, self.reference) = (
        image, start, embedding, reference
      )
      (self.input, self.inputReference, self.beginning) = (input, inputReference, beginning)
      (self.rmse, self.step, self.diverged, self.trace) = (rmse, step, diverged, trace)
      verdict = Verdict(
        embedding: embedding, reference: reference, input: input, inputReference: inputReference)
    }
  }

  /// A layer and the pictures found for it.
  public struct Layer: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// The stage that it belongs to.
    public var stage: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// Numbers of one image's embedding.
    public var features: Int
    /// What the loss was multiplied with.
    public var scale: Double
    /// Steps of a descent.
    public var steps: Int
    /// The pictures, image after image.
    public var reconstructions: [Reconstruction]

    /// A layer from its parts.
    public init(
      site: String, stage: String, depth: Double, features: Int, scale: Double, steps: Int,
      reconstructions: [Reconstruction]
    ) {
      (self.site, self.stage, self.depth, self.features) = (site, stage, depth, features)
      (self.scale, self.steps, self.reconstructions) = (scale, steps, reconstructions)
    }
  }

  /// A picture as a model sees it.
  public struct Original: Codable, Sendable, Equatable {
    /// A small PNG.
    public var picture: Data
    /// The whole picture, within the run folder.
    public var file: String

    /// A picture from its parts.
    public init(picture: Data, file: String) { (self.picture, self.file) = (picture, file) }
  }

  /// A model and its layers.
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
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// The name of the model that this is a changed form of; nil where it is none.
    public var derivedFrom: String?
    /// What was changed: `without attention`.
    public var change: String?
    /// Where it stands on the axis of ``InversionResult/axis``; nil where it stands nowhere.
    public var place: Double?
    /// The images as they go in.
    public var originals: [Original] = []
    /// Its layers in execution order.
    public var layers: [Layer] = []

    /// A model without layers.
    public init(
      name: String, family: String, design: String, height: Int, width: Int, twinOf: String?
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width, self.twinOf) = (height, width, twinOf)
    }

    /// n, the numbers of an image.
    public var inputs: Int { 3 * height * width }
  }

  /// The recipe's name.
  public var preset: String
  /// The ids of the images, in their order.
  public var images: [String]
  /// Starts of each image.
  public var starts: Int
  /// The standard deviation of the shift of m_r.
  public var shift: Double
  /// Shifts of each image.
  public var shifts: Int
  /// The seed of starts and shifts.
  public var seed: UInt64
  /// The element type of the descent.
  public var dtype: String
  /// What models stand along, such as training steps or widths; nil where there is no such axis.
  public var axis: String?
  /// The file whose embeddings were matched instead of the images' own; nil for those.
  public var target: String?
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, untrained twins last.
  public var models: [Model] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    preset: String, images: [String], starts: Int, shift: Double, shifts: Int, seed: UInt64,
    dtype: String
  ) {
    (self.preset, self.images, self.starts, self.shift) = (preset, images, starts, shift)
    (self.shifts, self.seed, self.dtype) = (shifts, seed, dtype)
  }

  /// Every number as rows of `results.csv`: `b` is the image and the start, `x` the layer's relative depth.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.layers.flatMap { layer in
        let address = "\(model.name)@\(layer.site)"
        func row(_ measure: String, _ value: Double?, _ b: String = "", _ unit: String = "")
          -> TidyRow
        {
          TidyRow(
            analysis: "inversion", measure: measure, a: address, b: b, x: "\(layer.depth)",
            value: value, n: 1, estimator: preset, unit: unit)
        }
        return [
          row("features", Double(layer.features)),
          row("features over inputs", Double(layer.features) / Double(max(1, model.inputs))),
        ]
          + layer.reconstructions.flatMap { one in
            let b =
              images.indices.contains(one.image)
              ? "\(images[one.image])\(starts > 1 ? " start \(one.start)" : "")" : ""
            return [
              row("m_g", one.embedding, b), row("m_r", one.reference, b),
              row("m_i", one.input, b), row("m_a'", one.inputReference, b),
              row("m_g/m_r", one.relativeEmbedding, b), row("m_i/m_a'", one.relativeInput, b),
              row("m_i/start", one.remaining, b), row("RMSE", one.rmse, b),
              row("PSNR", one.psnr, b, "dB"), row("SSIM", one.ssim, b),
              row("high-frequency energy", one.highFrequency, b),
              row("verdict: \(one.verdict.rawValue)", 1, b),
            ]
          }
      }
    }
  }
}
