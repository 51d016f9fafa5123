import ParallaxTensors

/// How a picture is found whose embedding is a given one.
///
/// > Source: Badger, 2022, arXiv 2211.06496 for ``badger2022(_:features:)``; other presets name theirs.
public struct InversionRecipe: Sendable, Hashable, Codable {
  /// The kinds of network that the paper's table tells apart.
  public enum Kind: String, Sendable, Codable, CaseIterable {
    /// Convolutional networks: the ResNet's row.
    case convolutional
    /// Networks of fully connected layers.
    case perceptron
    /// The MLP-Mixer.
    case mixer
    /// Vision transformers; c and ε of this row are ours.
    case transformer
  }

  /// The preset's name.
  public var name: String
  /// The loss.
  public var loss = EmbeddingLoss.l1
  /// Whether the loss is divided by that of an embedding of zeros.
  public var isRelative = false
  /// c, what the loss is multiplied with.
  public var scale = 1.0
  /// How pictures are found.
  public var descent: DescentRecipe
  /// Whether the model is given pixels in [0, 1] as they are instead of what its preprocessing makes of them.
  public var isRaw = false

  /// A recipe of that name.
  ///
  /// - Parameters:
  ///   - name: the preset's.
  ///   - descent: how pictures are found.
  public init(name: String, _ descent: DescentRecipe) {
    (self.name, self.descent) = (name, descent)
    self.descent.divergence = 100
  }

  /// The paper's recipe exactly: a₀ ~ 0.7 + N(0, 1)/20, L1 summed over all elements times c, plain descent, the blur after the
  /// step, pixels in [0, 1] without normalisation, no clamp, the last picture.
  ///
  /// | kind | c | N | ε | σ of the 3 × 3 blur |
  /// | --- | --- | --- | --- | --- |
  /// | convolutional | 0.15 | 500 | 0.1 → 0.1 | 2.4 → 0.4 |
  /// | perceptron | 0.35 | 500 | 0.1 → 0.1 | none |
  /// | mixer | 0.06 | 1500 | 0.1 → 0.1 | none |
  /// | transformer | 0.15 · 204 800 / features (ours) | 1500 | 0.1 → 0.1 (ours) | none |
  ///
  /// The paper names no c and ε for transformers: ours are the ResNet's at its last stage (204 800 numbers of a picture of 299
  /// × 299 pixels), scaled to the layer's size.
  ///
  /// - Parameters:
  ///   - kind: the row.
  ///   - features: numbers in the layer's embedding of one image.
  /// - Returns: the recipe.
  public static func badger2022(_ kind: Kind, features: Int) -> InversionRecipe {
    var octave = DescentRecipe.Octave(steps: 500, rate: LinearSchedule(0.1, 0.1))
    var scale = 0.15
    switch kind {
    case .convolutional: octave.smoothing = .init(sigma: LinearSchedule(2.4, 0.4))
    case .perceptron: scale = 0.35
    case .mixer: (scale, octave.steps) = (0.06, 1500)
    case .transformer:
      (scale, octave.steps) = (0.15 * 204_800 / Double(max(1, features)), 1500)
    }
    var recipe = InversionRecipe(name: "badger2022", DescentRecipe([octave]))
    (recipe.scale, recipe.isRaw) = (scale, true)
    // Steps of L1 do not grow with the loss: where they are too long it oscillates, and the paper goes on.
    recipe.descent.divergence = nil
    return recipe
  }
}
