import ParallaxTensors

/// Where the tokens of an attention pattern lie in the image, and which of them see each other.
public struct AttentionPlaces: Sendable, Hashable {
  /// A position in the grid of patches.
  public struct Place: Sendable, Hashable {
    /// From above, from 0.
    public var row: Int
    /// From the left, from 0.
    public var column: Int

    /// A position.
    public init(row: Int, column: Int) { (self.row, self.column) = (row, column) }
  }

  /// Of each window of an image its tokens' places, in the pattern's order; nil for a token that is no patch: class,
  /// register, distillation or padding. One window where all tokens see all.
  public let windows: [[Place?]]
  /// Of each window its tokens' regions: tokens of two regions are masked from each other. Empty where nothing is
  /// masked.
  public let regions: [[Int]]
  /// Positions from above downwards.
  public let rows: Int
  /// Positions from left to right.
  public let columns: Int
  /// Pixels from one position to the next.
  public let step: Int

  /// Places from their parts; all windows have the same number of tokens.
  public init(windows: [[Place?]], regions: [[Int]] = [], rows: Int, columns: Int, step: Int) {
    (self.windows, self.regions) = (windows, regions)
    (self.rows, self.columns, self.step) = (rows, columns, step)
  }

  /// `prefix` tokens that are no patches, then a grid of patches row by row, all in one window.
  public init(prefix: Int, rows: Int, columns: Int, step: Int) {
    let patches = (0..<(rows * columns)).map { Place(row: $0 / columns, column: $0 % columns) }
    self.init(
      windows: [Array(repeating: nil, count: prefix) + patches.map(Optional.some)], rows: rows,
      columns: columns, step: step)
  }

  /// Whether attention is kept inside windows.
  public var isWindowed: Bool { windows.count > 1 }

  /// Whether the token at one place of a window sees the token at another.
  public func sees(_ window: Int, _ query: Int, _ key: Int) -> Bool {
    regions.isEmpty || regions[window][query] == regions[window][key]
  }
}

extension Model {
  /// The places of tokens that stand in a row, as `tokenLayout` says.
  public func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    placesInRow(at: site, height: height, width: width)
  }

  func placesInRow(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    guard let layout = tokenLayout, site.shape.count == 3, site.shape[1] == site.shape[2] else {
      return nil
    }
    let (rows, columns) = (height / layout.patch, width / layout.patch)
    guard rows * columns > 0, layout.prefix + rows * columns == site.shape[1] else { return nil }
    return AttentionPlaces(
      prefix: layout.prefix, rows: rows, columns: columns, step: layout.patch)
  }
}

extension Model {
  /// Where the outputs pattern·V of the heads are seen whose weights a site holds, before the projection.
  ///
  /// They are no site of the model, and no list shows them; a tap that asks for them by name sees them and may replace them.
  /// They are found by running one image of zeros.
  ///
  /// - Parameters:
  ///   - pattern: the weights, `blocks.0.attn.pattern`.
  ///   - height: of the images.
  ///   - width: of the images.
  ///   - device: where the parameters lie.
  /// - Returns: `blocks.0.attn.heads`, for one image `[heads, queries, d]`; nil where the model does not show them.
  /// - Throws: what ``Model/run(_:_:)`` throws.
  public func headOutputs(
    of pattern: Site, height: Int, width: Int, device: Device
  ) throws -> Site? {
    guard let name = pattern.headOutputs else { return nil }
    var found: Site?
    let tap = Tap([name]) { visit in
      found = Site(
        name: name, kind: visit.kind, shape: Array(visit.value.shape.dropFirst()), isBlock: false)
      return nil
    }
    _ = try run(Tensor.zeros([fixedBatch ?? 1, 3, height, width]).to(device), tap)
    return found
  }
}

extension Site {
  /// The name of the outputs of the heads whose weights it holds: `blocks.0.attn.heads` of `blocks.0.attn.pattern`; nil where
  /// it holds none.
  public var headOutputs: String? {
    var parts = name.split(separator: ".").map(String.init)
    guard kind == .pattern || kind == .windows, let last = parts.popLast(),
      last.hasPrefix("pattern")
    else { return nil }
    return (parts + ["heads" + last.dropFirst("pattern".count)]).joined(separator: ".")
  }
}
