import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// The singular values of the Jacobians of some layers of some models at some pictures.
///
/// Derivatives are no part of a pass. It hands over the pixels of the first images; layers are decomposed once it has ended, one
/// after the other. Where that is stopped, what was found is kept with the state of the pass, and the same run goes on with the
/// next layer.
///
/// > Source: Badger, 2022, arXiv 2211.06496, for dimensions and condition numbers; the local form is our reconstruction, and the result
/// > names it.
public final class SpectrumAnalysis: Accumulator {
  /// What is decomposed, and how.
  public struct Options: Sendable {
    /// Images that enter.
    public var images = 1
    /// Layers of a model whose sites nobody chose, evenly spread.
    public var layers = 4
    /// The leading values that are looked for where J is too large to be formed.
    public var count = 64
    /// The largest min(D, n) for which J is formed.
    public var whole = 1024
    /// τ of the rank.
    public var threshold = 1e-3
    /// Whether models are given pixels in [0, 1] as they are, as the paper's recipe has it, instead of what their preprocessing makes of
    /// them.
    public var isRaw = false
    /// Rows that go through a model at once.
    public var batchSize = 8
    /// Models by name whose parameters are float64, in which products are then computed; empty for float32.
    public var precise: [String: any Model] = [:]
    /// The seed of first vectors and probes.
    public var seed: UInt64 = 0

    /// One image, four layers, 64 values.
    public init() {}
  }

