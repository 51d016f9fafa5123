import ParallaxModels
import ParallaxTensors

/// Distances between two batches at many layers of a model, by one forward pass each.
struct LayerDistances {
  private static let resize = Operator("aten::_upsample_bilinear2d_aa")

  let subject: Subject
  /// The layers' paths in execution order.
  let sites: [String]
  /// Whether the model is given the pixels as they are.
  let isRaw: Bool

  /// Embeddings `[batch, features]` of every layer, in the order of `sites`.
  ///
  /// - Parameters:
  ///   - pixels: `[images, 3, …]` in [0, 1], of any size; resized to the model's (bilinear with antialiasing).
  ///   - limit: images that go through the model at once, where it does not fix that; nil for all.
  /// - Returns: one tensor a layer.
  /// - Throws: what the model throws; `AnalysisError.site` where it does not show a layer.
  func embeddings(_ pixels: Tensor, batch limit: Int? = nil) throws -> [Tensor] {
    let batch = pixels.shape[0]
    let size = max(1, subject.model.fixedBatch ?? limit ?? batch)
    var parts: [[Tensor]] = sites.map { _ in [] }
    for first in stride(from: 0, to: batch, by: size) {
      let some = pixels.sliced(0, first, min(first + size, batch))
      for (place, one) in try once(some).enumerated() { parts[place].append(one) }
    }
    return parts.map { $0.count == 1 ? $0[0] : Tensor.concatenated($0, 0) }
  }

  private func once(_ pixels: Tensor) throws -> [Tensor] {
    let batch = pixels.shape[0]
    let fitted = Self.resized(pixels.to(subject.device), subject.imageSize)
    var input = isRaw ? subject.raw(fitted) : subject.preprocessing.input(of: fitted)
    if let fixed = subject.model.fixedBatch, batch < fixed {
      let last = input.sliced(0, batch - 1)
      input = Tensor.concatenated([input] + (batch..<fixed).map { _ in last }, 0)
    }
    var found: [String: Tensor] = [:]
    let tap = Tap(Set(sites)) { visit in
      found[visit.site] = visit.value
      return nil
    }
    _ = try subject.model.run(input, tap)
    return try sites.map { site in
      guard let value = found[site], value.shape.first == input.shape[0],
        value.dtype.isFloatingPoint
      else {
        throw AnalysisError.site(
          "\(subject.name)@\(site)",
          problem: "the model did not show it as floating-point numbers for each of these images")
      }
      return value.sliced(0, 0, batch).reshaped(batch, -1).to(.float32)
    }
  }

  /// Pictures of a size.
  static func resized(_ pixels: Tensor, _ size: (height: Int, width: Int)) -> Tensor {
    pixels.shape[2] == size.height && pixels.shape[3] == size.width
      ? pixels : resize(pixels, [size.height, size.width], false, Absent.none, Absent.none)
  }

  /// ‖a − b‖₂ of each image.
  static func between(_ a: Tensor, _ b: Tensor) -> [Double] {
    (a - b).to(.float64).norm(over: [1]).scalars(Double.self)
  }
}
