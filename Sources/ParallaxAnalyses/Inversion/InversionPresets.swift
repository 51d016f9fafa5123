/// The recipes beside the paper's. What they share is ours: the loss ‖ŷ − y‖² / ‖ŷ‖², so that one rate suits all layers, the model's
/// own preprocessing, and that the picture whose loss is smallest is kept.
extension InversionRecipe {
  private static func ours(_ name: String, _ descent: DescentRecipe) -> InversionRecipe {
    var recipe = InversionRecipe(name: name, descent)
    (recipe.loss, recipe.isRelative, recipe.descent.kept) = (.rss, true, .best)
    return recipe
  }

  /// A hundred steps of Adam on the pixels with total variation, at an eighth, a quarter, half and the whole of the size.
  ///
  /// Coarse pictures come first, for late layers care little about fine detail, and early ones are reached sooner from a picture whose tones
  /// are right. What was tried is in <doc:Inverting>.
  public static var quick: InversionRecipe {
    let rate = LinearSchedule(0.1, 0.02)
    var descent = DescentRecipe([
      .init(.share(0.125), steps: 20, rate: rate), .init(.share(0.25), steps: 25, rate: rate),
      .init(.share(0.5), steps: 25, rate: rate),
      .init(steps: 30, rate: LinearSchedule(0.1, 0.005)),
    ])
    (descent.optimiser, descent.variation, descent.clamps) = (.adam, 2, true)
    descent.start = .normal(mean: 0.5, deviation: 0.05)
    return ours("quick", descent)
  }

  /// 256 steps of Adam on Fourier coefficients with decorrelated colours and jitter of 8 pixels.
  ///
  /// Coefficients, colours, the start N(0, 0.01²) and the rate of 0.05 are lucid's. It has 512 steps, and pads, scales and rotates
  /// besides; that ε falls to a tenth and the jitter to 0, so that the embedding can be reached, is ours.
  ///
  /// > Source: Olah, Mordvintsev and Schubert, 2017, Feature Visualization, doi 10.23915/distill.00007, and tensorflow/lucid.
  public static var fourier: InversionRecipe {
    var descent = DescentRecipe([
      .init(steps: 256, rate: LinearSchedule(0.05, 0.005), jitter: 8)
    ])
    (descent.optimiser, descent.start) = (.adam, .parameters(deviation: 0.01))
    descent.parametrisation = .fourier(decay: 1, isDecorrelated: true)
    return ours("fourier", descent)
  }

  /// Slower octaves than quick's: a quarter of the size, half of it, then the whole, 100, 100 and 200 steps with jitter of 4 pixels.
  ///
  /// Octaves with bilinear resizing are Badger's; the sizes, the steps, Adam and the priors are ours. The model sees small pictures
  /// resized to its own size.
  ///
  /// > Source: Badger, 2022, arXiv 2211.06496, and his programs for generated inputs.
  public static var octaves: InversionRecipe {
    var descent = quick.descent
    let rate = LinearSchedule(0.05, 0.005)
    descent.octaves = [
      .init(.share(0.25), steps: 100, rate: rate, jitter: 1),
      .init(.share(0.5), steps: 100, rate: rate, jitter: 2),
      .init(steps: 200, rate: rate, jitter: 4),
    ]
    return ours("octaves", descent)
  }

  /// A hundred steps of L-BFGS on pixels with total variation of power 2 and a soft bound.
  ///
  /// The loss, the total variation and the bound of power 6 are the paper's, which descends with momentum, for thousands of steps; L-BFGS,
  /// means instead of sums, and both λ are ours.
  ///
  /// > Source: Mahendran and Vedaldi, 2015, arXiv 1412.0035.
  public static var lbfgs: InversionRecipe {
    var descent = DescentRecipe([.init(steps: 100, rate: LinearSchedule(1, 1))])
    descent.optimiser = .lbfgs(history: 10, isSearching: true)
    (descent.variation, descent.variationExponent, descent.amplitude) = (5, 2, 0.01)
    descent.start = .normal(mean: 0.5, deviation: 0.05)
    return ours("lbfgs", descent)
  }

  /// Three hundred steps of Adam on the weights of a small hourglass network that is fed fixed noise.
  ///
  /// That the network is the prior, its noise, its skips and the rate of 0.01 are the paper's; the network's sizes and the steps (thousands there) are
  /// ours. The rate stays as it is.
  ///
  /// > Source: Ulyanov, Vedaldi and Lempitsky, 2018, arXiv 1711.10925, section 3 and its programs.
  public static var prior: InversionRecipe {
    var descent = DescentRecipe([.init(steps: 300, rate: LinearSchedule(0.01, 0.01))])
    (descent.optimiser, descent.start) = (.adam, .parameters(deviation: 0))
    descent.parametrisation = .prior(.init())
    return ours("prior", descent)
  }

  /// The recipe of model metamers: from N(0.5, 0.05²), eight rounds of 3000 steps of length 1 along the gradient of ‖ŷ − y‖₂/‖ŷ‖₂,
  /// the length halved each round, pixels clamped.
  ///
  /// Theirs lets gradients pass the matched layer's own ReLU where it is closed, and rejects what is not seen as the same class; ours does
  /// neither, and the result tells the class.
  ///
  /// > Source: Feather, Leclerc, Mądry and McDermott, 2023, doi 10.1038/s41593-023-01442-0, and their programs.
  public static var feather2023: InversionRecipe {
    var descent = DescentRecipe(
      (0..<8).map { round in
        let length = 1 / Double(1 << round)
        return .init(steps: 3000, rate: LinearSchedule(length, length))
      })
    (descent.optimiser, descent.clamps) = (.normalised, true)
    descent.start = .normal(mean: 0.5, deviation: 0.05)
    var recipe = InversionRecipe(name: "feather2023", descent)
    (recipe.loss, recipe.isRelative) = (.l2, true)
    return recipe
  }

  /// One line that names everything that changes the numbers.
  var fingerprint: String {
    "\(loss) \(isRelative) \(scale) raw \(isRaw) \(descent.fingerprint)"
  }
}
