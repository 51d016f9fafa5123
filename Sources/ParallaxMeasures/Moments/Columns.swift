import ParallaxTensors

/// Columns that are linear in a representation, XW: their rows where the images are known, W alone where only moments are.
///
/// Products of two such sides are all that the measures ask for: (XW)ᵀ(YV) = WᵀCV with C = XᵀY.
struct Columns: Sendable {
  private enum Form: Sendable {
    /// XW, `[images, columns]`.
    case rows(Tensor)
    /// W, `[width, columns]`.
    case weights(Tensor)
    /// Some neurons, each times a number.
    case neurons([Int], [Double])
  }

  private let form: Form
  private init(_ form: Form) { self.form = form }

  /// Columns whose rows are known.
  static func rows(_ tensor: Tensor) -> Columns { Columns(.rows(tensor)) }
  /// Columns as weights of the neurons, `[width, columns]`.
  static func weights(_ tensor: Tensor) -> Columns { Columns(.weights(tensor)) }
  /// Some neurons as columns, each times a number.
  static func neurons(_ chosen: [Int], times factors: [Double]) -> Columns {
    Columns(.neurons(chosen, factors))
  }

  /// The rows; nil where only moments are known.
  var rows: Tensor? {
    if case .rows(let tensor) = form { return tensor }
    return nil
  }

  /// The number of columns.
  var count: Int {
    switch form {
    case .rows(let tensor), .weights(let tensor): tensor.shape[1]
    case .neurons(let chosen, _): chosen.count
    }
  }

  /// The first columns.
  func first(_ count: Int) -> Columns {
    switch form {
    case .rows(let tensor): .rows(tensor.sliced(1, 0, count).contiguous())
    case .weights(let tensor): .weights(tensor.sliced(1, 0, count).contiguous())
    case .neurons(let chosen, let factors):
      .neurons(Array(chosen.prefix(count)), times: Array(factors.prefix(count)))
    }
  }

  /// The columns multiplied by one number each.
  func times(_ factors: [Double]) -> Columns {
    switch form {
    case .rows(let tensor): .rows(tensor.columns(times: factors))
    case .weights(let tensor): .weights(tensor.columns(times: factors))
    case .neurons(let chosen, let own): .neurons(chosen, times: zip(own, factors).map(*))
    }
  }

  /// The same columns with their images in another order.
  func selected(_ images: ImageSelection) -> Columns {
    if case .rows(let tensor) = form { return .rows(images.rows(of: tensor)) }
    return self
  }

  /// WᵀM of a matrix `[width, …]`.
  private func weighing(_ moments: Tensor) -> Tensor {
    switch form {
    case .rows: preconditionFailure("Columns: rows are no weights")
    case .weights(let weights): weights.transposed().times(moments)
    case .neurons(let chosen, let factors):
      moments.gathered(0, chosen)
        * Tensor(factors, shape: [factors.count, 1]).to(moments.device)
    }
  }

  /// (XW)ᵀ(YV), `[columns, other's columns]`.
  ///
  /// - Parameters:
  ///   - other: YV.
  ///   - moments: C, about the mean or about zero as the columns are; nil where both sides know their rows.
  ///   - measure: the name in errors.
  /// - Returns: the products.
  /// - Throws: `MeasureError.summaries` where one side knows its rows and the other does not.
  func products(_ other: Columns, _ moments: Tensor?, measure: String) throws -> Tensor {
    if let a = rows, let b = other.rows { return a.transposed().times(b) }
    guard rows == nil, other.rows == nil, let moments else {
      func source(_ side: Columns) -> String { side.rows == nil ? "of moments" : "of features" }
      throw MeasureError.summaries(
        measure: measure, left: source(self),
        right: rows == nil && other.rows == nil ? "without their cross moments" : source(other))
    }
    return other.weighing(weighing(moments).transposed()).transposed()
  }

  /// ‖X(WU − VT)‖² of one representation with second moments M.
  static func squaredDistance(
    _ a: Columns, _ u: Tensor, _ b: Columns, _ t: Tensor, moments: Tensor
  ) -> Double {
    let width = moments.shape[0]
    let unit = Tensor.identity(width, .float64).to(moments.device)
    let weights =
      a.weighing(unit).transposed().times(u) - b.weighing(unit).transposed().times(t)
    return (weights * moments.times(weights)).sum().item(Double.self)
  }
}
