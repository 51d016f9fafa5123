import Foundation
import ParallaxTensors

/// Parameters spread over several safetensors files by an index (`model.safetensors.index.json`).
///
/// The index' `weight_map` gives each parameter the name of a file beside it.
public struct ShardedSafetensors: WeightSource, StoredWeights {
  /// The index' path.
  public let label: String
  /// The parameters' names, sorted.
  public let names: [String]
  private let shards: [String: Safetensors]
  private let shardOf: [String: String]

  /// Opens an index and every file that it names.
  ///
  /// - Throws: `TensorError` where a file is missing or damaged; `ModelError.checkpoint` where the index is
  ///   no index, names a file that is not beside it, or a parameter that its file lacks or that no file
  ///   should have.
  public init(index path: String) throws {
    label = path
    func bad(_ problem: String) -> ModelError { .checkpoint(file: path, problem: problem) }
    let file = try MappedFile(path)
    guard file.count <= 100_000_000 else {
      throw bad("\(file.count) bytes are too many for an index of safetensors files")
    }
    let json = try? JSONSerialization.jsonObject(with: Data(file.bytes(0..<file.count)))
    guard let map = (json as? [String: Any])?["weight_map"] as? [String: Any] else {
      throw bad("not an index of safetensors files: it has no JSON object 'weight_map'")
    }
    var shardOf: [String: String] = [:]
    for (name, value) in map {
      guard let shard = value as? String else { throw bad("'\(name)' has no file name") }
      guard SiblingFile.isInside(shard) else {
        throw bad("'\(name)' lies in '\(shard)', which is not beside the index")
      }
      shardOf[name] = shard
    }
    guard !shardOf.isEmpty else { throw bad("its 'weight_map' is empty") }
    var shards: [String: Safetensors] = [:]
    for shard in Set(shardOf.values).sorted() {
      let opened = try Safetensors(SiblingFile.path(shard, beside: path))
      shards[shard] = opened
      for name in opened.names where shardOf[name] != shard {
        throw bad("'\(shard)' holds '\(name)', which the index puts elsewhere or nowhere")
      }
    }
    for (name, shard) in shardOf.sorted(by: { $0.key < $1.key })
    where shards[shard]?.shape(name) == nil {
      throw bad("'\(name)' should lie in '\(shard)', which does not have it")
    }
    names = shardOf.keys.sorted()
    (self.shards, self.shardOf) = (shards, shardOf)
  }

  /// A parameter's shape, without reading it; nil where there is none of that name.
  public func shape(_ name: String) -> [Int]? { shardOf[name].flatMap { shards[$0]?.shape(name) } }

  var format: String { "safetensors, \(shards.count) files" }
  func storedType(_ name: String) -> String? {
    shardOf[name].flatMap { shards[$0]?.storedType(name) }
  }

  /// A parameter; nil where there is none of that name.
  public func tensor(_ name: String) throws -> Tensor? {
    shardOf[name].flatMap { shards[$0]?[name] }
  }
}
