import Foundation
import ParallaxResults

/// What Raghu et al. and Luo et al. say of receptive fields, asked of these models.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 4; Luo et al., 2016, arXiv 1701.04128, section 3.2. The statistics
/// > and criteria are ours.
struct FieldFindings {
  let result: ReceptiveFieldResult
  /// Of each model and field the sizes, then those without each group of images.
  let values: [[[FieldStatistics.Values?]]]

  /// Rank correlations above this are called gradual growth.
  static let gradual = 0.8
  /// Layers up to this relative depth are the lowest.
  static let lowest = 0.25

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    let paper = [growth(), lowLayers(), residual()].compactMap(\.self)
    return (paper.map { $0.bearing(on: .receptiveField) } + [training()]).compactMap(\.self)
  }

  private func finding(
    _ sentence: String, _ estimate: IntervalEstimate, _ quantity: String,
    above level: Double = 0
  ) -> Finding {
    Finding(
      sentence, estimate, quantity, estimate.verdict(above: level), analysis: "receptive-field")
  }

  /// A number of all images, then without each group.
  private func estimate(_ number: (Int) -> Double?) -> IntervalEstimate {
    FieldsComputed.estimate((0...result.groups).map(number))
  }

  private func models(_ design: String) -> [Int] {
    result.models.indices.filter {
      result.models[$0].design == design && result.models[$0].twinOf == nil
    }
  }

  private func names(_ models: [Int]) -> String {
    models.map { result.models[$0].name }.joined(separator: ", ")
  }

  /// Depths and radii, as shares of the side, of a model's sites; nil where a radius is missing.
  private func curve(_ model: Int, _ replicate: Int) -> [(depth: Double, radius: Double)]? {
    let own = result.models[model]
    var curve: [(depth: Double, radius: Double)] = []
    for (index, field) in own.fields.enumerated() where field.part == .output {
      guard let sizes = values[model][index][replicate] else { return nil }
      curve.append((field.depth, sizes.radius / own.side))
    }
    return curve
  }

  /// Mean of a curve between two depths, linear between its points.
  private func mean(_ model: Int, _ replicate: Int, upTo depth: Double) -> Double? {
    guard let curve = curve(model, replicate), curve.count > 1 else { return nil }
    let places = (0...20).map { depth * Double($0) / 20 }
    let found = places.map { place -> Double in
      let next = curve.firstIndex { $0.depth >= place } ?? curve.count - 1
      guard next > 0, curve[next].depth > place else { return curve[next].radius }
      let (a, b) = (curve[next - 1], curve[next])
      let share = (place - a.depth) / (b.depth - a.depth)
      return (1 - share) * a.radius + share * b.radius
    }
    return Statistics.mean(found)
  }

  /// A convolutional network's field grows gradually.
  private func growth() -> Finding? {
    let networks = models("convolutional").filter { result.models[$0].outputs.count > 2 }
    guard !networks.isEmpty else { return nil }
    let correlation = estimate { replicate in
      Statistics.mean(
        networks.map { model in
          curve(model, replicate).flatMap {
            Statistics.spearman($0.map(\.depth), $0.map(\.radius))
          }
        })
    }
    return finding(
      "The receptive fields of convolutional networks grow gradually with depth", correlation,
      "Spearman's correlation of depth and radius, mean of \(names(networks)); gradually: above \(Self.gradual), our criterion",
      above: Self.gradual)
  }

  /// A transformer's field is larger already in its lowest layers.
  private func lowLayers() -> Finding? {
    let (transformers, networks) = (models("transformer"), models("convolutional"))
    let sentence =
      "Transformers have larger receptive fields than convolutional networks already in their lowest layers"
    guard !transformers.isEmpty, !networks.isEmpty else {
      return finding(
        sentence, IntervalEstimate(nil),
        transformers.isEmpty ? "no transformer here" : "no convolutional network here")
    }
    func radius(_ group: [Int], _ replicate: Int) -> Double? {
      Statistics.mean(group.map { mean($0, replicate, upTo: Self.lowest) })
    }
    let difference = estimate { replicate in
      radius(transformers, replicate).flatMap { a in radius(networks, replicate).map { a - $0 } }
    }
    return finding(
      sentence, difference,
      "mean radius up to relative depth \(Self.lowest), as a share of the input's side: \(names(transformers)) less \(names(networks))"
    )
  }

  /// Training enlarges fields.
  private func training() -> Finding? {
    let pairs = result.models.indices.compactMap { twin in
      result.models.firstIndex { $0.name == result.models[twin].twinOf }.map { ($0, twin) }
    }
    guard !pairs.isEmpty else { return nil }
    let difference = estimate { replicate in
      Statistics.mean(
        pairs.map { trained, twin in
          mean(trained, replicate, upTo: 1).flatMap { a in
            mean(twin, replicate, upTo: 1).map { a - $0 }
          }
        })
    }
    return finding(
      "Training enlarges the effective receptive field", difference,
      "mean radius over depth, as a share of the input's side: trained less untrained, mean of \(names(pairs.map(\.0)))"
    )
  }

  /// The peak at the centre patch comes by the residual stream.
  private func residual() -> Finding? {
    let pairs = models("transformer").flatMap { model in
      let fields = result.models[model].fields
      return fields.indices.compactMap { after -> (model: Int, before: Int, after: Int)? in
        guard fields[after].part == .output, fields[after].depth >= 0.5 else { return nil }
        return fields.indices.last {
          fields[$0].part == .attention && fields[$0].depth == fields[after].depth
        }.map { (model, $0, after) }
      }
    }
    guard !pairs.isEmpty else { return nil }
    let difference = estimate { replicate in
      Statistics.mean(
        pairs.map { pair in
          values[pair.model][pair.after][replicate].flatMap { after in
            values[pair.model][pair.before][replicate].map { after.centre - $0.centre }
          }
        })
    }
    return finding(
      "In the later half of transformers attention alone is less centred than what leaves the block",
      difference,
      "share of the mass in the centre patch: the block's output less its attention branch before the residual connection"
    )
  }
}
