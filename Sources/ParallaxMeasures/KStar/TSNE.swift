import Foundation
import ParallaxTensors

/// t-SNE: a flat map in which near neighbours stay near, by all pairs of images.
///
/// p_ij are Gaussian affinities of the features (``Affinities``), q_ij = (1 + ‖y_i − y_j‖²)⁻¹ over their sum those of the map, and
/// KL = Σ p_ij ln(p_ij/q_ij) is descended along
///
/// ∂KL/∂y_i = 4 Σ_j (p_ij − q_ij)(1 + ‖y_i − y_j‖²)⁻¹ (y_i − y_j)
///
/// with momentum and gains: 250 steps with p_ij times ``exaggeration`` and a momentum of 0.5, then those that are left with 0.8; gains
/// grow by 0.2 where a step turns back on the one before and shrink to 0.8 of themselves where it does not, down to 0.01. The rate is
/// the larger of n/(4·exaggeration) and 50. Every 50 steps it is asked whether to stop: where KL was lowest more than 300 steps ago
/// (250 while it is exaggerated), or no gradient is left. These are the numbers of scikit-learn's `TSNE(method="exact")`.
///
/// There is no seed: it starts from two principal components, scaled so that the first has a standard deviation of 1e-4. The map is of
/// neighbourhoods: distances between groups and the sizes of groups say little. The descent is chaotic: forty steps turn roundings into
/// another map, as good as this one, so that another machine may draw another one.
///
/// > Source: van der Maaten and Hinton, 2008, JMLR 9, 2579–2605, equations 1 to 5; Kobak and Berens, 2019, for the start; the schedule of
/// > scikit-learn.
public struct TSNE: Sendable, Hashable {
  /// What errors call it.
  public static let name = "t-SNE"

  /// About how many neighbours an image has.
  public var perplexity: Double
  /// What affinities are multiplied by in the first steps.
  public var exaggeration = 12.0
  /// Steps, at most.
  public var iterations = 1000

  /// Steps with exaggerated affinities.
  var explored = 250
  private static let checked = 50
  private static let patience = 300
  private static let smallest = 1e-7

  /// Of a perplexity, with scikit-learn's schedule.
  ///
  /// - Precondition: `perplexity` is above 1.
  public init(perplexity: Double = 30) {
    precondition(perplexity > 1, "a perplexity is above 1")
    self.perplexity = perplexity
  }

  /// A map, and how it came about.
  public struct Layout: Sendable, Equatable {
    /// x and y of each image.
    public let points: [SIMD2<Double>]
    /// KL in nats; the features' affinities are not exaggerated there.
    public let divergence: Double
    /// The steps that were taken.
    public let iterations: Int
    /// The perplexity: what was asked for, or (n − 1)/3 where images are too few for it.
    public let perplexity: Double
    /// Images of which more than the perplexity lie at the least distance, so that it cannot be had: all of those count alike.
    public let crowded: Int
  }

  /// Lays images out.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`, at least five images.
  ///   - start: where they begin, `[images, 2]`, such as two principal components; any scale, for it is scaled.
  ///   - progress: told the share of the steps that is done, now and then; what it throws stops the descent.
  /// - Returns: the map.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`; what `progress` throws.
  /// - Complexity: images² · steps; memory for one matrix of images² in float64, and for blocks of 2 MiB.
  public func callAsFunction(
    _ features: Tensor, from start: Tensor, progress: (Double) throws -> Void = { _ in }
  ) throws -> Layout {
    let images = try Checked.images(of: features, atLeast: 5, measure: Self.name)
    guard start.shape == [images, 2] else {
      throw MeasureError.shape(
        measure: Self.name, expected: "a start of [\(images), 2]", found: start.shape)
    }
    guard start.isFinite() else { throw MeasureError.notFinite(measure: Self.name) }
    let rows = try DistanceRows(features, .euclidean, fewest: 5, measure: Self.name)
    // Blocks are small and steps are many: a second thread would wait at every one of them, where other processes compute for minutes.
    let threads = Threads.count
    Threads.use(1)
    defer { Threads.use(threads) }
    let possible = min(perplexity, Double(images - 1) / 3)
    let affinities = try Affinities(rows, perplexity: possible) { try progress(0.02 * $0) }
    var descent = Descent(
      affinities, from: try Self.scaled(start), rate: max(Double(images) / exaggeration / 4, 50))
    let taken = try run(&descent) { try progress(0.02 + 0.98 * $0) }
    let flat = descent.points.contiguous().scalars(Double.self)
    return Layout(
      points: (0..<images).map { SIMD2(flat[2 * $0], flat[2 * $0 + 1]) },
      divergence: descent.gradient(exaggeration: 1, hasCost: true).cost, iterations: taken,
      perplexity: possible, crowded: affinities.crowded)
  }

  /// Both parts of the schedule.
  ///
  /// - Returns: how many steps were taken.
  func run(_ descent: inout Descent, _ progress: (Double) throws -> Void = { _ in }) throws -> Int {
    var taken = 0
    for part in [
      (end: min(explored, iterations), factor: exaggeration, momentum: 0.5, patience: 250),
      (end: iterations, factor: 1, momentum: 0.8, patience: Self.patience),
    ] {
      descent.rest()
      var (best, when) = (Double.infinity, taken)
      while taken < part.end {
        if taken % 10 == 0 { try progress(Double(taken) / Double(iterations)) }
        let isChecked = (taken + 1) % Self.checked == 0
        let (cost, norm) = descent.step(
          exaggeration: part.factor, momentum: part.momentum, hasCost: isChecked)
        taken += 1
        guard isChecked else { continue }
        if cost < best {
          (best, when) = (cost, taken)
        } else if taken - when > part.patience {
          break
        }
        if norm <= Self.smallest { break }
      }
    }
    return taken
  }

