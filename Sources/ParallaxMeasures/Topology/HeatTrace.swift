import Foundation
import ParallaxTensors

/// How the trace of the heat kernel, tr e^(−tL), is computed.
public enum HeatTrace: Sendable, Hashable, CustomStringConvertible {
  /// From all eigenvalues; N³.
  case exact
  /// Stochastic Lanczos quadrature: Gaussian probes of length one, so many steps for each. The seed is fixed: the
  /// same features give the same traces.
  case lanczos(steps: Int = 10, probes: Int = 100, seed: UInt64 = 0)

  /// `exact`, or `lanczos-10-100` with the steps and the probes; `lanczos-10-100-seed-3` with another seed than 0.
  public var description: String {
    switch self {
    case .exact: "exact"
    case .lanczos(let steps, let probes, let seed):
      "lanczos-\(steps)-\(probes)" + (seed == 0 ? "" : "-seed-\(seed)")
    }
  }

  /// tr e^(−tL)/N at every time, L being a normalised Laplacian.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  func callAsFunction(_ graph: NeighbourGraph, times: [Double]) throws -> [Double] {
    switch self {
    case .exact:
      let eigenvalues = try graph.eigenvalues()
      return times.map { t in
        eigenvalues.reduce(0) { $0 + exp(-t * $1) } / Double(graph.images)
      }
    case .lanczos(let steps, let probes, let seed):
      let rules = try Lanczos(
        graph, steps: min(steps, graph.images), probes: probes, seed: seed)
      // tr L = N is known: its estimate's error is taken off with the weight te^(−t), as in the authors' code.
      let mean = rules.mean { $0 }
      return times.map { t in
        rules.mean { ($0 * -t).exponential() } + t * exp(-t) * (mean - 1)
      }
    }
  }
}

/// Gauss quadrature rules of a Laplacian's spectral measure, one a random probe.
///
/// The Krylov bases are made orthogonal anew, twice, in every step. A probe whose Krylov space is exhausted
/// stops there, and its rule is exact.
///
/// > Source: Ubaru et al., 2017, "Fast estimation of tr(f(A)) via stochastic Lanczos quadrature".
struct Lanczos: Sendable {
  /// Nodes and weights of all rules; the weights of all sum to 1.
  private let nodes: Tensor
  private let weights: Tensor

  private static let addRows = Operator("aten::index_add")

  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  init(_ graph: NeighbourGraph, steps: Int, probes: Int, seed: UInt64) throws {
    let n = graph.images
    let rows = Tensor(graph.rows.map(Int64.init), shape: [graph.rows.count])
    let columns = Tensor(graph.columns.map(Int64.init), shape: [graph.columns.count])
    let values = Tensor(graph.values, shape: [graph.values.count, 1])
    // L v = v + Σ over edges: `[images, probes]` → `[images, probes]`.
    func product(_ v: Tensor) -> Tensor {
      Self.addRows(v, 0, rows, v.gathered(0, columns) * values)
    }

    let start = RandomSource(seed: seed).normal([n, probes]).to(.float64)
    var v = start / start.norm(over: [0], keeping: true)
    var basis: [Tensor] = []
    var tridiagonal = [Double](repeating: 0, count: probes * steps * steps)
    for step in 0..<steps {
      basis.append(v)
      var w = product(v)
      let alpha = (w * v).sum(over: [0]).scalars(Double.self)
      for _ in 0..<2 {
        for u in basis { w = w - u * (u * w).sum(over: [0], keeping: true) }
      }
      var beta = w.norm(over: [0]).scalars(Double.self)
      // L has norm 2 at most: what is left below n rounding errors is no direction any more.
      let exhausted = Double(n) * Double.ulpOfOne
      let inverse = beta.map { $0 > exhausted ? 1 / $0 : 0 }
      beta = beta.map { $0 > exhausted ? $0 : 0 }
      for probe in 0..<probes {
        let corner = probe * steps * steps + step * steps + step
        tridiagonal[corner] = alpha[probe]
        guard step + 1 < steps else { continue }
        tridiagonal[corner + 1] = beta[probe]
        tridiagonal[corner + steps] = beta[probe]
      }
      v = w * Tensor(inverse, shape: [1, probes])
    }

    let solved = try Decomposition.eigen(Tensor(tridiagonal, shape: [probes, steps, steps]))
    nodes = solved.values
    weights = solved.vectors.selected(1, 0).squared() / Double(probes)
  }

  /// The mean of f over the spectral measure: an estimate of tr f(L)/N.
  func mean(_ f: (Tensor) -> Tensor) -> Double {
    (weights * f(nodes)).sum().item(Double.self)
  }
}
