import Foundation
import ParallaxTensors

/// How well one embedding of one image follows another, number by number: Pearson's and Spearman's correlation, and the ratio of the
/// signal to the noise.
///
/// SNR = 10 · log10(‖s‖₂ / ‖s − ŝ‖₂) dB with the signal s as it is. It is ten times the logarithm of a ratio of norms, not of
/// powers: half of what is usual.
///
/// Accuracy: 1e-9 of SciPy's `pearsonr` and `spearmanr`, in float64 whatever comes in.
///
/// > Source: Feather, Leclerc, Mądry and McDermott, 2023, Model metamers reveal divergent invariances between biological and artificial
/// > neural networks, doi 10.1038/s41593-023-01442-0, and their programs.
public struct EmbeddingAgreement: Equatable, Sendable {
  /// Pearson's correlation; nil where a side does not vary.
  public var pearson: Double?
  /// Spearman's correlation, ties by mean ranks; nil where a side does not vary.
  public var spearman: Double?
  /// The ratio in dB; nil where both are the same or the signal is 0.
  public var decibels: Double?

  /// One side, ready to be held against others.
  public struct Side: Sendable {
    let values: Tensor
    let centred: Tensor
    let ranks: Tensor
    let norms: (centred: Double, ranks: Double)

    /// An embedding.
    ///
    /// - Parameter embedding: its numbers, of any shape, at least one.
    public init(_ embedding: Tensor) {
      let flat = embedding.to(.float64).reshaped(-1).to(.cpu)
      (values, centred) = (flat, flat - flat.mean())
      ranks = Tensor(TiedOrder(flat).centredRanks, shape: [flat.count])
      func norm(_ tensor: Tensor) -> Double { tensor.norm(over: [0]).item(Double.self) }
      // What the mean leaves of equal numbers is rounding.
      let least = 1e-13 * norm(flat)
      norms = (norm(centred) > least ? norm(centred) : 0, norm(ranks))
    }
  }

  /// What agrees; nil where one side has more numbers than the other.
  ///
  /// - Parameters:
  ///   - found: ŝ.
  ///   - signal: s.
  public init?(_ found: Side, of signal: Side) {
    guard found.values.count == signal.values.count else { return nil }
    func correlation(_ a: Tensor, _ b: Tensor, _ scale: Double) -> Double? {
      scale > 0 ? min(1, max(-1, (a * b).sum().item(Double.self) / scale)) : nil
    }
    pearson = correlation(found.centred, signal.centred, found.norms.centred * signal.norms.centred)
    spearman = correlation(found.ranks, signal.ranks, found.norms.ranks * signal.norms.ranks)
    let size = signal.values.norm(over: [0]).item(Double.self)
    let gap = (signal.values - found.values).norm(over: [0]).item(Double.self)
    decibels = size > 0 && gap > 0 ? 10 * log10(size / gap) : nil
  }
}
