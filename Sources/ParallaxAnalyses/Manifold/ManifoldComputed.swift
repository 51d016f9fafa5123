import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// The measures, and pictures.
struct ManifoldComputed {
  /// Images of the set that typical numbers are taken of, at most.
  static let typicalImages = 32

  private(set) var result: ManifoldResult
  private(set) var shelf = PictureShelf("manifold")

  init(
    _ analysis: ManifoldAnalysis, _ chosen: [ManifoldAnalysis.Chosen], _ pixels: [Tensor],
    _ batches: [ManifoldAnalysis.Batch]
  ) throws {
    let options = analysis.options
    let samples = analysis.bank(analysis.gathered.samples).map {
      analysis.samples[analysis.gathered.samples[$0]]
    }
    result = ManifoldResult(
      preset: options.preset.rawValue, steps: analysis.layers.first?.recipe.descent.steps ?? 0,
      images: samples.map(\.id), classes: samples.map(\.className), inputs: chosen.map(\.input),
      starts: options.starts, neighbours: options.neighbours, components: options.components,
      seed: options.seed, dtype: "float32")
    for (index, subject) in analysis.subjects.enumerated() {
      result.models.append(try model(analysis, index, subject, chosen, pixels[index], batches))
    }
    result.heldOut = options.heldOut
    result.switches = ManifoldSwitches.list(analysis, images: samples.count)
    result.findings = ManifoldFindings(result: result)()
  }

  private mutating func model(
    _ analysis: ManifoldAnalysis, _ index: Int, _ subject: Subject,
    _ chosen: [ManifoldAnalysis.Chosen], _ inputs: Tensor, _ batches: [ManifoldAnalysis.Batch]
  ) throws -> ManifoldResult.Model {
    let (options, images) = (analysis.options, analysis.images(index))
    let set = PixelSet(images)
    let some = ChosenSites.spread(Array(0..<images.shape[0]), Self.typicalImages)
    let own = try some.map { try set.place(images.selected(0, $0), without: $0, subject.name) }
    let starts = try (0..<options.starts).map { start in
      let size = subject.imageSize
      let recipe = analysis.layers.first { $0.subject == index }?.recipe ?? .quick
      let bare = Inversion(subject.name, recipe) { $0 }.bare
      let state = try bare.begin(
        height: size.height, width: size.width, seeds: [analysis.seed(1, 0, start)])
      let picture = bare.pictures(state).resized(size.height, size.width).selected(0, 0)
      return try set.place(picture, without: nil, subject.name)
    }
    var model = ManifoldResult.Model(
      name: subject.name, family: subject.family, height: subject.imageSize.height,
      width: subject.imageSize.width,
      twinOf: subject.objective != .untrained
        ? nil : analysis.subjects.first { "\($0.name)-random" == subject.name }?.name,
      typical: Self.summary(own, Self.median),
      start: Self.summary(starts) { $0.reduce(0, +) / Double($0.count) })
    for (place, one) in chosen.enumerated() {
      let picture = inputs.selected(0, place)
      let (small, file) = try shelf.add(picture, "\(subject.name)-input-\(place + 1)")
      model.inputs.append(
        .init(
          picture: small, file: file,
          pixels: try set.place(picture, without: one.member, subject.name)))
    }
    for (place, layer) in analysis.layers.enumerated() where layer.subject == index {
      model.layers.append(
        try self.layer(analysis, place, subject, chosen, inputs, images, set, some, batches))
    }
    var near: Set<Int> = Set(model.inputs.map(\.pixels.image))
    for entry in model.layers.flatMap(\.entries) {
      near.insert(entry.latent.image)
      for one in entry.reconstructions { near.formUnion([one.pixels.image, one.latent.image]) }
    }
    model.neighbours = try near.sorted().map {
      ManifoldResult.Neighbour(
        image: $0, picture: try PictureShelf.small(images.selected(0, $0)))
    }
    return model
  }

  private mutating func layer(
    _ analysis: ManifoldAnalysis, _ place: Int, _ subject: Subject,
    _ chosen: [ManifoldAnalysis.Chosen], _ inputs: Tensor, _ images: Tensor, _ set: PixelSet,
    _ some: [Int], _ batches: [ManifoldAnalysis.Batch]
  ) throws -> ManifoldResult.Layer {
    let (options, layer) = (analysis.options, analysis.layers[place])
    let name = "\(subject.name)@\(layer.site.name)"
    let embedding = LayerEmbedding(
      subject: subject, site: layer.site, isRaw: layer.recipe.isRaw)
    // Where the recipe takes raw pixels, the set's embeddings are of raw pixels too.
    let points =
      layer.recipe.isRaw
      ? try Self.embedded(images, embedding, options.batchSize)
      : analysis.features(layer.wanted)
    let latent = LatentSet(
      hood: Neighbourhood(
        points, neighbours: options.neighbours, components: options.components), name: name)
    let typical = try some.map { try latent.place(points.selected(0, $0), without: $0) }
    var (places, found): ([Int: ManifoldResult.Latent], [Int: [Picture]]) = ([:], [:])
    for batch in batches where batch.layer == place {
      guard let (pictures, numbers) = analysis.matched[batch.key] else { continue }
      let there = try embedding(pictures.to(subject.device)).to(.cpu)
      for (row, one) in batch.rows.enumerated() {
        found[one.input, default: []].append(
          Picture(
            tensor: pictures.selected(0, row), numbers: numbers[row],
            latent: try latent.place(there.selected(0, row), without: chosen[one.input].member)))
      }
    }
    let before = try Self.embedded(inputs, embedding, options.batchSize)
    for (input, one) in chosen.enumerated() {
      places[input] = try latent.place(before.selected(0, input), without: one.member)
    }
    let entries = try chosen.indices.compactMap { input -> ManifoldResult.Entry? in
      guard let before = places[input], let pictures = found[input] else { return nil }
      return try entry(input, before, pictures, set, chosen[input].member, name)
    }
    return ManifoldResult.Layer(
      site: layer.site.name, depth: layer.depth, features: layer.site.shape.reduce(1, *),
      typicalDistance: Self.median(typical.map(\.distance)),
      typicalResidual: typical.contains { $0.residual == nil }
        ? nil : Self.median(typical.compactMap(\.residual)), entries: entries)
  }

