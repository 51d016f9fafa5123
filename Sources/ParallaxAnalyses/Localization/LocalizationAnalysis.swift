import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// How much of its own place in the image each token still holds, layer by layer.
///
/// Over the images of a block each token and each patch of the input has one Gram matrix; CKA of all pairs is one product. Of a
/// layer the sums of pairs in groups of blocks remain. Ridge regressions from some tokens to every patch need the first images
/// whole, which are kept up to a limit.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 9, 10 and D.1 to D.3. What they leave open is our reconstruction, and
/// > the result names it.
public final class LocalizationAnalysis: Accumulator {
  /// What drives the analysis.
  public struct Options: Sendable {
    /// Groups of blocks that are left out in turn for intervals, at most.
    public var groups = 16
    /// Images that regressions are fitted to and scored on; 0 for none.
    public var decodingImages = 256
    /// Of the folds.
    public var seed: UInt64 = 0
    /// Bytes that kept images and tokens may take.
    public var memoryLimit = 1 << 33

    /// CKA over all images, regressions over 256.
    public init() {}
  }

  /// A layer that is looked at.
  struct Layer {
    let subject: Int
    let site: Site
    let depth: Double?
    let grid: LocalizationGrid
    /// Among the watches of patches.
    let patches: Int
  }

  /// `localize`.
  public let name = "localize"
  /// Nothing is kept whole but what regressions need.
  public let wanted: [Representation] = []
  /// Patches of each grid, then tokens of each layer, then the pixels that regressions need.
  public let watched: [Watch]
  let options: Options
  let subjects: [Subject]
  let layers: [Layer]
  let grids: [(subject: Int, grid: LocalizationGrid)]
  /// Models and layers that were left out, with the reasons.
  public let leftOut: [SimilarityResult.Refusal]
  private let limit: Int
  private var gathered: GatheredFeatures
  private var room = 0
  private var products: [PatchProducts]
  private var images = 0
  private var skipped = 0
  private var blocks = 0
  private var open: (images: Int, group: Int) = (0, 0)
  private var rows: [Tensor?] = []

  /// An analysis of some layers of some models.
  ///
  /// - Parameters:
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: how many there are.
  ///   - chosen: sites that somebody named; of a model without any the last block, the one before it, the middle and the
  ///     first.
  ///   - options: what drives it.
  /// - Throws: `AnalysisError.site` where a named site has no positions, `AnalysisError.nothingAsked` where no model has a layer
  ///   with several, `AnalysisError.tooFewImages`, `MeasureError.memory`.
  public init(
    of subjects: [Subject], images: Int, among chosen: [Representation] = [],
    options: Options = Options()
  ) throws {
    guard images >= 4 else {
      throw AnalysisError.tooFewImages(needed: 4, found: images, where: "localize")
    }
    let found = try LocalizationLayers(subjects, among: chosen)
    let (kept, layers, grids) = (found.subjects, found.layers, found.grids)
    (self.subjects, self.layers, self.grids, self.options) = (kept, layers, grids, options)
    leftOut = found.refusals
    limit = options.decodingImages > 0 ? min(options.decodingImages, images) : 0
    let patches = grids.map { place in
      Watch(
        model: kept[place.subject].name, sites: ["input"],
        width: place.grid.count * place.grid.patchWidth
      ) { place.grid.patches($0[0]).reshaped($0[0].shape[0], -1) }
    }
    let tokens = layers.map { layer in
      Watch(
        model: kept[layer.subject].name, sites: [layer.site.name],
        width: layer.grid.count * layer.grid.map.channels
      ) { layer.grid.tokens($0[0]).reshaped($0[0].shape[0], -1) }
    }
    let pixels =
      limit > 0
      ? kept.map { subject in
        Watch(
          model: subject.name, sites: ["input"],
          width: 3 * subject.imageSize.height * subject.imageSize.width
        ) { $0[0].reshaped($0[0].shape[0], -1) }
      } : []
    watched = patches + tokens + pixels
    let widths =
      limit > 0
      ? layers.map { $0.grid.shown.count * $0.grid.map.channels } + pixels.map(\.width) : []
    gathered = GatheredFeatures(name, widths: widths)
    let needed = 4 * limit * widths.reduce(0, +)
    guard needed <= options.memoryLimit else {
      throw MeasureError.memory(measure: name, needed: needed, limit: options.memoryLimit)
    }
    products = layers.map {
      PatchProducts(groups: options.groups, tokens: $0.grid.count, patches: $0.grid.count)
    }
  }

  /// Layers, groups, and images of regressions.
  public var fingerprint: String {
    let names = layers.map { "\(subjects[$0.subject].name)@\($0.site.name)" }
    return
      "1 groups \(options.groups) decoding \(limit) seed \(options.seed) layers \(names.joined(separator: " "))"
  }

  /// Opens the block.
  public func begin(_ block: BlockHeading) {
    open = (block.samples.count, block.index % options.groups)
    rows = Array(repeating: nil, count: grids.count + layers.count)
    room = min(block.samples.count, limit - gathered.samples.count)
    if limit > 0 {
      gathered.begin(
        BlockHeading(index: block.index, samples: Array(block.samples.prefix(room))))
    }
  }

