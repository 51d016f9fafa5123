import Foundation
import ParallaxResults

/// What Badger says of dimensions and conditioning, asked of these models at these pictures.
///
/// > Source: Badger, 2022, arXiv 2211.06496. Statistics and criteria are ours: a sentence shows where every model and picture agrees
/// > with it, does not show where every one speaks against it.
struct SpectrumFindings {
  let result: SpectrumResult

  /// The findings; those that these models cannot answer are left out.
  func callAsFunction() -> [Finding] {
    [dimensions(), conditioning(), training()].compactMap(\.self)
  }

  private var trained: [SpectrumResult.Model] {
    result.models.filter { $0.twinOf == nil && $0.derivedFrom == nil }
  }

  /// log₁₀ σ₁/σ_k over the depth of a model at a picture.
  private func curve(_ model: SpectrumResult.Model, _ image: Int)
    -> [(depth: Double, condition: Double)]
  {
    model.layers.compactMap { layer in
      layer.pictures.first { $0.image == image }?.condition(at: result.compared)
        .map { (layer.depth, log10($0)) }
    }
  }

  private func dimensions() -> Finding? {
    let layers = trained.flatMap { model in model.layers.map { model.isTooSmall($0) } }
    guard !layers.isEmpty else { return nil }
    let small = layers.count { $0 }
    return Finding(
      sentence:
        "Layers hold fewer numbers than the picture: infinitely many pictures share each of their embeddings",
      value: Double(small) / Double(layers.count), low: nil, high: nil,
      quantity: "share of layers with D < n, \(small) of \(layers.count)",
      verdict: small > 0 ? .shows : .doesNotShow, analysis: "spectrum")
  }

  private func conditioning() -> Finding? {
    guard result.compared > 1, trained.contains(where: { $0.layers.count > 1 }) else { return nil }
    let growth = trained.flatMap { model in
      result.images.indices.compactMap { image -> Double? in
        let curve = curve(model, image)
        guard let first = curve.first, let last = curve.last, curve.count > 1 else { return nil }
        return last.condition - first.condition
      }
    }
    return finding(
      "The condition number of the Jacobian grows with depth", growth,
      "log₁₀ of σ₁/σ_\(result.compared) at the last layer less that at the first, mean over models and pictures"
    )
  }

  private func training() -> Finding? {
    let pairs = result.models.filter { $0.derivedFrom == nil }.compactMap { twin in
      result.models.first { $0.name == twin.twinOf }.map { ($0, twin) }
    }
    guard !pairs.isEmpty, result.compared > 1 else { return nil }
    let gains = pairs.flatMap { model, twin in
      result.images.indices.compactMap { image -> Double? in
        let (own, other) = (curve(model, image), curve(twin, image))
        let gains = own.filter { $0.depth <= 0.5 }.compactMap { layer in
          other.first { $0.depth == layer.depth }.map { $0.condition - layer.condition }
        }
        return gains.isEmpty ? nil : gains.reduce(0, +) / Double(gains.count)
      }
    }
    return finding(
      "Training makes early layers better conditioned", gains,
      "log₁₀ of σ₁/σ_\(result.compared) of the untrained twin less that of the trained model, mean over layers up to half the depth"
    )
  }

  /// The mean, the range in words; the verdict by unanimity.
  private func finding(_ sentence: String, _ values: [Double], _ quantity: String) -> Finding? {
    guard let low = values.min(), let high = values.max() else { return nil }
    let verdict: Finding.Verdict =
      values.count < 2 ? .cannotTell : low > 0 ? .shows : high <= 0 ? .doesNotShow : .cannotTell
    func number(_ value: Double) -> String { String(format: "%.2f", value) }
    return Finding(
      sentence: sentence, value: values.reduce(0, +) / Double(values.count), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(number(low)) to \(number(high)) over \(values.count)"
          : "; one model at one picture"),
      verdict: verdict, analysis: "spectrum")
  }
}
