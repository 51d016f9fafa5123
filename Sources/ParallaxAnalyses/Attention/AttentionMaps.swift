import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Where a token looks, drawn over a few images.
///
/// Where attention is kept inside windows, a patch of the first layer's grid looks, and in later stages the position that it
/// has gone into. Its window is drawn where it lies in the whole grid, the shift undone; what it does not see stays grey. There is
/// no rollout then: the product of patterns over windows that merge and shift is none of tokens among themselves.
public struct AttentionMaps {
  /// Which images, which token and which heads.
  public struct Options: Sendable, Equatable {
    /// Images, spread over the set; 0 for none.
    public var images = 2
    /// The place of the patch that looks, in the first layer's grid; nil for the class token, and without one the centre.
    public var patch: AttentionPlaces.Place?
    /// The head; nil for the mean over heads and each layer's most local and most global head.
    public var head: Int?
    /// Pixels of the longer side of an overlay.
    public var side = 128
    /// What becomes of transparency.
    public var alpha = ImageBuffer.Alpha.overWhite

    /// Two images, the class token.
    public init() {}

    /// Refuses a patch or a head that a layer lacks.
    func check(_ places: AttentionPlaces, heads: Int, _ model: String) throws {
      guard images > 0 else { return }
      if let patch, patch.row >= places.rows || patch.column >= places.columns {
        throw AnalysisError.nothingAsked(
          "\(model): expected a patch within \(places.rows)×\(places.columns), found (\(patch.row), \(patch.column))"
        )
      }
      if let head, head >= heads {
        throw AnalysisError.nothingAsked(
          "\(model): expected a head from 0 to \(heads - 1), found \(head)")
      }
    }
  }

  private let analysis: AttentionAnalysis
  private let result: AttentionResult
  private let shown: [Sample]
  private var options: Options { analysis.options.maps }

  /// Maps of an analysis whose pass has ended.
  ///
  /// - Parameters:
  ///   - analysis: names models and layers.
  ///   - result: knows which heads are local.
  ///   - read: the places of the images that were read.
  init(_ analysis: AttentionAnalysis, _ result: AttentionResult, _ read: [Int]) {
    (self.analysis, self.result) = (analysis, result)
    let count = min(analysis.options.maps.images, read.count)
    shown = (0..<count).map { analysis.samples[read[(2 * $0 + 1) * read.count / (2 * count)]] }
  }

  /// The maps, model after model, image after image: the image itself, the rollout, then layer after layer.
  ///
  /// An image that has become unreadable since the pass is left out.
  func maps() throws -> [AttentionResult.Map] {
    var maps: [AttentionResult.Map] = []
    for (model, subject) in analysis.subjects.enumerated() {
      for (place, sample) in shown.enumerated() {
        guard
          let image = try? ImageBuffer(decoding: URL(filePath: sample.path), alpha: options.alpha),
          let pixels = try? subject.preprocessing(image)
        else { continue }
        maps += try self.maps(
          model, subject, sample.id, pixels, stem: "attention/\(model)-\(place)")
      }
    }
    return maps
  }

