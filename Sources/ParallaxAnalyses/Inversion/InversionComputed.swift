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
      shift: options.shift.scale, shifts: options.shift.count, seed: options.seed,
      dtype: "\(analysis.dtype)")
    result.target = options.target?.path
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
          steps: layer.recipe.descent.steps, reconstructions: [])
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
