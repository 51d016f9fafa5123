import ParallaxTensors

/// The parameters and buffers of an export archive as a checkpoint, for the architecture that they belong to.
struct ExportedWeights: StoredWeights {
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
  var format: String { "torch.export archive (.pt2)" }
  func storedType(_ name: String) -> String? { archive.dtype(of: name) }
  func shape(_ name: String) -> [Int]? { shapes[name] }
  func tensor(_ name: String) throws -> Tensor? {
    shapes[name] == nil ? nil : try archive.tensor(name)
  }
}
