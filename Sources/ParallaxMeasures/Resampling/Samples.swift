import ParallaxTensors

/// Which images are looked at again.
struct Samples {
  /// Of each group the images that are not in it, in order.
  let kept: [[Int]]
  /// Orders of shuffled images.
  let orders: [[Int]]

  init(_ options: MeasureMatrix.Options, images: Int, isShuffled: Bool) {
    let source = RandomSource(seed: options.seed)
    func permutation() -> [Int] { source.permutation(images).scalars(Int64.self).map(Int.init) }
    let dealt = permutation()
    let groups = Self.groups(options, images: images)
    kept = (0..<groups).map { group in
      dealt.enumerated().filter { $0.offset % groups != group }.map(\.element).sorted()
    }
    orders = isShuffled ? (0..<max(0, options.permutations)).map { _ in permutation() } : []
  }

  /// How many groups are left out in turn; none where they would have fewer than two images.
  static func groups(_ options: MeasureMatrix.Options, images: Int) -> Int {
    options.groups > 1 && images >= 2 * options.groups ? options.groups : 0
  }
}
