import ParallaxImages
import ParallaxModels
import ParallaxTensors

/// From pictures to a representation: a site of a model and a choice of its tokens.
struct RepresentationEmbedding {
  let subject: Subject
  let representation: Representation
  /// What pictures are given in.
  var unit = MatchRecipe.Unit.pixels
  /// The same model in another element type; nil for the subject's own.
  var model: (any Model)?

  var name: String { representation.address }

  /// Embeddings `[batch, features]` of pictures `[batch, 3, height, width]`; nothing after the site runs.
  func callAsFunction(_ pictures: Tensor) throws -> Tensor {
    try Self.of(pictures, subject, [representation], unit, in: model)[0]
  }

  /// Several representations from one pass.
  ///
  /// - Parameters:
  ///   - pictures: `[batch, 3, height, width]`.
  ///   - subject: the model.
  ///   - wanted: representations of this model.
  ///   - unit: what pictures are given in.
  ///   - other: the same model in another element type; nil for the subject's own.
  /// - Returns: of each `[batch, features]`.
  /// - Throws: `AnalysisError.site` where the model does not show one, `ModelError`.
  static func of(
    _ pictures: Tensor, _ subject: Subject, _ wanted: [Representation], _ unit: MatchRecipe.Unit,
    in other: (any Model)? = nil
  ) throws -> [Tensor] {
    let model = other ?? subject.model
    let batch = pictures.shape[0]
    var input = unit == .normalised ? pictures : subject.preprocessing.input(of: pictures)
    if let fixed = model.fixedBatch {
      guard batch <= fixed else {
        return try stride(from: 0, to: batch, by: fixed).map { first in
          try of(
            pictures.sliced(0, first, min(first + fixed, batch)), subject, wanted, unit, in: other)
        }.joinedByPlace()
      }
      let last = input.sliced(0, batch - 1)
      input = Tensor.concatenated([input] + (batch..<fixed).map { _ in last }, 0)
    }
    var found: [String: Tensor] = [:]
    let tap = Tap(Set(wanted.map(\.site.name))) { visit in
      found[visit.site] = visit.value
      return nil
    }
    _ = try model.run(input, tap)
    return try wanted.map { one in
      guard let value = found[one.site.name], value.shape.first == input.shape[0],
        value.dtype.isFloatingPoint
      else {
        throw AnalysisError.site(
          one.address,
          problem: "the model did not show it as floating-point numbers for each of these images")
      }
      let wide = value.dtype.byteCount < 4 ? value.to(.float32) : value
      return try one.tokens(
        wide, at: one.site, subject.model.tokenLayout, imageSize: subject.imageSize
      ).sliced(0, 0, batch)
    }
  }
}

extension [[Tensor]] {
  /// Of parts of a batch the whole, place by place.
  fileprivate func joinedByPlace() -> [Tensor] {
    guard let first else { return [] }
    return first.indices.map { place in Tensor.concatenated(map { $0[place] }, 0) }
  }
}
