import ParallaxTensors

/// Multinomial logistic regression with an L2 penalty, minimised by L-BFGS in float64.
///
///     min over W, b of  Σ_i −ln softmax(W x_i + b)[y_i] + ½ λ ‖W‖²,
///
/// the intercepts not penalised. That is scikit-learn's `LogisticRegression(C=1/λ)` for three classes and more; for two, its W is
/// one row, ours two opposite ones, which is its own with 2λ. Features are taken as they come: standardise them first.
///
/// Where there are more features than images, W lies in the images' span, and the minimum is found in their coordinates: the same
/// numbers from `[images, images]`.
///
/// Agrees with scikit-learn's `LogisticRegression` to 1e-6 of the largest weight.
///
/// > Source: Liu and Nocedal, 1989, On the limited memory BFGS method for large scale optimization (10 pairs; the step is halved
/// > until the loss falls enough).
public struct LogisticProbe: Sendable, Hashable {
  /// λ.
  public let penalty: Double
  /// The largest component of the gradient that counts as none, per image.
  public let tolerance: Double
  /// Iterations at most.
  public let limit: Int

  /// A probe.
  ///
  /// - Parameters:
  ///   - penalty: λ, positive.
  ///   - tolerance: the largest component of the gradient at the end, divided by the number of images.
  ///   - limit: iterations at most.
  /// - Precondition: all are positive.
  public init(penalty: Double = 1, tolerance: Double = 1e-9, limit: Int = 2000) {
    precondition(
      penalty > 0 && tolerance > 0 && limit > 0, "LogisticProbe: expected positive numbers")
    (self.penalty, self.tolerance, self.limit) = (penalty, tolerance, limit)
  }

  /// `logistic-probe`, as errors call it.
  public static var name: String { "logistic-probe" }

  /// A minimum.
  public struct Fit: Sendable {
    /// W, `[width, classes]`, float64.
    public let weights: Tensor
    /// b, `[classes]`; their sum is 0.
    public let intercepts: Tensor
    /// The loss there, penalty included.
    public let loss: Double
    /// The largest component of its gradient, divided by the number of images.
    public let gradient: Double
    /// How many iterations it took.
    public let iterations: Int

    /// XW + b: `[images, classes]`.
    public func scores(of features: Tensor) -> Tensor {
      Gram.widened(features).times(weights) + intercepts
    }

    /// The classes with the largest scores; of equal ones the first.
    public func classes(of features: Tensor) -> [Int] {
      scores(of: features).argmax(1).scalars(Int64.self).map(Int.init)
    }
  }

  /// Fits.
  ///
  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - labels: of each image its class, from 0.
  ///   - classes: how many there are.
  /// - Returns: the minimum.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.unequalCounts`, and `.undefined` where the limit is reached;
  ///   `TensorError.operation` where LAPACK does not converge.
  public func fit(_ features: Tensor, labels: [Int], classes: Int) throws -> Fit {
    let images = try Checked.images(of: features, atLeast: 2, measure: Self.name)
    try ProbeLabels.check(labels, classes: classes, images: images, Self.name)
    let x = Gram.widened(features)
    guard x.squared().sum().isFinite() else { throw MeasureError.notFinite(measure: Self.name) }
    // X = F·Bᵀ with the images' coordinates F and an orthonormal basis B of their span.
    var coordinates = x
    var basis: Tensor?
    if x.shape[1] > images {
      let (values, vectors) = try Decomposition.eigen(x.times(x.transposed()))
      let numbers = values.scalars(Double.self)
      let least = (numbers.last ?? 0) * 1e-13 * Double(images)
      let kept = numbers.indices.filter { numbers[$0] > least }
      if !kept.isEmpty {
        let lengths = values.gathered(0, kept).squareRoot()
        let own = vectors.gathered(1, kept)
        coordinates = own * lengths
        basis = x.transposed().times(own / lengths)
      }
    }
    let targets =
      (try ProbeLabels.targets([labels], classes: classes, images: images, measure: Self.name)
        .to(x.device) + 1) / 2
    let problem = LogisticLoss(features: coordinates, targets: targets, penalty: penalty)
    let minimum = LBFGS(limit: limit, tolerance: tolerance * Double(images)).minimum(
      of: problem.callAsFunction,
      from: Tensor.zeros([coordinates.shape[1] + 1, classes], .float64).to(x.device))
    guard let minimum else {
      throw MeasureError.undefined(
        measure: Self.name,
        problem:
          "no minimum within \(limit) iterations at λ = \(penalty); a larger λ has one sooner")
    }
    let width = coordinates.shape[1]
    let inner = minimum.place.sliced(0, 0, width)
    return Fit(
      weights: basis.map { $0.times(inner) } ?? inner,
      intercepts: minimum.place.selected(0, width), loss: minimum.value,
      gradient: minimum.gradient / Double(images), iterations: minimum.iterations)
  }
}

