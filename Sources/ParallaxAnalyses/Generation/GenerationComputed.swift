import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the pictures: the result, and files.
struct GenerationComputed {
  /// The longest side of small pictures in pixels.
  static let side = 224

  private(set) var result: GenerationResult
  private(set) var shelf = PictureShelf("generation")

  init(
    _ analysis: GenerationAnalysis,
    _ found: [(unit: GenerationUnit, found: GenerationUnit.Found)], begins: Tensor?, named: String?
  ) throws {
    let (options, recipe) = (analysis.options, analysis.recipe)
    result = GenerationResult(
      preset: recipe.name, steps: recipe.descent.steps, starts: options.starts, beginning: named,
      seed: options.seed, dtype: "float32")
    if let begins {
      result.beginningPicture =
        try shelf.add(begins.selected(0, 0), "beginning", side: Self.side).small
    }
    result.models = analysis.subjects.map { subject in
      GenerationResult.Model(
        name: subject.name, family: subject.family, height: subject.imageSize.height,
        width: subject.imageSize.width, logits: subject.logitsSite?.name,
        classes: subject.logitsSite?.shape[0] ?? 0,
        twinOf: subject.objective != .untrained
          ? nil : analysis.subjects.first { "\($0.name)-random" == subject.name }?.name)
    }
    for (unit, found) in found {
      for (row, one) in unit.rows.enumerated() {
        let (numbers, pixels) = (found.numbers[row], found.pictures.selected(0, row))
        var picture = GenerationResult.Picture(
          models: unit.models,
          kind: GenerationResult.Kind(rawValue: one.item.objective.kind) ?? .classImage,
          title: one.item.title, site: one.item.objective.site, start: one.start,
          frame: one.item.frame, before: numbers.before, after: numbers.after, best: numbers.best,
          trace: numbers.trace, diverged: numbers.diverged)
        (picture.height, picture.width) = (pixels.shape[1], pixels.shape[2])
        let name =
          "\(unit.name(analysis.subjects))-\(one.item.title)"
          + (options.starts > 1 ? "-start-\(one.start + 1)" : "")
        (picture.picture, picture.file) = try shelf.add(pixels, name, side: Self.side)
        result.pictures.append(picture)
      }
    }
    result.switches = GenerationSwitches.list(analysis, begins: begins != nil)
    result.findings = GenerationFindings(result: result)()
  }
}

/// What follows of the pictures.
///
/// > Source: Badger, 2022, arXiv 2211.06496: recognition and generation of inputs go together. Criteria are ours.
struct GenerationFindings {
  let result: GenerationResult

  /// The findings that these pictures can answer.
  func callAsFunction() -> [Finding] {
    [recognised(), opposites(), balance(), order(), features()].compactMap(\.self)
  }

  private func made(_ kinds: GenerationResult.Kind...) -> [GenerationResult.Picture] {
    result.pictures.filter { picture in
      kinds.contains(picture.kind)
        && picture.models.allSatisfy { result.models[$0].twinOf == nil }
    }
  }

  private func finding(
    _ sentence: String, _ value: Double, _ quantity: String, _ verdict: Finding.Verdict
  ) -> Finding {
    Finding(
      sentence: sentence, value: value, low: nil, high: nil, quantity: quantity, verdict: verdict,
      analysis: "generation")
  }

  /// The share of pictures of which something holds; all or none decide.
  private func share(
    _ sentence: String, _ pictures: [GenerationResult.Picture], _ quantity: String,
    _ holds: (GenerationResult.Picture) -> Bool
  ) -> Finding? {
    guard !pictures.isEmpty else { return nil }
    let share = Double(pictures.count(where: holds)) / Double(pictures.count)
    return finding(
      sentence, share, "share of \(pictures.count) pictures \(quantity)",
      share == 1 ? .shows : share == 0 ? .doesNotShow : .cannotTell)
  }

  private func recognised() -> Finding? {
    share(
      "The models recognise the class images that were made for them", made(.classImage, .joint),
      "whose class has the highest logit in every model that they were made for"
    ) { $0.after.allSatisfy { $0.rank == 1 } }
  }

  private func opposites() -> Finding? {
    share(
      "Pictures made as opposites have less of their class than what they began with",
      made(.opposite), "whose logit has fallen"
    ) { picture in
      zip(picture.before, picture.after).allSatisfy { $1.value < $0.value }
    }
  }

  private func balance() -> Finding? {
    let pictures = made(.juxtaposition)
    let gaps = pictures.compactMap { picture -> Double? in
      let values = picture.after.map(\.value)
      guard let high = values.max(), let low = values.min(), high > 0 else { return nil }
      return low / high
    }
    guard !pictures.isEmpty else { return nil }
    guard gaps.count == pictures.count else {
      return Finding(
        sentence: "Juxtaposed classes are present to the same degree", value: nil, low: nil,
        high: nil, quantity: "a picture has none of its classes", verdict: .doesNotShow,
        analysis: "generation")
    }
    return finding(
      "Juxtaposed classes are present to the same degree",
      gaps.reduce(0, +) / Double(gaps.count),
      "lowest logit over highest of the classes, mean over \(Self.plural(gaps.count)); shows where above 0.8 for every picture",
      gaps.allSatisfy { $0 > 0.8 }
        ? .shows : gaps.allSatisfy { $0 <= 0.8 } ? .doesNotShow : .cannotTell)
  }

