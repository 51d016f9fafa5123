import ParallaxMeasures
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
    let firsts = EqualRows.firsts(of: features) ?? []
    return Dictionary(grouping: firsts.indices, by: { firsts[$0] }).values
      .filter { $0.count > 1 }.sorted { $0[0] < $1[0] }
  }
}
