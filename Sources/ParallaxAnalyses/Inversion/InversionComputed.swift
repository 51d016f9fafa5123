import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the pictures: the result, and files.
struct InversionComputed {
  /// The longest side of small pictures in pixels.
  static let side = 112

  /// The result.
  private(set) var result: InversionResult
  /// Whole pictures `[3, height, width]` by their files' names, without an end.
  private var pictures: [(name: String, tensor: Tensor)] = []

  init(
    _ analysis: InversionAnalysis, _ originals: [Tensor],
    _ found: [(unit: InversionAnalysis.Unit, found: InversionAnalysis.Found)], ids: [String]
  ) throws {
    let options = analysis.options
    result = InversionResult(
      preset: options.preset.rawValue, images: ids, starts: options.starts,
      shift: options.shift.scale, shifts: options.shift.count, seed: options.seed, dtype: "float32")
    for (index, subject) in analysis.subjects.enumerated() {
      var model = InversionResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width,
        twinOf: subject.objective != .untrained
          ? nil : analysis.subjects.first { $0.isTrainedForm(of: subject) }?.name)
      (model.derivedFrom, model.change) = (subject.derivation?.base, subject.derivation?.change)
      for image in ids.indices {
        let (picture, file) = try add(
          originals[index].selected(0, image), "\(subject.name)-image-\(image + 1)")
        model.originals.append(InversionResult.Original(picture: picture, file: file))
      }
      for (place, layer) in analysis.layers.enumerated() where layer.subject == index {
        var entry = InversionResult.Layer(
          site: layer.site.name, stage: layer.site.stage, depth: layer.depth,
          features: layer.site.shape.reduce(1, *), scale: layer.recipe.scale,
          steps: layer.recipe.steps, reconstructions: [])
        for (unit, found) in found where unit.layer == place {
          for (row, numbers) in found.numbers.enumerated() {
            var one = numbers
            (one.picture, one.file) = try add(
              found.pictures.selected(0, row),
              "\(subject.name)@\(layer.site.name)-image-\(one.image + 1)"
                + (options.starts > 1 ? "-start-\(one.start + 1)" : ""))
            entry.reconstructions.append(one)
          }
        }
        model.layers.append(entry)
      }
      result.models.append(model)
    }
    options.axis?.place(&result)
    result.switches = InversionSwitches.list(analysis)
    result.findings = InversionFindings(result: result)()
  }

  private mutating func add(_ picture: Tensor, _ name: String) throws -> (Data, String) {
    let number = String(pictures.count + 1001).dropFirst()
    let safe = String(
      name.map { $0.isLetter || $0.isNumber || "-_.@".contains($0) ? $0 : "-" }.suffix(120))
    pictures.append(("\(number)-\(safe)", picture))
    return (try Self.small(picture), "tensors/inversion/\(number)-\(safe).png")
  }

  /// A picture `[3, height, width]`, clamped to [0, 1].
  static func buffer(_ picture: Tensor) -> ImageBuffer {
    let bytes = (picture.to(.cpu).to(.float32).clamped(0, 1) * 255.0 + 0.5).permuted(1, 2, 0)
      .contiguous().to(.uint8).scalars(UInt8.self)
    return ImageBuffer(width: picture.shape[2], height: picture.shape[1], pixels: bytes)
  }

  private static func small(_ picture: Tensor) throws -> Data {
    let whole = buffer(picture)
    let longest = max(whole.width, whole.height)
    guard longest > side else { return try whole.pngData() }
    return try whole.resized(
      width: max(1, whole.width * side / longest), height: max(1, whole.height * side / longest),
      using: .bicubic
    ).pngData()
  }

  /// Writes every picture as a PNG, and all of them as they are into one file.
  ///
  /// - Throws: `ResultsError.unwritable`, `TensorError.unwritable`, `ImageError`.
  func write(into run: RunFolder) throws {
    for picture in pictures {
      try run.write(
        try Self.buffer(picture.tensor).pngData(), at: "tensors/inversion/\(picture.name).png")
    }
    try Safetensors.write(
      pictures.map { (name: $0.name, tensor: $0.tensor.to(.cpu).contiguous()) },
      metadata: ["preset": result.preset, "unit": "pixels, 0 to 1, not clamped"],
      to: run.tensors.appending(path: "inversion/pictures.safetensors").path)
  }
}

