import Foundation
import ParallaxModels
import ParallaxTensors

/// The mean distance in pixels between where a head looks from and where it looks to, and the entropy of its attention.
///
///     D_ij = P · ‖(row_i, column_i) − (row_j, column_j)‖₂
///     distance = mean over patch queries i of Σ_j A_ij D_ij
///     entropy = mean over patch queries i of −Σ_j A_ij ln A_ij
///
/// P is the patch's side in pixels; in a later stage of a hierarchical network, the pixels from one position to the next.
/// Class, register, distillation and padding tokens have no place: as queries they are left out, as keys their weight
/// counts nothing, so what remains sums to less than 1, unless it is renormalised. Inside windows distances are those of
/// the full grid, and masked pairs have no weight. The entropy is over all keys; 0 · ln 0 is 0.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 4, for the question; the formula as in sayakpaul/probing-vits,
/// > which the values agree with. That the weight of dropped keys is not renormalised is theirs too.
public struct AttentionDistance: Sendable {
  /// What becomes of the weight on keys that are no patches.
  public enum Others: String, Sendable, CaseIterable {
    /// It counts nothing, and the weights of the patches stay as they are.
    case dropped = "drop"
    /// The weights of the patches are divided by their sum.
    case renormalised = "renorm"
  }

  /// Where the tokens lie.
  public let places: AttentionPlaces
  /// What becomes of the weight on other keys.
  public let others: Others
  /// Whether entropies are computed.
  public let hasEntropy: Bool
  /// The distance in pixels that attention has which is the same for all keys that a query sees.
  public let uniformDistance: Double
  /// The entropy of the same, in nats.
  public let uniformEntropy: Double

  private let queries: Int
  /// `[windows, tokens · tokens]`, 0 where a token has no place or does not see the other; float32.
  private let table: Tensor
  /// The same in float64, on the processor.
  private let exact: Tensor
  /// 1 for tokens with a place `[windows, 1, tokens, 1]`.
  private let patches: Tensor

  /// The distance over some places.
  ///
  /// - Parameters:
  ///   - places: of the pattern's tokens.
  ///   - others: what becomes of the weight on keys without a place.
  ///   - hasEntropy: whether entropies are computed too.
  ///   - device: where patterns will lie.
  /// - Precondition: a token at least has a place.
  public init(
    _ places: AttentionPlaces, _ others: Others = .dropped, hasEntropy: Bool = true,
    on device: Device = .cpu
  ) {
    (self.places, self.others, self.hasEntropy) = (places, others, hasEntropy)
    let count = places.windows.first?.count ?? 0
    var table: [Double] = []
    table.reserveCapacity(places.windows.count * count * count)
    var (distance, nats, queries) = (0.0, 0.0, 0)
    for (window, tokens) in places.windows.enumerated() {
      for (i, from) in tokens.enumerated() {
        guard let from else {
          table += repeatElement(0, count: count)
          continue
        }
        var (sum, seen, patches) = (0.0, 0, 0)
        for (j, to) in tokens.enumerated() {
          guard places.sees(window, i, j) else {
            table.append(0)
            continue
          }
          seen += 1
          guard let to else {
            table.append(0)
            continue
          }
          patches += 1
          let (y, x) = (Double(from.row - to.row), Double(from.column - to.column))
          let d = Double(places.step) * (y * y + x * x).squareRoot()
          sum += d
          table.append(d)
        }
        distance += sum / Double(others == .dropped ? seen : patches)
        nats += log(Double(seen))
        queries += 1
      }
    }
    precondition(queries > 0, "AttentionDistance: no token has a place")
    self.queries = queries
    (uniformDistance, uniformEntropy) = (distance / Double(queries), nats / Double(queries))
    let windows = places.windows.count
    exact = Tensor(table, shape: [windows, count * count])
    self.table = exact.to(.float32).to(device)
    patches = Tensor(
      places.windows.flatMap { $0.map { Float($0 == nil ? 0 : 1) } },
      shape: [windows, 1, count, 1]
    ).to(device)
  }