  /// Steps from one frame to the next in which the second class gains on the first.
  private func order() -> Finding? {
    func pair(_ one: GenerationResult.Picture) -> String {
      "\(one.models) \(one.after.map(\.label))"
    }
    let frames = made(.interpolation).sorted {
      (pair($0), $0.start, $0.frame ?? 0) < (pair($1), $1.start, $1.frame ?? 0)
    }
    var (gains, steps) = (0, 0)
    for (a, b) in zip(frames, frames.dropFirst()) where b.frame == (a.frame ?? 0) + 1 {
      guard a.start == b.start, a.models == b.models, a.after.count == 2, b.after.count == 2,
        a.after.map(\.label) == b.after.map(\.label)
      else { continue }
      steps += 1
      let (before, after) = (
        a.after[1].value - a.after[0].value, b.after[1].value - b.after[0].value
      )
      if after > before { gains += 1 }
    }
    guard steps > 0 else { return nil }
    return finding(
      "Interpolations go from one class to the other", Double(gains) / Double(steps),
      "share of \(steps) steps between frames in which the second class gains on the first",
      gains == steps ? .shows : gains == 0 ? .doesNotShow : .cannotTell)
  }

  private func features() -> Finding? {
    share(
      "Pictures made for a feature have more of it than what they began with",
      made(.channel, .neuron, .direction, .layer), "whose activation has grown"
    ) { picture in
      zip(picture.before, picture.after).allSatisfy { $1.value > $0.value }
    }
  }

  private static func plural(_ count: Int) -> String {
    count == 1 ? "one picture" : "\(count) pictures"
  }
}

/// Every choice that changes the numbers, and whether the paper or its author's programs make it.
enum GenerationSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: GenerationAnalysis, begins: Bool) -> [Switch] {
    let (recipe, options) = (analysis.recipe, analysis.options)
    let isOurs = options.preset == .quick
    let ours = isOurs ? "reconstruction" : "paper"
    func number(_ value: Double) -> String { String(format: "%.4g", value) }
    func path(_ schedule: LinearSchedule) -> String {
      schedule.start == schedule.end
        ? number(schedule.start) : "\(number(schedule.start)) → \(number(schedule.end))"
    }
    let octaves = recipe.descent.octaves.prefix(6).map { octave -> String in
      let size =
        switch octave.size {
        case .own: "the beginning's size"
        case .side(let side): "\(side) px"
        case .share(let share): "\(number(share)) of the size"
        }
      return [
        "\(size): \(octave.steps) steps, ε \(path(octave.rate))",
        octave.smoothing.map { "blur \($0.size) × \($0.size), σ \(path($0.sigma))" },
        octave.crop.map { "crop \($0)" },
        octave.padding > 0 ? "\(octave.padding) px round it a step" : nil,
        octave.jitter > 0 ? "jitter \(octave.jitter) px" : nil,
      ].compactMap(\.self).joined(separator: ", ")
    }
    let more = recipe.descent.octaves.count > 6 ? "; … \(recipe.descent.octaves.count) in all" : ""
    let kinds = Set(analysis.units.flatMap { $0.rows.map(\.item.objective) }.map(\.kind))
    let isReading =
      !kinds.isDisjoint(with: ["neuron", "direction", "juxtaposition"])
    var list = [
      Switch(
        "objectives", kinds.sorted().joined(separator: ", "),
        origin: isReading ? "reconstruction" : "paper"),
      Switch(
        "C", recipe.targets.map(number).joined(separator: ", "),
        origin: options.target == nil ? "paper" : "reconstruction"),
      Switch(
        "octaves", octaves.joined(separator: "; ") + more,
        origin: options.steps == nil && options.preset != .googlenetPadded
          && options.preset != .vitClasses ? ours : "reconstruction"),
      Switch("descent on", recipe.descent.parametrisation.name, origin: ours),
      Switch("step", recipe.descent.optimiser.name, origin: ours),
      Switch(
        "gradient", options.clipsGradient ? "clipped to its mean ± 1 sd" : "not clipped",
        origin: "paper"),
      Switch(
        "L1 prior", recipe.magnitude > 0 ? "\(number(recipe.magnitude)) · Σ|a|" : "none",
        origin: "paper"),
      Switch(
        "start",
        begins
          ? "the picture"
          : recipe.start == .narrowUniform ? "U/25 + ½" : start(recipe.descent.start),
        origin: ours),
      Switch(
        "input of the model",
        recipe.isRaw ? "raw pixels in [0, 1], not normalised" : "the model's own preprocessing",
        origin: ours),
      Switch(
        "size that the model sees",
        analysis.subjects.map {
          GenerationView.isFree($0)
            ? "\($0.name): the picture's own" : "\($0.name): resized to its own (bilinear)"
        }.joined(separator: "; ")),
      Switch("scores", "of the whole picture, resized to the model's own size, by the same input"),
    ]
    if let zoom = recipe.zoom {
      list.append(
        Switch("zoom", "\(zoom.map(number).joined(separator: " to ")) at random in each step"))
    }
    if recipe.colourJitter > 0 {
      list.append(
        Switch("colours", "each channel × (1 ± \(number(recipe.colourJitter))) at random"))
    }
    if options.preset == .inceptionv3Aux {
      list.append(
        Switch(
          "logits", "the last classifier's: the auxiliary one is left out when weights are read"))
    }
    return list
  }

  private static func start(_ start: DescentRecipe.Start) -> String {
    switch start {
    case .normal(let mean, let deviation): "N(\(mean), \(deviation)²)"
    case .uniform: "uniform"
    case .parameters(let deviation): "N(0, \(deviation)²) for each coefficient"
    }
  }
}
