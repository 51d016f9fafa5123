import Foundation

/// What any input becomes when a late layer's embedding of it is matched by descent: how near the pictures and embeddings then lie
/// to a set of images that stands for the training data.
///
/// > Source: Badger, 2022, arXiv 2211.06496: "late layers are mostly inference". The measures are ours.
public struct ManifoldResult: Codable, Sendable, Equatable {
  /// An input that is matched.
  public struct Input: Codable, Sendable, Equatable {
    /// What it is.
    public enum Kind: String, Codable, Sendable, CaseIterable {
      /// Independent draws of [0, 1).
      case uniform = "uniform noise"
      /// Independent draws of N(½, ¼²), clamped.
      case normal = "normal noise"
      /// One of the set, which does not count among its own neighbours.
      case member = "image of the set"
      /// One of the class that was left out of the set.
      case heldOut = "held-out image"
      /// One from elsewhere.
      case outside = "other image"
    }

    /// What figures call it.
    public var name: String
    /// What it is.
    public var kind: Kind
    /// Its class, where it is known.
    public var className: String?

    /// An input from its parts.
    public init(name: String, kind: Kind, className: String? = nil) {
      (self.name, self.kind, self.className) = (name, kind, className)
    }
  }

  /// Where a picture lies among those of the set.
  public struct Pixels: Codable, Sendable, Equatable {
    /// Root of the mean squared difference from the nearest image.
    public var nearest: Double
    /// Which image that is.
    public var image: Int
    /// The slope of the spectrum; nil where the picture is flat.
    public var slope: Double?
    /// The Wasserstein distance of its pixel histogram from the set's.
    public var histogram: Double

    /// A place from its parts.
    public init(nearest: Double, image: Int, slope: Double?, histogram: Double) {
      (self.nearest, self.image, self.slope, self.histogram) = (nearest, image, slope, histogram)
    }
  }

  /// Where an embedding lies among those of the set.
  public struct Latent: Codable, Sendable, Equatable {
    /// The mean distance from the k nearest.
    public var distance: Double
    /// The distance from the local PCA; nil where the neighbours are equal.
    public var residual: Double?
    /// The nearest image.
    public var image: Int

    /// A place from its parts.
    public init(distance: Double, residual: Double?, image: Int) {
      (self.distance, self.residual, self.image) = (distance, residual, image)
    }
  }

  /// A picture found from one start.
  public struct Reconstruction: Codable, Sendable, Equatable {
    /// m_g.
    public var embedding: Double
    /// m_r.
    public var reference: Double
    /// Root of the mean squared difference from the input: m_i / √n.
    public var rmse: Double
    /// What follows from the distances.
    public var verdict: InversionResult.Verdict
    /// The step at which the descent diverged; nil where it did not.
    public var diverged: Int?
    /// Where the picture lies.
    public var pixels: Pixels
    /// Where its embedding lies.
    public var latent: Latent
    /// A small PNG.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""

    /// A reconstruction without picture.
    public init(
      embedding: Double, reference: Double, rmse: Double, verdict: InversionResult.Verdict,
      diverged: Int?, pixels: Pixels, latent: Latent
    ) {
      (self.embedding, self.reference, self.rmse) = (embedding, reference, rmse)
      (self.verdict, self.diverged, self.pixels, self.latent) = (verdict, diverged, pixels, latent)
    }
  }

  /// What becomes of one input at one layer.
  public struct Entry: Codable, Sendable, Equatable {
    /// Which input.
    public var input: Int
    /// Where the input's embedding lies.
    public var latent: Latent
    /// What was found, a start each.
    public var reconstructions: [Reconstruction]
    /// Mean root of the mean squared difference between two reconstructions; nil of one start.
    public var pairwise: Double?

    /// An entry from its parts.
    public init(input: Int, latent: Latent, reconstructions: [Reconstruction], pairwise: Double?) {
      (self.input, self.latent, self.reconstructions) = (input, latent, reconstructions)
      self.pairwise = pairwise
    }

    /// Mean over the starts.
    public func mean(_ number: (Reconstruction) -> Double?) -> Double? {
      let values = reconstructions.compactMap(number)
      return values.isEmpty || values.count < reconstructions.count
        ? nil : values.reduce(0, +) / Double(values.count)
    }

    /// Pairwise difference over the difference from the input: well below 1 where the starts agree on a picture that is not the input.
    public var agreement: Double? {
      guard let pairwise, let input = mean({ $0.rmse }), input > 0 else { return nil }
      return pairwise / input
    }
  }

  /// A layer.
  public struct Layer: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// Numbers of one image's embedding.
    public var features: Int
    /// What images of the set have to each other: the median distance.
    public var typicalDistance: Double
    /// What images of the set have to each other: the median residual.
    public var typicalResidual: Double?
    /// An entry each input.
    public var entries: [Entry]

