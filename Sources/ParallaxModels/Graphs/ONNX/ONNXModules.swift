import Foundation

/// Which modules nodes belong to, from their names or from what the exporter notes beside them.
struct ONNXModules {
  struct Origin {
    /// The node's name within its module.
    var name: String
    var chain: [ModuleTree.Module]
  }

  /// The class of the whole network, where a node tells.
  private(set) var root: String?
  /// Times that a module has been entered, and those that the last node was in.
  private var entries: [String: Int] = [:]
  private var inside: [ModuleTree.Module] = []

  init() {}

  /// Where a node belongs.
  mutating func origin(of node: ONNXNodeProto) -> Origin {
    func value(_ key: String) -> [String]? {
      node.metadataProps.first { $0.key == key }.map { Self.list($0.value) }
    }
    if let scopes = value("pkg.torch.onnx.name_scopes") {
      return noted(node, scopes, value("pkg.torch.onnx.class_hierarchy") ?? [])
    }
    let parts = node.name.split(separator: "/").map(String.init)
    guard let last = parts.last, parts.count > 1 else {
      let name = node.name.isEmpty ? node.output.first { !$0.isEmpty } ?? node.opType : node.name
      return Origin(name: name.split(separator: "/").last.map(String.init) ?? name, chain: [])
    }
    return Origin(name: last, chain: Self.chain(of: parts.dropLast()))
  }

  /// `/layer1/layer1.0/conv1/Conv` is a node of `layer1.0.conv1`: a part that begins with the one before it takes
  /// its place.
  private static func chain(of parts: ArraySlice<String>) -> [ModuleTree.Module] {
    // No network is so deep: a name of a hundred thousand strokes would make as many paths.
    guard parts.count <= 64 else { return [] }
    var chain: [ModuleTree.Module] = []
    var path: [String] = []
    for part in parts {
      if let last = path.last, part.hasPrefix(last + ".") { path.removeLast() }
      path.append(part)
      chain.append(.init(key: path.joined(separator: "."), type: ""))
    }
    return chain
  }

  /// torch.export's paths and classes, the network first and the operator last. Which call of a module it is, they do
  /// not say: one that is entered again after it was left is another.
  private mutating func noted(
    _ node: ONNXNodeProto, _ scopes: [String], _ types: [String]
  ) -> Origin {
    var name = node.name
    if name.hasPrefix("node_") { name.removeFirst(5) }
    if name.isEmpty { name = node.output.first { !$0.isEmpty } ?? node.opType }
    if types.count > 1, let network = types.first?.split(separator: ".").last {
      root = root ?? String(network)
    }
    // Sizes belong to no module, and leave none.
    guard scopes.first == "" else { return Origin(name: name, chain: []) }
    var chain: [ModuleTree.Module] = []
    for (place, scope) in scopes.enumerated().dropLast() where !scope.isEmpty {
      let type = types.indices.contains(place) ? types[place] : ""
      let depth = chain.count
      if inside.indices.contains(depth), Self.plain(inside[depth].key) == scope,
        chain == Array(inside[..<depth])
      {
        chain.append(inside[depth])
      } else {
        let times = entries[scope, default: 0]
        entries[scope] = times + 1
        chain.append(.init(key: times == 0 ? scope : "\(scope)@\(times)", type: type))
      }
    }
    inside = chain
    return Origin(name: name, chain: chain)
  }

  /// The path of the module that a node belongs to, where torch's exporter notes it.
  static func path(of node: ONNXNodeProto) -> String? {
    let scopes = node.metadataProps.first { $0.key == "pkg.torch.onnx.name_scopes" }
      .map { list($0.value) }
    guard let scopes, scopes.first == "" else { return nil }
    return scopes.dropLast().last { !$0.isEmpty }
  }

  /// `/layer1/layer1.0/conv1.weight` under its module's path: `layer1.0.conv1.weight`.
  static func dotted(_ name: String) -> String {
    guard name.hasPrefix("/"), let dot = name.lastIndex(of: ".") else { return name }
    let parts = name[..<dot].split(separator: "/").map(String.init)
    return (chain(of: parts[...]).last?.key ?? "") + name[dot...]
  }

  private static func plain(_ key: String) -> Substring { key.prefix { $0 != "@" } }

  /// The texts of a list as Python prints it.
  private static func list(_ text: String) -> [String] {
    text.trimmingCharacters(in: CharacterSet(charactersIn: "[]")).split(separator: ", ").map {
      $0.trimmingCharacters(in: CharacterSet(charactersIn: "'\""))
    }
  }
}
