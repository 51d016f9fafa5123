import ParallaxModels
import ParallaxTensors

/// A sum of skip connection and branch inside a block that is not the block's output: what goes on after attention, or what a
/// residual unit hands to its last activation.
struct ResidualSum {
  /// What figures call it: the connection's name.
  let name: String
  /// The site after which it is complete.
  let after: String
  /// Where the summands are seen.
  let skip: String
  let branch: String
  /// Its shape for one image.
  let shape: [Int]

  /// The sums of a model, in execution order, as one trial image shows them; none where the model cannot run it.
  static func all(of subject: Subject) -> [ResidualSum] {
    guard let connections = try? subject.connections(), !connections.isEmpty else { return [] }
    let parts = Set(connections.flatMap { [$0.skip, $0.branch] })
    let blocks = Set(connections.map(\.block))
    var values: [String: Tensor] = [:]
    var (last, after) = ("", [String: String]())
    let (height, width) = subject.imageSize
    let images = RandomSource(seed: 7).normal([subject.model.fixedBatch ?? 1, 3, height, width])
    let tap = Tap(parts.union(subject.sites.map(\.name))) { visit in
      if parts.contains(visit.site) {
        // What is written to later would not be what was seen.
        values[visit.site] = visit.value.cloned()
        after[visit.site] = last
      } else {
        last = visit.site
        if blocks.contains(visit.site) { values[visit.site] = visit.value.cloned() }
      }
      return nil
    }
    guard (try? subject.model.run(images.to(subject.device), tap)) != nil else { return [] }
    return connections.compactMap { one in
      guard let skip = values[one.skip], let branch = values[one.branch],
        let output = values[one.block], let site = after[one.branch], skip.shape == branch.shape
      else { return nil }
      let sum = skip + branch
      if sum.shape == output.shape {
        let scale = max(output.absolute().maximum().item(Double.self), .leastNormalMagnitude)
        let gap = (sum - output).absolute().maximum().item(Double.self)
        if gap <= 1e-6 * scale { return nil }
      }
      return ResidualSum(
        name: one.name, after: site, skip: one.skip, branch: one.branch, shape: one.shape)
    }
  }
}
