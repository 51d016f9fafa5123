import Foundation

/// How far an input that one layer of a model takes for another moves every layer of every model.
///
/// A picture a_g is found from noise whose embedding at layer l of model A is that of a. At every layer k of every model B the
/// distance ‖O_k(a_g) − O_k(a)‖ is held against that of a small shift, and against that of two different images.
///
/// > Source: after Badger, 2022, arXiv 2211.06496 (distances and reference shift); the question between models is Feather et al., 2019,
/// > Metamers of neural networks. The map is ours.
public struct MetamersResult: Codable, Sendable, Equatable {
  /// How well one embedding follows another, number by number.
  ///
  /// > Source: Feather et al., 2023, doi 10.1038/s41593-023-01442-0.
  public struct Agreement: Codable, Sendable, Equatable {
    /// Pearson's correlation; nil where an embedding does not vary.
    public var pearson: Double?
    /// Spearman's correlation; nil where an embedding does not vary.
    public var spearman: Double?
    /// 10 · log10(‖s‖/‖s − ŝ‖) in dB, s the image's embedding; nil where both are the same.
    public var decibels: Double?

    /// An agreement from its numbers.
    public init(pearson: Double?, spearman: Double?, decibels: Double?) {
      (self.pearson, self.spearman, self.decibels) = (pearson, spearman, decibels)
    }
  }

  /// A layer that distances are measured at.
  public struct Layer: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// The stage that it belongs to.
    public var stage: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// Numbers of one image's embedding.
    public var features: Int
    /// m_r of each image, mean over the shifts.
    public var shift: [Double]
    /// The mean distance between two different images.
    public var different: Double
    /// How well different images agree, one number a pair of a matched image and another.
    public var chance: [Agreement] = []

