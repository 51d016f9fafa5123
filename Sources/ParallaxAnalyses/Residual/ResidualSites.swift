import ParallaxModels
import ParallaxResults

/// The residual connections of a model that can be measured.
struct ResidualSites {
  private(set) var connections: [(connection: ResidualConnection, grid: SpatialGrid)] = []
  /// Blocks, or the whole model, that cannot, with the reasons.
  private(set) var refusals: [SimilarityResult.Refusal] = []
  private var places: [String: Double] = [:]

  /// - Parameters:
  ///   - subject: the model.
  ///   - chosen: sites that somebody named; only what lies at or under them is taken. None for all.
  /// - Throws: `ModelError` where the model cannot run.
  init(_ subject: Subject, among chosen: Set<String>) throws {
    let all = try subject.connections()
    for one in all {
      let isMeant =
        chosen.isEmpty
        || chosen.contains {
          one.block == $0 || one.name.hasPrefix($0 + ".") || one.name == $0
        }
      guard isMeant else { continue }
      let address = "\(subject.name)@\(one.name)"
      if one.part == .parallel {
        refusals.append(
          SimilarityResult.Refusal(
            address: address,
            reason:
              "the block's branches begin from one value, so that none of them has a skip of its own"
          ))
        continue
      }
      guard
        let grid = SpatialGrid(
          one.kind, one.shape, subject.model.tokenLayout, imageSize: subject.imageSize)
      else {
        refusals.append(
          SimilarityResult.Refusal(
            address: address,
            reason: "expected tokens or a map, found \(one.shape) for an image"))
        continue
      }
      connections.append((one, grid))
    }
    var blocks = subject.sites.filter(\.isBlock).map(\.name)
    if !all.contains(where: { blocks.contains($0.block) }) {
      blocks = []
      for one in all where blocks.last != one.block { blocks.append(one.block) }
    }
    for (index, block) in blocks.enumerated() {
      places[block] = Depths.relative(index, of: blocks.count)
    }
    guard connections.isEmpty, refusals.isEmpty else { return }
    refusals.append(
      SimilarityResult.Refusal(
        address: subject.name,
        reason: all.isEmpty
          ? "the model has no residual connections"
          : "no residual connection lies at or under the sites asked for"))
  }

  /// Where a block stands, from 0 to 1.
  func depth(of block: String) -> Double { places[block] ?? 0 }
}
