import ParallaxImages
import ParallaxMeasures
import ParallaxTensors

/// The spaces of low-level statistics and of pixels that layers are compared with.
struct LowLevelSpaces {
  /// The sites of ``PictureModel`` that they are made of.
  static let sites = [
    PictureModel.statisticsSite, PictureModel.pixelsSite, PictureModel.coarsePixelsSite,
  ]

  /// `all statistics`, then each group of them, then the pixels.
  let spaces: [(name: String, features: Tensor)]
  /// Single statistics, but for those that are a group by themselves.
  let singles: [(name: String, features: Tensor)]
  /// The statistics as they are, `[images, statistics]`.
  let statistics: Tensor

  /// Of each statistic where its own space stands among `spaces` and the `singles` after them.
  static let places: [(name: String, place: Int)] = {
    var next = LowLevelStatistics.groups.count + sites.count
    return LowLevelStatistics.groups.enumerated().flatMap { group, part in
      part.columns.map { column in
        let isGroup = part.columns.count == 1
        if !isGroup { next += 1 }
        return (LowLevelStatistics.names[column], isGroup ? 1 + group : next - 1)
      }
    }
  }()

  /// The number of numbers an image of each space, single statistics too, from those of the sites.
  static func widths(_ sites: some Collection<Int>) -> [Int] {
    let groups = LowLevelStatistics.groups.map(\.columns.count)
    return sites.prefix(1) + groups + sites.dropFirst()
      + groups.filter { $0 > 1 }.flatMap { Array(repeating: 1, count: $0) }
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
    singles = LowLevelStatistics.groups.filter { $0.columns.count > 1 }.flatMap { group in
      group.columns.map {
        (LowLevelStatistics.names[$0], columns.sliced(1, $0, $0 + 1).to(dtype))
      }
    }
    spaces =
      [("all statistics", columns.to(dtype))] + groups
      + [
        ("pixels", (features[PictureModel.pixelsSite] ?? empty).to(dtype)),
        ("coarse pixels", (features[PictureModel.coarsePixelsSite] ?? empty).to(dtype)),
      ]
  }

  /// The spaces as curves ask for them: after so many sites in the tables.
  func curves(after sites: Int) -> [LowLevelCurves.Space] {
    spaces.enumerated().map { Self.curve($1, sites + $0) }
  }

  /// Each statistic by itself: those that are a group share its place.
  func singleCurves(after sites: Int) -> [LowLevelCurves.Space] {
    let all = spaces + singles
    return Self.places.map { name, place in
      Self.curve((name, all[place].features), sites + place)
    }
  }

  private static func curve(
    _ space: (name: String, features: Tensor), _ place: Int
  ) -> LowLevelCurves.Space {
    let firsts = EqualRows.firsts(of: space.features) ?? []
    let groups = Dictionary(grouping: firsts, by: { $0 }).values
    return LowLevelCurves.Space(
      name: space.name, place: place, width: space.features.shape[1],
      equalImages: groups.filter { $0.count > 1 }.reduce(0) { $0 + $1.count })
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
