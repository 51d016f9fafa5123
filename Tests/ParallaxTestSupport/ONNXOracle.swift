import Foundation
import Parallax
import Testing

/// What ONNX Runtime computed at every node of an ONNX file, and PyTorch at every module of the network that it was
/// exported from.
public struct ONNXOracle: Sendable {
  /// The file's path.
  public let path: String
  /// The values.
  public let file: Safetensors
  /// Values of the graph in execution order, by name.
  public let nodes: [String]
  /// Modules in the order in which they ran; none where the network is not PyTorch's.
  public let order: [String]
  /// Modules whose own numbers the exporter has folded into others'.
  public let folded: Set<String>
  private let shapes: [String: [Int]]
  private let scales: [String: Double]

  /// The fixture `Tests/Fixtures/onnx/NAME.{onnx,safetensors}`.
  public init(_ name: String) throws {
    let folder = fixtures.appending(path: "onnx")
    path = folder.appending(path: "\(name).onnx").path
    let file = try Safetensors(folder.appending(path: "\(name).safetensors").path)
    self.file = file
    func read<T: Decodable>(_ key: String, _ type: T.Type) throws -> T {
      try JSONDecoder().decode(type, from: Data(#require(file.metadata[key]).utf8))
    }
    nodes = try read("node_order", [String].self)
    // A network that is not PyTorch's has none of these.
    order = file.metadata["order"] == nil ? [] : try read("order", [String].self)
    folded = file.metadata["folded"] == nil ? [] : try read("folded", Set<String>.self)
    let prefix = { (kind: String, name: String) in "\(kind)/\(name)" }
    shapes = try read("node_shapes", [String: [Int]].self).reduce(into: [:]) {
      $0[prefix("node", $1.key)] = $1.value
    }.merging(
      (file.metadata["shapes"] == nil ? [:] : read("shapes", [String: [Int]].self)).map {
        (prefix("site", $0.key), $0.value)
      }
    ) { first, _ in first }
    scales = try read("node_scales", [String: Double].self).reduce(into: [:]) {
      $0[prefix("node", $1.key)] = $1.value
    }.merging(
      (file.metadata["scales"] == nil ? [:] : read("scales", [String: Double].self)).map {
        (prefix("site", $0.key), $0.value)
      }
    ) { first, _ in first }
  }

  /// A tensor of the fixture that must be there.
  public func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }

  /// The shape of `node/NAME` or `site/NAME`.
  public func shape(_ key: String) -> [Int]? { shapes[key] }

  /// The largest difference of `node/NAME` or `site/NAME` from the oracle's sample of it, over the largest of its
  /// values; infinite where the shape differs, nil where the oracle has none of it.
  public func difference(_ value: Tensor, at key: String) -> Double? {
    guard let expected = file[key], let shape = shapes[key], let scale = scales[key] else {
      return nil
    }
    guard value.shape == shape else { return .infinity }
    guard value.count > 0 else { return 0 }
    let (found, wanted) = (
      ExportOracle.sample(value, 64).scalars(Double.self), expected.scalars(Double.self)
    )
    let gaps = zip(found, wanted).map { x, y in
      // Where both are infinite, or neither is a number, they agree.
      x == y || x.isNaN && y.isNaN ? 0 : x.isFinite && y.isFinite ? abs(x - y) : .infinity
    }
    return (gaps.max() ?? 0) / max(scale, 1e-12)
  }
}
