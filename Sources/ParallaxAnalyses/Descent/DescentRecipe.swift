/// How pictures are found by descent: octave after octave, what is descended on, how a gradient becomes a step.
///
/// > Source: Badger, 2022, arXiv 2211.06496 and its author's published programs for octaves, crops, padding, sign steps and
/// > clipped gradients.
public struct DescentRecipe: Sendable, Hashable, Codable {
  /// How a gradient g becomes a step of length ε.
  public enum Optimiser: Sendable, Hashable, Codable {
    /// a − ε·g: no momentum, nothing scaled.
    case descent
    /// a − ε·sign(g).
    case sign
    /// a − ε·g/(‖g‖₂ + 1e−10), each picture's by itself: steps of length ε whatever the loss' scale.
    case normalised
    /// Adam with β₁ = 0.9, β₂ = 0.999 and 1e−8, PyTorch's defaults.
    case adam
    /// L-BFGS with so many pairs of steps and changes of the gradient, a history for each picture by itself.
    ///
    /// With a search ε is tried first, and another length found where Wolfe's strong conditions (1e−4, 0.9) do not hold; without one
    /// each step is ε·d. Both are `torch.optim.LBFGS`'s. The first is min(1, 1/‖g‖₁)·ε·(−g).
    case lbfgs(history: Int, isSearching: Bool)

    /// A word for it.
    public var name: String {
      switch self {
      case .descent: "descent"
      case .sign: "sign"
      case .normalised: "normalised descent"
      case .adam: "adam"
      case .lbfgs: "L-BFGS"
      }
    }
  }

  /// Where the descent begins.
  public enum Start: Sendable, Hashable, Codable {
    /// Pictures of independent draws of N(mean, deviation²).
    case normal(mean: Double, deviation: Double)
    /// Pictures of independent draws of [0, 1).
    case uniform
    /// The parametrisation's own start: N(0, deviation²) for each number of a spectrum, a fresh network for a prior.
    case parameters(deviation: Double)
  }

  /// Which of the steps' pictures is the result.
  public enum Kept: String, Sendable, Codable {
    /// The last.
    case last
    /// The one of the last octave whose loss, without priors, is smallest.
    case best
  }

  /// A blur after each step.
  public struct Smoothing: Sendable, Hashable, Codable {
    /// k in pixels.
    public var size: Int
    /// σ in pixels over the steps.
    public var sigma: LinearSchedule

    /// A blur of k × k pixels.
    public init(size: Int = 3, sigma: LinearSchedule) { (self.size, self.sigma) = (size, sigma) }
  }

  /// One run of the loop, at one size.
  public struct Octave: Sendable, Hashable, Codable {
    /// The pictures' size.
    public enum Size: Sendable, Hashable, Codable {
      /// The size that the descent was begun with.
      case own
      /// A share of that, rounded to whole pixels.
      case share(Double)
      /// The shorter side in pixels; the other keeps the proportions.
      case side(Int)
    }

    /// The pictures' size, to which they are resized bilinearly before the first step.
    public var size: Size
    /// N.
    public var steps: Int
    /// ε over the steps.
    public var rate: LinearSchedule
    /// The blur of the whole picture after each step; nil for none.
    public var smoothing: Smoothing?
    /// The side in pixels of a square at a random place, uniform over all places, which alone the model sees and the step
    /// changes; nil for the whole picture.
    public var crop: Int?
    /// Pixels of ``DescentRecipe/fill`` that are put round the picture after each step, so that it grows.
    public var padding: Int
    /// Pixels by which the picture that the model sees is rolled at random in each step, at most; fades to 0 over the steps.
    public var jitter: Int

    /// An octave.
    ///
    /// - Parameters:
    ///   - size: the pictures'.
    ///   - steps: N.
    ///   - rate: ε.
    ///   - smoothing: the blur after each step.
    ///   - crop: the side of a random square, in pixels.
    ///   - padding: pixels round the picture, a step.
    ///   - jitter: pixels.
    public init(
      _ size: Size = .own, steps: Int, rate: LinearSchedule, smoothing: Smoothing? = nil,
      crop: Int? = nil, padding: Int = 0, jitter: Int = 0
    ) {
      (self.size, self.steps, self.rate, self.smoothing) = (size, steps, rate, smoothing)
      (self.crop, self.padding, self.jitter) = (crop, padding, jitter)
    }

    /// Height and width of pictures that were begun with a size.
    ///
    /// - Parameters:
    ///   - height: in pixels.
    ///   - width: in pixels.
    /// - Returns: both, at least 2 pixels where the pictures have them.
    public func size(of height: Int, _ width: Int) -> (height: Int, width: Int) {
      func scaled(_ side: Int, _ factor: Double) -> Int {
        // Of one pixel there is no total variation.
        max(min(2, side), Int((Double(side) * factor).rounded()))
      }
      switch size {
      case .own: return (height, width)
      case .share(let share): return (scaled(height, share), scaled(width, share))
      case .side(let side):
        let factor = Double(side) / Double(min(height, width))
        return (scaled(height, factor), scaled(width, factor))
      }
    }
  }

