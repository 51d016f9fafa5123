import ParallaxTensors

/// Rows of activations that no measure, or not every one, has a value for.
enum InputProblem {
  private static let finite = Operator("aten::isfinite")
  private static let all = Operator("aten::all.dim")

  /// The rows with NaN or infinity.
  static func rowsNotFinite(_ features: Tensor) -> [Int] {
    if features.isFinite() { return [] }
    let flags = all.all([finite.all([features])[0], 1, false])[0].to(.float32)
    return flags.scalars(Float.self).indices.filter { flags.selected(0, $0).item(Float.self) == 0 }
  }

  /// Groups of rows that are equal to one another, each in order, by the first of each.
  static func equalRows(_ features: Tensor) -> [[Int]] {
    let width = features.shape[1]
    let numbers = features.scalars(Double.self)
    var known: [Int: [[Int]]] = [:]
    for row in 0..<features.shape[0] {
      let own = numbers[(row * width)..<((row + 1) * width)]
      var hasher = Hasher()
      for number in own { hasher.combine(number) }
      let key = hasher.finalize()
      var groups = known[key] ?? []
      let place = groups.firstIndex { group in
        own.elementsEqual(numbers[(group[0] * width)..<((group[0] + 1) * width)])
      }
      if let place { groups[place].append(row) } else { groups.append([row]) }
      known[key] = groups
    }
    return known.values.joined().filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }
}
