import ParallaxModels
import ParallaxTensors

/// What one model makes of pictures that are being made: the logits, or what a layer holds.
struct GenerationView {
  let subject: Subject
  /// The site that is looked at.
  let site: Site
  let recipe: GenerationRecipe

  var name: String { "\(subject.name)@\(site.name)" }

  /// Tokens before the patches.
  var prefix: Int { subject.model.tokenLayout?.prefix ?? 0 }

  /// Whether pictures of any size may go in; transformers and graphs see their own size.
  static func isFree(_ subject: Subject) -> Bool {
    subject.design == .convolutional && !(subject.model is ImportedGraph)
      && subject.model.fixedImageSize == nil
  }

  /// The activation of pictures, `[batch, …]`.
  ///
  /// - Parameters:
  ///   - pixels: `[batch, 3, height, width]` in [0, 1].
  ///   - isFitted: whether they are resized to the model's own size in any case.
  /// - Returns: the activation in the site's own layout.
  /// - Throws: what the model throws; `AnalysisError.site` where it does not show the site.
  func callAsFunction(_ pixels: Tensor, isFitted: Bool = false) throws -> Tensor {
    let (batch, own, model) = (pixels.shape[0], subject.imageSize, subject.model)
    let sides = [pixels.shape[2], pixels.shape[3]]
    let fits =
      Self.isFree(subject) && !isFitted
      && sides.allSatisfy { $0 % model.imageMultiple == 0 && $0 >= model.minimumImageSize }
    let fitted = fits ? pixels : pixels.resized(own.height, own.width)
    var input = recipe.isRaw ? subject.raw(fitted) : subject.preprocessing.input(of: fitted)
    if let fixed = model.fixedBatch, batch < fixed {
      let last = input.sliced(0, batch - 1)
      input = Tensor.concatenated([input] + (batch..<fixed).map { _ in last }, 0)
    }
    var found: Tensor?
    let tap = Tap([site.name]) { visit in
      found = visit.value
      return nil
    }
    _ = try model.run(input, tap)
    guard let found, found.shape.first == input.shape[0], found.dtype.isFloatingPoint else {
      throw AnalysisError.site(
        name,
        problem: "the model did not show it as floating-point numbers for each of these pictures")
    }
    let value = found.dtype.byteCount < 4 ? found.to(.float32) : found
    return value.sliced(0, 0, batch)
  }

  /// What the model sees in one step: enlarged at random and in other colours, where the recipe says so.
  ///
  /// - Parameters:
  ///   - seen: `[batch, 3, rows, columns]`.
  ///   - recipe: what is done.
  ///   - seed: of the draws of this step.
  /// - Returns: as many pixels.
  static func disturbed(_ seen: Tensor, _ recipe: GenerationRecipe, seed: UInt64) -> Tensor {
    var picture = seen
    let source = RandomSource(seed: seed)
    let draws = source.uniform([4]).scalars(Float.self).map(Double.init)
    if let zoom = recipe.zoom, zoom.count == 2 {
      let (rows, columns) = (seen.shape[2], seen.shape[3])
      let factor = zoom[0] + (zoom[1] - zoom[0]) * draws[0]
      let (high, wide) = (
        max(1, Int((Double(rows) / factor).rounded())),
        max(1, Int((Double(columns) / factor).rounded()))
      )
      if high < rows || wide < columns {
        let (top, left) = ((rows - high) / 2, (columns - wide) / 2)
        picture = picture.sliced(2, top, top + high).sliced(3, left, left + wide)
          .resized(rows, columns)
      }
    }
    if recipe.colourJitter > 0 {
      let factors = draws[1...3].map { 1 + recipe.colourJitter * (2 * $0 - 1) }
      picture =
        picture * Tensor(factors, shape: [1, 3, 1, 1]).to(seen.dtype).to(seen.device)
    }
    return picture
  }
}

extension Subject {
  /// The last words of sites that hold logits.
  private static let heads: Set<String> = [
    "head", "fc", "classifier", "heads", "last_linear", "logits", "linear", "output",
  ]

  /// The site of the model's logits, one number a class; nil where it has none.
  ///
  /// The last site, where it is a vector and called as heads are called, of models that were trained on labels or of which that is not known:
  /// what models trained on images and texts end with is a projection.
  public var logitsSite: Site? {
    switch objective {
    case .languageImage, .selfSupervised, .maskedImage: return nil
    case .classification, .untrained, .other, .unknown: break
    }
    guard let last = sites.last, last.kind == .vector, last.shape.count == 1 else { return nil }
    let word = last.name.split(separator: ".").last.map(String.init) ?? ""
    return Self.heads.contains(word) || model is ImportedGraph ? last : nil
  }
}
