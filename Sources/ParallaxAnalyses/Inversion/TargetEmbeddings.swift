import Foundation
import ParallaxImages
import ParallaxTensors

/// Embeddings to match instead of those of the images: tensors `MODEL@SITE` or `MODEL@SITE#flat`, a row an image, of a safetensors file.
///
/// `parallax extract MODEL@SITE#flat` writes such files, and `samples.csv` beside them, which tells whose each row is. Where that
/// table is missing, row i is image i of the data set, and there must be as many of both.
public struct TargetEmbeddings: Sendable {
  /// The file.
  public let path: String
  /// What identifies its content.
  public let hash: String
  private let file: Safetensors
  /// Rows by the id of their image, with its hash; nil where no table tells.
  private let rows: [String: (row: Int, sha256: String)]?

  /// The tensors of a file.
  ///
  /// - Parameter path: of the file.
  /// - Throws: `TensorError` where it cannot be read or is no safetensors file.
  public init(_ path: String) throws {
    self.path = path
    file = try Safetensors(path)
    hash = try ContentHash.sha256(ofFile: path)
    rows = try Self.table(beside: path)
  }

  /// What `samples.csv` says of a shard.
  private static func table(beside path: String) throws -> [String: (row: Int, sha256: String)]? {
    let shard = URL(filePath: path)
    let table = shard.deletingLastPathComponent().appending(path: "samples.csv").path
    guard FileManager.default.fileExists(atPath: table) else { return nil }
    let cells = try CellTable.rows(ofFile: table)
    guard let heads = cells.first, let file = heads.firstIndex(of: "shard"),
      let place = heads.firstIndex(of: "row"), let id = heads.firstIndex(of: "id"),
      let hash = heads.firstIndex(of: "sha256")
    else {
      throw AnalysisError.target(
        path: table, problem: "expected columns shard, row, id and sha256, as extract writes them")
    }
    let own = cells.dropFirst().filter {
      $0.count == heads.count && $0[file] == shard.lastPathComponent
    }
    // A table about other files says nothing of this one.
    guard !own.isEmpty else { return nil }
    return Dictionary(
      own.compactMap { cells in Int(cells[place]).map { (cells[id], ($0, cells[hash])) } }
    ) { first, _ in first }
  }

  /// The row of each image.
  ///
  /// - Parameters:
  ///   - samples: the data set.
  ///   - count: rows that there are.
  /// - Returns: as many numbers; nil for an image that has none.
  /// - Throws: `AnalysisError.target` where nothing tells whose rows they are, an image has changed or a row is missing.
  func places(of samples: [Sample], among count: Int) throws -> [Int?] {
    guard let rows else {
      guard count == samples.count else {
        throw AnalysisError.target(
          path: path,
          problem:
            "has \(count) rows for \(samples.count) images, and no samples.csv beside it tells whose they are; expected a row for each image"
        )
      }
      return samples.indices.map(\.self)
    }
    return try samples.map { sample in
      guard let (row, hash) = rows[sample.id] else { return nil }
      guard hash == sample.sha256 else {
        throw AnalysisError.target(
          path: path, problem: "'\(sample.id)' is another picture than when it was extracted")
      }
      guard (0..<count).contains(row) else {
        throw AnalysisError.target(
          path: path, problem: "samples.csv names row \(row) of '\(sample.id)', there are \(count)")
      }
      return row
    }
  }

  /// The embeddings for a layer.
  ///
  /// - Parameters:
  ///   - address: `MODEL@SITE`.
  ///   - features: numbers of one embedding.
  /// - Returns: `[rows, features]`.
  /// - Throws: `AnalysisError.target` where there are none, of another shape, or NaN or infinity among them.
  func embeddings(_ address: String, features: Int) throws -> Tensor {
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
    guard tensor.dtype.isFloatingPoint, shape.count >= 2, shape[0] >= 1,
      shape.dropFirst().reduce(1, *) == features
    else {
      throw bad(
        "'\(name)' is \(tensor.dtype)\(shape), expected floating-point numbers, rows of \(features)"
      )
    }
    let wide = tensor.to(.float64).reshaped(shape[0], features)
    guard wide.isFinite() else { throw bad("'\(name)' holds NaN or infinity") }
    return tensor.reshaped(shape[0], features)
  }
}
