import Foundation
import ParallaxTensors

/// The intrinsic multi-scale distance: how differently heat spreads on the two sides' neighbour graphs.
///
/// max_t e^(−2(t+1/t)) |h_X(t) − h_Y(t)| · 10⁶, h(t) = tr e^(−tL)/N, at 256 times from 0.1 to 10, evenly
/// spaced in their logarithm. L is the normalised Laplacian of the graph that joins every image with its k
/// nearest (Euclidean, in float64, the image itself not among them) in either direction, all edges weighing
/// 1. The images of the two sides need not be the same, nor as many.
///
/// The traces are exact by default. The authors' implementation estimates them with 100 random probes,
/// whose noise is of the size of the distances between layers (30 against 12 on the tests' sixty images),
/// and biases a maximum of absolute differences upwards; ReSi takes 8000 probes and the mean of five runs.
/// `.lanczos()` is the authors' recipe with a seed, for more images than all eigenvalues can be computed of;
/// both sides see the same seed (0 unless another is given), so that a representation is 0 from itself.
///
/// Exact values agree with NumPy's by the definition to 12 digits, and the authors' recipe, as piq's `MSID`
/// has it, comes to them within its noise: to 0.001 of h with twenty thousand probes.
///
/// > Source: Tsitsulin et al., 2020, arXiv 1905.11141.
public struct IMD: Measure {
  /// k: how many nearest images each is joined with.
  public let neighbours: Int
  /// How traces are computed.
  public let trace: HeatTrace

  /// The times t of the authors: 256 from 0.1 to 10.
  static let times = (0..<256).map { pow(10, -1 + 2 * Double($0) / 255) }

  /// The distance on graphs of k neighbours.
  ///
  /// - Precondition: there is a neighbour; with Lanczos, a step and a probe.
  public init(neighbours: Int = 5, trace: HeatTrace = .exact) {
    precondition(neighbours >= 1, "at least one neighbour, found \(neighbours)")
    if case .lanczos(let steps, let probes, _) = trace {
      precondition(steps >= 1 && probes >= 1, "at least one step and one probe")
    }
    (self.neighbours, self.trace) = (neighbours, trace)
  }

  /// `imd`, `imd-k-7`, `imd-lanczos-10-100`, `imd-lanczos-10-100-seed-3`.
  public var name: String {
    "imd" + (neighbours == 5 ? "" : "-k-\(neighbours)") + (trace == .exact ? "" : "-\(trace)")
  }
  /// A distance, in millionths.
  public var direction: Direction { .distance }
  /// |h_X − h_Y| = |h_Y − h_X|.
  public var isSymmetric: Bool { true }
  /// A weighted maximum norm of a difference; representations with the same traces are 0 apart.
  public var isMetric: Bool { true }
  /// Whether random probes take part.
  public var isRandom: Bool { trace != .exact }
  /// What leaves everybody's nearest neighbours as they are.
  public var invariances: Invariance { [.translation, .scaling, .permutation, .orthogonal] }
  /// From 0 to 10⁶e⁻⁴: the weight is largest at t = 1, and exact h lie between 0 and 1.
  public var range: ClosedRange<Double> { 0...(1e6 * exp(-4)) }
  /// The graph, and all its eigenvalues or some products with it.
  public var cost: String {
    switch trace {
    case .exact: "N²D + N³ once a representation"
    case .lanczos(let steps, let probes, _):
      "N²D + \(2 * steps * (steps + neighbours) * probes)·N once a representation"
    }
  }
  /// Heat traces do not know which row was whose.
  public var needsPairing: Bool { false }
  /// All neighbours must exist.
  public var fewestImages: Int { neighbours + 1 }
  /// The paper.
  public var source: String { "Tsitsulin et al., 2020, arXiv 1905.11141" }
  /// What it was compared with.
  public var agreesWith: String {
    trace == .exact
      ? "NumPy, by the definition, to 12 digits in float64"
      : "piq 0.8.0 (MSID), within the noise of the probes"
  }

  /// What the distance keeps of a representation: the trace at every time.
  public struct Summary: Sendable, Hashable {
    /// The number of images.
    public let images: Int
    /// The element type of the features.
    public let precision: DType
    /// How the traces were computed, and on what graph.
    public let recipe: String
    /// tr e^(−tL)/N at the 256 times.
    public let traces: [Double]
  }

  /// The heat traces.
  ///
  /// - Parameter features: `[images, width]`, more images than neighbours.
  /// - Returns: 256 numbers.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite` or `.constant`; `TensorError.operation` where LAPACK
  ///   does not converge.
  public func summary(of features: Tensor) throws -> Summary {
    let precision = try Checked.precision(of: features, atLeast: fewestImages, measure: name)
    let graph = try NeighbourGraph(features, neighbours: neighbours, measure: name)
    return Summary(
      images: features.shape[0], precision: precision,
      recipe: "\(precision) \(neighbours) neighbours \(trace)",
      traces: try trace(graph, times: Self.times))
  }

  /// The same exact traces in any order; nil where images are left out, or where probes meet others.
  public func selected(_ summary: Summary, _ images: ImageSelection) -> Summary? {
    images.isWhole && !isRandom ? summary : nil
  }

  /// The largest weighted difference of the traces, times 10⁶.
  ///
  /// - Throws: `MeasureError.summaries` where the element types or the recipes differ.
  public func similarity(_ a: Summary, _ b: Summary) throws -> Double {
    guard a.recipe == b.recipe else {
      throw MeasureError.summaries(measure: name, left: a.recipe, right: b.recipe)
    }
    let differences = Self.times.indices.map { index in
      let t = Self.times[index]
      return exp(-2 * (t + 1 / t)) * abs(a.traces[index] - b.traces[index])
    }
    return 1e6 * (differences.max() ?? 0)
  }
}
