import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// Features that somebody has already, of any origin, with a class a row.
///
/// A folder that `extract` wrote; a `.safetensors` file, each of whose tensors `[images, features]` is a space, with classes in a tensor
/// `labels` or beside it; a `.npy` file of one such array, with classes beside it. Classes are numbers (`.npy`, `.safetensors`) or names
/// (a text or `.csv` file, one a line, or a column `label` or `class`).
public struct FeatureFile: Sendable {
  /// What the file calls each space, and its features `[images, width]`.
  public let spaces: [(name: String, features: Tensor)]
  /// The images' names.
  public let names: [String]
  /// A class each.
  public let classes: [String]
  /// Where the pictures lie, where the file says it; empty where it does not.
  public let pictures: [String]
  /// Where it lies.
  public let path: String
  /// What was read: the features, and the labels where they have a file of their own.
  public let sources: [Provenance.Source]

  /// Reads features and classes.
  ///
  /// - Parameters:
  ///   - path: the file or folder.
  ///   - labels: the file of the classes; nil where the features bring theirs.
  /// - Throws: `TensorError`, `ImageError`, and `AnalysisError.classes` where classes are missing or not as many as images.
  public init(_ path: String, labels: String? = nil) throws {
    self.path = path
    var isFolder: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder)
    guard exists else { throw TensorError.file(path: path, problem: "there is no such file") }
    var spaces: [(name: String, features: Tensor)] = []
    var (names, own): ([String]?, [String]?) = (nil, nil)
    var pictures: [String] = []
    if isFolder.boolValue {
      (spaces, names, own, pictures) = try Self.extraction(path)
    } else if path.lowercased().hasSuffix(".npy") {
      let name = URL(filePath: path).deletingPathExtension().lastPathComponent
      spaces = [(name, try Self.checked(try Npy.read(path), path, name))]
    } else if path.lowercased().hasSuffix(".safetensors") {
      let file = try Safetensors(path)
      // The order of the names in such a file is that of texts.
      for name in file.names.sorted(by: NaturalOrder.precedes) where name != "labels" {
        guard let tensor = file[name] else { continue }
        spaces.append((name, try Self.checked(tensor, path, name)))
      }
      own = try file["labels"].map { try Self.numbers($0, "\(path), labels") }
    } else {
      throw TensorError.file(
        path: path, problem: "expected .npy, .safetensors, or a folder that extract wrote")
    }
    guard let count = spaces.first?.features.shape[0] else {
      throw TensorError.file(path: path, problem: "holds no features")
    }
    if let other = spaces.first(where: { $0.features.shape[0] != count }) {
      throw TensorError.file(
        path: path,
        problem:
          "'\(spaces[0].name)' has \(count) images, '\(other.name)' has \(other.features.shape[0])")
    }
    let read = try labels.map(Self.labels)
    guard let classes = read ?? own else {
      throw AnalysisError.classes(
        "\(path): there are no classes; name a file of them with --labels")
    }
    guard classes.count == count else {
      throw AnalysisError.classes(
        "\(labels ?? path): expected a label for each of \(count) images, found \(classes.count)")
    }
    (self.spaces, self.classes, self.pictures) = (spaces, classes, pictures)
    sources =
      [Provenance.Source(role: "features", path: path, hash: try Self.hash(path), count: count)]
      + (try labels.map {
        [Provenance.Source(role: "labels", path: $0, hash: try Self.hash($0))]
      } ?? [])
    self.names = names ?? (0..<count).map { "row \($0)" }
  }

  /// Of a file its own; of a folder of its index, samples and shards.
  private static func hash(_ path: String) throws -> String {
    var isFolder: ObjCBool = false
    guard unsafe FileManager.default.fileExists(atPath: path, isDirectory: &isFolder),
      isFolder.boolValue
    else { return try ContentHash.sha256(ofFile: path) }
    let names = try FileManager.default.contentsOfDirectory(atPath: path).sorted().filter {
      $0 == "index.json" || $0 == "samples.csv" || $0.hasPrefix("shard-")
    }
    let folder = URL(filePath: path)
    return ContentHash.sha256(
      try names.map {
        "\($0) \(try ContentHash.sha256(ofFile: folder.appending(path: $0).path))\n"
      }.joined())
  }

  private static func checked(_ tensor: Tensor, _ path: String, _ name: String) throws -> Tensor {
    guard tensor.rank == 2, tensor.shape[0] > 0, tensor.shape[1] > 0 else {
      throw TensorError.file(
        path: path,
        problem: "'\(name)' is of shape \(tensor.shape), expected [images, features]")
    }
    return tensor.to(tensor.dtype == .float64 ? .float64 : .float32)
  }

  private static func numbers(_ tensor: Tensor, _ place: String) throws -> [String] {
    guard tensor.rank == 1, !tensor.dtype.isFloatingPoint else {
      throw AnalysisError.classes(
        "\(place): expected whole numbers [images], found \(tensor.dtype)\(tensor.shape)")
    }
    return tensor.to(.int64).scalars(Int64.self).map(String.init)
  }

  /// Classes from a file.
  private static func labels(_ path: String) throws -> [String] {
    guard FileManager.default.fileExists(atPath: path) else {
      throw TensorError.file(path: path, problem: "there is no such file of labels")
    }
    if path.lowercased().hasSuffix(".npy") { return try numbers(try Npy.read(path), path) }
    if path.lowercased().hasSuffix(".safetensors") {
      let file = try Safetensors(path)
      guard let name = file.names.contains("labels") ? "labels" : file.names.first,
        let tensor = file[name]
      else { throw AnalysisError.classes("\(path): it holds no labels") }
      return try numbers(tensor, "\(path), \(name)")
    }
    var rows = try CellTable.rows(ofFile: path)
    var column = 0
    if let head = rows.first?.map({ $0.lowercased() }),
      let found = head.firstIndex(of: "class") ?? head.firstIndex(of: "label")
    {
      column = found
      rows.removeFirst()
    } else if let most = rows.map(\.count).max(), most > 1 {
      throw AnalysisError.classes(
        "\(path): \(most) columns and none is called label or class; expected one label a line")
    }
    return try rows.enumerated().map { number, cells in
      guard column < cells.count, !cells[column].isEmpty else {
        throw AnalysisError.classes("\(path): row \(number + 1) has no label")
      }
      return cells[column]
    }
  }

  /// The folder that `extract` writes.
  private static func extraction(
    _ path: String
  ) throws -> ([(name: String, features: Tensor)], [String], [String]?, [String]) {
    let folder = URL(filePath: path)
    let list = folder.appending(path: "index.json").path
    guard let data = FileManager.default.contents(atPath: list) else {
      throw TensorError.file(path: path, problem: "has no index.json; expected what extract wrote")
    }
    guard let index = try? JSONDecoder().decode(Extraction.Index.self, from: data),
      index.shards.allSatisfy({ $0.wholeMatch(of: /shard-[0-9]{5,}\.safetensors/) != nil })
    else { throw TensorError.file(path: list, problem: "is not what extract writes") }
    let files = try index.shards.map { try Safetensors(folder.appending(path: $0).path) }
    let spaces = try index.addresses.map { address in
      let parts = try files.map { file in
        guard let part = file[address] else {
          throw TensorError.file(path: file.path, problem: "has no tensor '\(address)'")
        }
        return try checked(part, file.path, address)
      }
      guard let first = parts.first, parts.allSatisfy({ $0.shape[1] == first.shape[1] }) else {
        throw TensorError.file(path: path, problem: "the shards of '\(address)' differ in width")
      }
      return (name: address, features: Tensor.concatenated(parts, 0))
    }
    let table = folder.appending(path: "samples.csv").path
    let rows = try CellTable.rows(ofFile: table)
    guard let head = rows.first, let id = head.firstIndex(of: "id"),
      let name = head.firstIndex(of: "class")
    else { throw TensorError.file(path: table, problem: "has no columns id and class") }
    let cells = rows.dropFirst()
    guard cells.count == index.images, cells.allSatisfy({ $0.count == head.count }) else {
      throw TensorError.file(
        path: table, problem: "expected \(index.images) rows, found \(cells.count)")
    }
    let classes = cells.map { $0[name] }
    let place = head.firstIndex(of: "path")
    return (
      spaces, cells.map { $0[id] }, classes.contains("") ? nil : classes,
      place.map { place in cells.map { $0[place] } } ?? []
    )
  }
}

extension FeatureFile {
  /// The images with small pictures of them, as far as these are there.
  ///
  /// - Parameters:
  ///   - side: of a picture in pixels.
  ///   - limit: pictures at most, the same number of each class.
  /// - Returns: a row an image; none where the file names no pictures.
  public func table(side: Int = 72, limit: Int = 600) -> SampleTable {
    guard !pictures.isEmpty else { return SampleTable(rows: []) }
    var turns: [String: Int] = [:]
    let ranked = classes.indices.map { place -> (turn: Int, place: Int) in
      turns[classes[place], default: 0] += 1
      return (turns[classes[place]] ?? 0, place)
    }
    let shown = Set(
      ranked.sorted { ($0.turn, $0.place) < ($1.turn, $1.place) }.prefix(limit).map(\.place))
    return SampleTable(
      rows: names.indices.map { place in
        var row = SampleTable.Row(
          id: names[place], className: classes[place], sha256: "", thumbnail: nil)
        if shown.contains(place), pictures.indices.contains(place) {
          let image = try? ImageBuffer(
            decoding: URL(filePath: pictures[place]), alpha: .overWhite)
          row.thumbnail = try? image?.thumbnail(side: side).jpegData(quality: 80)
        }
        return row
      })
  }
}