  /// A start whose first coordinate has a standard deviation of 1e-4; where one is flat, the images alternate about it, for nothing would
  /// ever leave a line.
  static func scaled(_ start: Tensor) throws -> Tensor {
    let points = Gram.widened(start).to(.cpu)
    let centred = points - points.mean(over: [0], keeping: true)
    let spread = centred.squared().mean(over: [0]).squareRoot().scalars(Double.self)
    guard spread[0] > 0 else { throw MeasureError.constant(measure: name) }
    let scaled = points * (1e-4 / spread[0])
    guard spread[1] == 0 else { return scaled }
    // Multiples of the golden section are evenly spread, whatever their number.
    let count = points.shape[0]
    let aside = (1...count).map { 1e-6 * ((Double($0) * 0.618_033_988_749_894_9).fraction - 0.5) }
    return Tensor.concatenated(
      [scaled.sliced(1, 0, 1), Tensor(aside, shape: [count, 1]).to(scaled.device)], 1)
  }
}

extension Double {
  fileprivate var fraction: Double { self - rounded(.down) }
}

extension TSNE {
  /// Steps of gradient descent.
  struct Descent {
    private let affinities: Affinities
    private let rate: Double
    /// `[images, 2]`.
    private(set) var points: Tensor
    private var update: Tensor
    private var gains: Tensor
    /// Blocks of pairs that each step writes anew: fresh memory for each would cost more than the arithmetic.
    private let room: (weights: Tensor, forces: Tensor)
    /// Rows of a block.
    private let size: Int

    private static let reciprocal = Operator("aten::reciprocal_")
    private static let multiply = Operator("aten::mul.out")
    private static let product = Operator("aten::mm.out")
    private static let times = Operator("aten::mul_.Tensor")
    private static let select = Operator("aten::where.self")
    private static let diagonal = Operator("aten::diagonal")
    /// Bytes of a block of pairs, so that what is done with it finds it in the cache.
    private static let bytes = 1 << 20

    init(_ affinities: Affinities, from start: Tensor, rate: Double) {
      (self.affinities, self.rate, points) = (affinities, rate, start.to(.float64))
      (update, gains) = (points.zerosLike(), points.zerosLike() + 1.0)
      let count = points.shape[0]
      size = max(1, min(count, Self.bytes / (8 * count)))
      room = (
        Tensor.zeros([size, count], .float64), Tensor.zeros([size, count], .float64)
      )
    }

    /// Forgets the momentum and the gains.
    mutating func rest() { (update, gains) = (points.zerosLike(), points.zerosLike() + 1.0) }

    /// A step.
    ///
    /// - Returns: the cost before it, NaN where it was not asked for, and the norm of the gradient times its gains.
    mutating func step(
      exaggeration: Double, momentum: Double, hasCost: Bool
    ) -> (cost: Double, norm: Double) {
      let (gradient, cost) = gradient(exaggeration: exaggeration, hasCost: hasCost)
      let turns = Plain.less(update * gradient, gradient.zerosLike())
      gains = Self.select(turns, gains + 0.2, gains * 0.8).clamped(0.01, nil)
      let gained = gradient * gains
      update = update * momentum - gained * rate
      points = points + update
      return (cost, hasCost ? gained.squared().sum().item(Double.self).squareRoot() : .nan)
    }

    /// The gradient `[images, 2]` of KL with exaggerated affinities, and KL in nats.
    ///
    /// 4(e Σ_j p w (y_i − y_j) − Σ_j w² (y_i − y_j)/Z) with w = (1 + ‖y_i − y_j‖²)⁻¹ and Z = Σ w; the cost is
    /// e(Σ p ln p + ln e − Σ p ln w + ln Z).
    func gradient(exaggeration: Double, hasCost: Bool) -> (gradient: Tensor, cost: Double) {
      let count = points.shape[0]
      let norms = points.squared().sum(over: [1], keeping: true)
      let one = norms.zerosLike() + 1.0
      let left = Tensor.concatenated([points * -2.0, norms + 1.0, one], 1)
      let right = Tensor.concatenated([points, one, norms], 1).transposed().contiguous()
      let weighed = Tensor.concatenated([points, one], 1)
      var (total, spread) = (0.0, 0.0)
      var (pulls, pushes): ([Tensor], [Tensor]) = ([], [])
      for start in stride(from: 0, to: count, by: size) {
        let end = min(start + size, count)
        let near = affinities.matrix.sliced(0, start, end)
        let weights = room.weights.sliced(0, 0, end - start)
        let forces = room.forces.sliced(0, 0, end - start)
        _ = Self.product(left.sliced(0, start, end), right, weights)
        if hasCost { spread += (weights.logarithm() * near).sum().item(Double.self) }
        _ = Self.reciprocal(weights)
        _ = InPlace.fill(Self.diagonal(weights.sliced(1, start, end), 0, 0, 1), 0.0)
        total += weights.sum().item(Double.self)
        pulls.append(Self.multiply(weights, near, forces).times(weighed))
        pushes.append(Self.times(weights, weights).times(weighed))
      }
      func force(_ parts: [Tensor]) -> Tensor {
        let sums = Tensor.concatenated(parts, 0)
        return points * sums.sliced(1, 2, 3) - sums.sliced(1, 0, 2)
      }
      let gradient = (force(pulls) * exaggeration - force(pushes) / total) * 4.0
      let cost =
        hasCost
        ? exaggeration * (affinities.entropy + log(exaggeration * total) + spread)
        : .nan
      return (gradient, cost)
    }
  }
}
