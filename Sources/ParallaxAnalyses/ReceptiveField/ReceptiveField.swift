import ParallaxModels
import ParallaxTensors

/// The effective receptive field: how much each pixel moves the centre location of a layer's map.
///
/// Of a map F `[channels, h, w]` it is ERF(u, v) = mean over channels and RGB of |∂F_{c, ⌊h/2⌋, ⌊w/2⌋} / ∂x_{rgb, u, v}|; the
/// mean over images is the caller's. Patch tokens stand for a map once they are laid out on their grid, without class and
/// register tokens.
///
/// All sites of a model share one forward pass. Images do not see one another, so one backward pass gives the gradients of
/// all images of a batch; of a site's channels only the accumulated map is kept.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 6 and C.1 to C.4; Luo et al., 2016, arXiv 1701.04128.
public struct ReceptiveField: Sendable {
  /// Which channels of the centre location are differentiated.
  public enum Channels: Sendable, Hashable {
    /// Every channel by itself, the paper's words taken literally: a backward pass a channel.
    case all
    /// So many channels of each image, drawn without replacement: an unbiased estimate of the same map.
    case sampled(Int)
    /// The sum of all channels, and the absolute value afterwards: one backward pass and another quantity, for channels of
    /// opposite sign cancel.
    case summed

    /// As results name it: `per-channel`, `2 channels an image`, `summed`.
    public var label: String {
      switch self {
      case .all: "per-channel"
      case .sampled(let count): "\(count) channel\(count == 1 ? "" : "s") an image"
      case .summed: "summed"
      }
    }

    /// Backward passes at a site of so many channels.
    func passes(of channels: Int) -> Int {
      switch self {
      case .all: channels
      case .sampled(let count): min(max(1, count), channels)
      case .summed: 1
      }
    }
  }

  /// The model.
  public let model: any Model
  /// The centre locations, in the order in which maps are counted.
  public let locations: [CentreLocation]

  /// The fields of some centre locations of a model.
  public init(_ model: any Model, at locations: [CentreLocation]) {
    (self.model, self.locations) = (model, locations)
  }

  /// The fields of a batch of images.
  ///
  /// - Parameters:
  ///   - images: `[batch, 3, height, width]`, preprocessed.
  ///   - channels: which channels are differentiated.
  ///   - seed: of the channels that are drawn. An image's channels depend on the seed, its number and the number of channels
  ///     alone, so that sites of one width are looked at in the same channels.
  ///   - first: the number of the first image.
  ///   - handOn: gets each location's index and its map of each image `[batch, height, width]`, not yet averaged; NaN where a
  ///     gradient is. What it throws ends the computation.
  /// - Throws: `AnalysisError.site` where no gradient reaches the pixels, and what model and `handOn` throw.
  public func maps(
    of images: Tensor, channels: Channels, seed: UInt64 = 0, first: Int = 0,
    handOn: (_ location: Int, _ maps: Tensor) throws -> Void
  ) throws {
    let batch = images.shape[0]
    let back = try Tensor.pullback(at: [images]) { leaves in try centres(leaves[0]) }
    for (index, location) in locations.enumerated() {
      let passes = channels.passes(of: location.channels)
      let drawn = drawn(channels, location.channels, batch: batch, seed: seed, first: first)
      var sum: Tensor?
      for pass in 0..<passes {
        let seed =
          channels == .summed
          ? Tensor.ones([batch, location.channels])
          : oneHot(drawn.map { $0[pass] }, location.channels)
        let gradient: Tensor?
        do { gradient = try back.products(of: index, with: seed.to(images.device))[0] } catch {
          throw AnalysisError.site(location.name, problem: "it has no gradient: \(error)")
        }
        guard let gradient else {
          throw AnalysisError.site(
            location.name, problem: "no gradient reaches the pixels; is it a quantised graph?")
        }
        let map = gradient.absolute().sum(over: [1])  // [batch, height, width]
        sum = sum.map { $0 + map } ?? map
      }
      if let sum { try handOn(index, sum / Double(3 * passes)) }
    }
  }

  /// The centre location's features `[batch, channels]` of every site, from one forward pass.
  private func centres(_ images: Tensor) throws -> [Tensor] {
    var found: [String: Tensor] = [:]
    let byName = Dictionary(
      locations.map { ($0.site.name, $0) }, uniquingKeysWith: { first, _ in first })
    let tap = Tap(Set(byName.keys)) { visit in
      if let location = byName[visit.site] { found[visit.site] = location.features(visit.value) }
      return nil
    }
    _ = try model.run(images, tap)
    return try locations.map { location in
      guard let features = found[location.site.name],
        features.shape == [images.shape[0], location.channels]
      else {
        throw AnalysisError.site(
          location.name, problem: "the model did not show it in its own shape for these images")
      }
      return features.to(.float32)
    }
  }

