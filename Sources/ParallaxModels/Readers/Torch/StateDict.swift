import ParallaxTensors

/// The named tensors inside an unpickled object.
///
/// - A checkpoint of a training run holds its parameters under a name of its own. Where a dict has no
///   tensor directly, the first of `wrappers` whose value is a dict that holds tensors is opened, and
///   again inside it.
/// - What stands in nested dicts and lists gets a dotted path; what is no tensor is passed over.
/// - A prefix that data parallelism (`module.`) or compilation (`_orig_mod.`) puts before every name is
///   taken off.
struct StateDict {
  /// Names under which training code keeps the parameters, in the order in which they are tried: the
  /// plain weights before their moving average.
  static let wrappers = [
    "state_dict", "model_state_dict", "model", "module", "net", "network", "weights",
    "state_dict_ema", "model_ema", "ema",
  ]
  /// Prefixes that are taken off when all names have them.
  static let prefixes = ["module.", "_orig_mod."]

  private(set) var tensors: [(name: String, tensor: PickledTensor)] = []
  private var visits = 0
  private let pickle: Unpickler

  init(_ root: PickleValue, in pickle: Unpickler) throws(PickleProblem) {
    self.pickle = pickle
    guard case .dict(var place) = root else {
      throw PickleProblem("expected a dict of tensors, found \(root.kind)")
    }
    for _ in 0..<8 {
      guard let inner = try unwrapped(place) else { break }
      place = inner
    }
    try collect(.dict(place), path: "", depth: 0)
    guard !tensors.isEmpty else { throw PickleProblem("it holds no tensors") }
    while let prefix = Self.prefixes.first(where: { prefix in
      tensors.allSatisfy { $0.name.hasPrefix(prefix) && $0.name.count > prefix.count }
    }) {
      tensors = tensors.map { (String($0.name.dropFirst(prefix.count)), $0.tensor) }
    }
    var seen: Set<String> = []
    for (name, _) in tensors where !seen.insert(name).inserted {
      throw PickleProblem("it names '\(name)' twice")
    }
  }

  /// The dict that a dict keeps its parameters in, where it is not the parameters itself.
  private mutating func unwrapped(_ place: Int) throws(PickleProblem) -> Int? {
    let entries = pickle.dictionaries[place]
    for (_, value) in entries {
      if case .tensor = value { return nil }
    }
    for wrapper in Self.wrappers {
      for (key, value) in entries {
        guard case .text(wrapper) = key, case .dict(let inner) = value else { continue }
        var probe = self
        try probe.collect(value, path: "", depth: 0)
        visits = probe.visits
        if !probe.tensors.isEmpty { return inner }
      }
    }
    return nil
  }

  private mutating func collect(
    _ value: PickleValue, path: String, depth: Int
  ) throws(PickleProblem) {
    // A container can hold itself, or one that is held many times: both end here.
    visits += 1
    guard depth <= 16, visits <= 4_000_000, path.utf8.count <= 4096 else {
      throw PickleProblem("its containers nest too deeply (a cycle?)")
    }
    func under(_ name: String) -> String { path.isEmpty ? name : path + "." + name }
    switch value {
    case .tensor(let tensor): tensors.append((path, tensor))
    case .dict(let place):
      for (key, value) in pickle.dictionaries[place] {
        switch (key, value) {
        case (.text(let name), .tensor), (.text(let name), .dict), (.text(let name), .list),
          (.text(let name), .tuple):
          try collect(value, path: under(name), depth: depth + 1)
        case (.int(let number), .tensor), (.int(let number), .dict), (.int(let number), .list),
          (.int(let number), .tuple):
          try collect(value, path: under(String(number)), depth: depth + 1)
        default: visits += 1
        }
      }
    case .list(let place), .tuple(let place):
      for (index, item) in pickle.sequences[place].enumerated() {
        try collect(item, path: under(String(index)), depth: depth + 1)
      }
    default: break
    }
  }
}