  /// Embeddings of pixels, some at a time.
  private static func embedded(
    _ pixels: Tensor, _ embedding: LayerEmbedding, _ batchSize: Int
  ) throws -> Tensor {
    let size = max(1, embedding.subject.model.fixedBatch ?? batchSize)
    return Tensor.concatenated(
      try stride(from: 0, to: pixels.shape[0], by: size).map { first in
        let some = pixels.sliced(0, first, min(first + size, pixels.shape[0]))
        return try embedding(some.to(embedding.subject.device)).to(.cpu).detached()
      }, 0)
  }

  private struct Picture {
    var tensor: Tensor
    var numbers: MatchNumbers
    var latent: ManifoldResult.Latent
  }

  private mutating func entry(
    _ input: Int, _ before: ManifoldResult.Latent, _ pictures: [Picture], _ set: PixelSet,
    _ member: Int?, _ name: String
  ) throws -> ManifoldResult.Entry {
    var reconstructions: [ManifoldResult.Reconstruction] = []
    for (start, picture) in pictures.enumerated() {
      let numbers = picture.numbers
      var one = ManifoldResult.Reconstruction(
        embedding: numbers.embedding, reference: numbers.reference,
        rmse: numbers.input / Double(picture.tensor.count).squareRoot(),
        verdict: InversionResult.Verdict(
          embedding: numbers.embedding, reference: numbers.reference, input: numbers.input,
          inputReference: numbers.inputReference), diverged: numbers.diverged,
        pixels: try set.place(picture.tensor, without: member, name), latent: picture.latent)
      (one.picture, one.file) = try shelf.add(
        picture.tensor, "\(name)-input-\(input + 1)-start-\(start + 1)")
      reconstructions.append(one)
    }
    var pairs: [Double] = []
    for a in pictures.indices {
      for b in pictures.indices where b > a {
        pairs.append(PixelSet.difference(pictures[a].tensor, pictures[b].tensor))
      }
    }
    return ManifoldResult.Entry(
      input: input, latent: before, reconstructions: reconstructions,
      pairwise: pairs.isEmpty ? nil : pairs.reduce(0, +) / Double(pairs.count))
  }

  /// The middle of some numbers; of an even count the mean of the two.
  static func median(_ values: [Double]) -> Double {
    let sorted = values.sorted()
    guard !sorted.isEmpty else { return 0 }
    return (sorted[(sorted.count - 1) / 2] + sorted[sorted.count / 2]) / 2
  }

  private static func summary(
    _ places: [ManifoldResult.Pixels], _ number: ([Double]) -> Double
  ) -> ManifoldResult.Pixels {
    let slopes = places.compactMap(\.slope)
    return ManifoldResult.Pixels(
      nearest: number(places.map(\.nearest)), image: 0,
      slope: slopes.isEmpty ? nil : number(slopes), histogram: number(places.map(\.histogram)))
  }
}

/// The set's pictures, and where another lies among them.
struct PixelSet {
  private let hood: Neighbourhood
  private let slope: SpectralSlope
  private let histograms: [PixelHistogram]
  private let whole: PixelHistogram

  /// - Parameter images: `[images, 3, height, width]`, at least one.
  init(_ images: Tensor) {
    hood = Neighbourhood(images.reshaped(images.shape[0], -1), neighbours: 2, components: 1)
    slope = SpectralSlope(height: images.shape[2], width: images.shape[3])
    histograms = (0..<images.shape[0]).map { PixelHistogram(images.selected(0, $0)) }
    whole = histograms.dropFirst().reduce(histograms[0], +)
  }

  /// Root of the mean squared difference.
  static func difference(_ a: Tensor, _ b: Tensor) -> Double {
    (a.to(.float64) - b.to(.float64)).squared().mean().item(Double.self).squareRoot()
  }

  /// - Throws: `AnalysisError.site` where the picture holds a number that is none.
  func place(_ picture: Tensor, without row: Int?, _ name: String) throws -> ManifoldResult.Pixels {
    let distances = hood.distances(picture.reshaped(-1))
    let nearest = distances.indices.filter { $0 != row }.min { distances[$0] < distances[$1] } ?? 0
    let histogram = PixelHistogram(picture).distance(row.map { whole - histograms[$0] } ?? whole)
    guard let histogram, distances[nearest].isFinite else {
      throw AnalysisError.site(name, problem: "NaN or infinity in a picture")
    }
    return ManifoldResult.Pixels(
      nearest: distances[nearest] / Double(picture.count).squareRoot(), image: nearest,
      slope: slope(picture.clamped(0, 1)), histogram: histogram)
  }
}

/// The set's embeddings, and where another lies among them.
struct LatentSet {
  let hood: Neighbourhood
  let name: String

  /// - Throws: `AnalysisError.site` where the embedding holds a number that is none.
  func place(_ embedding: Tensor, without row: Int?) throws -> ManifoldResult.Latent {
    let place = hood(embedding, without: row)
    guard place.mean.isFinite else {
      throw AnalysisError.site(name, problem: "NaN or infinity in an embedding")
    }
    return ManifoldResult.Latent(
      distance: place.mean, residual: place.residual, image: place.rows.first ?? 0)
  }
}