    /// A layer from its parts.
    public init(
      site: String, stage: String, depth: Double, features: Int, shift: [Double], different: Double
    ) {
      (self.site, self.stage, self.depth, self.features) = (site, stage, depth, features)
      (self.shift, self.different) = (shift, different)
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
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// Small PNGs of the images as they go in.
    public var originals: [Data] = []
    /// Its layers in execution order.
    public var layers: [Layer]

    /// A model from its parts.
    public init(
      name: String, family: String, design: String, height: Int, width: Int, twinOf: String?,
      layers: [Layer]
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width, self.twinOf, self.layers) = (height, width, twinOf, layers)
    }
  }

  /// One picture, matched at one layer.
  public struct Metamer: Codable, Sendable, Equatable {
    /// Which of the images.
    public var image: Int
    /// m_g where it was matched.
    public var embedding: Double
    /// m_r there.
    public var reference: Double
    /// Root of the mean squared difference from the image.
    public var rmse: Double
    /// What follows from the distances.
    public var verdict: InversionResult.Verdict
    /// The step at which the descent diverged; nil where it did not.
    public var diverged: Int?
    /// Distances ‖O_k(a_g) − O_k(a)‖, a list each model, a number each of its layers.
    public var distances: [[Double]]
    /// How well the metamer's embedding follows the image's, a list each model, one each of its layers.
    public var agreements: [[Agreement]] = []
    /// Whether each model's largest logit is that of the image; nil of a model without logits.
    public var isSameClass: [Bool?] = []
    /// A small PNG.
    public var picture = Data()
    /// The whole picture, within the run folder.
    public var file = ""

    /// A metamer without picture.
    public init(
      image: Int, embedding: Double, reference: Double, rmse: Double,
      verdict: InversionResult.Verdict, diverged: Int?, distances: [[Double]]
    ) {
      (self.image, self.embedding, self.reference, self.rmse) = (image, embedding, reference, rmse)
      (self.verdict, self.diverged, self.distances) = (verdict, diverged, distances)
    }
  }

  /// The pictures that were matched at one layer.
  public struct Match: Codable, Sendable, Equatable {
    /// Which model.
    public var model: Int
    /// The layer's path.
    public var site: String
    /// Where it stands among the model's sites that were asked for, from 0 to 1.
    public var depth: Double
    /// One each image.
    public var metamers: [Metamer]

    /// A match from its parts.
    public init(model: Int, site: String, depth: Double, metamers: [Metamer]) {
      (self.model, self.site, self.depth, self.metamers) = (model, site, depth, metamers)
    }
  }

  /// What a distance is held against.
  public enum Reference: String, Codable, Sendable, CaseIterable {
    /// That of a small shift.
    case shift
    /// That of two different images.
    case different
  }

  /// The recipe's name.
  public var preset: String
  /// Steps of a descent.
  public var steps: Int
  /// The ids of the images that are matched.
  public var images: [String]
  /// Images that the mean distance between different ones is taken of.
  public var others: Int
  /// The standard deviation of the shift.
  public var shift: Double
  /// The seed of starts and shifts.
  public var seed: UInt64
  /// The element type of the descent.
  public var dtype: String
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models.
  public var models: [Model] = []
  /// What was matched, model after model, in execution order.
  public var matches: [Match] = []
  /// What was found.
  public var findings: [Finding] = []

  /// A result without models.
  public init(
    preset: String, steps: Int, images: [String], others: Int, shift: Double, seed: UInt64,
    dtype: String
  ) {
    (self.preset, self.steps, self.images, self.others) = (preset, steps, images, others)
    (self.shift, self.seed, self.dtype) = (shift, seed, dtype)
  }

  /// A distance over its reference, mean over the pictures.
  ///
  /// - Parameters:
  ///   - match: what was matched.
  ///   - model: B.
  ///   - layer: k, of B.
  ///   - reference: what it is held against.
  /// - Returns: nil where the reference is 0.
  public func ratio(_ match: Match, _ model: Int, _ layer: Int, _ reference: Reference) -> Double? {
    let ratios = match.metamers.map { ratio($0, model, layer, reference) }
    let known = ratios.compactMap(\.self)
    return known.isEmpty || known.count < ratios.count
      ? nil : known.reduce(0, +) / Double(known.count)
  }

  /// A distance over its reference.
  public func ratio(
    _ metamer: Metamer, _ model: Int, _ layer: Int, _ reference: Reference
  ) -> Double? {
    let place = models[model].layers[layer]
    let below = reference == .shift ? place.shift[metamer.image] : place.different
    return below > 0 ? metamer.distances[model][layer] / below : nil
  }

  /// The mean over the images of a match of one number of agreement; nil where one of them has none.
  public func agreement(
    _ match: Match, _ model: Int, _ layer: Int, _ part: KeyPath<Agreement, Double?>
  ) -> Double? {
    let values = match.metamers.compactMap { $0.agreements[model][layer][keyPath: part] }
    guard !values.isEmpty, values.count == match.metamers.count else { return nil }
    return values.reduce(0, +) / Double(values.count)
  }

  /// The best agreement of two different images at a layer; nil where no pair has one.
  public func chance(_ model: Int, _ layer: Int, _ part: KeyPath<Agreement, Double?>) -> Double? {
    models[model].layers[layer].chance.compactMap { $0[keyPath: part] }.max()
  }

  /// Every number as rows of `results.csv`: `a` is the layer that was matched, `b` the layer that was looked at.
  public func tidyRows() -> [TidyRow] {
    func row(_ measure: String, _ a: String, _ b: String, _ x: String, _ value: Double?, _ n: Int)
      -> TidyRow
    {
      TidyRow(
        analysis: "metamers", measure: measure, a: a, b: b, x: x, value: value, n: n,
        estimator: preset)
    }
    let references = models.flatMap { model in
      model.layers.flatMap { layer -> [TidyRow] in
        let b = "\(model.name)@\(layer.site)"
        return zip(images, layer.shift).map { row("m_r", $0, b, "\(layer.depth)", $1, 1) }
          + [row("distance of different images", "", b, "\(layer.depth)", layer.different, others)]
          + layer.chance.flatMap { one in
            [
              row("Pearson of different images", "", b, "\(layer.depth)", one.pearson, 1),
              row("Spearman of different images", "", b, "\(layer.depth)", one.spearman, 1),
              row("SNR in dB of different images", "", b, "\(layer.depth)", one.decibels, 1),
            ]
          }
      }
    }
    return references
      + matches.flatMap { match -> [TidyRow] in
        let a = "\(models[match.model].name)@\(match.site)"
        return match.metamers.flatMap { one -> [TidyRow] in
          let image = images.indices.contains(one.image) ? images[one.image] : ""
          return [
            row("m_g", a, image, "", one.embedding, 1), row("m_r", a, image, "", one.reference, 1),
            row("RMSE from the image", a, image, "", one.rmse, 1),
            row("verdict: \(one.verdict.rawValue)", a, image, "", 1, 1),
          ]
            + zip(models, one.isSameClass).compactMap { model, isSame in
              isSame.map { row("same class to \(model.name)", a, image, "", $0 ? 1 : 0, 1) }
            }
        }
          + models.indices.flatMap { b in
            models[b].layers.indices.flatMap { k -> [TidyRow] in
              let name = "\(models[b].name)@\(models[b].layers[k].site)"
              let x = "\(models[b].layers[k].depth)"
              return [
                row("over m_r", a, name, x, ratio(match, b, k, .shift), images.count),
                row(
                  "over different images", a, name, x, ratio(match, b, k, .different),
                  images.count),
                row("Pearson", a, name, x, agreement(match, b, k, \.pearson), images.count),
                row("Spearman", a, name, x, agreement(match, b, k, \.spearman), images.count),
                row("SNR in dB", a, name, x, agreement(match, b, k, \.decibels), images.count),
              ]
            }
          }
      }
  }
}
