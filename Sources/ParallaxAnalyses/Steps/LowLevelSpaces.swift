import ParallaxImages
import ParallaxTensors

/// The spaces of low-level statistics and of pixels that layers are compared with.
struct LowLevelSpaces {
  /// The sites of ``PictureModel`` that they are made of.
  static let sites = [
    PictureModel.statisticsSite, PictureModel.pixelsSite, PictureModel.coarsePixelsSite,
  ]

  /// `all statistics`, then each group of them, then the pixels.
  let spaces: [(name: String, features: Tensor)]
  /// The statistics as they are, `[images, statistics]`.
  let statistics: Tensor

  /// The number of numbers an image of each space, from those of the sites.
  static func widths(_ sites: some Collection<Int>) -> [Int] {
    sites.prefix(1) + LowLevelStatistics.groups.map(\.columns.count) + sites.dropFirst()
  }

  /// Columns of statistics have mean 0 and standard deviation 1 (divided by N); what does not vary is 0.
  ///
  /// - Parameters:
  ///   - features: by the name of the site.
  ///   - dtype: of the spaces.
  init(_ features: [String: Tensor], dtype: DType) {
    let empty = Tensor.zeros([0, 0], dtype)
    statistics = features[PictureModel.statisticsSite] ?? empty
    let columns = Self.standardised(statistics)
    let groups = LowLevelStatistics.groups.map { group in
      (
        name: group.name,
        features: columns.sliced(1, group.columns.lowerBound, group.columns.upperBound).to(dtype)
      )
    }
    spaces =
      [("all statistics", columns.to(dtype))] + groups
      + [
        ("pixels", (features[PictureModel.pixelsSite] ?? empty).to(dtype)),
        ("coarse pixels", (features[PictureModel.coarsePixelsSite] ?? empty).to(dtype)),
      ]
  }

  private static func standardised(_ statistics: Tensor) -> Tensor {
    let x = statistics.to(.float64)
    let centred = x - x.mean(over: [0], keeping: true)
    let spread = centred.squared().mean(over: [0], keeping: true).squareRoot()
    let scales = spread.scalars(Double.self).enumerated().map { column, spread in
      // Statistics are float32: a spread of rounding is none.
      spread > 1e-6 * (x.sliced(1, column, column + 1).absolute().maximum().item(Double.self))
        ? 1 / spread : 0
    }
    return centred * Tensor(scales, shape: [1, scales.count])
  }
}
