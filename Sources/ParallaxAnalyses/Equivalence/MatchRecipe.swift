import Foundation
import ParallaxTensors

/// How a picture is changed until its embedding is that of another.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568, and the authors' published optimiser for ``salman2024``; the other
/// > recipes are ours or of whom they name.
public struct MatchRecipe: Sendable, Hashable, Codable {
  /// How a step is made; g is the gradient of the loss, r = f(x) − t, J = ∂f/∂x.
  public enum Method: String, Sendable, Codable, CaseIterable {
    /// x − η·g: no momentum, no sign.
    case descent
    /// Adam with β₁ = 0.9, β₂ = 0.999 and 1e−8, PyTorch's defaults.
    case adam
    /// Projected gradient descent: x − α·sign g in an L∞ ball, x − α·g/(‖g‖ + 1e−10) in an L2 ball or in none.
    ///
    /// > Source: Madry et al., 2018, arXiv 1706.06083.
    case pgd
    /// The shortest step that a linear f would need: x − Jᵀ(JJᵀ + λI)⁻¹r with a fixed small λ.
    case gaussNewton = "gauss-newton"
    /// The same with a λ that falls where a step brings the embedding nearer and rises, the step being taken back, where it does
    /// not.
    case levenbergMarquardt = "levenberg-marquardt"

    /// Quasi-Newton steps within a box, after L-BFGS-B: ``BoundedBFGS``'s, with a search along the projected path.
    ///
    /// > Source: Byrd et al., 1995, doi 10.1137/0916069; the form with a projected path after Bertsekas, 1982, doi 10.1137/0320018.
    case boundedBFGS = "l-bfgs-b"

    /// Whether steps need products with J.
    public var isSecondOrder: Bool { self == .gaussNewton || self == .levenbergMarquardt }
  }

  /// In which numbers pictures are changed and rates are meant; PGD's α is in pixels of 0 to 1 in either.
  public enum Unit: String, Sendable, Codable, CaseIterable {
    /// The model's input: (pixel − mean) / std.
    case normalised
    /// Pixels, 0 to 1.
    case pixels
  }

  /// What is minimised.
  public enum Loss: String, Sendable, Codable, CaseIterable {
    /// (1/D)·Σ(f(x) − t)²: the published code's. A rate η of it is 2η/D of ``half``.
    case mean
    /// ½·Σ(f(x) − t)².
    case half
  }

  /// What keeps numbers from leaving the range of pictures.
  public enum Clamp: String, Sendable, Codable, CaseIterable {
    /// The smallest and the largest number of the whole source, one pair for all channels: the published code's.
    case source = "source range"
    /// Pixels of 0 to 1, channel by channel.
    case unit = "0 to 1"
    /// Nothing.
    case none
  }

  /// How far a picture may go from its source, in pixels of 0 to 1.
  public enum Ball: Sendable, Hashable, Codable {
    /// No pixel by more than ε.
    case maximum(Double)
    /// All pixels together, ‖Δx‖₂, by no more than ε.
    case euclidean(Double)

    /// ε.
    public var radius: Double {
      switch self {
      case .maximum(let radius), .euclidean(let radius): radius
      }
    }

    /// `L∞ 0.031`.
    var text: String {
      switch self {
      case .maximum(let radius): "L∞ \(radius)"
      case .euclidean(let radius): "L2 \(radius)"
      }
    }
  }

  /// The recipe's name.
  public var name: String
  /// How steps are made.
  public var method = Method.descent
  /// What rates are meant in.
  public var unit = Unit.normalised
  /// What is minimised.
  public var loss = Loss.mean
  /// η, or PGD's α, over the steps.
  public var rate = LinearSchedule(0.08, 0.08)
  /// λ of the second-order methods, as a share of ⟨r, JJᵀr⟩/⟨r, r⟩, the mean square of J's gain along the residual; the first where it
  /// changes.
  public var damping = 1e-3
  /// Products with JJᵀ of one step of the second-order methods, at most.
  public var products = 30
  /// What keeps pictures in range.
  public var clamp = Clamp.source
  /// The ball round the source; nil for none.
  public var ball: Ball?
  /// Targets of each source, m: the last is the one that a match is judged by, the others pull with k/m² each.
  public var targets = 1
  /// Steps, at most.
  public var steps = 15_000
  /// τ_d: a match has ‖f(x) − t‖² below it …
  public var tolerance = 1e-4
  /// Whether τ_d is meant times ‖t‖², so that one value suits all models.
  public var isRelative = false
  /// τ_c: … and a cosine above it.
  public var cosine = 0.99

