import Foundation
import ParallaxTensors

extension Swin {
  /// How a grid is cut into windows.
  struct Windows: Sendable {
    /// Tokens a side of a window.
    let side: Int
    /// How far the grid is shifted before it is cut.
    let shift: Int
    /// −100 where two tokens of a window were no neighbours before the shift `[windows, tokens, tokens]`;
    /// nil without a shift.
    let mask: Tensor?

    init(side: Int, shift: Int, grid: Int, _ device: Device) {
      (self.side, self.shift) = (side, shift)
      guard shift > 0 else {
        mask = nil
        return
      }
      let count = (grid + side - 1) / side
      let padded = count * side
      // The regions of the shifted grid, along one side: whole windows, and the two parts of the last.
      let regions = (0..<padded).map { $0 < padded - side ? 0 : $0 < padded - shift ? 1 : 2 }
      let both = regions.flatMap { row in regions.map { Float(3 * row + $0) } }
      let map = Tensor(both, shape: [1, padded, padded, 1])
      let ids = Self.cut(map, side).reshaped(count * count, side * side)
      let apart = (ids.unsqueezed(1) - ids.unsqueezed(2)).absolute().clamped(nil, 1)
      mask = (apart * -100).to(device)
    }

    /// `[b, h, w, c]` as windows `[b · windows, tokens, c]`, shifted, and padded to whole windows.
    func cut(_ x: Tensor) -> Tensor {
      let shifted = shift > 0 ? x.rolled([-shift, -shift], [1, 2]) : x
      let (below, right) = (
        (side - x.shape[1] % side) % side, (side - x.shape[2] % side) % side
      )
      let isWhole = below == 0 && right == 0
      return Self.cut(isWhole ? shifted : shifted.padded([0, 0, 0, right, 0, below]), side)
    }

    private static func cut(_ x: Tensor, _ side: Int) -> Tensor {
      let (b, h, w, c) = (x.shape[0], x.shape[1], x.shape[2], x.shape[3])
      return x.reshaped(b, h / side, side, w / side, side, c).permuted(0, 1, 3, 2, 4, 5)
        .reshaped(-1, side * side, c)
    }

    /// Where the tokens of each window lie in a grid of `grid` positions a side, and which regions they belong to.
    func places(grid: Int, step: Int) -> AttentionPlaces {
      let count = (grid + side - 1) / side
      let padded = count * side
      func region(_ place: Int) -> Int {
        place < padded - side ? 0 : place < padded - shift ? 1 : 2
      }
      var windows: [[AttentionPlaces.Place?]] = []
      var regions: [[Int]] = []
      for window in 0..<(count * count) {
        var places: [AttentionPlaces.Place?] = []
        var own: [Int] = []
        for token in 0..<(side * side) {
          let row = window / count * side + token / side
          let column = window % count * side + token % side
          own.append(3 * region(row) + region(column))
          // The grid is rolled, then padded.
          places.append(
            row < grid && column < grid
              ? AttentionPlaces.Place(row: (row + shift) % grid, column: (column + shift) % grid)
              : nil)
        }
        windows.append(places)
        regions.append(own)
      }
      return AttentionPlaces(
        windows: windows, regions: shift > 0 ? regions : [], rows: grid, columns: grid, step: step)
    }

    /// Windows put back to where `cut` took them from.
    func joined(_ windows: Tensor, like x: Tensor) -> Tensor {
      let (h, w, c) = (x.shape[1], x.shape[2], x.shape[3])
      let (rows, columns) = ((h + side - 1) / side, (w + side - 1) / side)
      let map = windows.reshaped(-1, rows, columns, side, side, c).permuted(0, 1, 3, 2, 4, 5)
        .reshaped(-1, rows * side, columns * side, c)
        .sliced(1, 0, h).sliced(2, 0, w)
      return shift > 0 ? map.rolled([shift, shift], [1, 2]) : map
    }
  }

