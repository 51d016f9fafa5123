import ParallaxTensors

/// How class images, features and dreams are made: octaves of descent, and what the model is given.
///
/// > Source: Badger, 2022, arXiv 2211.06496, and its author's published programs and chapters on input generation and deep dream; the
/// > presets say where they fill a gap.
public struct GenerationRecipe: Sendable, Hashable {
  /// The recipes that have names.
  public enum Preset: String, Sendable, CaseIterable {
    /// Ours: Fourier coefficients, decorrelated colours, Adam, random zoom; minutes on two cores.
    case quick
    /// Two octaves at 299 and 490 pixels, the second in crops.
    case googlenetClasses = "googlenet-classes"
    /// The picture grows by a pixel on each side in each step.
    case googlenetPadded = "googlenet-padded"
    /// Four octaves with falling blurs, two in crops.
    case inceptionv3Aux = "inceptionv3-aux"
    /// A hundred steps that cycle through five sizes.
    case inceptionv3Plain = "inceptionv3-plain"
    /// As GoogLeNet, with a blur that fades and a late jitter.
    case vitClasses = "vit-classes"
    /// From a picture towards a class, three octaves with blur.
    case dreamDirected = "dream-directed"
    /// From a picture towards more of a layer, three octaves without blur.
    case dreamLayer = "dream-layer"
    /// From a picture, a hundred steps of the gradient's sign.
    case signTransfiguration = "sign-transfiguration"

    /// Whether it begins with a picture.
    public var needsPicture: Bool {
      switch self {
      case .dreamDirected, .dreamLayer, .signTransfiguration: true
      default: false
      }
    }
  }

  /// Where the descent begins, if not with a picture.
  public enum Start: Sendable, Hashable {
    /// What the recipe of the descent says.
    case recipe
    /// U/25 + ½, U uniform in [0, 1).
    case narrowUniform
  }

  /// The preset's name.
  public var name: String
  /// The octaves.
  public var descent: DescentRecipe
  /// Where it begins.
  public var start = Start.recipe
  /// The side of the first octave's picture in pixels; nil for the model's own size.
  public var side: Int?
  /// Whether the model is given pixels in [0, 1] as they are instead of what its preprocessing makes of them.
  public var isRaw = true
  /// C, of the first model and of the second.
  public var targets = [200.0, 400.0]
  /// λ of the L1 prior λ·Σ|a|.
  public var magnitude = 0.0
  /// Factors between which what the model sees is enlarged at random in each step, the middle cut out; nil for none.
  public var zoom: [Double]?
  /// Each channel of what the model sees is multiplied with 1 + U(−1, 1) times this.
  public var colourJitter = 0.0

  /// A recipe of that name.
  public init(name: String, _ descent: DescentRecipe) {
    (self.name, self.descent) = (name, descent)
  }

