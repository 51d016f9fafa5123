import Foundation
import ParallaxResults

extension ResidualResult {
  /// Takes off the intervals of ratios where groups of images would be too small.
  mutating func dropIntervals() {
    for model in models.indices {
      for index in models[model].connections.indices {
        var one = models[model].connections[index]
        one.ratio = IntervalEstimate(one.ratio.value)
        one.classRatio = IntervalEstimate(one.classRatio.value)
        one.cosine = IntervalEstimate(one.cosine.value)
        one.classCosine = IntervalEstimate(one.classCosine.value)
        models[model].connections[index] = one
      }
    }
  }

  /// Puts pictures of grids into the result, all on one scale.
  ///
  /// - Throws: `ImageError`.
  mutating func draw() throws {
    func logarithm(_ value: Double?) -> Double? { value.flatMap { $0 > 0 ? log2($0) : nil } }
    let all = models.flatMap { $0.connections.flatMap { $0.tokens.compactMap(logarithm) } }
    // To the next half of a power of two, and not beyond 1 : 64.
    span = min(6, max(1, ((all.map(abs).max() ?? 1) * 2).rounded(.up) / 2))
    for model in models.indices {
      for index in models[model].connections.indices {
        let one = models[model].connections[index]
        guard one.shownRows > 0, one.shownColumns > 0 else { continue }
        models[model].connections[index].picture = try GridPicture(
          values: one.tokens.dropFirst(one.others).map(logarithm), rows: one.shownRows,
          columns: one.shownColumns, range: -span...span, colours: .diverging
        ).png()
      }
    }
  }
}

/// Every choice that changes the numbers, and whether the paper makes it.
enum ResidualSwitches {
  static func list(
    _ options: ResidualAnalysis.Options, _ result: ResidualResult
  ) -> [Switch] {
    var list = [
      Switch(
        "quantity",
        "‖z‖/‖f(z)‖ at each sum z + f(z), z what goes past the branch, f(z) what the branch adds",
        origin: "paper"),
      Switch(
        "branch",
        "the whole of it as it is added, with its own norm and layer scale; drop path does nothing at inference",
        origin: "paper"),
    ]
    func add(_ name: String, _ value: String) { list.append(Switch(name, value)) }
    add(
      "aggregation",
      options.aggregation == .meanOfRatios
        ? "mean over images of each token's ratio" : "mean ‖z‖ over mean ‖f(z)‖, of each token")
    add(
      "spatial tokens",
      "mean over patch tokens or positions; class, register and distillation tokens left out")
    add(
      "cosine",
      options.cosine == .output
        ? "of z and z + f(z): the paper's caption, axis and text differ, and its values, 0.6 to 1, fit this one"
        : "of z and f(z)")
    add("images", "\(result.images)")
    add(
      "convolutional networks",
      "z is the shortcut as it is added (a projection where the unit has one), f(z) the long branch after its last norm, norms over channels at each position"
    )
    add(
      "norms after the branch or after the sum",
      "of the branch they are part of f(z); after the sum they are not seen")
    add(
      "halves of the network",
      "the first and last half of the blocks; of an odd number the middle one is in neither")
    add("undefined ratios", "left out and counted, never replaced")
    add(
      "intervals",
      result.groups == 0
        ? "none: fewer than two images a group"
        : "jackknife over \(result.groups) groups of images, none drawn twice")
    guard !result.removals.isEmpty else { return list }
    list.append(
      Switch(
        "skips taken out",
        "set to 0 at inference in a network trained with them; the paper trains from scratch without them"
      ))
    add(
      "layers of the maps",
      "of each sum its branch and the sum, flattened (the paper's sparse list)")
    add("CKA", "linear, unbiased HSIC summed over blocks of images")
    return list
  }
}
