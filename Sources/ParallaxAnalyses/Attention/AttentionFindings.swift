import Foundation
import ParallaxResults

/// What the numbers of one model say about what Raghu et al. saw in theirs.
struct AttentionFindings {
  let model: AttentionResult.Model
  let tables: [AttentionTable]

  /// Attention is local below this share of the distance of uniform attention, and global above it: our criterion.
  static let half = 0.5

  /// The findings; those that this model cannot answer say so.
  func callAsFunction() -> [Finding] {
    let mixing = "\(model.name): the lowest layers mix local and global heads more than the highest"
    let local = "\(model.name): the first layer has local heads"
    let global = "\(model.name): the heads of the highest layers are all global"
    if let reason = obstacle {
      return [mixing, local, global].map {
        finding($0, AttentionResult.Estimate(nil), reason, .cannotTell)
      }
    }
    let spread = estimate { means in
      Self.mean(low.map { Self.spread(means[$0]) })
        - Self.mean(high.map { Self.spread(means[$0]) })
    }
    let (lowest, highest) = (
      Self.mean(low.map { Self.spread(tables[$0].distances) }),
      Self.mean(high.map { Self.spread(tables[$0].distances) })
    )
    let nearest = estimate { smallest($0, [0]) }
    let farthest = estimate { smallest($0, high) }
    return [
      finding(
        mixing, spread,
        "pixels between the heads that look least and most far, \(layers(low, "lowest")) (\(Self.number(lowest))) less "
          + "\(layers(high, "highest")) (\(Self.number(highest)))", spread.verdict(above: 0)),
      finding(
        local, nearest,
        "distance of the first layer's most local head as a share of uniform attention's "
          + "(\(Self.number(model.layers[0].uniformDistance)) pixels); local: less than \(Self.half), our criterion",
        Self.opposite(nearest.verdict(above: Self.half))),
      finding(
        global, farthest,
        "distance of the most local head of \(layers(high, "highest")) as a share of uniform attention's; global: "
          + "more than \(Self.half), our criterion", farthest.verdict(above: Self.half)),
    ]
  }

  /// Why nothing can be said; nil where something can.
  private var obstacle: String? {
    if model.isWindowed { return "attention is kept inside windows, so no head can look globally" }
    if tables.contains(where: { $0.firstUndefined != nil }) { return "a layer has no value" }
    if model.layers.count < 4 {
      return "expected at least 4 layers with attention, found \(model.layers.count)"
    }
    if model.layers.contains(where: { $0.heads.count < 2 }) { return "a layer has one head only" }
    return nil
  }

  private var quarter: Int { max(1, model.layers.count / 4) }
  private var low: [Int] { Array(0..<quarter) }
  private var high: [Int] { Array((model.layers.count - quarter)..<model.layers.count) }

  private func layers(_ which: [Int], _ name: String) -> String {
    which.count == 1 ? "the \(name) layer" : "the \(which.count) \(name) layers"
  }

  /// The smallest distance in some layers, as a share of uniform attention's.
  private func smallest(_ means: [[Double]], _ layers: [Int]) -> Double {
    layers.compactMap { layer in
      means[layer].min().map { $0 / model.layers[layer].uniformDistance }
    }.min() ?? .nan
  }

  private static func spread(_ distances: [Double]) -> Double {
    (distances.max() ?? 0) - (distances.min() ?? 0)
  }

  private static func mean(_ values: [Double]) -> Double {
    values.reduce(0, +) / Double(values.count)
  }

  /// A number of the heads' mean distances with its jackknife interval over groups of images.
  private func estimate(_ number: ([[Double]]) -> Double) -> AttentionResult.Estimate {
    let groups = tables[0].groups
    let without =
      groups > 1
      ? (0..<groups).map { group in number(tables.map { $0.distancesWithout[group] }) } : []
    return AttentionResult.Estimate(number(tables.map(\.distances)), leavingOut: without)
  }

  private func finding(
    _ sentence: String, _ estimate: AttentionResult.Estimate, _ quantity: String,
    _ verdict: Finding.Verdict
  ) -> Finding {
    Finding(sentence, estimate, quantity, verdict, analysis: "attention")
      .bearing(on: .localAndGlobal)
  }

  private static func opposite(_ verdict: Finding.Verdict) -> Finding.Verdict {
    switch verdict {
    case .shows: .doesNotShow
    case .doesNotShow: .shows
    case .cannotTell: .cannotTell
    }
  }

  private static func number(_ value: Double) -> String { String(format: "%.1f", value) }
}
