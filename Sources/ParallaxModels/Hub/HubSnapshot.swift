import Foundation
import ParallaxTensors

extension Hub {
  /// The folder with a model's files, fetched where the cache lacks them.
  ///
  /// - Parameters:
  ///   - model: which.
  ///   - weights: whether its weights are wanted, or its description alone.
  ///   - progress: told how far each download is.
  /// - Returns: the folder, and the commit that it is a snapshot of.
  /// - Throws: `ModelError.notDownloaded` where no request may be made; `ModelError.hub` where the hub says no;
  ///   `ModelError.download` where the network does; `TensorError` where the cache cannot be written.
  public func snapshot(
    of model: HubModel, weights: Bool = true, progress: @escaping (Progress) -> Void = { _ in }
  ) throws -> (folder: URL, commit: String) {
    let cache = HubCache(self, model)
    if let commit = cache.commit, Self.isComplete(cache, commit, weights) {
      return (cache.snapshot(commit), commit)
    }
    if isOffline { throw ModelError.notDownloaded(name: model.id, folder: cache.root.path) }
    var fetching = HubFetching(
      transport: HubTransport(hub: self, model: model), cache: cache, progress: progress)
    try fetching.all(weights)
    guard let commit = fetching.commit else {
      throw ModelError.hub(model: "\(model)", problem: "has no commit")
    }
    return (cache.snapshot(commit), commit)
  }

  /// Files that hold weights, in the order in which they are taken.
  static func weightFiles(_ layout: HubModel.Layout) -> [String] {
    switch layout {
    case .standard: ["model.safetensors", "model.safetensors.index.json", "pytorch_model.bin"]
    case .openCLIP: ["open_clip_model.safetensors", "open_clip_pytorch_model.bin"]
    }
  }

  private static func isComplete(_ cache: HubCache, _ commit: String, _ weights: Bool) -> Bool {
    let described = [HubModel.Layout.standard, .openCLIP(quickGELU: false)].filter { layout in
      if case .openCLIP = cache.model.layout, layout == .standard { return false }
      return cache.has(layout == .standard ? "config.json" : "open_clip_config.json", at: commit)
    }
    return described.contains { layout in
      !weights
        || weightFiles(layout).contains { file in
          cache.has(file, at: commit)
            && (!file.hasSuffix(".index.json")
              || shards(cache.snapshot(commit).appending(path: file))?
                .allSatisfy { cache.has($0, at: commit) } == true)
        }
    }
  }

  /// The files that an index names; nil where it is none, or names one that does not lie beside it.
  static func shards(_ index: URL) -> [String]? {
    guard let data = FileManager.default.contents(atPath: index.path), data.count < 100_000_000,
      let json = try? JSONSerialization.jsonObject(with: data) as? [String: Any],
      let map = json["weight_map"] as? [String: Any]
    else { return nil }
    let names = Set(map.values.compactMap { $0 as? String })
    return names.allSatisfy(SiblingFile.isInside) ? names.sorted() : nil
  }
}

/// A model's files, one after the other: the description first, the weights last.
private struct HubFetching {
  let transport: HubTransport
  let cache: HubCache
  let progress: (Hub.Progress) -> Void
  /// What the revision turned out to be, so that all files are of one commit.
  var commit: String?

  init(transport: HubTransport, cache: HubCache, progress: @escaping (Hub.Progress) -> Void) {
    (self.transport, self.cache, self.progress) = (transport, cache, progress)
  }

  mutating func all(_ weights: Bool) throws {
    if transport.model.layout == .standard, try fetch("config.json") {
      let keys = json("config.json")
      let isDescribed = keys["architecture"] != nil || keys["model_type"] != nil
      if keys["model_type"] != nil {
        for file in ["processor_config.json", "preprocessor_config.json"] { _ = try fetch(file) }
      }
      if isDescribed { return weights ? try fetchWeights(.standard) : () }
    }
    guard try fetch("open_clip_config.json") else {
      throw no("has no config.json of timm's or transformers' and no open_clip_config.json")
    }
    if weights { try fetchWeights(.openCLIP(quickGELU: false)) }
  }

  private mutating func fetchWeights(_ layout: HubModel.Layout) throws {
    let files = Hub.weightFiles(layout)
    for file in files where try fetch(file) {
      guard file.hasSuffix(".index.json"), let commit else { return }
      guard let shards = Hub.shards(cache.snapshot(commit).appending(path: file)) else {
        throw no("\(file) is no index of files beside it")
      }
      for shard in shards where try !fetch(shard) {
        throw no("lacks \(shard), which \(file) names")
      }
      return
    }
    throw no("has no weights: none of \(files.joined(separator: ", "))")
  }

  /// Fetches one file; false where the hub has none of that name.
  private mutating func fetch(_ file: String) throws -> Bool {
    if let commit {
      if cache.has(file, at: commit) { return true }
      if cache.isKnownAbsent(file, at: commit) { return false }
    }
    let patience = transport.hub.patience
    let revision = commit ?? transport.model.revision
    do {
      let metadata = try HubRetry.run(patience, what: "\(transport.model): \(file)") {
        try transport.metadata(file, at: revision)
      }
      try settle(metadata.commit)
      try HubDownload(
        transport: transport, cache: cache, file: file, metadata: metadata, progress: progress
      ).run()
      return true
    } catch let missing as HubTransport.Missing {
      if let found = missing.commit, HubModel.isCommit(found) {
        try settle(found)
        try cache.noteAbsent(file, at: found)
      }
      return false
    }
  }

  private mutating func settle(_ found: String) throws {
    if commit == nil {
      commit = found
      try cache.note(commit: found)
    } else if commit != found {
      throw no("changed while it was downloaded")
    }
  }

  private func json(_ file: String) -> [String: Any] {
    guard let commit,
      let data = FileManager.default.contents(
        atPath: cache.snapshot(commit).appending(path: file).path)
    else { return [:] }
    return (try? JSONSerialization.jsonObject(with: data)) as? [String: Any] ?? [:]
  }

  private func no(_ problem: String) -> ModelError {
    .hub(model: "\(transport.model)", problem: problem)
  }
}