  /// Where the tokens of a block's windows lie in the stage's grid: the shift is undone, and what was only padded has no place.
  ///
  /// - Parameters:
  ///   - site: `layers.S.blocks.B.attn.pattern`.
  ///   - height: of the images; `imageSize` is the only one.
  ///   - width: of the images.
  /// - Returns: nil for other sites.
  public func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    let parts = site.name.split(separator: ".")
    guard parts.count == 6, parts[0] == "layers", parts[2] == "blocks", parts[5] == "pattern",
      let stage = Int(parts[1]), let block = Int(parts[3]), stages.indices.contains(stage),
      stages[stage].blocks.indices.contains(block)
    else { return nil }
    var grid = configuration.imageSize / configuration.patch
    for _ in 0..<stage { grid = (grid + 1) / 2 }
    return stages[stage].blocks[block].windows.places(
      grid: grid, step: configuration.patch << stage)
  }

  /// Attention among the tokens of a window, with a bias for every offset.
  struct WindowAttention: Sendable {
    /// How queries and keys are compared.
    enum Comparison: Sendable {
      /// By their product over √d.
      case product
      /// By the cosine of their angle, times a number a head `[heads, 1, 1]`.
      case cosine(Tensor)
    }

    let weight: Tensor
    let bias: Tensor?
    let comparison: Comparison
    let table: Tensor
    let index: Tensor
    let projection: Linear
    let heads: Int

    init(
      _ w: Weights, _ width: Int, heads: Int, side: Int, pretrained: Int, isSecond: Bool,
      _ index: Tensor
    ) throws {
      (self.heads, self.index) = (heads, index)
      if isSecond {
        let joint = try KeylessBias(w, width)
        (weight, bias) = (joint.weight, joint.bias)
        // A temperature of at least 0.01.
        let scale = try w("logit_scale", heads, 1, 1).clamped(nil, 4.605_170_185_988_091)
        comparison = .cosine(scale.exponential())
        table = try Self.table(w["cpb_mlp"], heads, side: side, pretrained: pretrained)
      } else {
        let joint = try Linear(w["qkv"], width, 3 * width)
        (weight, bias, comparison) = (joint.weight, joint.bias, .product)
        table = try w("relative_position_bias_table", (2 * side - 1) * (2 * side - 1), heads)
      }
      projection = try Linear(w["proj"], width, width)
    }

    /// The second version's biases: 16·sigmoid(MLP(sign(d)·log₂(1 + |d|) / 3)) for each offset, d = ±8 at
    /// the ends.
    private static func table(
      _ w: Weights, _ heads: Int, side: Int, pretrained: Int
    ) throws -> Tensor {
      let end = Float(max((pretrained > 0 ? pretrained : side) - 1, 1))
      let places = ((1 - side)..<side).map { step in
        let d = Float(step) * 8 / end
        return d < 0 ? -log2(1 - d) / 3 : log2(1 + d) / 3
      }
      let offsets = places.flatMap { y in places.flatMap { x in [y, x] } }
      let d = Tensor(offsets, shape: [places.count * places.count, 2]).to(w.device)
      let first = try Linear(w["0"], 2, 512)
      let second = try Linear(w["2"], 512, heads, bias: false)
      return second(first(d).relu()).sigmoid() * 16
    }

    /// `[b · windows, tokens, c]` to the same shape.
    func callAsFunction(_ x: Tensor, _ mask: Tensor?, _ tap: Tap) -> Tensor {
      let parts = tap("qkv", x.linear(weight, bias), as: .windows).splitIntoHeads(heads, parts: 3)
      var scores = RelativePositions.bias(table, index, tokens: x.shape[1])  // [1, heads, n, n]
      if let mask {
        let (windows, n) = (mask.shape[0], mask.shape[1])
        scores = (scores + mask.unsqueezed(1)).unsqueezed(0)  // [1, windows, heads, n, n]
          .expanded(x.shape[0] / windows, windows, heads, n, n).reshaped(-1, heads, n, n)
      }
      var (q, k) = (parts[0], parts[1])
      var scale: Double?
      if case .cosine(let factors) = comparison {
        (q, k, scale) = (q.normalized() * factors, k.normalized(), 1)
      }
      let mixed = attended(q, k, parts[2], bias: scores, scale: scale, as: .windows, tap)
      return tap("proj", projection(mixed.joinedHeads()), as: .windows)
    }
  }
}

extension Tensor {
  /// x/‖x‖ over the last dimension, as PyTorch's `normalize`.
  fileprivate func normalized() -> Tensor {
    self / norm(over: [rank - 1], keeping: true).clamped(1e-12, nil)
  }
}