/// Every choice that changes the numbers, and whether the paper makes it.
enum InversionSwitches {
  /// Them, in the order of the report.
  static func list(_ analysis: InversionAnalysis) -> [Switch] {
    let options = analysis.options
    let recipes = analysis.layers.map(\.recipe)
    guard let first = recipes.first else { return [] }
    let isPaper = options.preset == .badger2022
    let ours = isPaper ? "paper" : "reconstruction"
    func values(_ text: (InversionRecipe) -> String) -> String {
      var seen: Set<String> = []
      let all = recipes.map(text).filter { seen.insert($0).inserted }
      return all.prefix(4).joined(separator: "; ") + (all.count > 4 ? "; …" : "")
    }
    func number(_ value: Double) -> String { String(format: "%.4g", value) }
    let isTransformer = analysis.subjects.contains { $0.design == .transformer }
    return [
      Switch(
        "loss",
        first.isRelative
          ? "\(first.loss.rawValue), over that of an embedding of zeros"
          : "\(first.loss.rawValue), summed over all elements, times c", origin: ours),
      Switch(
        "c", values { number($0.scale) },
        origin: isPaper && !isTransformer ? "paper" : "reconstruction"),
      Switch(
        "steps", values { "\($0.steps)" },
        origin: isPaper && options.steps == nil ? "paper" : "reconstruction"),
      Switch(
        "rate",
        values {
          "\($0.optimiser.rawValue), ε \(number($0.rate.start)) → \(number($0.rate.end)), linear"
        }, origin: isPaper && !isTransformer ? "paper" : "reconstruction"),
      Switch(
        "start",
        values {
          switch $0.start {
          case .normal(let mean, let deviation): "N(\(number(mean)), \(number(deviation))²)"
          case .uniform: "uniform"
          }
        }, origin: ours),
      Switch(
        "prior",
        values { recipe in
          var parts: [String] = []
          if let blur = recipe.smoothing {
            parts.append(
              "\(blur.size) × \(blur.size) blur after each step, σ \(number(blur.sigma.start)) → \(number(blur.sigma.end))"
            )
          }
          if recipe.variation > 0 { parts.append("total variation × \(number(recipe.variation))") }
          if recipe.jitter > 0 { parts.append("jitter of \(recipe.jitter) pixels") }
          return parts.isEmpty ? "none" : parts.joined(separator: ", ")
        },
        origin: isPaper && options.variation == nil && options.jitter == nil
          ? "paper" : "reconstruction"),
      Switch("clamp to [0, 1]", first.clamps ? "after each step" : "no", origin: ours),
      Switch(
        "input",
        first.isRaw ? "raw pixels in [0, 1], not normalised" : "the model's own preprocessing",
        origin: ours),
      Switch("resizing", "the model's own filter and size (the paper: bilinear)"),
      Switch(
        "result",
        first.kept == .last ? "the last picture" : "the picture whose embedding is nearest",
        origin: ours),
      Switch(
        "m_r", "mean over \(options.shift.count) shifts, s = \(number(options.shift.scale))",
        origin: options.shift.count == 1 && options.shift.scale == 1.0 / 18
          ? "paper" : "reconstruction"),
      Switch("verdict", "m_g < m_r and m_i > m_a': embedding only", origin: "paper"),
      Switch("embedding", "all numbers of the layer", origin: "paper"),
      Switch("relative depth", "l / (L − 1) over the L sites that were asked for"),
    ]
  }
}