  private func maps(
    _ model: Int, _ subject: Subject, _ id: String, _ pixels: [Float], stem: String
  ) throws -> [AttentionResult.Map] {
    let layers = analysis.layers.filter { $0.subject == model }
    guard let first = layers.first else { return [] }
    let places = first.distance.places
    let patterns = try patterns(subject, layers.map(\.site.name), pixels)
    guard patterns.count == layers.count else { return [] }
    let canvas = AttentionOverlay(subject.preprocessing, pixels, side: options.side)
    var maps: [AttentionResult.Map] = []
    func add(
      _ layer: Int?, _ head: Int?, _ weights: [Double]?, _ token: String, _ name: String
    ) throws {
      let places = layers[layer ?? 0].distance.places
      maps.append(
        AttentionResult.Map(
          model: model, image: id, layer: layer, head: head, token: token,
          distance: layer.flatMap { layer in
            head.flatMap { result.models[model].layers[layer].heads[$0].distance.value }
          },
          mass: weights.flatMap(Self.mass), file: "\(stem)-\(name).png",
          picture: try canvas.picture(weights, rows: places.rows, columns: places.columns)))
    }
    try add(nil, nil, nil, "image", "image")
    if !result.models[model].isWindowed, let query = query(subject, places, places) {
      var rollout = AttentionRollout()
      for pattern in patterns { rollout.add(pattern) }
      if let rolled = rollout.rolled {
        let row = rolled.selected(0, 0).selected(0, query.token)
        try add(nil, nil, Self.spread(row, places, query), query.name, "rollout")
      }
    }
    for layer in Self.spread(layers.count) {
      let own = layers[layer].distance.places
      guard let query = query(subject, own, places) else { continue }
      // [heads, tokens]
      let rows = patterns[layer].selected(0, query.window).selected(1, query.token)
      let mean = Self.spread(rows.to(.float64).mean(over: [0]), own, query)
      try add(layer, nil, mean, query.name, "\(layer)-mean")
      for head in heads(model, layer) {
        let weights = Self.spread(rows.selected(0, head), own, query)
        try add(layer, head, weights, query.name, "\(layer)-\(head)")
      }
    }
    return maps
  }

  /// A token that looks.
  private struct Query {
    var window = 0
    var token: Int
    var name: String
  }

  /// A query's weights over the whole grid, row by row; NaN where it does not see.
  private static func spread(_ row: Tensor, _ places: AttentionPlaces, _ query: Query) -> [Double] {
    let all = row.to(.cpu).to(.float64).contiguous().scalars(Double.self)
    var weights = [Double](repeating: .nan, count: places.rows * places.columns)
    for (token, place) in places.windows[query.window].enumerated() {
      guard let place, places.sees(query.window, query.token, token) else { continue }
      weights[place.row * places.columns + place.column] = all[token]
    }
    return weights
  }

  /// What of a query's weight falls on patches; nil without a finite one.
  private static func mass(_ weights: [Double]) -> Double? {
    let seen = weights.filter(\.isFinite)
    return seen.isEmpty ? nil : seen.reduce(0, +)
  }

  /// At most four layers from the first to the last.
  static func spread(_ count: Int) -> [Int] {
    Set((0..<4).map { ($0 * (count - 1) + 1) / 3 }).sorted()
  }

  private func heads(_ model: Int, _ layer: Int) -> [Int] {
    let layer = result.models[model].layers[layer]
    if let head = options.head { return layer.heads.indices.contains(head) ? [head] : [] }
    let sorted = layer.sorted
    guard let first = sorted.first, let last = sorted.last, first != last else { return [] }
    return [first, last]
  }

  /// The token that looks, in a layer's grid.
  private func query(
    _ subject: Subject, _ places: AttentionPlaces, _ first: AttentionPlaces
  ) -> Query? {
    if options.patch == nil, !places.isWindowed, subject.model.tokenLayout?.hasClassToken == true {
      return Query(token: 0, name: "class token")
    }
    let chosen =
      options.patch ?? AttentionPlaces.Place(row: first.rows / 2, column: first.columns / 2)
    // Of a later stage the position that covers its pixels.
    let place = AttentionPlaces.Place(
      row: min(places.rows - 1, chosen.row * first.step / places.step),
      column: min(places.columns - 1, chosen.column * first.step / places.step))
    for (window, tokens) in places.windows.enumerated() {
      guard let token = tokens.firstIndex(of: place) else { continue }
      return Query(window: window, token: token, name: "patch (\(place.row), \(place.column))")
    }
    return nil
  }

  private func patterns(
    _ subject: Subject, _ sites: [String], _ pixels: [Float]
  ) throws -> [Tensor] {
    let (height, width) = subject.imageSize
    var batch = Tensor(pixels, shape: [1, 3, height, width]).to(subject.device)
    if let fixed = subject.model.fixedBatch { batch = batch.expanded(fixed, 3, height, width) }
    var seen: [String: Tensor] = [:]
    let tap = Tap(Set(sites)) { visit in
      seen[visit.site] = visit.value
      return nil
    }
    _ = try subject.model.run(batch, tap)
    return sites.compactMap { seen[$0] }
  }
}