  /// A recipe of that name with the published choices.
  public init(name: String) { self.name = name }

  /// The published procedure: mean squared error of the raw embedding, plain descent with η = 0.08 on the normalised picture,
  /// clamped to the source's own range; until ‖f(x) − t‖² < 10⁻⁴ and the cosine > 0.99, or after 15 000 steps.
  ///
  /// The published code has several values: η 0.08, 0.09 and 5, τ_d 10⁻⁴ and 16, τ_c 0.96, 0.97 and 0.99, and its first version no
  /// cap. These are the defaults of its single-image form.
  public static var salman2024: MatchRecipe { MatchRecipe(name: "salman2024") }

  /// The published form with several targets: each is rescaled to the range of the source's embedding, the loss is
  /// (1/m)·Σ_k (k/m)·MSE(f(x), t_k), and the last decides when a match is one; at most 12 000 steps.
  public static var salman2024Several: MatchRecipe {
    var recipe = MatchRecipe(name: "salman2024-several")
    (recipe.targets, recipe.steps) = (3, 12_000)
    return recipe
  }

  /// Adam on pixels, clamped to [0, 1], until ‖f(x) − t‖² < ‖t‖²/50 and the cosine > 0.99: a match within some tens of passes
  /// instead of thousands.
  public static var quick: MatchRecipe {
    var recipe = MatchRecipe(name: "quick")
    (recipe.method, recipe.unit, recipe.loss) = (.adam, .pixels, .mean)
    (recipe.clamp, recipe.steps) = (.unit, 100)
    (recipe.tolerance, recipe.isRelative) = (0.02, true)
    recipe.rate = LinearSchedule(0.003, 0.0005)
    return recipe
  }

  /// Levenberg–Marquardt steps on pixels, clamped to [0, 1]: the shortest way in pixels, at some tens of passes a step.
  public static var newton: MatchRecipe {
    var recipe = MatchRecipe(name: "newton")
    (recipe.method, recipe.unit, recipe.loss) = (.levenbergMarquardt, .pixels, .half)
    (recipe.clamp, recipe.steps, recipe.products) = (.unit, 20, 12)
    (recipe.tolerance, recipe.isRelative) = (0.02, true)
    return recipe
  }

  /// Projected gradient descent in a ball of 8/255 in every pixel, steps of 1/255 that fade.
  public static var pgd: MatchRecipe {
    var recipe = MatchRecipe(name: "pgd")
    (recipe.method, recipe.unit, recipe.loss) = (.pgd, .pixels, .half)
    (recipe.clamp, recipe.ball, recipe.steps) = (.unit, .maximum(8.0 / 255), 100)
    (recipe.tolerance, recipe.isRelative) = (0.02, true)
    recipe.rate = LinearSchedule(1.0 / 255, 0.1 / 255)
    return recipe
  }

  /// ‖f(x) − t‖² under |x − x₀| ≤ 10/255 in every pixel, by bounded quasi-Newton steps: the ancestor of matching.
  ///
  /// The objective, the bound in L∞ and the solver's family are the paper's; δ = 10/255 is what it is usually quoted with, which we could not
  /// confirm; that a match ends a hundred steps or less later, once d < ‖t‖²/50 and the cosine > 0.99, is ours: the paper goes to the
  /// minimum.
  ///
  /// > Source: Sabour et al., 2016, Adversarial Manipulation of Deep Representations, arXiv 1511.05122, equations 1 and 2.
  public static var sabour2016: MatchRecipe {
    var recipe = MatchRecipe(name: "sabour2016")
    (recipe.method, recipe.unit, recipe.loss) = (.boundedBFGS, .pixels, .half)
    (recipe.clamp, recipe.ball, recipe.steps) = (.unit, .maximum(10.0 / 255), 100)
    (recipe.tolerance, recipe.isRelative) = (0.02, true)
    return recipe
  }

  /// When a match is one.
  var criterion: String {
    "d < \(String(format: "%.4g", tolerance))\(isRelative ? "·‖t‖²" : "") and cosine > \(String(format: "%.4g", cosine))"
  }

  /// One line that names everything that changes the numbers.
  var fingerprint: String {
    "\(method.rawValue) \(unit) \(loss) η \(rate.start) \(rate.end) λ \(damping) products \(products) clamp \(clamp.rawValue) ball \(ball?.text ?? "none") N \(steps) τ \(criterion) m \(targets)"
  }
}
