import ParallaxTensors

/// What debiased linear CKA of every token with every patch needs, by minibatches.
///
/// Of a block of n images each token and each patch has one U-centred Gram matrix, a row of n² numbers; all pairs are one product:
///
///     M = V_tokens · V_patchesᵀ / (n (n − 3)),  CKA_tp = ΣM_tp / √(Σ‖v_t‖² · Σ‖v_p‖²),  three sums over blocks first
///
/// > Source: Song et al., 2012, for HSIC₁; Nguyen et al., 2021, arXiv 2010.15327, for sums over minibatches.
struct PatchProducts {
  private static let root = Operator("aten::sqrt")

  let groups: Int
  let tokens: Int
  let patches: Int
  /// Σ HSIC₁ of tokens with patches, `[groups, tokens, patches]` float64.
  private(set) var cross: Tensor
  /// Of tokens with themselves, `[groups, tokens]`.
  private(set) var own: Tensor
  /// Of patches with themselves, `[groups, patches]`.
  private(set) var other: Tensor

  init(groups: Int, tokens: Int, patches: Int) {
    (self.groups, self.tokens, self.patches) = (groups, tokens, patches)
    cross = Tensor.zeros([groups, tokens, patches], .float64)
    own = Tensor.zeros([groups, tokens], .float64)
    other = Tensor.zeros([groups, patches], .float64)
  }

  /// The U-centred Gram matrices of vectors `[images, places, width]` as rows `[places, images²]`, float64 on the processor.
  static func rows(_ vectors: Tensor) -> Tensor {
    let x = vectors.to(.float32).transposed(0, 1)  // [places, n, width]
    let shifted = x - x.sliced(1, 0, 1)
    let centred = shifted - shifted.mean(over: [1], keeping: true)
    let n = vectors.shape[0]
    let apart = Tensor.identity(n, .float64) * -1 + 1
    let gram = centred.times(centred.transposed()).to(.cpu).to(.float64) * apart
    let sums = gram.sum(over: [2], keeping: true) / Double(n - 2)
    let share = sums - sums.sum(over: [1], keeping: true) / Double(2 * (n - 1))
    return ((gram - share - share.transposed()) * apart).reshaped(x.shape[0], n * n)
  }

  /// Adds a block of images to its group.
  ///
  /// - Parameters:
  ///   - left: rows of the tokens.
  ///   - right: rows of the patches.
  ///   - images: how many there are, four at least.
  ///   - group: the block's number mod `groups`.
  mutating func add(_ left: Tensor, _ right: Tensor, images: Int, group: Int) {
    let factor = 1 / Double(images * (images - 3))
    let place = Tensor([Int64(group)], shape: [1])
    let addAt = Operator("aten::index_add")
    cross = addAt(cross, 0, place, (left.times(right.transposed()) * factor).unsqueezed(0))
    own = addAt(own, 0, place, (left.squared().sum(over: [1]) * factor).unsqueezed(0))
    other = addAt(other, 0, place, (right.squared().sum(over: [1]) * factor).unsqueezed(0))
  }

  /// CKA of all tokens with all patches, of all blocks and without each of some groups, `[1 + groups used, tokens, patches]`;
  /// NaN where a side does not vary.
  func cka(leavingOut used: [Int]) -> Tensor {
    func values(_ cross: Tensor, _ own: Tensor, _ other: Tensor) -> Tensor {
      cross / (own.unsqueezed(2) * other.unsqueezed(1)).squareRoot()
    }
    let totals = [cross, own, other].map { $0.sum(over: [0], keeping: true) }
    let all = values(totals[0], totals[1], totals[2])
    guard used.count > 1 else { return all }
    let left = [cross, own, other].enumerated().map { totals[$0] - $1.gathered(0, used) }
    return Tensor.concatenated([all, values(left[0], left[1], left[2])], 0)
  }

  func state(_ name: String) -> [(name: String, tensor: Tensor)] {
    [("\(name).cross", cross), ("\(name).own", own), ("\(name).other", other)]
  }

  /// Goes on from a state; false where it does not fit, and then nothing has changed.
  mutating func restore(_ state: [String: Tensor], _ name: String) -> Bool {
    guard let cross = state["\(name).cross"], let own = state["\(name).own"],
      let other = state["\(name).other"], cross.shape == self.cross.shape,
      own.shape == self.own.shape, other.shape == self.other.shape,
      [cross, own, other].allSatisfy({ $0.dtype == .float64 })
    else { return false }
    (self.cross, self.own, self.other) = (cross, own, other)
    return true
  }
}
