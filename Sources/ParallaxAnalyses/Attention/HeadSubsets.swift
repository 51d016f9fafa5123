import Foundation
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Subsets of the first layer's heads, sorted by distance, against the early layers of convolutional networks.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figure 5. The size of a subset is not stated: a quarter of the heads, one
/// > head further each time, is ours.
struct HeadSubsets {
  /// How many of another network's first blocks are compared, as in the paper.
  static let layers = 5

  /// One model's heads.
  struct Source {
    /// Index among the models that attend.
    let model: Int
    /// Index of its first layer among all layers with attention.
    let layer: Int
    let watch: Watch
    var products: HeadProducts
  }

  /// The layers that heads are compared with; flattened, as in the authors' code.
  let wanted: [Representation]
  private(set) var sources: [Source] = []

  /// Nothing to compare.
  init() { wanted = [] }

  /// - Parameters:
  ///   - subjects: all models.
  ///   - attending: those that attend.
  ///   - layers: their layers with attention.
  init(of subjects: [Subject], attending: [Subject], _ layers: [AttentionAnalysis.Layer]) {
    let others = subjects.filter { $0.design == .convolutional }.flatMap { subject in
      subject.sites.filter { $0.isBlock && $0.kind == .map }.prefix(Self.layers).map {
        Representation(model: subject.name, site: $0, tokens: .flat)
      }
    }
    guard !others.isEmpty else {
      wanted = []
      return
    }
    for (model, subject) in attending.enumerated() {
      guard let first = layers.firstIndex(where: { $0.subject == model }),
        !layers[first].distance.places.isWindowed, layers[first].heads >= 4,
        let watch = Self.watch(subject, layers[first])
      else { continue }
      sources.append(
        Source(
          model: model, layer: first, watch: watch,
          products: HeadProducts(heads: layers[first].heads, layers: others.count)))
    }
    wanted = sources.isEmpty ? [] : others
  }

  /// Outputs A·V of all heads before the projection, heads first: `[batch, heads · tokens · d]`.
  private static func watch(_ subject: Subject, _ layer: AttentionAnalysis.Layer) -> Watch? {
    let (height, width) = subject.imageSize
    guard
      let outputs = try? subject.model.headOutputs(
        of: layer.site, height: height, width: width, device: subject.device),
      outputs.shape.count == 3, outputs.shape[0] == layer.heads
    else { return nil }
    return Watch(
      model: subject.name, sites: [outputs.name], width: outputs.shape.reduce(1, *)
    ) { $0[0].reshaped($0[0].shape[0], -1) }
  }

  /// One for each source.
  var watched: [Watch] { sources.map(\.watch) }

  mutating func begin() { for index in sources.indices { sources[index].products.begin() } }

  mutating func add(layer: Int, _ features: Tensor) {
    let gram = HeadProducts.centredGram(features)
    for index in sources.indices { sources[index].products.add(layer: layer, gram) }
  }

  mutating func add(source: Int, _ features: Tensor) {
    sources[source].products.add(heads: features)
  }

  mutating func finish() { for index in sources.indices { sources[index].products.finish() } }

  func state() -> [(name: String, tensor: Tensor)] {
    sources.enumerated().flatMap { $1.products.state("heads.\($0)") }
  }

  mutating func restore(_ state: [String: Tensor]) -> Bool {
    var copy = self
    for index in sources.indices {
      guard copy.sources[index].products.restore(state["heads.\(index)"]) else { return false }
    }
    self = copy
    return true
  }

  /// The subsets of all sources against all other networks.
  func results(_ models: [AttentionResult.Model], _ layers: [AttentionAnalysis.Layer])
    -> [AttentionResult.Subsets]
  {
    var names: [String] = []
    for other in wanted where !names.contains(other.model) { names.append(other.model) }
    return sources.flatMap { source -> [AttentionResult.Subsets] in
      let layer = models[source.model].layers[0]
      let sorted = layer.sorted
      guard sorted.count == layer.heads.count, !source.products.blocks.isEmpty else { return [] }
      let size = max(1, sorted.count / 4)
      return names.map { name in
        let places = wanted.indices.filter { wanted[$0].model == name }
        let points = (0...(sorted.count - size)).map { start in
          let heads = Array(sorted[start..<(start + size)])
          let distances = heads.compactMap { layer.heads[$0].distance.value }
          return AttentionResult.Subsets.Point(
            heads: heads, distance: distances.reduce(0, +) / Double(size),
            values: places.map { place in
              Self.estimate(source.products) {
                source.products.cka(heads, layer: place, without: $0)
              }
            })
        }
        return AttentionResult.Subsets(
          model: source.model, site: layer.site, other: name,
          layers: places.map { wanted[$0].site.name }, blocks: source.products.blocks.count,
          points: points)
      }
    }
  }

  /// For each pair the finding that CKA falls from the most local subset to the most global.
  func findings(_ models: [AttentionResult.Model], _ subsets: [AttentionResult.Subsets])
    -> [Finding]
  {
    subsets.compactMap { found in
      guard let source = sources.first(where: { $0.model == found.model }),
        let local = found.points.first?.heads, let global = found.points.last?.heads
      else { return nil }
      let places = wanted.indices.filter { wanted[$0].model == found.other }
      let fall = Self.estimate(source.products) { left -> Double? in
        let falls = places.compactMap { place -> Double? in
          guard let a = source.products.cka(local, layer: place, without: left),
            let b = source.products.cka(global, layer: place, without: left)
          else { return nil }
          return a - b
        }
        return falls.isEmpty ? nil : falls.reduce(0, +) / Double(falls.count)
      }
      let verdict: Finding.Verdict =
        if let low = fall.low, let high = fall.high {
          low > 0 ? .shows : high < 0 ? .doesNotShow : .cannotTell
        } else { .cannotTell }
      return Finding(
        sentence:
          "\(models[found.model].name): local heads of the first layer are more like the first layers of \(found.other) than global ones",
        value: fall.value, low: fall.low, high: fall.high,
        quantity:
          "linear CKA of the most local quarter of the heads less that of the most global, mean over "
          + "\(found.layers.count) layers"
          + (fall.low == nil
            ? "" : "; 95 % jackknife interval over \(found.blocks) blocks of images"),
        verdict: verdict, analysis: "attention"
      ).bearing(on: .localHeads)
    }
  }

  /// A number with its jackknife interval over blocks, where there are four or more.
  private static func estimate(
    _ products: HeadProducts, _ number: (_ without: Int?) -> Double?
  ) -> AttentionResult.Estimate {
    let value = number(nil)
    let count = products.blocks.count
    let without = (0..<count).compactMap { number($0) }
    guard count > 3, without.count == count else { return AttentionResult.Estimate(value) }
    return AttentionResult.Estimate(value, leavingOut: without)
  }
}
