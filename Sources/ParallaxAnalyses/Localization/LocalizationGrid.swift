import ParallaxModels
import ParallaxTensors

/// The tokens of a layer that are looked at, and the patches of the image that they stand for.
struct LocalizationGrid: Hashable {
  /// Rows and columns of the layer's own map.
  let map: SpatialGrid
  /// Rows of tokens that are looked at.
  let rows: Int
  let columns: Int
  let height: Int
  let width: Int

  /// The most rows and columns that are looked at.
  static let most = 16

  /// - Throws: `AnalysisError.site` where the site has no positions over the image.
  init(_ site: Site, _ subject: Subject) throws(AnalysisError) {
    // Says what is wrong, where something is.
    _ = try CentreLocation(
      site, subject.model.tokenLayout, imageSize: subject.imageSize, model: subject.name)
    guard
      let map = SpatialGrid(
        site.kind, site.shape, subject.model.tokenLayout, imageSize: subject.imageSize),
      map.rows > 0
    else { throw .site("\(subject.name)@\(site.name)", problem: "it has no grid of positions") }
    guard map.rows * map.columns > 1 else {
      throw .site(
        "\(subject.name)@\(site.name)",
        problem: "it has one position, the whole image; expected a layer with several")
    }
    self.map = map
    (height, width) = subject.imageSize
    rows = SpatialGrid.coarse(map.rows, Self.most)
    columns = SpatialGrid.coarse(map.columns, Self.most)
  }

  var count: Int { rows * columns }

  /// The tokens that are looked at, in the layer's own order: those in the middle of each patch.
  private var places: [Int] {
    func middles(_ side: Int, _ count: Int) -> [Int] {
      SpatialGrid.cells(side, count).map { ($0.lowerBound + $0.upperBound) / 2 }
    }
    let across = middles(map.columns, columns)
    return middles(map.rows, rows).flatMap { row in
      across.map { map.others + row * map.columns + min($0, map.columns - 1) }
    }
  }

  /// Vectors of the tokens `[batch, tokens, channels]` in an activation.
  func tokens(_ value: Tensor) -> Tensor {
    let vectors = map.vectors(value)
    return rows == map.rows && columns == map.columns
      ? vectors.sliced(1, map.others) : vectors.gathered(1, places)
  }

  private var cells: (rows: [Range<Int>], columns: [Range<Int>]) {
    (SpatialGrid.cells(height, rows), SpatialGrid.cells(width, columns))
  }
  /// The largest height and width of a patch in pixels.
  private var patch: (height: Int, width: Int) {
    (cells.rows.map(\.count).max() ?? 0, cells.columns.map(\.count).max() ?? 0)
  }
  /// Numbers of a patch.
  var patchWidth: Int { 3 * patch.height * patch.width }

  /// The pixels of each patch `[batch, patches, 3 · height · width]` of images `[batch, 3, height, width]`; zeros fill what
  /// smaller patches lack, where the grid does not divide the image.
  func patches(_ images: Tensor) -> Tensor {
    let batch = images.shape[0]
    let (p, q) = patch
    if height == rows * p, width == columns * q {
      return images.reshaped(batch, 3, rows, p, columns, q).permuted(0, 2, 4, 1, 3, 5)
        .reshaped(batch, count, 3 * p * q)
    }
    let (down, across) = cells
    return Tensor.stacked(
      down.flatMap { rows in
        across.map { columns in
          images.sliced(2, rows.lowerBound, rows.upperBound)
            .sliced(3, columns.lowerBound, columns.upperBound)
            .padded([0, q - columns.count, 0, p - rows.count]).reshaped(batch, -1)
        }
      }, 1)
  }

  /// The tokens that are drawn, the paper's of a 7 × 7 grid, and those of others that lie alike: a corner and three inside.
  var shown: [Int] {
    var found: [Int] = []
    for (row, column) in [(0.0, 0.0), (2, 1), (4, 2), (4, 4)] {
      let place = (
        Int(row / 7 * Double(rows) + 1e-9), Int(column / 7 * Double(columns) + 1e-9)
      )
      let index = place.0 * columns + place.1
      if !found.contains(index) { found.append(index) }
    }
    return found
  }

  /// Whether a token or patch lies at the edge.
  func isEdge(_ place: Int) -> Bool {
    let (row, column) = (place / columns, place % columns)
    return row == 0 || column == 0 || row == rows - 1 || column == columns - 1
  }
}
