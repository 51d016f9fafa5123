import ParallaxResults
import ParallaxTensors

/// What linear CKA of any subset of a layer's heads with layers of other networks needs, by minibatches.
///
/// Features side by side have the sum of their Gram matrices, and U-centring is linear. So the products of single heads give
/// all subsets:
///
///     M_ab = ⟨Ũ_a, Ũ_b⟩ / (n (n − 3)) of a block of n images, summed over blocks
///     HSIC₁(S, L) = Σ_(h ∈ S) M_hL,  HSIC₁(S, S) = Σ_(h, h' ∈ S) M_hh'
///
/// > Source: Song et al., 2012, for HSIC₁; Nguyen et al., 2021, arXiv 2010.15327, for sums over minibatches.
struct HeadProducts {
  /// Heads come first in rows and columns of M, then layers.
  let heads: Int
  let layers: Int
  /// M of each finished block of at least four images, row by row.
  private(set) var blocks: [[Double]] = []
  private var open: [Tensor?] = []

  private var side: Int { heads + layers }

  init(heads: Int, layers: Int) { (self.heads, self.layers) = (heads, layers) }

  mutating func begin() { open = Array(repeating: nil, count: side) }

  /// Outputs of all heads, side by side: `[images, heads · width]`.
  mutating func add(heads features: Tensor) {
    for (head, part) in features.reshaped(features.shape[0], heads, -1).unbound(1).enumerated() {
      open[head] = Self.centredGram(part)
    }
  }

  /// A layer's U-centred Gram matrix.
  mutating func add(layer: Int, _ gram: Tensor) { open[heads + layer] = gram }

  mutating func finish() {
    let grams = open.compactMap(\.self)
    open = []
    guard grams.count == side, let images = grams.first?.shape[0], images > 3 else { return }
    let rows = Tensor.stacked(grams.map { $0.reshaped(-1) })
    let products = rows.times(rows.transposed()) / Double(images * (images - 3))
    blocks.append(products.scalars(Double.self))
  }

  /// The U-centred Gram matrix of features `[images, width]`, with zeros on the diagonal, in float64 on the processor.
  static func centredGram(_ features: Tensor) -> Tensor {
    let x = features.to(.float32)
    let shifted = x - x.sliced(0, 0, 1)
    let centred = shifted - shifted.mean(over: [0], keeping: true)
    let n = features.shape[0]
    let apart = Tensor.identity(n, .float64) * -1 + 1
    let gram = centred.times(centred.transposed()).to(.cpu).to(.float64) * apart
    guard n > 3 else { return gram }
    let sums = gram.sum(over: [1], keeping: true) / Double(n - 2)
    let share = sums - sums.sum() / Double(2 * (n - 1))
    return (gram - share - share.transposed()) * apart
  }

  /// Linear CKA of some heads side by side with a layer.
  ///
  /// - Parameters:
  ///   - chosen: the heads.
  ///   - layer: the layer's number.
  ///   - left: a block that is left out; nil for none.
  /// - Returns: nil where either has no self-similarity.
  func cka(_ chosen: [Int], layer: Int, without left: Int? = nil) -> Double? {
    var (cross, own, other) = (0.0, 0.0, 0.0)
    let place = heads + layer
    for (index, block) in blocks.enumerated() where index != left {
      for a in chosen {
        cross += block[a * side + place]
        for b in chosen { own += block[a * side + b] }
      }
      other += block[place * side + place]
    }
    guard own > 0, other > 0 else { return nil }
    return cross / (own * other).squareRoot()
  }

  /// What must be kept to go on.
  func state(_ name: String) -> [(name: String, tensor: Tensor)] {
    guard !blocks.isEmpty else { return [] }
    return [(name, Tensor(blocks.flatMap(\.self), shape: [blocks.count, side * side]))]
  }

  /// Whether a state could be used.
  mutating func restore(_ tensor: Tensor?) -> Bool {
    guard let tensor else {
      blocks = []
      return true
    }
    guard tensor.rank == 2, tensor.shape[1] == side * side, tensor.dtype == .float64 else {
      return false
    }
    let values = tensor.contiguous().scalars(Double.self)
    blocks = (0..<tensor.shape[0]).map {
      Array(values[($0 * side * side)..<(($0 + 1) * side * side)])
    }
    return true
  }
}