  /// `spectrum`.
  public let name = "spectrum"
  /// Asked before each product; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  let layers: [ChosenSites.Place]
  private let samples: [Sample]
  private let limit: Int
  private var gathered: GatheredFeatures
  private var found: [String: SpectrumResult.Picture] = [:]

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order; their tokens do not matter.
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: the data set.
  ///   - named: those of the sites that somebody chose; of a model without one only some layers are decomposed.
  ///   - options: how.
  /// - Throws: `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    limit = min(images.samples.count, options.images)
    guard limit >= 1 else {
      throw AnalysisError.tooFewImages(needed: 1, found: limit, where: "spectrum")
    }
    let chosen = try ChosenSites(wanted, of: subjects, among: named) {
      ChosenSites.spread($1, options.layers)
    }
    (self.wanted, self.subjects, self.layers, self.options) = (
      chosen.inputs, subjects, chosen.places, options
    )
    samples = images.samples
    gathered = GatheredFeatures(
      name, widths: subjects.map { 3 * $0.imageSize.height * $0.imageSize.width }, limit: limit)
  }

  /// Layers, images, values and seed.
  public var fingerprint: String {
    let places = layers.map { "\($0.subject) \($0.site.name)" }
    return
      "1 images \(limit) values \(options.count) whole \(options.whole) \(dtype) τ \(options.threshold) raw \(options.isRaw) seed \(options.seed) layers \(places.joined(separator: ";"))"
  }

  /// Opens a block; of images beyond those that enter nothing is kept.
  public func begin(_ block: BlockHeading) {
    gathered.begin(block)
  }

  /// Keeps pixels `[images, 3 · height · width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or pixels come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    try gathered.add(index, features)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a model's pixels are missing.
  public func finish() throws { try gathered.finish() }

  /// The pixels of all finished blocks, and the layers decomposed so far.
  public func state() -> [(name: String, tensor: Tensor)] {
    gathered.state()
      + found.sorted { $0.key < $1.key }.compactMap { key, one in
        (try? StateNotes.tensor(one)).map { ("found.\(key)", $0) }
      }
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    guard state["samples"]?.count ?? 0 <= limit else { return false }
    var restored: [String: SpectrumResult.Picture] = [:]
    for layer in layers.indices {
      for image in 0..<limit {
        guard let notes = state["found.\(layer).\(image)"] else { continue }
        guard let one = StateNotes.value(SpectrumResult.Picture.self, notes) else { return false }
        restored["\(layer).\(image)"] = one
      }
    }
    guard gathered.restore(state) else { return false }
    found = restored
    return true
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where nothing of the pixels reaches
  ///   a layer or an operator has no derivative, and what models throw.
  public func result() throws -> SpectrumResult {
    let images = gathered.samples.count
    guard images >= 1 else {
      throw AnalysisError.tooFewImages(needed: 1, found: images, where: "spectrum")
    }
    let total = Double(layers.count * images)
    for (place, layer) in layers.enumerated() {
      for image in 0..<images where found["\(place).\(image)"] == nil {
        let share = Double(place * images + image) / total
        found["\(place).\(image)"] = try decompose(layer, image, share, 1 / total)
        try keep()
      }
    }
    progress("spectrum", 1)
    return assembled(images)
  }

  private var dtype: DType { options.precise.isEmpty ? .float32 : .float64 }

  private func decompose(_ layer: ChosenSites.Place, _ image: Int, _ done: Double, _ part: Double)
    throws
    -> SpectrumResult.Picture
  {
    let subject = subjects[layer.subject]
    let jacobian = try jacobian(layer, image)
    var iteration = Bidiagonalisation.Options()
    iteration.seed = options.seed
    let isWhole = min(jacobian.features, jacobian.inputs) <= options.whole
    let expected =
      isWhole
      ? Double(min(jacobian.features, jacobian.inputs) / jacobian.batchSize + 1)
      : Double(2 * options.count * iteration.stepsEach + iteration.probes)
    var asked = 0.0
    let spectrum = try jacobian.singularValues(
      leading: options.count, whole: options.whole, options: iteration
    ) {
      progress(
        "spectrum of \(subject.name)@\(layer.site.name)", done + part * min(1, asked / expected))
      asked += 1
      return isInterrupted()
    }
    return Self.numbers(spectrum, image, options.threshold)
  }

  private func jacobian(_ layer: ChosenSites.Place, _ image: Int) throws -> LayerJacobian {
    let subject = subjects[layer.subject]
    let embedding = LayerEmbedding(
      subject: subject, model: options.precise[subject.name] ?? subject.model, site: layer.site,
      isRaw: options.isRaw)
    let size = subject.imageSize
    let input = gathered.whole(layer.subject).sliced(0, image, image + 1)
      .reshaped(1, 3, size.height, size.width)
    let pixels = subject.preprocessing.pixels(of: input).to(dtype).to(subject.device)
    return try LayerJacobian(
      embedding.name, at: pixels,
      batchSize: min(options.batchSize, subject.model.fixedBatch ?? options.batchSize)
    ) { try embedding($0) }
  }

  /// One derivative either way at every layer.
  public func rehearse() throws {
    guard !gathered.samples.isEmpty else { return }
    for (place, layer) in layers.enumerated() where found["\(place).0"] == nil {
      let jacobian = try jacobian(layer, 0)
      let source = RandomSource(seed: options.seed)
      _ = try jacobian.times(source.normal([1, jacobian.inputs]).to(dtype))
      _ = try jacobian.transposedTimes(source.normal([1, jacobian.features]).to(dtype))
      if isInterrupted() { throw AnalysisError.interrupted }
    }
  }

  static func numbers(_ spectrum: SingularValues, _ image: Int, _ threshold: Double)
    -> SpectrumResult.Picture
  {
    // Values that have not settled are lower bounds of something; they are left to the rest.
    let settled = spectrum.isComplete ? spectrum.values.count : max(1, spectrum.converged())
    let values = Array(spectrum.values.prefix(settled))
    let numbers = SpectrumNumbers(
      values, missing: spectrum.isComplete ? 0 : spectrum.count - settled,
      rest: spectrum.squaredNorm - values.reduce(0) { $0 + $1 * $1 },
      error: spectrum.squaredNormError)
    let (method, steps): (String, Int?) =
      switch spectrum.method {
      case .decomposition: ("decomposition", nil)
      case .gram: ("gram", nil)
      case .bidiagonalisation(let steps): ("bidiagonalisation", steps)
      }
    let residual = zip(spectrum.residuals, values).reduce(0.0) {
      $1.1 > 0 ? max($0, $1.0 / $1.1) : $0
    }
    return SpectrumResult.Picture(
      image: image, method: method, steps: steps, values: values, residual: residual,
      isComplete: spectrum.isComplete, squaredNorm: spectrum.squaredNorm,
      squaredNormError: spectrum.squaredNormError,
      rank: numbers.rank(max(threshold, spectrum.floor)), effectiveRank: numbers.effectiveRank)
  }

  private func assembled(_ images: Int) -> SpectrumResult {
    // What does not count for the rank is compared with nothing, and what has settled nowhere compares nothing: two at least.
    let all = found.values.map { Int($0.rank.low) }.filter { $0 > 1 }
    var result = SpectrumResult(
      images: gathered.samples.map { samples[$0].id }, threshold: options.threshold,
      count: options.count, compared: max(1, min(options.count, all.min() ?? 1)),
      seed: options.seed, dtype: dtype.description)
    for (index, subject) in subjects.enumerated() {
      var model = SpectrumResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width,
        twinOf: subject.objective != .untrained
          ? nil : subjects.first { $0.isTrainedForm(of: subject) }?.name)
      (model.derivedFrom, model.change) = (subject.derivation?.base, subject.derivation?.change)
      for (place, layer) in layers.enumerated() where layer.subject == index {
        model.layers.append(
          SpectrumResult.Layer(
            site: layer.site.name, stage: layer.site.stage, depth: layer.depth,
            features: layer.site.shape.reduce(1, *),
            pictures: (0..<images).compactMap { found["\(place).\($0)"] }))
      }
      result.models.append(model)
    }
    result.switches = Self.switches(options)
    result.findings = SpectrumFindings(result: result)()
    return result
  }

  /// Every choice that changes the numbers, and whether the paper makes it.
  static func switches(_ options: Options) -> [Switch] {
    [
      Switch("dimension test", "D < n: exactly not unique", origin: "paper"),
      Switch("condition number", "σ₁ over σ_k, of the Jacobian at a picture"),
      Switch(
        "Jacobian",
        "∂O/∂a, a: pixels in [0, 1] "
          + (options.isRaw ? "as they are" : "through the model's own preprocessing")),
      Switch("embedding", "all numbers of the layer", origin: "paper"),
      Switch("rank", "values above τ = \(String(format: "%.3g", options.threshold)) of σ₁"),
      Switch("effective rank", "exp(H(σ/Σσ))"),
      Switch(
        "method",
        "J as a whole in float64 where min(D, n) ≤ \(options.whole), else Golub–Kahan bidiagonalisation for \(options.count) values in at most \(3 * options.count) steps"
      ),
      Switch("settled", "residual ‖J·v − σ·u‖ at most 5 % of σ"),
      Switch(
        "‖J‖²_F", "exact, or Hutchinson's estimator of what the bidiagonalisation leaves, 8 probes"),
      Switch("relative depth", "l / (L − 1) over the L sites that were asked for"),
    ]
  }
}

extension SpectrumAnalysis: PiecewiseAnalysis {
  /// Writes `results/spectrum.json`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let result = try result()
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
