import Foundation
import Parallax
import Testing

/// What PyTorch computed for an exported network: input, output, a sample of every module's output, gradient.
public struct ExportOracle: Sendable {
  /// The archive's path.
  public let path: String
  /// The values.
  public let file: Safetensors
  /// Modules in the order in which they ran.
  public let order: [String]
  private let shapes: [String: [Int]]
  private let scales: [String: Double]

  /// The fixture `Tests/Fixtures/exports/NAME.{pt2,safetensors}`.
  public init(_ name: String) throws {
    let folder = fixtures.appending(path: "exports")
    path = folder.appending(path: "\(name).pt2").path
    let file = try Safetensors(folder.appending(path: "\(name).safetensors").path)
    self.file = file
    func read<T: Decodable>(_ key: String, _ type: T.Type) throws -> T {
      try JSONDecoder().decode(type, from: Data(#require(file.metadata[key]).utf8))
    }
    order = try read("order", [String].self)
    shapes = try read("shapes", [String: [Int]].self)
    scales = try read("scales", [String: Double].self)
  }

  /// A tensor of the fixture that must be there.
  public func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }

  /// At most so many values of a tensor, every n-th.
  public static func sample(_ tensor: Tensor, _ most: Int) -> Tensor {
    let flat = tensor.reshaped(-1)
    return flat.sliced(0, 0, step: (flat.count + most - 1) / most)
  }

  /// The shape of a site.
  public func shape(_ site: String) -> [Int] { shapes[site] ?? [] }

  /// The largest difference of a site from the oracle's sample of it, over the largest value of the whole site;
  /// infinite where the shape differs or the oracle has none of it.
  public func difference(_ value: Tensor, at site: String) -> Double {
    guard let expected = file["site/\(site)"], let shape = shapes[site], let scale = scales[site],
      value.shape == shape
    else { return .infinity }
    let gap = Self.sample(value, 256).to(.float64) - expected.to(.float64)
    return gap.absolute().maximum().item(Double.self) / max(scale, 1e-12)
  }
}