    /// A layer from its parts.
    public init(
      site: String, depth: Double, features: Int, typicalDistance: Double,
      typicalResidual: Double?, entries: [Entry]
    ) {
      (self.site, self.depth, self.features) = (site, depth, features)
      (self.typicalDistance, self.typicalResidual) = (typicalDistance, typicalResidual)
      self.entries = entries
    }
  }

  /// A picture of an input, as a model sees it.
  public struct Shown: Codable, Sendable, Equatable {
    /// A small PNG.
    public var picture: Data
    /// The whole picture, within the run folder.
    public var file: String
    /// Where it lies among the set.
    public var pixels: Pixels

    /// A picture from its parts.
    public init(picture: Data, file: String, pixels: Pixels) {
      (self.picture, self.file, self.pixels) = (picture, file, pixels)
    }
  }

  /// An image of the set that is somebody's nearest.
  public struct Neighbour: Codable, Sendable, Equatable {
    /// Which of the images.
    public var image: Int
    /// A small PNG.
    public var picture: Data

    /// A neighbour from its parts.
    public init(image: Int, picture: Data) { (self.image, self.picture) = (image, picture) }
  }

  /// A model and its layers.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// Medians over images of the set against its others.
    public var typical: Pixels
    /// The inputs.
    public var inputs: [Shown] = []
    /// The start's noise, mean over the starts: where the descents begin.
    public var start: Pixels
    /// Those of the set that are nearest to something.
    public var neighbours: [Neighbour] = []
    /// Its layers in execution order.
    public var layers: [Layer] = []

    /// A model without layers.
    public init(
      name: String, family: String, height: Int, width: Int, twinOf: String?, typical: Pixels,
      start: Pixels
    ) {
      (self.name, self.family, self.height, self.width) = (name, family, height, width)
      (self.twinOf, self.typical, self.start) = (twinOf, typical, start)
    }
  }

  /// The recipe's name.
  public var preset: String
  /// Steps of a descent.
  public var steps: Int
  /// The ids of the images of the set.
  public var images: [String]
  /// Their classes, where known.
  public var classes: [String?]
  /// The inputs.
  public var inputs: [Input]
  /// Starts of each input.
  public var starts: Int
  /// k.
  public var neighbours: Int
  /// d of the local PCA.
  public var components: Int
  /// The seed of noise, starts and shifts.
  public var seed: UInt64
  /// The element type of the descent.
  public var dtype: String
  /// The class of the run's images that is none of the set; nil where all are.
  public var heldOut: String?
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, untrained twins last.
  public var models: [Model] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    preset: String, steps: Int, images: [String], classes: [String?], inputs: [Input], starts: Int,
    neighbours: Int, components: Int, seed: UInt64, dtype: String
  ) {
    (self.preset, self.steps, self.images, self.classes) = (preset, steps, images, classes)
    (self.inputs, self.starts, self.neighbours) = (inputs, starts, neighbours)
    (self.components, self.seed, self.dtype) = (components, seed, dtype)
  }

  /// Every number as rows of `results.csv`: `b` is the input and the start, `x` the layer's relative depth.
  public func tidyRows() -> [TidyRow] {
    func row(
      _ measure: String, _ a: String, _ b: String, _ x: String, _ value: Double?,
      _ n: Int? = nil
    ) -> TidyRow {
      TidyRow(
        analysis: "manifold", measure: measure, a: a, b: b, x: x, value: value,
        n: n ?? images.count, estimator: preset)
    }
    func rows(_ pixels: Pixels, _ a: String, _ b: String, _ x: String = "") -> [TidyRow] {
      [
        row("nearest image, RMSE", a, b, x, pixels.nearest),
        row("spectral slope", a, b, x, pixels.slope),
        row("histogram distance", a, b, x, pixels.histogram),
      ]
    }
    return models.flatMap { model -> [TidyRow] in
      rows(model.typical, model.name, "set, median") + rows(model.start, model.name, "start")
        + zip(inputs, model.inputs).flatMap { rows($1.pixels, model.name, $0.name) }
        + model.layers.flatMap { layer -> [TidyRow] in
          let (a, x) = ("\(model.name)@\(layer.site)", "\(layer.depth)")
          return [
            row("neighbour distance", a, "set, median", x, layer.typicalDistance),
            row("local PCA residual", a, "set, median", x, layer.typicalResidual),
          ]
            + layer.entries.flatMap { entry -> [TidyRow] in
              let name = inputs.indices.contains(entry.input) ? inputs[entry.input].name : ""
              return [
                row("neighbour distance", a, name, x, entry.latent.distance),
                row("local PCA residual", a, name, x, entry.latent.residual),
                row("pairwise RMSE over starts", a, name, x, entry.pairwise, starts),
                row("agreement over starts", a, name, x, entry.agreement, starts),
              ]
                + entry.reconstructions.enumerated().flatMap { start, one -> [TidyRow] in
                  let b = "\(name), start \(start + 1)"
                  return rows(one.pixels, a, b, x) + [
                    row("neighbour distance", a, b, x, one.latent.distance),
                    row("local PCA residual", a, b, x, one.latent.residual),
                    row("m_g", a, b, x, one.embedding, 1), row("m_r", a, b, x, one.reference, 1),
                    row("RMSE from the input", a, b, x, one.rmse, 1),
                    row("verdict: \(one.verdict.rawValue)", a, b, x, 1, 1),
                  ]
                }
            }
        }
    }
  }
}
