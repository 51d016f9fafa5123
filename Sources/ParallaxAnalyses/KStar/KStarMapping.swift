import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

extension KStarAnalysis {
  /// Which flat maps are drawn of a space.
  public enum Maps: String, Sendable, Hashable, CaseIterable {
    /// Principal components, and t-SNE of up to 1000 images.
    case auto
    /// Principal components alone.
    case pca
    /// Principal components and t-SNE; of more than 4000 images t-SNE lays out as many, evenly of the classes.
    case tsne

    /// Images of which t-SNE is made unasked, at most: some seconds on one core.
    static let mostUnasked = 1000
    /// Images that t-SNE lays out, at most: it holds a matrix of all pairs, and its trustworthiness needs all ranks.
    static let mostLaidOut = 4000
  }

  /// Which spaces of a model have a map, its last among them.
  public enum MappedSites: Sendable, Hashable {
    /// The last alone.
    case last
    /// All that are looked at.
    case all
    /// Those of a pattern, of the sites that are looked at, and the last.
    case sites(SitePattern)
  }
}

extension KStarAnalysis.Options {
  /// Images on all maps of a page, which take about 120 bytes each; fewer on each where there are many maps, down to ``leastShown``.
  static let mostShown = 24_000
  static let leastShown = 100

  /// Whether t-SNE is made of so many images.
  func laysOut(_ images: Int) -> Bool {
    maps == .tsne || maps == .auto && images <= KStarAnalysis.Maps.mostUnasked
  }

  /// Which spaces have a map, and room for their images on the page.
  ///
  /// - Parameter models: the names of each model's sites, in execution order.
  /// - Returns: places among the sites of each model.
  /// - Throws: `AnalysisError.nothingAsked` where a path of the pattern means no site of any model, or there are too many maps.
  mutating func settleMaps(_ models: [[String]]) throws(AnalysisError) -> [Set<Int>] {
    var lone: Set<String>?
    let chosen = models.map { names -> Set<Int> in
      let last = Set(names.indices.suffix(1))
      switch mapped {
      case .last: return last
      case .all: return Set(names.indices)
      case .sites(let pattern):
        let found = pattern.places(among: names)
        lone = lone?.intersection(found.lone) ?? Set(found.lone)
        return last.union(found.found)
      }
    }
    if let first = lone?.min() {
      let known = models.flatMap(\.self).reduce(into: [String]()) {
        if !$0.contains($1) { $0.append($1) }
      }
      throw .nothingAsked(
        "k*: no site that is looked at is '\(first)', of which a map is asked; expected some of \(known.prefix(12).joined(separator: ", "))\(known.count > 12 ? " and \(known.count - 12) more" : "")"
      )
    }
    let count = chosen.reduce(0) { $0 + $1.count }
    let most = Self.mostShown / Self.leastShown
    guard count <= max(most, models.count) else {
      throw .nothingAsked(
        "k*: \(count) maps are asked for, at most \(most) fit a page; name fewer sites")
    }
    mapLimit = min(mapLimit, max(Self.leastShown, Self.mostShown / max(1, count)))
    return chosen
  }

  /// What drives the maps, as switches say it.
  var mapSwitches: [Switch] {
    var found = [Switch("map", "two principal components of centred features")]
    guard maps != .pca else { return found }
    let sample =
      maps == .auto
      ? "of up to \(KStarAnalysis.Maps.mostUnasked) images"
      : "of all images, or \(KStarAnalysis.Maps.mostLaidOut) evenly of the classes"
    found.append(
      Switch(
        "t-SNE",
        "\(sample); perplexity \(perplexity), where there are too few images a third of the others; exact, exaggeration 12 for 250 of 1000 steps, from the principal components; no seed"
      ))
    return found
  }
}