  /// Turns patches and tokens of a block into rows, and keeps what regressions need.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or something comes twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    let batch = features.shape[0]
    guard index < rows.count else {
      let place = index - rows.count
      return try gathered.add(layers.count + place, features.sliced(0, 0, room))
    }
    guard rows[index] == nil, batch == open.images else {
      throw MeasureError.blockOrder(
        measure: name, problem: "features of watch \(index) come out of turn")
    }
    let layer = index - grids.count
    let count = layer < 0 ? grids[index].grid.count : layers[layer].grid.count
    let vectors = features.reshaped(batch, count, -1)
    // Of fewer images than four there is no estimate.
    rows[index] = batch > 3 ? PatchProducts.rows(vectors) : Tensor.zeros([0])
    if layer >= 0, limit > 0 {
      let places = layers[layer].grid.shown
      // Beyond the images that are kept there are none of a block.
      try gathered.add(
        layer,
        vectors.sliced(0, 0, room).gathered(1, places)
          .reshaped(room, places.count * vectors.shape[2]))
    }
  }

  /// Closes the block: all pairs of tokens and patches at once.
  ///
  /// - Throws: `MeasureError.blockOrder` where a layer is missing.
  public func finish() throws {
    let complete = rows.compactMap(\.self)
    guard complete.count == grids.count + layers.count else {
      throw MeasureError.blockOrder(measure: name, problem: "a layer is missing")
    }
    if limit > 0 { try gathered.finish() }
    if open.images > 3 {
      for (index, layer) in layers.enumerated() {
        products[index].add(
          complete[grids.count + index], complete[layer.patches], images: open.images,
          group: open.group)
      }
      images += open.images
      blocks += 1
    } else {
      skipped += open.images
    }
    (rows, open) = ([], (0, 0))
  }

  /// The sums of all finished blocks, and what regressions need of them.
  public func state() -> [(name: String, tensor: Tensor)] {
    guard images + skipped > 0 else { return [] }
    let counts = [images, skipped, blocks].map(Int64.init)
    return [("counts", Tensor(counts, shape: [3]))]
      + products.enumerated().flatMap { $1.state("layer.\($0)") } + gathered.state()
  }

  /// Goes on from the sums of an interrupted run.
  ///
  /// - Returns: false where they are of other layers; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    var restored = layers.map {
      PatchProducts(groups: options.groups, tokens: $0.grid.count, patches: $0.grid.count)
    }
    guard !state.isEmpty else {
      (products, images, skipped, blocks) = (restored, 0, 0, 0)
      return gathered.restore([:])
    }
    guard let counts = state["counts"], counts.shape == [3], counts.dtype == .int64 else {
      return false
    }
    for index in restored.indices {
      guard restored[index].restore(state, "layer.\(index)") else { return false }
    }
    guard
      limit == 0
        || gathered.restore(state.filter { $0.key != "counts" && !$0.key.hasPrefix("layer.") })
    else { return false }
    let numbers = counts.scalars(Int64.self).map(Int.init)
    (products, images, skipped, blocks) = (restored, numbers[0], numbers[1], numbers[2])
    return true
  }

  /// The result and every whole map, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `TensorError.operation` where LAPACK does not converge.
  public func result() throws -> LocalizationResult { try computed().result }

  func computed() throws -> LocalizationComputed {
    guard blocks > 0 else {
      throw AnalysisError.tooFewImages(needed: 4, found: images + skipped, where: "localize")
    }
    var decoded: [Int: [[[Double?]]]] = [:]
    let count = gathered.samples.count
    if limit > 0, count >= 2 * PatchDecoding.folds {
      for (place, entry) in grids.enumerated() {
        let subject = subjects[entry.subject]
        let pixels = gathered.whole(layers.count + entry.subject)
          .reshaped(count, 3, subject.imageSize.height, subject.imageSize.width)
        let decoding = PatchDecoding(entry.grid.patches(pixels), seed: options.seed)
        for (index, layer) in layers.enumerated() where layer.patches == place {
          let shown = layer.grid.shown.count
          let vectors = gathered.whole(index).reshaped(count, shown, -1)
          decoded[index] = try (0..<shown).map { try decoding.scores(vectors.selected(1, $0)) }
        }
      }
    }
    return try LocalizationComputed(
      self, products, decoded, decodedImages: decoded.isEmpty ? 0 : count,
      counts: (images, skipped, blocks))
  }
}

extension LocalizationAnalysis: StudyAnalysis {
  /// Writes `results/localize.json`, and to `tensors/localize.safetensors` CKA of every token with every patch.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let computed = try computed()
    try Safetensors.write(
      computed.maps.map { (name: $0.address, tensor: $0.map.to(.float32).contiguous()) },
      metadata: [
        "analysis": name, "images": String(images),
        "layout": "tokens row by row × patches row by row",
      ], to: run.tensors.appending(path: "localize.safetensors").path)
    try run.write(computed.result, analysis: name)
    return computed.result.tidyRows()
  }
}
