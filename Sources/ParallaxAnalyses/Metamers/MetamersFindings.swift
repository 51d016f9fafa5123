import ParallaxModels
import ParallaxResults

/// What metamers say of models.
///
/// The criteria are ours: a sentence shows where every picture agrees with it, does not show where every one speaks against it. Only
/// pictures whose embedding was matched count.
struct MetamersFindings {
  let result: MetamersResult

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] { [others(), depth()].compactMap(\.self) }

  private var trained: [Int] {
    result.models.indices.filter { result.models[$0].twinOf == nil }
  }

  private func finding(_ sentence: String, _ values: [Double], _ quantity: String, _ limit: Double)
    -> Finding
  {
    guard let low = values.min(), let high = values.max() else {
      return Finding(
        sentence: sentence, value: nil, low: nil, high: nil,
        quantity: "the embedding was matched for no picture", verdict: .cannotTell,
        analysis: "metamers")
    }
    return Finding(
      sentence: sentence, value: values.reduce(0, +) / Double(values.count), low: nil, high: nil,
      quantity: quantity
        + (values.count > 1
          ? "; from \(low.formatted3) to \(high.formatted3) over \(values.count) cases"
          : "; one case"),
      verdict: values.count < 2
        ? .cannotTell : low > limit ? .shows : high <= limit ? .doesNotShow : .cannotTell,
      analysis: "metamers")
  }

  /// Of each matched picture of a match the ratio at the last layer of another model.
  private func ratios(_ match: MetamersResult.Match, _ other: Int) -> [Int: Double] {
    let last = result.models[other].layers.count - 1
    return Dictionary(
      match.metamers.filter { $0.verdict != .failed }.compactMap { one in
        result.ratio(one, other, last, .different).map { (one.image, $0) }
      }, uniquingKeysWith: { first, _ in first })
  }

  private func others() -> Finding? {
    guard trained.count > 1 else { return nil }
    let values = trained.flatMap { a -> [Double] in
      guard let match = result.matches.last(where: { $0.model == a }) else { return [] }
      return trained.filter { $0 != a }.flatMap { b in ratios(match, b).values }
    }
    return finding(
      "What the last layer of one model takes for an image, the last layer of another takes for a different one",
      values,
      "distance at the other model's last layer over that of two different images; shows where above ½ for every picture and pair",
      0.5)
  }

  private func depth() -> Finding? {
    let pairs = trained.flatMap { a in trained.map { (a, $0) } }.filter { $0.0 != $0.1 }
    guard !pairs.isEmpty else { return nil }
    let values = pairs.flatMap { a, b -> [Double] in
      let own = result.matches.filter { $0.model == a }
      guard let first = own.first, let last = own.last, own.count > 1 else { return [] }
      let early = ratios(first, b)
      return ratios(last, b).compactMap { image, value in early[image].map { value - $0 } }
    }
    return finding(
      "Pictures matched at early layers hold for other models, those matched at late layers do not",
      values,
      "distance at the other model's last layer, in units of that of two different images, when the last layer is matched less when the first is",
      0)
  }
}

/// Every choice that changes the numbers, and whether the paper makes it.
enum MetamersSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: MetamersAnalysis) -> [Switch] {
    let options = analysis.options
    let isRaw = options.preset == .badger2022
    let isPaper = isRaw || options.preset == .feather2023
    let sizes = Set(analysis.subjects.map { "\($0.imageSize.height) × \($0.imageSize.width)" })
    return [
      Switch(
        "recipe",
        "\(options.preset.rawValue), \(analysis.layers.first?.recipe.descent.steps ?? 0) steps",
        origin: isPaper ? "paper" : "reconstruction"),
      Switch(
        "input of the model",
        isRaw
          ? "raw pixels in [0, 1], not normalised"
          : "pixels in [0, 1], then each model's own mean and deviation",
        origin: isPaper ? "paper" : "reconstruction"),
      Switch(
        "size of the pictures",
        sizes.count > 1
          ? "the matched model's; image and metamer both resized to the other's (bilinear, antialiased)"
          : "the same for all models, not resized"),
      Switch("crop", "the matched model's own; the other model sees that crop too"),
      Switch(
        "m_r",
        "mean over \(options.shift.count) shifts, s = \(options.shift.scale.formatted3), of the image as the model that is looked at crops it",
        origin: options.shift.count == 1 && options.shift.scale == 1.0 / 18
          ? "paper" : "reconstruction"),
      Switch(
        "different images",
        "mean over pairs of the matched images and \(analysis.gathered.samples.count) images, as the model that is looked at crops them"
      ),
      Switch(
        "agreement",
        "Pearson, Spearman, 10 · log10(‖s‖/‖s − ŝ‖) of all numbers of a layer (Feather et al., 2023); chance: the pairs of different images"
      ),
      Switch("embedding", "all numbers of the layer; Euclidean distances", origin: "paper"),
      Switch("verdict", "m_g < m_r and m_i > m_a': embedding only", origin: "paper"),
      Switch("relative depth", "l / (L − 1) over the L sites that were asked for"),
    ]
  }
}
