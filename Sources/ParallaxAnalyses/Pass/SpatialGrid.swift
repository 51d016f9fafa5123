import ParallaxModels
import ParallaxTensors

/// How the tokens or positions of an activation lie over the image.
struct SpatialGrid: Hashable {
  let kind: SiteKind
  /// Tokens before those of the grid.
  let others: Int
  /// Tokens or positions of the grid.
  let count: Int
  /// Rows of the grid; 0 where the tokens fill none.
  let rows: Int
  let columns: Int
  /// Numbers of a token.
  let channels: Int

  /// nil where the activation has neither tokens nor positions.
  init?(
    _ kind: SiteKind, _ shape: [Int], _ layout: TokenLayout?, imageSize: (height: Int, width: Int)
  ) {
    self.kind = kind
    switch (kind, shape.count) {
    case (.map, 3): (others, rows, columns, channels) = (0, shape[1], shape[2], shape[0])
    case (.positions, 3): (others, rows, columns, channels) = (0, shape[0], shape[1], shape[2])
    case (.tokens, 2), (.patches, 2):
      others = kind == .tokens ? min(layout?.prefix ?? 0, shape[0]) : 0
      let grid = CentreLocation.grid(shape[0] - others, layout, imageSize)
      (rows, columns, channels) = (grid?.rows ?? 0, grid?.columns ?? 0, shape[1])
    default: return nil
    }
    count = rows > 0 ? rows * columns : shape[0] - others
  }

  /// All tokens, those before the grid too.
  var tokens: Int { others + count }

  /// Numbers of each token from an activation, `[batch, tokens, channels]`; a view.
  func vectors(_ value: Tensor) -> Tensor {
    switch kind {
    case .map:
      value.reshaped(value.shape[0], channels, -1).transposed(1, 2)
    case .positions: value.reshaped(value.shape[0], -1, channels)
    default: value
    }
  }

  /// Where cells of a coarser grid begin and end along a side.
  static func cells(_ side: Int, _ count: Int) -> [Range<Int>] {
    (0..<count).map { $0 * side / count..<max($0 * side / count + 1, ($0 + 1) * side / count) }
  }

  /// The side of a coarser grid: the side itself where it is small enough, else its largest divisor up to `most`, unless that
  /// is less than half of it; then `most`.
  static func coarse(_ side: Int, _ most: Int) -> Int {
    guard side > most else { return side }
    let divisor = (1...most).last { side.isMultiple(of: $0) } ?? 1
    return 2 * divisor >= most ? divisor : most
  }
}