  /// How many numbers an image has of so many heads.
  public func width(heads: Int) -> Int { hasEntropy ? 2 * heads : heads }

  /// The numbers of each image.
  ///
  /// - Parameter pattern: attention weights `[batch · windows, heads, tokens, tokens]`, queries before keys.
  /// - Returns: `[batch, heads]` distances in pixels, and behind them in the same rows as many entropies in nats.
  /// - Precondition: the pattern has the tokens and windows of `places`.
  /// - Complexity: one product with the table of distances; the entropy takes a logarithm of each weight. A few images at a
  ///   time, so that what is made of them stays in the cache and memory does not grow with the batch.
  public func callAsFunction(_ pattern: Tensor) -> Tensor {
    let windows = places.windows.count
    let images = pattern.shape[0] / windows
    let each = pattern.count / max(1, images)
    let step = max(1, Self.largest / max(1, each))
    guard images > step else { return numbers(pattern) }
    let parts = stride(from: 0, to: images, by: step).map { start in
      numbers(pattern.sliced(0, start * windows, min(images, start + step) * windows))
    }
    return Tensor.concatenated(parts, 0)
  }

  /// Weights that are looked at together: what is made of them stays in the cache, and little memory is taken.
  private static let largest = 1 << 20

  private func numbers(_ pattern: Tensor) -> Tensor {
    let weights = pattern.dtype == .float64 ? pattern : pattern.to(.float32)
    let distances = others == .dropped ? plain(weights) : renormalised(weights)
    return hasEntropy ? Tensor.concatenated([distances, entropies(weights)], 1) : distances
  }

  private func table(like weights: Tensor) -> Tensor {
    weights.dtype == .float64 ? exact.to(weights.device) : table
  }

  private func sizes(_ weights: Tensor) -> (batch: Int, windows: Int, heads: Int, tokens: Int) {
    let windows = places.windows.count
    return (weights.shape[0] / windows, windows, weights.shape[1], weights.shape[2])
  }

  private func plain(_ weights: Tensor) -> Tensor {
    let (batch, windows, heads, n) = sizes(weights)
    let table = table(like: weights)
    guard windows > 1 else {
      // Row by row: one long product in float32 would lose digits, and this one stays in the cache.
      return (weights * table.reshaped(n, n)).sum(over: [3]).sum(over: [2]) / Double(queries)
    }
    return weights.reshaped(batch, windows, heads, n * n).times(table.unsqueezed(2))
      .sum(over: [1, 3]) / Double(queries)
  }

  private func renormalised(_ weights: Tensor) -> Tensor {
    let (batch, windows, heads, n) = sizes(weights)
    let split = weights.reshaped(batch, windows, heads, n, n)
    let patches = patches.to(weights.dtype)
    let sums = (split * table(like: weights).reshaped(windows, 1, n, n)).sum(over: [4])
    // Rows that are no queries have sum 0, and must not be divided by 0.
    let isQuery = patches.squeezed(3)
    let mass = split.times(patches).squeezed(4) * isQuery + (isQuery * -1 + 1)
    return (sums / mass).sum(over: [1, 3]) / Double(queries)
  }

  private func entropies(_ weights: Tensor) -> Tensor {
    let (batch, windows, heads, n) = sizes(weights)
    // The least normal number stands for 0 in the logarithm alone: 0 · ln 0 is 0.
    let least = weights.dtype == .float64 ? Double.leastNormalMagnitude : 1.175_494_35e-38
    let logarithms = weights.clamped(least, nil).logarithm()
    let rows = (weights * logarithms).sum(over: [3]).reshaped(batch, windows, heads, n)
    return (rows * patches.to(weights.dtype).squeezed(3)).sum(over: [1, 3]) / Double(-queries)
  }
}
