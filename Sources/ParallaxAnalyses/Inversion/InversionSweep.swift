import ParallaxModels
import ParallaxResults

/// What models stand along in a sweep: training steps of checkpoints, widths of one family.
public struct InversionAxis: Sendable, Hashable {
  /// What it is.
  public var name: String
  /// The place of each model, in their order, untrained twins and changed forms left out.
  public var places: [Double]

  /// An axis.
  public init(_ name: String, places: [Double]) { (self.name, self.places) = (name, places) }

  /// Puts the models of a result in their places.
  func place(_ result: inout InversionResult) {
    result.axis = name
    var number = 0
    for index in result.models.indices
    where result.models[index].twinOf == nil && result.models[index].derivedFrom == nil {
      result.models[index].place = places.indices.contains(number) ? places[number] : nil
      number += 1
    }
  }
}

extension Subject {
  /// Whether another one is this one untrained, whole or with the same change.
  func isTrainedForm(of other: Subject) -> Bool {
    guard let own = derivation, let theirs = other.derivation else {
      return derivation == nil && other.derivation == nil && "\(name)-random" == other.name
    }
    return own.change == theirs.change && "\(own.base)-random" == theirs.base
  }
}

extension InversionFindings {
  /// What a change of a network does to the pictures.
  ///
  /// > Source: Badger, 2022, arXiv 2211.06496, on transformers without their parts and with trained modules.
  func surgeries() -> [Finding] {
    result.models.compactMap { model in
      guard let base = result.models.first(where: { $0.name == model.derivedFrom }),
        let change = model.change
      else { return nil }
      let isWorse = change.contains("residual") || change.hasPrefix("untrained ")
      let gains = pictures { image, start -> Double? in
        let (own, other) = (curve(base, image, start), curve(model, image, start))
        let gains = own.compactMap { layer in
          other.first { $0.depth == layer.depth }.map { layer.rmse - $0.rmse }
        }
        return gains.isEmpty ? nil : gains.reduce(0, +) / Double(gains.count)
      }
      return finding(
        "\(base.name) \(change.hasPrefix("without") ? "" : "with ")\(change): its layers reconstruct \(isWorse ? "less clearly" : "more clearly")",
        isWorse ? gains.map(-) : gains,
        isWorse
          ? "RMSE of the changed network less that of the whole one, mean over layers whose embeddings both matched"
          : "RMSE of the whole network less that of the changed one, mean over layers whose embeddings both matched"
      )
    }
  }

  /// Whether pictures become clearer along the axis.
  func sweep() -> Finding? {
    let placed = result.models.filter { $0.place != nil }.sorted {
      ($0.place ?? 0) < ($1.place ?? 0)
    }
    guard let axis = result.axis, let first = placed.first, let last = placed.last,
      (first.place ?? 0) < (last.place ?? 0)
    else { return nil }
    let gains = pictures { image, start -> Double? in
      let (low, high) = (curve(first, image, start), curve(last, image, start))
      let gains = low.compactMap { layer in
        high.first { $0.depth == layer.depth }.map { layer.rmse - $0.rmse }
      }
      return gains.isEmpty ? nil : gains.reduce(0, +) / Double(gains.count)
    }
    return finding(
      "Reconstructions become clearer along \(axis.isEmpty ? "the axis" : axis), from \(first.name) to \(last.name)",
      gains,
      "RMSE of the first less that of the last, mean over layers whose embeddings both matched")
  }
}
