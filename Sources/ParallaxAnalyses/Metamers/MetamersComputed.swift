import Foundation
import ParallaxImages
import ParallaxMeasures
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
    let classes = analysis.subjects.map { subject in
      subject.logitsSite.map {
        LayerDistances(subject: subject, sites: [$0.name], isRaw: isRaw)
      }
    }
    for place in analysis.layers.indices {
      result.matches.append(try match(analysis, place, looks, classes, originals, batches))
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
    let first = try look.embeddings(originals.sliced(0, 0, count), batch: options.batchSize)
    var moved = first.map { _ in [Double](repeating: 0, count: count) }
    let shape = Array(originals.shape.dropFirst())
    for repetition in 0..<options.shift.count {
      let there =
        originals.sliced(0, 0, count)
        + Tensor.stacked(
          (0..<count).map {
            options.shift.draw(shape, seed: analysis.seed(2, $0, 0) &+ UInt64(repetition))
          })
      for start in stride(from: 0, to: count, by: options.batchSize) {
        let end = min(count, start + options.batchSize)
        for (layer, one) in try look.embeddings(there.sliced(0, start, end)).enumerated() {
          let distances = LayerDistances.between(one, first[layer].sliced(0, start, end))
          for (image, distance) in distances.enumerated() {
            moved[layer][start + image] += distance / Double(options.shift.count)
          }
        }
      }
    }
    // The mean over pairs of the first images with all others.
    var (sums, pairs) = ([Double](repeating: 0, count: first.count), 0)
    var chance: [[MetamersResult.Agreement]] = first.map { _ in [] }
    let sides = first.map { layer in
      (0..<count).map { EmbeddingAgreement.Side(layer.selected(0, $0)) }
    }
    for image in 0..<all {
      let one = try look.embeddings(originals.sliced(0, image, image + 1))
      let before = min(image, count)
      guard before > 0 else { continue }
      for layer in one.indices {
        sums[layer] += LayerDistances.between(first[layer].sliced(0, 0, before), one[layer])
          .reduce(0, +)
        let other = image < count ? sides[layer][image] : EmbeddingAgreement.Side(one[layer])
        chance[layer] += (0..<before).compactMap {
          .init(EmbeddingAgreement(other, of: sides[layer][$0]))
        }
      }
      pairs += before
    }
    return try analysis.seen[index].enumerated().map { layer, place in
      guard moved[layer].allSatisfy(\.isFinite), sums[layer].isFinite else {
        throw AnalysisError.site(
          "\(analysis.subjects[index].name)@\(place.site.name)",
          problem: "NaN or infinity in an embedding")
      }
      var one = MetamersResult.Layer(
        site: place.site.name, stage: place.site.stage, depth: place.depth,
        features: place.site.shape.reduce(1, *), shift: moved[layer],
        different: sums[layer] / Double(max(1, pairs)))
      one.chance = chance[layer]
      return one
    }
  }

  private mutating func match(
    _ analysis: MetamersAnalysis, _ place: Int, _ looks: [LayerDistances],
    _ classes: [LayerDistances?], _ originals: [Tensor], _ batches: [MetamersAnalysis.Batch]
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
        let views = try looks.map { look in
          try zip(look.embeddings(picture), look.embeddings(original)).map { ($0, $1) }
        }
        let distances = views.map { $0.map { LayerDistances.between($0, $1)[0] } }
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
        metamer.agreements = views.map { layers in
          layers.compactMap { found, signal in
            .init(EmbeddingAgreement(.init(found), of: .init(signal)))
          }
        }
        metamer.isSameClass = try classes.map { look in
          try look.map {
            try $0.embeddings(picture)[0].argmax(1).item(Int64.self)
              == $0.embeddings(original)[0].argmax(1).item(Int64.self)
          }
        }
        (metamer.picture, metamer.file) = try shelf.add(
          picture.selected(0, 0), "\(name)-image-\(image + 1)")
        match.metamers.append(metamer)
      }
    }
    return match
  }
}

extension MetamersResult.Agreement {
  init?(_ found: EmbeddingAgreement?) {
    guard let found else { return nil }
    self.init(pearson: found.pearson, spearman: found.spearman, decibels: found.decibels)
  }
}
