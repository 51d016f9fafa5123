import ParallaxTensors

/// Pictures whose embeddings are given ones, found by descent.
///
/// A ``Descent`` on L = c·loss(ŷ, O(a)). Losses of a batch are summed; images do not see one another, so each descends by itself.
/// Parameters collect no gradient, and nothing after the layer runs. Where an octave's pictures are smaller than the targets, the
/// embedding wanted is still the whole target's; of a crop it is that of the target's own crop.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
public struct Inversion {
  /// Where the descents stand.
  public typealias State = Descent.State

  /// The recipe.
  public let recipe: InversionRecipe
  /// From pixels `[batch, 3, height, width]` in [0, 1] to embeddings `[batch, features]`; where the recipe has octaves, of pictures
  /// of every octave's size, in one shape.
  public let embedding: (Tensor) throws -> Tensor
  /// What errors call the layer.
  public let name: String

  /// Inversion of any function that can be differentiated.
  ///
  /// - Parameters:
  ///   - name: what errors call it.
  ///   - recipe: how.
  ///   - embedding: from pixels `[batch, …]` to embeddings `[batch, features]`, image by image.
  public init(
    _ name: String, _ recipe: InversionRecipe, embedding: @escaping (Tensor) throws -> Tensor
  ) {
    (self.name, self.recipe, self.embedding) = (name, recipe, embedding)
  }

  /// The descent towards given embeddings.
  ///
  /// - Parameters:
  ///   - wanted: ŷ, `[batch, features]`.
  ///   - targets: a, `[batch, 3, height, width]`, whose crops are wanted where the recipe crops; nil where there are none.
  /// - Returns: the descent.
  public func descent(wanted: Tensor, targets: Tensor? = nil) -> Descent {
    let (recipe, embedding) = (recipe, embedding)
    let (whole, scale) = (wanted.detached(), recipe.isRelative ? recipe.loss.scale(wanted) : nil)
    return Descent(name, recipe.descent) { seen, moment in
      var (wanted, scale) = (whole, scale)
      if !moment.isWhole, let targets {
        wanted = try embedding(moment.part(of: targets)).detached()
        scale = recipe.isRelative ? recipe.loss.scale(wanted) : nil
      }
      let found = try embedding(seen)
      let loss = recipe.loss(wanted, found) * recipe.scale
      return Descent.Losses(
        scale.map { loss / $0 } ?? loss,
        distances: moment.isLogged
          ? (wanted - found.detached()).to(.float64).norm(over: [1]) : nil)
    }
  }

  /// Descents that have not begun.
  ///
  /// - Parameter start: a₀, `[batch, 3, height, width]`.
  /// - Returns: the state.
  /// - Throws: `AnalysisError.recipe` where the recipe does not fit the pictures.
  public func begin(from start: Tensor) throws -> State {
    try bare.begin(from: start)
  }

  /// Descends until the steps are done.
  ///
  /// - Parameters:
  ///   - targets: a, `[batch, 3, height, width]`, in the element type of the state's pictures.
  ///   - state: where the descents stand; afterwards where they ended. What is thrown leaves it at the last whole step.
  ///   - seed: of jitter and crops.
  ///   - every: steps between points of the trace; the first and the last are always there.
  ///   - isInterrupted: asked before each step.
  ///   - progress: told how many steps are done.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the pixels, and what the model throws.
  public func run(
    _ targets: Tensor, _ state: inout State, seed: UInt64 = 0, every: Int = 1,
    isInterrupted: () -> Bool = { false }, progress: (Int) -> Void = { _ in }
  ) throws {
    let wanted = try embedding(targets)
    try descent(wanted: wanted, targets: targets).run(
      &state, towards: targets, seed: seed, every: every, isInterrupted: isInterrupted,
      progress: progress)
  }

  /// The pictures where the descents stand, `[batch, 3, height, width]`.
  public func pictures(_ state: State) -> Tensor { bare.pictures(state) }

  /// The result: the last pictures, or the best where the recipe keeps those or a descent diverged.
  public func result(_ state: State) -> Tensor { bare.result(state) }

  /// Whether the loss alone, without priors, has a gradient where a descent begins.
  func canMove(_ picture: Tensor, _ wanted: Tensor, seed: UInt64) throws -> Bool {
    let shape = picture.shape
    let state = try bare.begin(
      channels: shape[1], height: shape[2], width: shape[3], seeds: [seed], dtype: picture.dtype,
      device: picture.device)
    let whole = pictures(state).resized(shape[2], shape[3])
    var bare = recipe
    (bare.descent.variation, bare.descent.amplitude) = (0, 0)
    bare.descent.parametrisation = .pixels
    let descent = Inversion(name, bare, embedding: embedding).descent(wanted: wanted)
    let made = ParametrisationKind.pixels.make(
      channels: shape[1], height: shape[2], width: shape[3])
    let moment = Descent.Moment(
      octave: 0, step: 0, height: shape[2], width: shape[3], isLogged: false)
    let found = try descent.evaluate(whole, made, moment)
    return found.slopes[0] != 0 || found.losses[0] == 0
  }

  /// The descent's bookkeeping without a loss.
  var bare: Descent { Descent(name, recipe.descent) { seen, _ in Descent.Losses(seen) } }
}
