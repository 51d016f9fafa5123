import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Distances at every layer of every model.
struct MetamersComputed {
  private(set) var result: MetamersResult
  private(set) var shelf = PictureShelf("metamers")

  init(
    _ analysis: MetamersAnalysis, _ originals: [Tensor], _ batches: [MetamersAnalysis.Batch]
  ) throws {
    let options = analysis.options
    let count = min(options.images, analysis.gathered.samples.count)
    result = MetamersResult(
      preset: options.preset.rawValue, steps: analysis.layers.first?.recipe.descent.steps ?? 0,
      images: analysis.gathered.samples.prefix(count).map { analysis.samples[$0].id },
      others: analysis.gathered.samples.count, shift: options.shift.scale, seed: options.seed,
      dtype: "float32")
    let isRaw = analysis.layers.first?.recipe.isRaw ?? false
    let looks = analysis.subjects.indices.map { index in
      LayerDistances(
        subject: analysis.subjects[index], sites: analysis.seen[index].map(\.site.name),
        isRaw: isRaw)
    }
    for (index, subject) in analysis.subjects.enumerated() {
      var model = MetamersResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width,
        twinOf: subject.objective != .untrained
          ? nil : analysis.subjects.first { "\($0.name)-random" == subject.name }?.name,
        layers: try Self.layers(analysis, index, looks[index], originals[index], count))
      for image in 0..<count {
        model.originals.append(
          try shelf.add(
            originals[index].selected(0, image), "\(subject.name)-image-\(image + 1)"
          ).small)
      }
      result.models.append(model)
    }
    for place in analysis.layers.indices {
      result.matches.append(try match(analysis, place, looks, originals, batches))
    }
    result.switches = MetamersSwitches.list(analysis)
    result.findings = MetamersFindings(result: result)()
  }

  /// The layers with what distances at them are held against.
  private static func layers(
    _ analysis: MetamersAnalysis, _ index: Int, _ look: LayerDistances, _ originals: Tensor,
    _ count: Int
  ) throws -> [MetamersResult.Layer] {
    let options = analysis.options
    let all = originals.shape[0]
    // Image by image: all layers of one are held at a time, and of the images so far one layer each by turns.
    let first = try look.embeddings(originals.sliced(0, 0, count))
    var moved = first.map { _ in [Double](repeating: 0, count: count) }
    let shape = Array(originals.shape.dropFirst())
    for repetition in 0..<options.shift.count {
      let there =
        originals.sliced(0, 0, count)
        + Tensor.stacked(
          (0..<count).map {
            options.shift.draw(shape, seed: analysis.seed(2, $0, 0) &+ UInt64(repetition))
          })
      for (layer, one) in try look.embeddings(there).enumerated() {
        for (image, distance) in LayerDistances.between(one, first[layer]).enumerated() {
          moved[layer][image] += distance / Double(options.shift.count)
        }
      }
    }
    // The mean over pairs of the first images with all others.
    var (sums, pairs) = ([Double](repeating: 0, count: first.count), 0)
    for image in 0..<all {
      let one = try look.embeddings(originals.sliced(0, image, image + 1))
      let before = min(image, count)
      guard before > 0 else { continue }
      for layer in one.indices {
        sums[layer] += LayerDistances.between(first[layer].sliced(0, 0, before), one[layer])
          .reduce(0, +)
      }
      pairs += before
    }
    return try analysis.seen[index].enumerated().map { layer, place in
      guard moved[layer].allSatisfy(\.isFinite), sums[layer].isFinite else {
        throw AnalysisError.site(
          "\(analysis.subjects[index].name)@\(place.site.name)",
          problem: "NaN or infinity in an embedding")
      }
      return MetamersResult.Layer(
        site: place.site.name, stage: place.site.stage, depth: place.depth,
        features: place.site.shape.reduce(1, *), shift: moved[layer],
        different: sums[layer] / Double(max(1, pairs)))
    }
  }

  private mutating func match(
    _ analysis: MetamersAnalysis, _ place: Int, _ looks: [LayerDistances], _ originals: [Tensor],
    _ batches: [MetamersAnalysis.Batch]
  ) throws -> MetamersResult.Match {
    let layer = analysis.layers[place]
    let subject = analysis.subjects[layer.subject]
    let name = "\(subject.name)@\(layer.site.name)"
    var match = MetamersResult.Match(
      model: layer.subject, site: layer.site.name, depth: layer.depth, metamers: [])
    for batch in batches where batch.layer == place {
      guard let (pictures, numbers) = analysis.matched[batch.key] else { continue }
      for (row, image) in batch.images.enumerated() {
        let picture = pictures.sliced(0, row, row + 1)
        // Both come from the matched model's pixels, so that the same resizing is done to both.
        let original = originals[layer.subject].sliced(0, image, image + 1)
        let distances = try looks.map { look in
          try zip(look.embeddings(picture), look.embeddings(original)).map {
            LayerDistances.between($0, $1)[0]
          }
        }
        guard distances.allSatisfy({ $0.allSatisfy(\.isFinite) }) else {
          throw AnalysisError.site(name, problem: "NaN or infinity in an embedding of its metamer")
        }
        let one = numbers[row]
        var metamer = MetamersResult.Metamer(
          image: image, embedding: one.embedding, reference: one.reference,
          rmse: one.input / Double(picture.count).squareRoot(),
          verdict: InversionResult.Verdict(
            embedding: one.embedding, reference: one.reference, input: one.input,
            inputReference: one.inputReference), diverged: one.diverged, distances: distances)
        (metamer.picture, metamer.file) = try shelf.add(
          picture.selected(0, 0), "\(name)-image-\(image + 1)")
        match.metamers.append(metamer)
      }
    }
    return match
  }
}

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
    let isPaper = options.preset == .badger2022
    let sizes = Set(analysis.subjects.map { "\($0.imageSize.height) × \($0.imageSize.width)" })
    return [
      Switch(
        "recipe",
        "\(options.preset.rawValue), \(analysis.layers.first?.recipe.descent.steps ?? 0) steps",
        origin: isPaper ? "paper" : "reconstruction"),
      Switch(
        "input of the model",
        isPaper
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
      Switch("embedding", "all numbers of the layer; Euclidean distances", origin: "paper"),
      Switch("verdict", "m_g < m_r and m_i > m_a': embedding only", origin: "paper"),
      Switch("relative depth", "l / (L − 1) over the L sites that were asked for"),
    ]
  }
}
