import ParallaxTensors

/// What keeps pictures in range and near their sources.
struct MatchBounds {
  private let sources: Tensor
  private let low: Tensor?
  private let high: Tensor?
  private let ball: MatchRecipe.Ball?
  /// What a pixel of 0 to 1 is in the recipe's unit, `[1, channels, 1, 1]`.
  let scale: Tensor

  /// Bounds of a recipe.
  ///
  /// - Parameters:
  ///   - recipe: which.
  ///   - sources: x₀ in the recipe's unit.
  ///   - scale: what a pixel of 0 to 1 is in that unit, for each channel.
  ///   - offset: the numbers of a black pixel.
  init(_ recipe: MatchRecipe, _ sources: Tensor, scale: [Double], offset: [Double]) {
    func row(_ values: [Double]) -> Tensor {
      Tensor(values, shape: [1, values.count, 1, 1]).to(sources.dtype).to(sources.device)
    }
    (self.sources, ball, self.scale) = (sources, recipe.ball, row(scale))
    switch recipe.clamp {
    case .none: (low, high) = (nil, nil)
    case .unit: (low, high) = (row(offset), row(zip(offset, scale).map { $0 + $1 }))
    case .source:
      let images = sources.unbound(0)
      low = Tensor.stacked(images.map { $0.minimum() }).reshaped(-1, 1, 1, 1)
      high = Tensor.stacked(images.map { $0.maximum() }).reshaped(-1, 1, 1, 1)
    }
  }

  /// The nearest pictures within the bounds: first the ball, then the range.
  ///
  /// - Parameters:
  ///   - pictures: some of the batch.
  ///   - rows: their places in it.
  /// - Returns: the pictures, moved where they have to be.
  func of(_ pictures: Tensor, _ rows: [Int]) -> Tensor {
    var bounded = pictures
    let sources = sources.gathered(0, rows)
    switch ball {
    case .maximum(let radius):
      let reach = scale * radius
      bounded = Self.clamped(bounded, sources - reach, sources + reach)
    case .euclidean(let radius):
      let change = (bounded - sources) / scale
      let length = change.squared().sum(over: [1, 2, 3], keeping: true).squareRoot()
      // min(1, ε/‖Δ‖), without a division by 0.
      let share = (length + 1e-12).power(-1) * radius
      bounded = sources + change * share.clamped(nil, 1) * scale
    case nil: break
    }
    if let low, let high {
      // A pair for all images, or one each.
      let (low, high) =
        low.shape[1] > 1 ? (low, high) : (low.gathered(0, rows), high.gathered(0, rows))
      bounded = Self.clamped(bounded, low, high)
    }
    return bounded
  }

  /// The smallest and the largest number that each of a picture's may have, where the ball is none of all pixels together.
  ///
  /// - Parameter rows: pictures' places in the batch.
  /// - Returns: of the pictures' shape; infinite where there is no bound.
  func box(_ rows: [Int]) -> (low: Tensor, high: Tensor) {
    let own = sources.gathered(0, rows)
    var (least, most) = (
      own.zerosLike() + -Double.infinity, own.zerosLike() + Double.infinity
    )
    if case .maximum(let radius) = ball {
      (least, most) = (own - scale * radius, own + scale * radius)
    }
    guard let low, let high else { return (least, most) }
    let (a, b) =
      low.shape[1] > 1 ? (low, high) : (low.gathered(0, rows), high.gathered(0, rows))
    return (EquivalenceOperators.maximum(least, a), EquivalenceOperators.minimum(most, b))
  }

  /// Pictures as they are after 8 bits a channel: the nearest that are, or of a recipe with a ball the nearest towards their sources, which
  /// stay in it.
  ///
  /// - Parameters:
  ///   - pictures: `[batch, 3, height, width]`, pixels of 0 to 1.
  ///   - sources: the same shape, with 8 bits a channel.
  ///   - ball: nil for none.
  /// - Returns: pixels in steps of 1/255.
  static func quantised(_ pictures: Tensor, from sources: Tensor, in ball: MatchRecipe.Ball?)
    -> Tensor
  {
    let nearest = PictureShelf.quantised(pictures)
    // Steps of 1/255 from the source, a little more than rounding away from whole ones.
    let steps = (nearest - sources) * 255.0
    switch ball {
    case nil: return nearest
    case .maximum(let radius):
      let most = (radius * 255 + 1e-4).rounded(.down)
      return PictureShelf.quantised(sources + steps.clamped(-most, most) / 255)
    case .euclidean(let radius):
      func inside(_ change: Tensor) -> Tensor {
        let length = change.squared().sum(over: [1, 2, 3], keeping: true).squareRoot() / 255
        let share = (length + 1e-12).power(-1) * radius
        return change * share.clamped(nil, 1)
      }
      func whole(_ change: Tensor) -> Tensor {
        EquivalenceOperators.truncated(change + EquivalenceOperators.sign(change) * 1e-3)
      }
      // Shortened first; what is then cut off can only shorten it further.
      let kept = whole(inside((pictures.clamped(0, 1) - sources) * 255.0))
      return PictureShelf.quantised(sources + whole(inside(kept)) / 255)
    }
  }

  private static func clamped(_ x: Tensor, _ low: Tensor, _ high: Tensor) -> Tensor {
    EquivalenceOperators.clamp(x, low, high)
  }
}

/// The operators of this folder, each looked up once.
enum EquivalenceOperators {
  static let clamp = Operator("aten::clamp.Tensor")
  static let sign = Operator("aten::sign")
  static let masked = Operator("aten::masked_fill.Scalar")
  static let greater = Operator("aten::gt.Tensor")
  static let truncated = Operator("aten::trunc")
  static let maximum = Operator("aten::maximum")
  static let minimum = Operator("aten::minimum")
  static let atMost = Operator("aten::le.Tensor")
  static let atLeast = Operator("aten::ge.Tensor")
}
