extension Beit {
  /// The variants that checkpoints are published for.
  public static let architectures: [Architecture] =
    [(false, 224), (false, 384), (true, 224), (true, 384), (true, 512)].map {
      variant(large: $0, side: $1)
    } + [false, true].map { variant(second: true, large: $0, side: 224) }

  private static func variant(second: Bool = false, large: Bool, side: Int) -> Architecture {
    var c = Configuration()
    c.imageSize = side
    if large { (c.width, c.depth, c.heads, c.inner) = (1024, 24, 16, 4096) }
    let (size, kind) = (large ? "large" : "base", second ? "v2" : "")
    let halves = [0.5, 0.5, 0.5]
    // The second version's large size was given a crop of its own.
    let crop = side > 224 ? 1 : second && large ? 0.95 : 0.9
    return Architecture(
      name: "beit\(kind)_\(size)_patch16_\(side)", family: "BEiT",
      summary: "BEiT\(second ? " v2" : ""), \(size), images of \(side) pixels",
      preprocessing: second
        ? PreprocessingKeys(side, cropFraction: crop)
        : PreprocessingKeys(side, cropFraction: crop, mean: halves, std: halves),
      oracles: ["beit-timm", "beit-hf"], recognise: { [c] in recognised($0, c) },
      make: { [c] w in
        var c = c
        c.classes = w.outputs(of: "head", standard: c.classes)
        return try Beit(c, w)
      })
  }
}
