import ParallaxTensors

/// Embeddings to match instead of those of the images: tensors `MODEL@SITE` or `MODEL@SITE#flat`, a row an image, of a safetensors file.
///
/// `parallax extract MODEL@SITE#flat` writes such files.
public struct TargetEmbeddings: Sendable {
  /// The file.
  public let path: String
  /// What identifies its content.
  public let hash: String
  private let file: Safetensors

  /// The tensors of a file.
  ///
  /// - Parameter path: of the file.
  /// - Throws: `TensorError` where it cannot be read or is no safetensors file.
  public init(_ path: String) throws {
    self.path = path
    file = try Safetensors(path)
    hash = try ContentHash.sha256(ofFile: path)
  }

  /// The embeddings for a layer.
  ///
  /// - Parameters:
  ///   - address: `MODEL@SITE`.
  ///   - features: numbers of one embedding.
  ///   - rows: embeddings that are needed.
  /// - Returns: `[rows or more, features]`.
  /// - Throws: `AnalysisError.target` where there are none, of another shape, too few, or NaN or infinity among them.
  func embeddings(_ address: String, features: Int, rows: Int) throws -> Tensor {
    func bad(_ problem: String) -> AnalysisError { .target(path: path, problem: problem) }
    guard let name = [address, "\(address)#flat"].first(where: { file[$0] != nil }),
      let tensor = file[name]
    else {
      let found = file.names.sorted()
      let list =
        found.isEmpty
        ? "no tensor"
        : found.prefix(3).joined(separator: ", ")
          + (found.count > 3 ? " and \(found.count - 3) more" : "")
      throw bad("expected a tensor '\(address)' or '\(address)#flat', found \(list)")
    }
    let shape = tensor.shape
    guard tensor.dtype.isFloatingPoint, shape.count >= 2, shape[0] >= rows,
      shape.dropFirst().reduce(1, *) == features
    else {
      throw bad(
        "'\(name)' is \(tensor.dtype)\(shape), expected floating-point numbers \([rows, features]), \(rows) or more rows"
      )
    }
    let wide = tensor.to(.float64).reshaped(shape[0], features)
    guard wide.isFinite() else { throw bad("'\(name)' holds NaN or infinity") }
    return tensor.reshaped(shape[0], features)
  }
}
