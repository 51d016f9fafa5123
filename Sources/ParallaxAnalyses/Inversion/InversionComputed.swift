import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the pictures: the result, and files.
struct InversionComputed {
  /// The result.
  private(set) var result: InversionResult
  /// The pictures.
  private(set) var shelf = PictureShelf("inversion")

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
    let pictures =
      found.reduce(0) { $0 + $1.unit.rows.count } + ids.count * analysis.subjects.count
    let side = PictureShelf.side(for: pictures)
    for (index, subject) in analysis.subjects.enumerated() {
      var model = InversionResult.Model(
        name: subject.name, family: subject.family, design: subject.design.rawValue,
        height: subject.imageSize.height, width: subject.imageSize.width,
        twinOf: subject.objective != .untrained
          ? nil : analysis.subjects.first { $0.isTrainedForm(of: subject) }?.name)
      (model.derivedFrom, model.change) = (subject.derivation?.base, subject.derivation?.change)
      for image in ids.indices {
        let (picture, file) = try shelf.add(
          originals[index].selected(0, image), "\(subject.name)-image-\(image + 1)", side: side)
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
            (one.picture, one.file) = try shelf.add(
              found.pictures.selected(0, row),
              "\(subject.name)@\(layer.site.name)-image-\(one.image + 1)"
                + (options.starts > 1 ? "-start-\(one.start + 1)" : ""), side: side)
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
}
