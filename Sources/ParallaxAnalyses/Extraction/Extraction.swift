import Foundation
import ParallaxImages
import ParallaxResults
import ParallaxTensors

/// Writes representations to disk: one safetensors shard a block of images, a table of the images.
///
///     FOLDER/shard-00000.safetensors    one tensor [images, features] an address
///     FOLDER/samples.csv                row by row: shard, row, id, path, label, class, sha256
///     FOLDER/index.json                 addresses, widths, shards, what it was made of
///
/// A shard appears under its name only when it is complete; an interrupted run goes on where it was.
public final class Extraction: Accumulator {
  /// `extract`.
  public let name = "extract"
  /// The representations, in the order of the tensors of a shard.
  public let wanted: [Representation]
  private let folder: URL
  private var open: (heading: BlockHeading, features: [Int: Tensor])?
  private var shards: [Shard] = []

  private struct Shard: Codable {
    var index: Int
    var samples: [Int]
    var sha256: String
    var file: String { "shard-" + String(100_000 + index).dropFirst() + ".safetensors" }
  }

  /// Writes representations into a folder, which is made if need be.
  ///
  /// - Throws: `TensorError.unwritable` where the folder cannot be made.
  public init(_ wanted: [Representation], to folder: URL) throws {
    self.wanted = wanted
    self.folder = folder
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw TensorError.unwritable(
        path: folder.path, problem: (error as NSError).localizedDescription)
    }
  }

  /// The folder: what was written to another one cannot be gone on with.
  public var fingerprint: String { "1 \(folder.standardizedFileURL.path)" }

  /// Begins a shard in memory.
  public func begin(_ block: BlockHeading) { open = (block, [:]) }

  /// Keeps the features until the shard is whole.
  public func add(_ index: Int, _ features: Tensor) {
    open?.features[index] = features.contiguous()
  }

  /// Writes the shard.
  ///
  /// - Throws: `TensorError` where it cannot be written.
  public func finish() throws {
    guard let block = open else { return }
    var shard = Shard(index: block.heading.index, samples: block.heading.samples, sha256: "")
    let path = folder.appending(path: shard.file).path
    let tensors = wanted.enumerated().compactMap { index, representation in
      block.features[index].map { (name: representation.address, tensor: $0) }
    }
    try Safetensors.write(tensors, to: path)
    shard.sha256 = try ContentHash.sha256(ofFile: path)
    shards.append(shard)
    open = nil
  }

  /// The places of each shard's images, `[images]` int64, and the file's SHA-256, under the shard's number.
  public func state() -> [(name: String, tensor: Tensor)] {
    shards.flatMap { shard in
      let (samples, hash) = (shard.samples.map(Int64.init), Array(shard.sha256.utf8))
      return [
        (name: "\(shard.index)", tensor: Tensor(samples, shape: [samples.count])),
        (name: "\(shard.index).sha256", tensor: Tensor(hash, shape: [hash.count])),
      ]
    }
  }

  /// Goes on after the shards that a state names.
  ///
  /// - Returns: false where one of them is missing or was written over; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    var found: [Shard] = []
    for (name, samples) in state where !name.hasSuffix(".sha256") {
      guard let index = Int(name), let hash = state[name + ".sha256"] else { return false }
      let shard = Shard(
        index: index, samples: samples.scalars(Int64.self).map(Int.init),
        sha256: String(decoding: hash.scalars(UInt8.self), as: UTF8.self))
      let path = folder.appending(path: shard.file).path
      guard (try? ContentHash.sha256(ofFile: path)) == shard.sha256 else { return false }
      found.append(shard)
    }
    shards = found.sorted { $0.index < $1.index }
    return true
  }

  /// What an extraction holds, as `index.json` says it.
  public struct Index: Codable, Sendable, Equatable {
    /// The layout's version.
    public var format = 1
    /// The addresses, in the order asked for.
    public var addresses: [String]
    /// The number of features of each address.
    public var widths: [Int]
    /// The shards' file names, in order.
    public var shards: [String]
    /// The number of images.
    public var images: Int
    /// What identifies the models, by name.
    public var models: [String: String]
    /// What identifies the images and their order.
    public var data: String
  }

  /// Writes the table of images and the index, and one `.npy` a representation where asked.
  ///
  /// - Throws: `TensorError.unwritable`, and `AnalysisError.tooFewImages` where not one could be read.
  public func complete(
    images: ImageSet, subjects: [Subject], npy: Bool
  ) throws -> Index {
    guard !shards.isEmpty else {
      throw AnalysisError.tooFewImages(needed: 1, found: 0, where: images.path)
    }
    var table = "shard,row,id,path,label,class,sha256\n"
    for shard in shards {
      for (row, place) in shard.samples.enumerated() {
        let sample = images.samples[place]
        let cells = [
          shard.file, String(row), sample.id, sample.path, sample.label.map { String($0) } ?? "",
          sample.className ?? "", sample.sha256,
        ]
        table += cells.map(TidyRow.cell).joined(separator: ",") + "\n"
      }
    }
    try AtomicFile.write(Array(table.utf8), to: folder.appending(path: "samples.csv").path)
    let files = try shards.map { try Safetensors(folder.appending(path: $0.file).path) }
    let widths = wanted.map { files.first?.shape($0.address)?.last ?? 0 }
    let total = shards.reduce(0) { $0 + $1.samples.count }
    let index = Index(
      addresses: wanted.map(\.address), widths: widths, shards: shards.map(\.file),
      images: total,
      models: Dictionary(
        subjects.map { ($0.name, $0.fingerprint) }, uniquingKeysWith: { first, _ in first }),
      data: images.fingerprint)
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
    try AtomicFile.write(
      Array(try encoder.encode(index)), to: folder.appending(path: "index.json").path)
    if npy {
      for (representation, width) in zip(wanted, widths) {
        let file = representation.address.replacing("/", with: "_") + ".npy"
        try Npy.write(
          rows: total, rowShape: [width], dtype: .float32, to: folder.appending(path: file).path
        ) { part in part < files.count ? files[part][representation.address] : nil }
      }
    }
    return index
  }
}
