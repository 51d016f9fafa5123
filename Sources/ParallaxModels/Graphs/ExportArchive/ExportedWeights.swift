import ParallaxTensors

/// The parameters and buffers of an export archive as a checkpoint, for the architecture that they belong to.
struct ExportedWeights: WeightSource {
  private let archive: ExportArchive
  private let shapes: [String: [Int]]

  /// Opens an archive.
  ///
  /// - Throws: what `ExportArchive` throws.
  init(_ path: String) throws {
    archive = try ExportArchive(path)
    shapes = archive.shapes
  }

  var label: String { archive.path }
  var names: [String] { Array(shapes.keys) }
  func shape(_ name: String) -> [Int]? { shapes[name] }
  func tensor(_ name: String) throws -> Tensor? {
    shapes[name] == nil ? nil : try archive.tensor(name)
  }
}
