import Foundation
import ParallaxTensors

/// Embeddings that pictures are matched to instead of those of other pictures, such as those of texts: rows of a `.npy` or
/// `.safetensors` file.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568, match pictures to raw embeddings of texts.
public struct MatchVectors: Sendable {
  /// The file.
  public let path: String
  /// What identifies its content.
  public let hash: String
  /// `[rows, features]`, float64.
  let rows: Tensor

  /// How many there are.
  public var count: Int { rows.shape[0] }

  /// The rows of a file.
  ///
  /// - Parameter path: a `.npy` file of an array `[features]` or `[rows, features]`, or a `.safetensors` file with one such tensor.
  /// - Throws: `TensorError` where the file cannot be read; `AnalysisError.target` where it holds another number of tensors, another shape, or
  ///   NaN or infinity.
  public init(_ path: String) throws {
    func bad(_ problem: String) -> AnalysisError { .target(path: path, problem: problem) }
    let tensor: Tensor
    switch path.lowercased() {
    case let name where name.hasSuffix(".npy"): tensor = try Npy.read(path)
    case let name where name.hasSuffix(".safetensors"):
      let file = try Safetensors(path)
      guard file.names.count == 1, let name = file.names.first, let only = file[name] else {
        throw bad("expected one tensor of embeddings, found \(file.names.count)")
      }
      tensor = only
    default: throw bad("expected a .npy or a .safetensors file")
    }
    guard tensor.dtype.isFloatingPoint, (1...2).contains(tensor.rank), tensor.count > 0 else {
      throw bad(
        "expected floating-point numbers [rows, features], found \(tensor.dtype)\(tensor.shape)")
    }
    rows = tensor.to(.float64).reshaped(-1, tensor.shape[tensor.rank - 1])
    guard rows.isFinite() else { throw bad("it holds NaN or infinity") }
    self.path = path
    hash = try ContentHash.sha256(ofFile: path)
  }

  /// Whether they are embeddings of so many numbers.
  ///
  /// - Throws: `AnalysisError.target` where they are not.
  func check(_ address: String, features: Int) throws {
    guard rows.shape[1] == features else {
      throw AnalysisError.target(
        path: path,
        problem: "expected rows of \(features) numbers, as \(address) has, found \(rows.shape[1])")
    }
  }

  /// What the row of a target is called.
  func name(_ row: Int) -> String {
    let file = URL(filePath: path).lastPathComponent
    return count == 1 ? file : "\(file), row \(row + 1)"
  }
}
