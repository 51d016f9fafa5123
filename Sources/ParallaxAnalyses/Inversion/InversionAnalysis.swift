import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Pictures reconstructed from the embeddings of some layers of some models.
///
/// Gradients are no part of a pass. It hands over the pixels of the first images; descents run once it has ended, all images
/// and starts of a layer at once. Where that is stopped, pictures of finished layers and the state of the running descent are kept
/// with the state of the pass, and the same run goes on with the next step.
///
/// > Source: Badger, 2022, arXiv 2211.06496. What it leaves open is our reconstruction, and the result names it.
public final class InversionAnalysis: Accumulator {
  /// A layer to be inverted.
  struct Layer {
    var subject: Int
    var site: Site
    var depth: Double
    var recipe: InversionRecipe
    /// Pictures that descend at once.
    var batch = 1
    /// Embeddings to match instead of the images' own.
    var target: (rows: Tensor, places: [Int?])?
  }

  /// Some pictures of a layer that have been found.
  struct Found {
    var pictures: Tensor
    var numbers: [InversionResult.Reconstruction]
  }

  /// `inversion`.
  public let name = "inversion"
  /// Asked before each step; where it says yes, the run stops and what was found stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// Called where there is more to keep than before.
  public var keep: () throws -> Void = {}
  /// The pixels that go into each model.
  public let wanted: [Representation]
  let options: Options
  let subjects: [Subject]
  let layers: [Layer]
  let samples: [Sample]
  private let limit: Int
  private(set) var gathered: GatheredFeatures
  private(set) var found: [String: Found] = [:]
  private var running: (key: String, state: Inversion.State)?

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order; their tokens do not matter.
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: the data set.
  ///   - named: those of the sites that somebody chose; of a model without one only some layers are inverted.
  ///   - options: how.
  /// - Throws: `AnalysisError.site`, `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: ImageSet,
    among named: [Representation] = [], options: Options = Options()
  ) throws {
    let entering = images.samples.indices.filter {
      options.chosen.contains(images.samples[$0].id)
    }
    limit = min(entering.isEmpty ? images.samples.count : entering.count, options.images)
    guard limit >= 1 else {
      throw AnalysisError.tooFewImages(needed: 1, found: limit, where: "inversion")
    }
    let chosen = try ChosenSites(wanted, of: subjects, among: named) {
      ChosenSites.spread($1, options.layers)
    }
    var layers = chosen.places.map { one in
      Layer(
        subject: one.subject, site: one.site, depth: one.depth,
        recipe: options.recipe(
          subjects[one.subject].design, features: one.site.shape.reduce(1, *)))
    }
    for place in layers.indices {
      let (layer, subject) = (layers[place], subjects[layers[place].subject])
      if let problem = layer.recipe.descent.problem(
        channels: 3, height: subject.imageSize.height, width: subject.imageSize.width)
      {
        throw AnalysisError.recipe("\(subject.name)@\(layer.site.name)", problem: problem)
      }
      layers[place].batch = try InversionMemory(subject, layer, options).batch()
      if let target = options.target {
        let rows = try target.embeddings(
          "\(subject.name)@\(layer.site.name)", features: layer.site.shape.reduce(1, *))
        layers[place].target = (
          rows, try target.places(of: images.samples, among: rows.shape[0])
        )
      }
    }
    (self.wanted, self.subjects, self.layers, self.options) = (
      chosen.inputs, subjects, layers, options
    )
    samples = images.samples
    gathered = GatheredFeatures(
      name, widths: subjects.map { 3 * $0.imageSize.height * $0.imageSize.width }, limit: limit,
      among: entering.isEmpty ? nil : Set(entering))
  }

  /// The element type of the descents.
  var dtype: DType { options.precise.isEmpty ? .float32 : .float64 }

  /// What is to be said where batches were made smaller; nil where they were not.
  public var memoryNote: String? {
    let asked = min(options.batchSize, limit * options.starts)
    guard
      let least = layers.filter({ subjects[$0.subject].model.fixedBatch == nil }).map(\.batch)
        .min(),
      least < asked
    else { return nil }
    return
      "\(least) instead of \(asked) pictures descend at once, to stay below the memory limit"
  }

  /// Recipes, layers, images, shifts and seed.
  public var fingerprint: String {
    let places = layers.map { "\($0.subject) \($0.site.name) \($0.recipe.fingerprint)" }
    return
      "2 images \(limit) \(options.chosen.sorted()) starts \(options.starts) shift \(options.shift.scale) × \(options.shift.count) batch \(layers.map(\.batch)) seed \(options.seed) target \(options.target?.hash ?? "none") dtype \(dtype) layers \(places.joined(separator: ";"))"
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

  /// The pixels of all finished blocks, the pictures found so far, and the descent that is running.
  public func state() -> [(name: String, tensor: Tensor)] {
    var list = gathered.state()
    list += StateNotes.entries(found: found.mapValues { ($0.pictures, $0.numbers) })
    if let running, let tensors = try? running.state.tensors() {
      list += StateNotes.entries(running: running.key, tensors)
    }
    return list
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, layers or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    let count = state["samples"]?.count ?? 0
    guard count <= limit else { return false }
    var restored: [String: Found] = [:]
    var going: (key: String, state: Inversion.State)?
    for unit in units(images: count) {
      let shape = shape(unit)
      let finished = state.under("found.\(unit.key).")
      if let pictures = finished["pictures"] {
        guard pictures.shape == shape,
          let numbers = StateNotes.value(
            [InversionResult.Reconstruction].self, finished["numbers"]),
          numbers.count == shape[0]
        else { return false }
        restored[unit.key] = Found(pictures: pictures, numbers: numbers)
      }
      let tensors = state.under("running.\(unit.key).")
      if !tensors.isEmpty {
        let bare = Inversion("", layers[unit.layer].recipe) { $0 }.bare
        guard let state = bare.state(tensors, batch: shape[0], height: shape[2], width: shape[3])
        else { return false }
        going = (unit.key, state)
      }
    }
    guard gathered.restore(state) else { return false }
    (found, running) = (restored, going)
    return true
  }

  /// Pictures of one layer that descend at once.
  struct Unit {
    var key: String
    var layer: Int
    /// Image and start of each.
    var rows: [(image: Int, start: Int)]
  }

  func units(images: Int) -> [Unit] {
    let rows = (0..<images).flatMap { image in (0..<options.starts).map { (image, $0) } }
    return layers.indices.flatMap { layer -> [Unit] in
      let size = layers[layer].batch
      return stride(from: 0, to: rows.count, by: size).enumerated().map { number, first in
        Unit(
          key: "\(layer).\(number)", layer: layer,
          rows: rows[first..<min(first + size, rows.count)].map { (image: $0.0, start: $0.1) })
      }
    }
  }

  private func shape(_ unit: Unit) -> [Int] {
    let size = subjects[layers[unit.layer].subject].imageSize
    return [unit.rows.count, 3, size.height, size.width]
  }

  /// The result, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pixels, and what models throw.
  public func result() throws -> InversionResult { try computed().result }

  func computed() throws -> InversionComputed {
    let images = gathered.samples.count
    guard images >= 1 else {
      throw AnalysisError.tooFewImages(needed: 1, found: images, where: "inversion")
    }
    let originals = subjects.indices.map { index in
      let size = subjects[index].imageSize
      return subjects[index].preprocessing.pixels(
        of: gathered.whole(index).reshaped(images, 3, size.height, size.width))
    }
    let units = units(images: images)
    for (number, unit) in units.enumerated() where found[unit.key] == nil {
      found[unit.key] = try invert(unit, originals, share: { Double(number) + $0 }, of: units.count)
      running = nil
      try keep()
    }
    progress("inversion", 1)
    return try InversionComputed(
      self, originals, units.compactMap { unit in found[unit.key].map { (unit, $0) } },
      ids: gathered.samples.map { samples[$0].id })
  }

  private func invert(
    _ unit: Unit, _ originals: [Tensor], share: (Double) -> Double, of units: Int
  ) throws -> Found {
    let layer = layers[unit.layer]
    let subject = subjects[layer.subject]
    let embedding = LayerEmbedding(
      subject: subject, model: options.precise[subject.name] ?? subject.model, site: layer.site,
      isRaw: layer.recipe.isRaw)
    let targets = originals[layer.subject].gathered(0, unit.rows.map(\.image)).to(dtype)
      .to(subject.device)
    let wanted = try given(unit)?.to(dtype).to(subject.device) ?? embedding(targets)
    let shape = targets.shape
    let inversion = Inversion(embedding.name, layer.recipe) { try embedding($0) }
    let start = try inversion.bare.begin(
      channels: shape[1], height: shape[2], width: shape[3],
      seeds: unit.rows.map { seed(1, $0.image, $0.start) }, dtype: dtype, device: subject.device)
    var state = running?.key == unit.key ? running?.state ?? start : start
    state = state.moved(to: subject.device)
    let part = "inverting \(embedding.name)"
    do {
      try inversion.descent(wanted: wanted, targets: targets).run(
        &state, towards: targets, seed: options.seed,
        every: max(1, layer.recipe.descent.steps / 50),
        isInterrupted: isInterrupted,
        each: { [self] in
          running = (unit.key, $0)
          try keep()
        }
      ) { step in
        progress(
          part, share(Double(step) / Double(max(1, layer.recipe.descent.steps))) / Double(units))
      }
    } catch {
      running = (unit.key, state)
      throw error
    }
    let pictures = inversion.result(state)
    return Found(
      pictures: pictures.to(.cpu),
      numbers: try numbers(
        unit, inversion, state, pictures, targets, wanted,
        inversion.pictures(start).resized(shape[2], shape[3])))
  }

  /// The embeddings that somebody gave for the images of a unit; the pass may be in another order than the data set.
  private func given(_ unit: Unit) throws -> Tensor? {
    guard let target = layers[unit.layer].target else { return nil }
    let rows = try unit.rows.map { row in
      let place = gathered.samples[row.image]
      guard let found = target.places[place] else {
        throw AnalysisError.target(
          path: options.target?.path ?? "",
          problem: "has no row for '\(samples[place].id)', which is among the images")
      }
      return found
    }
    return target.rows.gathered(0, rows)
  }

  /// A seed of its own for each purpose, image and repetition.
  func seed(_ purpose: UInt64, _ image: Int, _ repetition: Int) -> UInt64 {
    ((options.seed &* 1_000_003 &+ purpose) &* 1_000_003 &+ UInt64(image)) &* 1_000_003
      &+ UInt64(repetition)
  }

  private func numbers(
    _ unit: Unit, _ inversion: Inversion, _ state: Inversion.State, _ pictures: Tensor,
    _ targets: Tensor, _ wanted: Tensor, _ start: Tensor
  ) throws -> [InversionResult.Reconstruction] {
    func distances(_ a: Tensor, _ b: Tensor) -> [Double] {
      (a - b).to(.float64).reshaped(a.shape[0], -1).norm(over: [1]).scalars(Double.self)
    }
    let count = unit.rows.count
    let own = layers[unit.layer].target == nil ? wanted : try inversion.embedding(targets)
    let reached = try distances(inversion.embedding(pictures), wanted)
    let (inputs, beginnings) = (distances(pictures, targets), distances(start, targets))
    var (moved, shifted) = (
      [Double](repeating: 0, count: count), [Double](repeating: 0, count: count)
    )
    let shape = Array(targets.shape.dropFirst())
    for repetition in 0..<options.shift.count {
      let shift = Tensor.stacked(
        unit.rows.map { options.shift.draw(shape, seed: seed(2, $0.image, repetition)) }
      ).to(dtype).to(targets.device)
      let there = targets + shift
      let (a, b) = (try distances(inversion.embedding(there), own), distances(there, targets))
      for row in 0..<count {
        moved[row] += a[row] / Double(options.shift.count)
        shifted[row] += b[row] / Double(options.shift.count)
      }
    }
    let inputsCount = Double(shape.reduce(1, *))
    return try unit.rows.enumerated().map { row, place in
      guard reached[row].isFinite, moved[row].isFinite, inputs[row].isFinite else {
        throw AnalysisError.site(
          inversion.name, problem: "NaN or infinity in the embedding of image \(place.image + 1)")
      }
      let diverged = state.stopped[row]
      var one = InversionResult.Reconstruction(
        image: place.image, start: place.start, embedding: reached[row], reference: moved[row],
        input: inputs[row], inputReference: shifted[row], beginning: beginnings[row],
        rmse: inputs[row] / inputsCount.squareRoot(),
        step: inversion.recipe.descent.kept == .best || diverged != nil
          ? state.bestStep[row] : inversion.recipe.descent.steps,
        diverged: diverged,
        trace: state.trace[row].map {
          InversionResult.Point(
            step: $0.step, loss: $0.loss, embedding: $0.embedding ?? 0, input: $0.input ?? 0)
        })
      let comparison = PictureComparison(pictures.selected(0, row), targets.selected(0, row))
      (one.psnr, one.ssim) = (comparison.psnr, comparison.ssim)
      one.highFrequency = comparison.highFrequency
      // The picture that belongs to somebody's embedding is not known.
      if layers[unit.layer].target != nil, one.verdict != .failed { one.verdict = .given }
      return one
    }
  }
}

extension InversionAnalysis: PiecewiseAnalysis {
  /// Writes `results/inversion.json`, and to `tensors/inversion/` every picture as a PNG and, unclamped, all in one file.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let computed = try computed()
    try computed.shelf.write(into: run, ["preset": options.preset.rawValue])
    try run.write(computed.result, analysis: name)
    return computed.result.tidyRows()
  }
}
