import ParallaxModels
import ParallaxTensors

/// A sum of skip connection and branch inside a block, which has no site of its own: what goes on after attention, or what a
/// residual unit hands to its last activation.
///
/// Found by timm's names, and believed only where the block's output follows from it on a trial image.
struct ResidualSum {
  /// What figures call it.
  let name: String
  /// The site after which it is complete.
  let after: String
  /// The summands: the skip connection, then the branch.
  let sites: [Site]

  /// The sums of a model, in execution order.
  static func all(of subject: Subject) -> [ResidualSum] {
    let candidates = candidates(subject)
    let wanted = Set(candidates.flatMap { $0.sum.sites.map(\.name) + $0.rest + [$0.block] })
    guard !wanted.isEmpty else { return [] }
    var values: [String: Tensor] = [:]
    let (height, width) = subject.imageSize
    let images = RandomSource(seed: 7).normal([subject.model.fixedBatch ?? 1, 3, height, width])
    do {
      _ = try subject.model.run(
        images.to(subject.device),
        Tap(wanted) { visit in
          values[visit.site] = visit.value
          return nil
        })
    } catch { return [] }
    return candidates.filter { candidate in
      let parts = candidate.sum.sites.compactMap { values[$0.name] }
      let rest = candidate.rest.compactMap { values[$0] }
      guard let output = values[candidate.block], parts.count == 2,
        rest.count == candidate.rest.count, (parts + rest).allSatisfy({ $0.shape == output.shape })
      else { return false }
      let sum = (parts + rest).dropFirst().reduce(parts[0], +)
      let made = candidate.isRectified ? sum.relu() : sum
      let scale = max(output.absolute().maximum().item(Double.self), .leastNormalMagnitude)
      return (made - output).absolute().maximum().item(Double.self) <= 1e-4 * scale
    }.map(\.sum)
  }

  private struct Candidate {
    let sum: ResidualSum
    let block: String
    /// Sites whose values the block's output holds besides.
    let rest: [String]
    let isRectified: Bool
  }

  private static func candidates(_ subject: Subject) -> [Candidate] {
    var found: [Candidate] = []
    let places = Dictionary(
      subject.sites.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
    for block in subject.sites where block.isBlock {
      func site(_ names: String...) -> Site? {
        names.lazy.compactMap { name in
          subject.sites.first { $0.name == "\(block.name).\(name)" && $0.shape == block.shape }
        }.first
      }
      let own = subject.sites.filter { $0.name.hasPrefix(block.name + ".") }
      guard let start = own.compactMap({ places[$0.name] }).min() else { continue }
      let before = subject.sites[..<start].last { $0.shape == block.shape && $0.kind == block.kind }
      if let skip = before, let first = site("ls1", "attn"), let second = site("ls2", "mlp") {
        found.append(
          Candidate(
            sum: ResidualSum(
              name: "\(block.name).sum", after: first.name, sites: [skip, first]),
            block: block.name, rest: [second.name], isRectified: false))
      } else if let branch = site("bn3", "bn2"), let skip = site("downsample") ?? before {
        found.append(
          Candidate(
            sum: ResidualSum(
              name: "\(block.name).sum",
              after: (places[skip.name] ?? 0) > (places[branch.name] ?? 0)
                ? skip.name : branch.name,
              sites: [skip, branch]),
            block: block.name, rest: [], isRectified: true))
      }
    }
    return found
  }
}