extension KStarSpaces {
  /// A map of some of the images, evenly of the classes.
  func map(_ features: Tensor, _ values: KStar.Values) throws -> KStarResult.Map {
    let map = try LatentMap(features)
    var turns = [Int](repeating: 0, count: concepts.classes.count)
    let ranked = concepts.labels.enumerated().map { place, label in
      turns[label] += 1
      return (turn: turns[label], place: place)
    }
    let evenly = ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }.map(\.place)
    let shown = evenly.prefix(options.mapLimit).sorted()
    let flat = Tensor(map.points.flatMap { [$0.x, $0.y] }, shape: [map.points.count, 2])
    let k = voters(names.count)
    var quality: (trustworthiness: Double, continuity: Double)?
    var note: String?
    if names.count > Self.mostRanked {
      note =
        "trustworthiness needs all ranks and is not computed of more than \(Self.mostRanked) images"
    } else if names.count <= 4 {
      note = "trustworthiness needs five images"
    } else {
      quality = try LatentMap.quality(of: features, map: flat, neighbours: k)
      if options.metric != .euclidean { note = "of Euclidean distances, as the map is" }
    }
    var found = KStarResult.Map(
      images: shown, points: Self.short(shown.map { [map.points[$0].x, map.points[$0].y] }),
      variance: map.variance, trustworthiness: quality?.trustworthiness,
      continuity: quality?.continuity, neighbours: k,
      chains: shown.map { image in
        let list = values.neighbours[image].prefix(options.chainLimit)
        let end = list.firstIndex { concepts.labels[$0] != concepts.labels[image] }
        return Array(end.map { list[...$0] } ?? list)
      }, limit: options.chainLimit)
    found.note = note
    try layOut(features, from: flat, evenly, into: &found)
    return found
  }

  /// Puts the map by t-SNE beside that by principal components, or why there is none.
  private func layOut(
    _ features: Tensor, from start: Tensor, _ evenly: [Int], into map: inout KStarResult.Map
  ) throws {
    guard options.maps != .pca else { return }
    guard options.laysOut(names.count) else {
      map.tsneNote =
        "of more than \(KStarAnalysis.Maps.mostUnasked) images it is not made unasked; --map tsne lays out \(min(names.count, KStarAnalysis.Maps.mostLaidOut)) of them"
      return
    }
    let most = KStarAnalysis.Maps.mostLaidOut
    let some = names.count > most ? evenly.prefix(most).sorted() : Array(names.indices)
    let isWhole = some.count == names.count
    let (x, from) =
      isWhole ? (features, start) : (features.gathered(0, some), start.gathered(0, some))
    do {
      let layout = try TSNE(perplexity: options.perplexity)(x, from: from) {
        try progress(Self.shareOfRanks + (1 - Self.shareOfRanks) * $0)
      }
      let points = Tensor(layout.points.flatMap { [$0.x, $0.y] }, shape: [some.count, 2])
      let k = voters(some.count)
      let quality = try LatentMap.quality(of: x, map: points, neighbours: k)
      let places = Dictionary(uniqueKeysWithValues: some.enumerated().map { ($1, $0) })
      map.tsne = KStarResult.Embedding(
        points: Self.short(
          map.images.map { image in
            let point = layout.points[places[image] ?? 0]
            return [point.x, point.y]
          }), images: some.count, perplexity: layout.perplexity,
        askedPerplexity: options.perplexity, divergence: layout.divergence,
        iterations: layout.iterations, crowded: layout.crowded,
        trustworthiness: quality.trustworthiness, continuity: quality.continuity, neighbours: k)
    } catch let error as MeasureError { map.tsneNote = "\(error)" }
  }

  /// The share of a space's time that ranks take, where t-SNE follows.
  static let shareOfRanks = 0.4

  /// Neighbours of which the quality of a map of so many images is taken.
  private func voters(_ images: Int) -> Int {
    min(options.neighbours, max(1, (images - 1) / 2 - 1))
  }

  /// Numbers for a picture: five digits of the largest.
  private static func short(_ points: [[Double]]) -> [[Double]] {
    let scale = points.flatMap(\.self).map { abs($0) }.max() ?? 1
    return points.map { $0.map { ($0 / max(scale, 1e-300) * 1e5).rounded() / 1e5 } }
  }
}
