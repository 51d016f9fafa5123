import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Where a token looks, drawn over a few images.
public struct AttentionMaps {
  /// Which images, which token and which heads.
  public struct Options: Sendable, Equatable {
    /// Images, spread over the set; 0 for none.
    public var images = 2
    /// The place of the patch that looks; nil for the class token, and without one the centre.
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
      guard images > 0, !places.isWindowed else { return }
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
    for (model, subject) in analysis.subjects.enumerated() where !result.models[model].isWindowed {
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
    guard let query = query(subject, places) else { return [] }
    let patterns = try patterns(subject, layers.map(\.site.name), pixels)
    guard patterns.count == layers.count else { return [] }
    let canvas = AttentionOverlay(subject.preprocessing, pixels, side: options.side)
    var maps: [AttentionResult.Map] = []
    func add(_ layer: Int?, _ head: Int?, _ weights: [Double]?, _ name: String) throws {
      maps.append(
        AttentionResult.Map(
          model: model, image: id, layer: layer, head: head,
          token: weights == nil ? "image" : query.name,
          distance: layer.flatMap { layer in
            head.flatMap { result.models[model].layers[layer].heads[$0].distance.value }
          },
          mass: weights.map { $0.reduce(0, +) }.flatMap { $0.isFinite ? $0 : nil },
          file: "\(stem)-\(name).png",
          picture: try canvas.picture(weights, rows: places.rows, columns: places.columns)))
    }
    let patches = places.windows[0].indices.filter { places.windows[0][$0] != nil }
    func onPatches(_ row: Tensor) -> [Double] {
      let all = row.to(.cpu).to(.float64).contiguous().scalars(Double.self)
      return patches.map { all[$0] }
    }
    try add(nil, nil, nil, "image")
    var rollout = AttentionRollout()
    for pattern in patterns { rollout.add(pattern) }
    if let rolled = rollout.rolled {
      try add(nil, nil, onPatches(rolled.selected(0, 0).selected(0, query.token)), "rollout")
    }
    for layer in Self.spread(layers.count) {
      let rows = patterns[layer].selected(0, 0).selected(1, query.token)  // [heads, tokens]
      try add(layer, nil, onPatches(rows.to(.float64).mean(over: [0])), "\(layer)-mean")
      for head in heads(model, layer) {
        try add(layer, head, onPatches(rows.selected(0, head)), "\(layer)-\(head)")
      }
    }
    return maps
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

  private func query(
    _ subject: Subject, _ places: AttentionPlaces
  ) -> (token: Int, name: String)? {
    if options.patch == nil, subject.model.tokenLayout?.hasClassToken == true {
      return (0, "class token")
    }
    let place =
      options.patch ?? AttentionPlaces.Place(row: places.rows / 2, column: places.columns / 2)
    return places.windows[0].firstIndex(of: place).map {
      ($0, "patch (\(place.row), \(place.column))")
    }
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