  /// For each image its channels, in the order of the passes.
  private func drawn(
    _ channels: Channels, _ count: Int, batch: Int, seed: UInt64, first: Int
  ) -> [[Int]] {
    switch channels {
    case .summed: return []
    case .all: return Array(repeating: Array(0..<count), count: batch)
    case .sampled(let wanted):
      if wanted >= count { return Array(repeating: Array(0..<count), count: batch) }
      return (0..<batch).map { image in
        let source = RandomSource(seed: seed &* 1_000_003 &+ UInt64(first + image))
        return source.permutation(count).scalars(Int64.self).prefix(wanted).map(Int.init)
      }
    }
  }

  private func oneHot(_ places: [Int], _ count: Int) -> Tensor {
    var values = [Float](repeating: 0, count: places.count * count)
    for (row, place) in places.enumerated() { values[row * count + place] = 1 }
    return Tensor(values, shape: [places.count, count])
  }
}

/// The centre location of a site's map: ⌊h/2⌋, ⌊w/2⌋; of an even grid the lower right of the four in the middle.
public struct CentreLocation: Sendable, Hashable {
  /// The site.
  public let site: Site
  /// `model@site`, for errors.
  public let name: String
  private let rows: Int
  private let columns: Int
  /// Features of a location.
  public let channels: Int
  /// Tokens before those of the grid.
  let prefix: Int

  /// Rows and columns of the grid of locations.
  public var grid: (rows: Int, columns: Int) { (rows, columns) }
  /// Where it stands, from 0.
  public var row: Int { grid.rows / 2 }
  /// Where it stands, from 0.
  public var column: Int { grid.columns / 2 }

  /// The centre location of a site.
  ///
  /// - Parameters:
  ///   - site: a map, positions, or tokens on a grid.
  ///   - layout: how the model's tokens stand in a row; nil where it has none.
  ///   - imageSize: of the images that go in.
  ///   - model: its name, for errors.
  /// - Throws: `AnalysisError.site` where the site has no positions, or its tokens do not fill a grid over the image.
  public init(
    _ site: Site, _ layout: TokenLayout?, imageSize: (height: Int, width: Int), model: String
  ) throws(AnalysisError) {
    (self.site, name) = (site, "\(model)@\(site.name)")
    let shape = site.shape
    switch (site.kind, shape.count) {
    case (.map, 3): (rows, columns, channels, prefix) = (shape[1], shape[2], shape[0], 0)
    case (.positions, 3): (rows, columns, channels, prefix) = (shape[0], shape[1], shape[2], 0)
    case (.tokens, 2), (.patches, 2):
      let before = site.kind == .tokens ? layout?.prefix ?? 0 : 0
      let count = shape[0] - before
      guard let found = Self.grid(count, layout, imageSize) else {
        throw .site(
          name,
          problem:
            "\(count) patch tokens do not fill a grid over images of \(imageSize.height)×\(imageSize.width) pixels"
        )
      }
      (rows, columns, channels, prefix) = (found.rows, found.columns, shape[1], before)
    case (.vector, _):
      throw .site(name, problem: "it is one vector an image; expected a map or tokens on a grid")
    default:
      throw .site(
        name,
        problem:
          "it is of kind '\(site.kind.rawValue)', which has no location; expected a map or tokens on a grid"
      )
    }
  }

  /// By the patch, or where that does not fit (later stages of a hierarchy) by the only square patch that does.
  static func grid(
    _ count: Int, _ layout: TokenLayout?, _ size: (height: Int, width: Int)
  ) -> (rows: Int, columns: Int)? {
    guard count > 0 else { return nil }
    if let patch = layout?.patch, patch > 0, (size.height / patch) * (size.width / patch) == count {
      return (size.height / patch, size.width / patch)
    }
    let side = (Double(size.height * size.width) / Double(count)).squareRoot().rounded()
    let patch = Int(side)
    guard patch > 0, size.height % patch == 0, size.width % patch == 0,
      (size.height / patch) * (size.width / patch) == count
    else { return nil }
    return (size.height / patch, size.width / patch)
  }

  /// Its features `[batch, channels]` in an activation of the site.
  func features(_ value: Tensor) -> Tensor {
    switch site.kind {
    case .map: value.selected(3, column).selected(2, row)
    case .positions: value.selected(2, column).selected(1, row)
    default: value.selected(1, prefix + row * columns + column)
    }
  }
}
