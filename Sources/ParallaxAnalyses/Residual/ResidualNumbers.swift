import ParallaxTensors

/// What is measured of z and f(z) at each token.
enum ResidualNumbers {
  /// Numbers of a token: ‖z‖/‖f(z)‖, ‖z‖, ‖f(z)‖, cos(z, z + f(z)), cos(z, f(z)).
  static let count = 5

  /// The numbers of each image.
  ///
  /// - Parameters:
  ///   - skip: z.
  ///   - branch: f(z).
  ///   - grid: how their tokens lie.
  /// - Returns: `[batch, 5 · tokens]`, float64; NaN or infinity where a norm is 0.
  static func of(_ skip: Tensor, _ branch: Tensor, _ grid: SpatialGrid) -> Tensor {
    let dimension =
      switch grid.kind {
      case .map: 1
      case .positions: 3
      default: 2
      }
    func sums(_ a: Tensor, _ b: Tensor) -> Tensor {
      (a * b).sum(over: [dimension]).to(.float64).reshaped(skip.shape[0], -1)
    }
    let (z, f) = (skip.to(.float32), branch.to(.float32))
    let sum = z + f
    let (zz, ff) = (sums(z, z).squareRoot(), sums(f, f).squareRoot())
    let ss = sums(sum, sum).squareRoot()
    let numbers = [zz / ff, zz, ff, sums(z, sum) / (zz * ss), sums(z, f) / (zz * ff)]
    return Tensor.concatenated(numbers, 1).to(.cpu)
  }
}

/// Sums of the numbers of one connection over groups of images, in float64.
struct ResidualTotals {
  private static let addAt = Operator("aten::index_add")
  private static let finite = Operator("aten::isfinite")
  private static let whereFinite = Operator("aten::nan_to_num")

  let groups: Int
  let width: Int
  /// `[groups, 5 · tokens]`.
  private(set) var sums: Tensor
  /// How many numbers entered, `[groups, 5 · tokens]`.
  private(set) var counts: Tensor

  init(groups: Int, tokens: Int) {
    (self.groups, width) = (groups, ResidualNumbers.count * tokens)
    sums = Tensor.zeros([groups, width], .float64)
    counts = Tensor.zeros([groups, width], .float64)
  }

  /// Adds numbers `[images, 5 · tokens]`; image i belongs to group i mod `groups`. What is not finite is left out.
  mutating func add(_ numbers: Tensor, first: Int) {
    let images = numbers.shape[0]
    guard images > 0 else { return }
    let places = Tensor((0..<images).map { Int64((first + $0) % groups) }, shape: [images])
    var (values, known) = (numbers, Tensor.ones(numbers.shape, .float64))
    if !numbers.isFinite() {
      known = Self.finite.all([numbers])[0].to(.float64)
      values = Self.whereFinite.all([numbers, 0.0, 0.0, 0.0])[0] * known
    }
    sums = Self.addAt(sums, 0, places, values)
    counts = Self.addAt(counts, 0, places, known)
  }

  /// Means over the images of all groups, then of all but each in turn: `[1 + groups][5 · tokens]`; nil of nothing.
  func means() -> [[Double?]] {
    let (sum, count) = (sums.sum(over: [0], keeping: true), counts.sum(over: [0], keeping: true))
    func quotients(_ sums: Tensor, _ counts: Tensor) -> [[Double?]] {
      let (a, b) = (sums.scalars(Double.self), counts.scalars(Double.self))
      return (0..<sums.shape[0]).map { row in
        (row * width..<(row + 1) * width).map { b[$0] > 0.5 ? a[$0] / b[$0] : nil }
      }
    }
    return quotients(sum, count) + quotients(sum - sums, count - counts)
  }

  /// Ratios of an image and token that did not enter.
  func undefined(images: Int) -> Int {
    let tokens = width / ResidualNumbers.count
    let entered = counts.sliced(1, 0, tokens).sum().item(Double.self)
    return images * tokens - Int(entered.rounded())
  }

  func state(_ name: String) -> [(name: String, tensor: Tensor)] {
    [("\(name).sums", sums), ("\(name).counts", counts)]
  }

  /// Goes on from a state; false where it does not fit, and then nothing has changed.
  mutating func restore(_ state: [String: Tensor], _ name: String) -> Bool {
    guard let sums = state["\(name).sums"], let counts = state["\(name).counts"],
      sums.shape == [groups, width], counts.shape == [groups, width], sums.dtype == .float64,
      counts.dtype == .float64
    else { return false }
    (self.sums, self.counts) = (sums, counts)
    return true
  }
}