  /// The octaves, one after the other.
  public var octaves: [Octave]
  /// How steps are made.
  public var optimiser = Optimiser.descent
  /// What is descended on.
  public var parametrisation = ParametrisationKind.pixels
  /// Where it begins, at the first octave's size.
  public var start = Start.normal(mean: 0.7, deviation: 0.05)
  /// Which picture is the result.
  public var kept = Kept.last
  /// Whether each picture's gradient is clipped to its mean ± 1 standard deviation (n − 1).
  public var clipsGradient = false
  /// λ of the total variation, which is added to the loss of each picture.
  public var variation = 0.0
  /// β of the total variation, mean over elements of (∂x² + ∂y²)^(β/2); nil for the means of |∂x| and |∂y|, added.
  ///
  /// > Source: Mahendran and Vedaldi, 2015, arXiv 1412.0035, equation 4, there a sum.
  public var variationExponent: Double?
  /// λ of what keeps pictures in [0, 1] softly: mean over elements of |2a − 1|⁶.
  ///
  /// > Source: Mahendran and Vedaldi, 2015, arXiv 1412.0035, section 2.1, there a sum over pictures less their mean, α = 6.
  public var amplitude = 0.0
  /// Whether pixels are put back into [0, 1] after each step.
  public var clamps = false
  /// Above so many times its first loss a descent counts as diverged and stops; nil where only what is no longer finite does. For losses
  /// that are nowhere below 0.
  public var divergence: Double?
  /// The value of padding.
  public var fill = 0.7

  /// A recipe of octaves; plain descent on pixels from N(0.7, 0.05²) that keeps the last picture.
  public init(_ octaves: [Octave]) { self.octaves = octaves }

  /// Steps of all octaves.
  public var steps: Int { octaves.reduce(0) { $0 + $1.steps } }

  /// Gives the octaves so many steps in all, in their own proportions.
  mutating func spread(_ steps: Int) {
    let all = self.steps
    guard all > 0 else { return }
    let shares = octaves.map { Double(steps) * Double($0.steps) / Double(all) }
    for (index, share) in shares.enumerated() { octaves[index].steps = Int(share.rounded(.down)) }
    // What is left goes to those that lost most, the first among equals.
    let lost = octaves.indices.sorted {
      let (a, b) = (
        shares[$0].truncatingRemainder(dividingBy: 1), shares[$1].truncatingRemainder(dividingBy: 1)
      )
      return abs(a - b) > 1e-9 ? a > b : $0 < $1
    }
    for index in lost.prefix(max(0, steps - self.steps)) { octaves[index].steps += 1 }
  }

  /// Why the parts do not go together; nil where they do.
  public var problem: String? {
    guard !octaves.isEmpty else { return "a recipe without an octave" }
    let isPixels = parametrisation == .pixels
    if !isPixels, clamps || octaves.contains(where: { $0.smoothing != nil }) {
      return
        "a blur or a clamp after each step needs pixels to act on; \(parametrisation.name) has none"
    }
    let isMoving = octaves.contains { $0.crop != nil || $0.padding > 0 }
    switch optimiser {
    case .descent, .sign, .normalised:
      if isMoving, !isPixels { return "crops and padding need pixels to act on" }
    case .adam:
      if isMoving {
        return "crops and padding go with plain, sign and normalised descent only, not with Adam"
      }
    case .lbfgs(let history, _):
      if isMoving || octaves.contains(where: { $0.jitter > 0 }) {
        return "L-BFGS needs the same function in each step: no crop, padding or jitter"
      }
      if history < 1 { return "L-BFGS needs a history of at least 1" }
    }
    if case .prior = parametrisation {
      if octaves.count > 1 {
        return "a prior network has one size: one octave, not \(octaves.count)"
      }
      if case .parameters = start {
      } else {
        return "a prior network begins with fresh weights only"
      }
    }
    if octaves.contains(where: {
      $0.steps < 0 || ($0.crop ?? 1) < 1 || $0.padding < 0 || $0.jitter < 0
    }) {
      return "an octave's steps, crop, padding or jitter is below 0"
    }
    return nil
  }

  /// Why pictures of a size cannot be found by this recipe; nil where they can.
  ///
  /// - Parameters:
  ///   - channels: of the pictures.
  ///   - height: of the pictures that the descent is begun with, in pixels.
  ///   - width: of those.
  /// - Returns: the reason.
  public func problem(channels: Int, height: Int, width: Int) -> String? {
    if let problem { return problem }
    switch parametrisation {
    case .fourier(_, true), .colours:
      if channels != 3 { return "decorrelated colours need 3 channels, not \(channels)" }
    default: break
    }
    for octave in octaves {
      let size = octave.size(of: height, width)
      let smaller = min(size.height, size.width)
      if let crop = octave.crop, crop > smaller {
        return "a crop of \(crop) pixels does not fit into \(size.height) × \(size.width)"
      }
      if let blur = octave.smoothing, blur.size / 2 >= smaller {
        return
          "a blur of \(blur.size) pixels needs sides above \(blur.size / 2), not \(size.height) × \(size.width)"
      }
      if case .prior(let network) = parametrisation, !network.fits(size.height, size.width) {
        return
          "a prior network of \(network.widths.count) levels needs sides of at least \(2 << network.widths.count) pixels, not \(size.height) × \(size.width)"
      }
    }
    return nil
  }

  /// One line that names everything that changes the numbers.
  public var fingerprint: String {
    let places = octaves.map { octave in
      let blur = octave.smoothing.map { "\($0.size) \($0.sigma.start) \($0.sigma.end)" } ?? "none"
      return
        "\(octave.size) N \(octave.steps) ε \(octave.rate.start) \(octave.rate.end) blur \(blur) crop \(octave.crop ?? 0) pad \(octave.padding) jitter \(octave.jitter)"
    }
    return
      "octaves [\(places.joined(separator: ", "))] \(optimiser) \(parametrisation) start \(start) kept \(kept) clip \(clipsGradient) tv \(variation) \(variationExponent ?? 0) amplitude \(amplitude) clamp \(clamps) fill \(fill) diverges \(divergence ?? 0)"
  }
}
