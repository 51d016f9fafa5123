import ParallaxTensors

/// Recipes for timm's parameters as they are collected, from another implementation's names.
struct RecipeBook {
  let names: Set<String>
  let prefix: String
  var recipes: [String: RenamedWeights.Recipe] = [:]
  /// What would be made of parameters that the checkpoint does not have; errors take their names from it.
  var absent: [String: RenamedWeights.Recipe] = [:]

  init(names: Set<String>, prefix: String) { (self.names, self.prefix) = (names, prefix) }

  /// A name with the prefix; one that begins with a stroke stands outside it.
  func full(_ name: String) -> String {
    name.hasPrefix("/") ? String(name.dropFirst()) : prefix + name
  }

  /// A recipe, where the checkpoint has any of its parts: a part that is missing is then an error.
  mutating func add(_ timm: String, _ recipe: RenamedWeights.Recipe) {
    if recipe.sources.contains(where: names.contains) {
      recipes[timm] = recipe
    } else {
      absent[timm] = recipe
    }
  }

  /// Weight and bias of a module, or a parameter itself.
  mutating func addModule(_ timm: String, _ theirs: String) {
    let theirs = full(theirs)
    add(timm, .same(theirs))
    if names.contains(theirs) { return }
    add("\(timm).bias", .same("\(theirs).bias"))
    let node = Self.node("\(theirs).weight")
    add("\(timm).weight", names.contains(node) ? .transposed(node) : .same("\(theirs).weight"))
  }

  /// Weight and bias of queries, keys and values.
  mutating func addJoined(_ timm: String, _ theirs: [String]) {
    for kind in ["weight", "bias"] {
      let parts = theirs.map { full($0).replacing("*", with: kind) }
      let nodes = parts.map { Self.node($0) }
      let isGraph = !nodes.isEmpty && nodes.contains(where: names.contains)
      add("\(timm).\(kind)", .joined(isGraph ? nodes : parts, transposed: isGraph))
    }
  }

  /// The checkpoint under timm's names; what no recipe uses keeps its own, and what `useless` says is dropped.
  func renamed(
    _ source: any WeightSource, useless: (String) -> Bool = { _ in false }
  ) -> RenamedWeights {
    let absent = absent
    return RenamedWeights(source, recipes, absent: { absent[$0] }, dropping: useless)
  }

  /// The name of a matrix after the node of a graph that multiplies with it.
  static func node(_ name: String) -> String {
    var result = ""
    for part in name.split(separator: ".") {
      let joinsOn = Int(part) != nil || part == "weight" || part == "bias"
      result += (joinsOn ? "." : "/") + part
    }
    return result
  }
}