/// The penalised loss and its gradient at `[width + 1, classes]`, the intercepts in the last row.
struct LogisticLoss {
  private static let logSoftmax = Operator("aten::log_softmax.int")
  let features: Tensor
  /// One-hot, `[images, classes]`.
  let targets: Tensor
  let penalty: Double

  func callAsFunction(_ place: Tensor) -> (value: Double, gradient: Tensor) {
    let width = features.shape[1]
    let weights = place.sliced(0, 0, width)
    let scores = features.times(weights) + place.selected(0, width)
    let logs = Self.logSoftmax(scores, 1, Absent.none)
    let loss = -(logs * targets).sum() + weights.squared().sum() * (penalty / 2)
    let miss = logs.exponential() - targets
    let gradient = Tensor.concatenated(
      [
        features.transposed().times(miss) + weights * penalty,
        miss.sum(over: [0], keeping: true),
      ], 0)
    return (loss.item(Double.self), gradient)
  }
}

/// Minimises a smooth convex function from its values and gradients.
struct LBFGS {
  private static let pairs = 10
  let limit: Int
  /// The largest component of the gradient at the end.
  let tolerance: Double

  /// A place where the gradient is as good as none.
  struct Minimum {
    var place: Tensor
    var value: Double
    var gradient: Double
    var iterations: Int
  }

  private static func dot(_ a: Tensor, _ b: Tensor) -> Double { (a * b).sum().item(Double.self) }

  /// The minimum; nil where the limit is reached, or no step leads farther down.
  func minimum(
    of function: (Tensor) -> (value: Double, gradient: Tensor), from start: Tensor
  ) -> Minimum? {
    var place = start
    var (value, gradient) = function(place)
    var history: [(step: Tensor, change: Tensor, rho: Double)] = []
    for iteration in 0...limit {
      let largest = gradient.absolute().maximum().item(Double.self)
      if largest <= tolerance {
        return Minimum(place: place, value: value, gradient: largest, iterations: iteration)
      }
      var direction = -Self.product(history, gradient)
      var slope = Self.dot(direction, gradient)
      if !(slope < 0) {
        history = []
        direction = -gradient
        slope = -Self.dot(gradient, gradient)
      }
      var length = history.isEmpty ? min(1, 1 / (-slope).squareRoot()) : 1.0
      var next: (place: Tensor, value: Double, gradient: Tensor)?
      for _ in 0..<40 {
        let there = place + direction * length
        let found = function(there)
        // Near the minimum the loss no longer tells; there a smaller slope does.
        let isFlat = abs(found.value - value) <= 1e-13 * max(1, abs(value))
        let isLower = found.value <= value + 1e-4 * length * slope
        if isLower || (isFlat && abs(Self.dot(direction, found.gradient)) <= 0.9 * abs(slope)) {
          next = (there, found.value, found.gradient)
          break
        }
        length /= 2
      }
      guard let next else {
        if history.isEmpty { return nil }
        history = []
        continue
      }
      let (step, change) = (next.place - place, next.gradient - gradient)
      let curvature = Self.dot(step, change)
      if curvature > 1e-300 {
        history.append((step, change, 1 / curvature))
        if history.count > Self.pairs { history.removeFirst() }
      }
      (place, value, gradient) = next
    }
    return nil
  }

  /// The inverse Hessian times a vector, by the two loops.
  private static func product(
    _ history: [(step: Tensor, change: Tensor, rho: Double)], _ vector: Tensor
  ) -> Tensor {
    var q = vector
    var factors: [Double] = []
    for pair in history.reversed() {
      let factor = pair.rho * dot(pair.step, q)
      factors.append(factor)
      q = q - pair.change * factor
    }
    if let last = history.last { q = q * (1 / (last.rho * dot(last.change, last.change))) }
    for (pair, factor) in zip(history, factors.reversed()) {
      q = q + pair.step * (factor - pair.rho * dot(pair.change, q))
    }
    return q
  }
}
