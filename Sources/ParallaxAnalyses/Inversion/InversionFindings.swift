import Foundation
import ParallaxResults

/// What Badger says of depth, asked of these models.
///
/// > Source: Badger, 2022, arXiv 2211.06496. Statistics and criteria are ours: a sentence shows where every picture agrees with
/// > it, does not show where every one speaks against it.
struct InversionFindings {
  let result: InversionResult

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    // Of embeddings that were given nothing follows for a layer.
    result.target != nil
      ? []
      : [depth(), uniqueness(), training()].compactMap(\.self) + surgeries()
        + [sweep()].compactMap(\.self)
  }

  private var trained: [InversionResult.Model] {
    result.models.filter { $0.twinOf == nil && $0.derivedFrom == nil }
  }

  /// RMSE of a picture over those of a model's layers whose embedding was matched; the others say nothing.
  func curve(
    _ model: InversionResult.Model, _ image: Int, _ start: Int
  ) -> [(depth: Double, rmse: Double)] {
    model.layers.compactMap { layer in
      layer.reconstructions.first {
        $0.image == image && $0.start == start && $0.verdict != .failed
      }.map { (layer.depth, $0.rmse) }
    }
  }

  func pictures<Value>(_ value: (Int, Int) -> Value?) -> [Value] {
    result.images.indices.flatMap { image in
      (0..<result.starts).compactMap { value(image, $0) }
    }
  }

  /// `1 picture`, `2 pictures`.
  private static func pictures(_ count: Int) -> String {
    count == 1 ? "1 picture" : "\(count) pictures"
  }

  /// The mean, the range over pictures in words; the verdict by unanimity.
  func finding(_ sentence: String, _ values: [Double], _ quantity: String) -> Finding {
    guard let low = values.min(), let high = values.max() else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil,
        quantity: "the optimisation failed at too many layers",
        verdict: .cannotTell, analysis: "inversion")
    }
    let verdict: Finding.Verdict =
      values.count < 2 ? .cannotTell : low > 0 ? .shows : high <= 0 ? .doesNotShow : .cannotTell
    // A range over a few pictures is no interval.
    func number(_ value: Double) -> String { String(format: "%.3f", value) }
    return Finding(
      sentence: sentence, value: values.reduce(0, +) / Double(values.count), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(number(low)) to \(number(high)) over \(values.count) pictures"
          : "; one picture"),
      verdict: verdict, analysis: "inversion")
  }

  private func depth() -> Finding? {
    let deep = trained.filter { $0.layers.count > 1 }
    let differences = deep.flatMap { model in
      pictures { image, start -> Double? in
        let curve = curve(model, image, start)
        guard let first = curve.first, let last = curve.last, curve.count > 1 else { return nil }
        return last.rmse - first.rmse
      }
    }
    guard !deep.isEmpty else { return nil }
    return finding(
      "Early layers reconstruct better than late ones", differences,
      "RMSE at the last layer whose embedding was matched less that at the first, mean over \(basis(deep.count))"
    )
  }

  private func basis(_ models: Int) -> String {
    let isOne = result.images.count * result.starts == 1
    return models > 1
      ? "the pictures of \(models) models" : isOne ? "one picture" : "the pictures of one model"
  }

  private func uniqueness() -> Finding? {
    let last = trained.compactMap(\.layers.last).flatMap(\.reconstructions)
    let matched = last.filter { $0.verdict != .failed }
    let places = trained.compactMap { model in model.layers.last.map { "\(model.name)@\($0.site)" }
    }
    let sentence =
      places.count == 1
      ? "At \(places[0]) pictures that look different share one embedding"
      : "In the last of the inverted layers pictures that look different share one embedding"
    guard !last.isEmpty else { return nil }
    let quantity =
      "share of the \(Self.pictures(matched.count)) whose embedding was matched and that \(matched.count == 1 ? "is" : "are") not the input (of \(last.count))"
    guard !matched.isEmpty else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil,
        quantity:
          last.count == 1
          ? "the optimisation failed for the one picture"
          : "the optimisation failed for all \(last.count) pictures", verdict: .cannotTell,
        analysis: "inversion")
    }
    let share =
      Double(matched.count { $0.verdict == .embeddingOnly }) / Double(matched.count)
    return Finding(
      sentence: sentence, value: share, low: nil, high: nil, quantity: quantity,
      verdict: matched.count < 2
        ? .cannotTell : share == 1 ? .shows : share == 0 ? .doesNotShow : .cannotTell,
      analysis: "inversion")
  }

  private func training() -> Finding? {
    let pairs = result.models.filter { $0.derivedFrom == nil }.compactMap { twin in
      result.models.first { $0.name == twin.twinOf }.map { ($0, twin) }
    }
    guard !pairs.isEmpty else { return nil }
    let gains = pairs.flatMap { model, twin in
      pictures { image, start -> Double? in
        let (own, other) = (curve(model, image, start), curve(twin, image, start))
        let gains = own.compactMap { layer in
          layer.depth > 0.5
            ? nil : other.first { $0.depth == layer.depth }.map { $0.rmse - layer.rmse }
        }
        return gains.isEmpty ? nil : gains.reduce(0, +) / Double(gains.count)
      }
    }
    return finding(
      "Training sharpens the reconstructions of early layers", gains,
      "RMSE of the untrained twin less that of the trained model, mean over layers up to half the depth whose embeddings both matched"
    )
  }
}
