extension MeasureMatrix {
  /// The measures that need most memory side by side, and about how many bytes their summaries take at the most.
  ///
  /// Summaries of all representations are held, and those without a group of images beside them. Of measures with light
  /// first sides one whole summary is held with its resampled one, and the first sides of the whole set and of all groups.
  /// Features are not counted, nor is what one summary is made of on the way.
  ///
  /// - Parameters:
  ///   - measures: as for ``all(_:of:options:tick:)``.
  ///   - images: the number of images.
  ///   - widths: of the representations.
  ///   - options: how much is resampled.
  /// - Returns: names and bytes; no names without measures.
  public static func peak(
    _ measures: [any Measure], images: Int, widths: [Int], options: Options = Options()
  ) -> (measures: [String], bytes: Int) {
    let groups = Samples.groups(options, images: images)
    let batches = batches(measures).map { batch in
      let chosen = batch.map { measures[$0] }
      // Those with light first sides look up the same table.
      let bytes =
        chosen.allSatisfy({ $0.firstSide != nil })
        ? (chosen.map { table($0, images, widths) }.max() ?? 0)
          + chosen.reduce(0) { $0 + lists($1, images, widths, groups) }
        : chosen.reduce(0) { $0 + peak($1, images, widths, groups) }
      return (measures: chosen.map(\.name), bytes: bytes)
    }
    return batches.max { $0.bytes < $1.bytes } ?? ([], 0)
  }

  private static func peak(
    _ measure: any Measure, _ images: Int, _ widths: [Int], _ groups: Int
  ) -> Int {
    let sizes = widths.map { measure.summaryBytes(images: images, width: $0) }
    return (groups > 0 ? 2 : 1) * sizes.reduce(0, +) + (sizes.max() ?? 0)
  }

  /// One whole summary, and that of a selection beside it.
  private static func table(_ measure: any Measure, _ images: Int, _ widths: [Int]) -> Int {
    2 * (widths.map { measure.summaryBytes(images: images, width: $0) }.max() ?? 0)
  }

  /// The first sides of the whole set and of all groups.
  private static func lists(
    _ measure: any Measure, _ images: Int, _ widths: [Int], _ groups: Int
  ) -> Int {
    (1 + groups) * widths.count
      * Neighbours.bytes(images: images, count: measure.firstSide?.neighbours ?? 0)
  }
}

extension Neighbours {
  /// About how many bytes lists of so many neighbours take, with those kept for measures that share them.
  static func bytes(images: Int, count: Int) -> Int {
    let depth = min(max(0, images - 2), 2 * count + 8)
    return images * (12 * depth + 4 * count + 8)
  }
}

extension NeighbourMeasure {
  /// Lists of neighbours.
  public func summaryBytes(images: Int, width: Int) -> Int {
    Neighbours.bytes(images: images, count: neighbours)
  }
}

extension CKNNA {
  /// Lists of neighbours.
  public func summaryBytes(images: Int, width: Int) -> Int {
    Neighbours.bytes(images: images, count: neighbours)
  }
}

extension SecondOrderCosineSimilarity {
  /// Lists of neighbours, and the rows.
  public func summaryBytes(images: Int, width: Int) -> Int {
    Neighbours.bytes(images: images, count: neighbours) + 4 * images * width
  }
}

extension Measure where Summary == NeighbourRanks {
  /// A rank a pair of images in two bytes, or four above 65 535 images, and the nearest.
  public func summaryBytes(images: Int, width: Int) -> Int {
    (images <= Int(UInt16.max) ? 2 : 4) * images * images
      + Neighbours.bytes(images: images, count: sharedPart?.neighbours ?? 1)
  }
}

extension Measure where Summary == GramSummary {
  /// One triangle.
  public func summaryBytes(images: Int, width: Int) -> Int { 2 * images * images }
}

extension Measure where Summary == DistanceCorrelation.Summary {
  /// One triangle.
  public func summaryBytes(images: Int, width: Int) -> Int { 2 * images * images }
}

extension Measure where Summary == RDM {
  /// One triangle in float64, and where its elements stand.
  public func summaryBytes(images: Int, width: Int) -> Int { 8 * images * images }
}

extension Measure where Summary == RSA.Summary {
  /// A matrix of dissimilarities, and their ranks or what else is compared.
  public func summaryBytes(images: Int, width: Int) -> Int { 16 * images * images }
}

extension Measure where Summary == RTDLite.Summary {
  /// One triangle in float64.
  public func summaryBytes(images: Int, width: Int) -> Int { 4 * images * images }
}

extension Measure where Summary == PrincipalBasis {
  /// A basis in float64, and where a measure weighs neurons as many loadings.
  public func summaryBytes(images: Int, width: Int) -> Int {
    8 * (images + width) * min(images, width)
  }
}

extension Measure where Summary == NumberSummary {
  /// A number.
  public func summaryBytes(images: Int, width: Int) -> Int { 64 }
}

extension Measure where Summary == IMD.Summary {
  /// A heat trace.
  public func summaryBytes(images: Int, width: Int) -> Int { 8 * 256 }
}
