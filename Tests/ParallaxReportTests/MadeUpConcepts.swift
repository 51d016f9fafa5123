import Parallax

/// k* distributions of made-up numbers: three patterns in turn, chains of two neighbours, a map each model.
enum MadeUpConcepts {
  static func result(
    models: Int = 2, spaces: Int = 3, classes: Int = 3, name: String = "model"
  ) -> KStarResult {
    let count = 6 * classes
    let labels = (0..<count).map { $0 % classes }
    var result = KStarResult(
      distance: "euclidean", ties: "index", anchoring: "none", resamples: 500, seed: 3,
      images: (0..<count).map { "photo-\($0).png" }, labels: labels,
      classes: (0..<classes).map { "class-\($0)" }, bank: nil)
    result.switches = [Switch("distance", "euclidean", origin: "paper"), Switch("ties", "index")]
    for index in 0..<models {
      let made = (0..<spaces).map { place -> KStarResult.Space in
        let concepts = (0..<classes).map { label in
          KStarResult.Concept(
            label: label, count: 6, size: 6, mean: 0.5, deviation: 0.2,
            skewness: IntervalEstimate(0.9 - Double(label), low: 0.3, high: 1.1),
            adjustedSkewness: 1, pattern: [.fractured, .overlapped, .clustered][label % 3],
            isDecided: label != 1, note: nil)
        }
        var aggregates = KStarResult.Aggregates()
        aggregates.macroMean = IntervalEstimate(0.3 * Double(index), low: -0.2, high: 0.9)
        aggregates.mean = IntervalEstimate(0.5)
        var near = KStarResult.Neighbourhood(neighbours: 10)
        (near.accuracy, near.silhouette) = (0.7, 0.1)
        (aggregates.concepts, aggregates.withoutSkewness) = (classes, 0)
        var space = KStarResult.Space(
          site: "blocks.\(place)", tokens: "cls", stage: "blocks",
          depth: Double(place) / Double(max(1, spaces - 1)), features: 8,
          ranks: (0..<count).map { 1 + $0 % 6 }, tied: 2, concepts: concepts,
          aggregates: aggregates, neighbourhood: near)
        space.breakers = (0..<count).map { ($0 + 1) % count }
        space.dtype = "float32"
        return space
      }
      var model = KStarResult.Model(name: "\(name)-\(index)", family: "ViT", spaces: made)
      let images = Array(0..<count)
      model.spaces[spaces - 1].map = KStarResult.Map(
        images: images, points: images.map { [Double($0), Double($0 * $0)] },
        variance: [0.5, 0.2], trustworthiness: 0.8, continuity: 0.9, neighbours: 5,
        chains: images.map { [($0 + classes) % count, ($0 + 1) % count] }, limit: 12)
      model.spaces[spaces - 1].map?.tsne = KStarResult.Embedding(
        points: images.map { [Double($0 % 5), Double($0 / 5)] }, images: count, perplexity: 5.7,
        askedPerplexity: 30, divergence: 0.42, iterations: 1000, crowded: 2, trustworthiness: 0.97,
        continuity: 0.96, neighbours: 5)
      model.spaces[spaces - 1].coincident = [
        KStarResult.Coincidence(images: [0, 1], pairs: 1)
      ]
      result.models.append(model)
    }
    return result
  }
}
