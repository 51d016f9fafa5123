import Foundation
import ParallaxResults

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct FieldCheck {
  let result: ReceptiveFieldResult

  private static let png: [UInt8] = [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    guard result.decades.isFinite, (0...300).contains(result.decades) else {
      return "its colours span \(result.decades) powers of ten"
    }
    for model in result.models {
      guard (1...1_000_000).contains(model.height), (1...1_000_000).contains(model.width) else {
        return "the input of a model is of \(model.height)×\(model.width) pixels"
      }
      guard !model.outputs.isEmpty else { return "a model has no field of a site" }
      for (index, field) in model.fields.enumerated() {
        guard (0...1).contains(field.depth) else {
          return "field \(index) lies at relative depth \(field.depth)"
        }
        guard field.picture.isEmpty || Array(field.picture.prefix(8)) == Self.png else {
          return "the picture of field \(index) is no PNG"
        }
        guard field.squares.map(\.share) == model.fields[0].squares.map(\.share) else {
          return "the squares of field \(index) are of other shares than those of the first"
        }
      }
    }
    return nil
  }
}