  /// A named recipe.
  ///
  /// | preset | octaves (side: N, ε, σ of the blur, crop) | start |
  /// | --- | --- | --- |
  /// | googlenet-classes | 299: 220, 1.5→1, 2.4→0.8; 490: 500, 1.3→0.45, 1.5→0.4, crop 470 | N(0.7, 1/20) |
  /// | googlenet-padded | 299: 220, 6→5, 2.4→0.8, 1 pixel of 0.7 round it a step; then 490: 500, 1.3→0.45, 1.5→0.4, crop 450 (N, ε, σ and size of this octave are ours) | N(0.7, 1/20) |
  /// | inceptionv3-aux | 256: 150, 0.1, 11 × 11 σ 2.2 − i/80; 310: 100, 0.11, 5 × 5 σ 1.8 − i/100, crop 300; 340: 100, 0.08, σ 1.5 − i/100, crop 320; 300: 25, 0.03, σ 0.4 | U/25 + ½ |
  /// | inceptionv3-plain | 100 steps, ε 0.15, σ 0.8 in the first ¾, sides 256, 198, 160, 180, 200 by turns, colours × (1 ± 1e−4) | U/25 + ½ |
  /// | vit-classes | 299: 200, 1.5→1, 2.4→0.8; 490: 500, 1.3→0.45, 0.8→0.1, crop 470, jitter of 8 pixels (ours) | N(0.7, 1/20) |
  /// | dream-directed | 299, 380, 460: 100 each; 0.5→0.4, 0.4→0.3, 0.3→0.2; 2.4→0.8, 1.5→0.4, 1.1→0.3 | picture |
  /// | dream-layer | the same without blur | picture |
  /// | sign-transfiguration | 100, ε 0.01 · sign(g) | picture |
  /// | quick | own size: 160 steps of Adam on Fourier coefficients, 0.06→0.02, jitter of 8 pixels, zoom 1 to 1.25 | spectrum of N(0, 0.01²) |
  ///
  /// All but `quick` give the model raw pixels. A picture of another size than a transformer's or a graph's own is resized before the model sees it.
  ///
  /// - Parameter preset: which.
  public init(_ preset: Preset) {
    typealias Octave = DescentRecipe.Octave
    func blur(_ from: Double, _ to: Double, _ size: Int = 3) -> DescentRecipe.Smoothing {
      DescentRecipe.Smoothing(size: size, sigma: LinearSchedule(from, to))
    }
    func constant(_ rate: Double) -> LinearSchedule { LinearSchedule(rate, rate) }
    let dreams = [
      (299, LinearSchedule(0.5, 0.4), blur(2.4, 0.8)),
      (380, LinearSchedule(0.4, 0.3), blur(1.5, 0.4)),
      (460, LinearSchedule(0.3, 0.2), blur(1.1, 0.3)),
    ]
    let first = Octave(
      .side(299), steps: 220, rate: LinearSchedule(1.5, 1), smoothing: blur(2.4, 0.8))
    func second(_ crop: Int, _ smoothing: DescentRecipe.Smoothing, jitter: Int = 0) -> Octave {
      Octave(
        .side(490), steps: 500, rate: LinearSchedule(1.3, 0.45), smoothing: smoothing, crop: crop,
        jitter: jitter)
    }
    let octaves: [Octave]
    switch preset {
    case .quick:
      octaves = [Octave(steps: 160, rate: LinearSchedule(0.06, 0.02), jitter: 8)]
    case .googlenetClasses: octaves = [first, second(470, blur(1.5, 0.4))]
    case .googlenetPadded:
      octaves = [
        Octave(
          .side(299), steps: 220, rate: LinearSchedule(6, 5), smoothing: blur(2.4, 0.8), padding: 1),
        second(450, blur(1.5, 0.4)),
      ]
    case .inceptionv3Aux:
      octaves = [
        Octave(
          .side(256), steps: 150, rate: constant(0.1),
          smoothing: blur(2.2, 2.2 - 150.0 / 80, 11)),
        Octave(
          .side(310), steps: 100, rate: constant(0.11), smoothing: blur(1.8, 0.8, 5), crop: 300),
        Octave(.side(340), steps: 100, rate: constant(0.08), smoothing: blur(1.5, 0.5), crop: 320),
        Octave(.side(300), steps: 25, rate: constant(0.03), smoothing: blur(0.4, 0.4)),
      ]
    case .inceptionv3Plain:
      let sides = [256, 198, 160, 180, 200]
      octaves = (0..<100).map { step in
        Octave(
          .side(sides[step % sides.count]), steps: 1, rate: constant(0.15),
          smoothing: step < 75 ? blur(0.8, 0.8) : nil)
      }
    case .vitClasses:
      var beginning = first
      beginning.steps = 200
      octaves = [beginning, second(470, blur(0.8, 0.1), jitter: 8)]
    case .dreamDirected:
      octaves = dreams.map { Octave(.side($0.0), steps: 100, rate: $0.1, smoothing: $0.2) }
    case .dreamLayer: octaves = dreams.map { Octave(.side($0.0), steps: 100, rate: $0.1) }
    case .signTransfiguration: octaves = [Octave(steps: 100, rate: constant(0.01))]
    }
    self.init(name: preset.rawValue, DescentRecipe(octaves))
    switch preset {
    case .quick:
      descent.optimiser = .adam
      descent.parametrisation = .fourier(decay: 1, isDecorrelated: true)
      descent.start = .parameters(deviation: 0.01)
      (isRaw, zoom) = (false, [1, 1.25])
    case .inceptionv3Aux, .inceptionv3Plain:
      start = .narrowUniform
      side = 256
      if preset == .inceptionv3Plain { colourJitter = 1e-4 }
    case .signTransfiguration: descent.optimiser = .sign
    case .googlenetClasses, .googlenetPadded, .vitClasses: side = 299
    case .dreamDirected, .dreamLayer: break
    }
  }

  /// Fewer or more steps, each octave its share.
  ///
  /// - Parameter steps: of all octaves together.
  public mutating func take(steps: Int) {
    if descent.octaves.allSatisfy({ $0.steps == 1 }) {
      let pattern = descent.octaves
      descent.octaves = (0..<steps).map { pattern[$0 % pattern.count] }
      return
    }
    descent.spread(steps)
  }

  /// a₀, where it is no picture.
  ///
  /// - Parameters:
  ///   - shape: `[3, height, width]`.
  ///   - seed: of the draws.
  /// - Returns: nil where the descent begins as its recipe says.
  func beginning(_ shape: [Int], seed: UInt64) -> Tensor? {
    start == .narrowUniform ? RandomSource(seed: seed).uniform(shape) / 25 + 0.5 : nil
  }

  /// One line that names everything that changes the numbers.
  var fingerprint: String {
    "\(name) \(descent.fingerprint) start \(start) side \(side ?? 0) raw \(isRaw) C \(targets) l1 \(magnitude) zoom \(zoom ?? []) colours \(colourJitter)"
  }
}
