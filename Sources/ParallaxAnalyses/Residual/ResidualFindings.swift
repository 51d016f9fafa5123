import Foundation
import ParallaxResults

/// What Raghu et al. say of skip connections, asked of these models.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 5. The statistics and criteria are ours.
struct ResidualFindings {
  let result: ResidualResult
  /// Of each model the tables of its sums.
  let tables: [[ResidualTable]]

  private var replicates: Int { result.groups + 1 }

  private func estimate(_ number: (Int) -> Double?) -> IntervalEstimate {
    ResidualTable.estimate(replicates, number)
  }

  private func finding(
    _ sentence: String, _ estimate: IntervalEstimate, _ quantity: String,
    _ verdict: Finding.Verdict? = nil
  ) -> Finding {
    Finding(sentence, estimate, quantity, verdict ?? estimate.verdict(), analysis: "residual")
  }

  /// The findings; those that these models cannot answer say so.
  func callAsFunction() -> [Finding] {
    result.models.indices.flatMap(roles) + [designs()?.bearing(on: .skips)].compactMap(\.self)
      + result.removals.map(removal)
  }

  // MARK: Class and spatial tokens

  /// Whether a sum has a ratio for class and spatial tokens: a branch that adds exactly 0 has none.
  private func isUsable(_ model: Int, _ place: Int) -> Bool {
    let table = tables[model][place]
    guard let first = table.first(0), let others = table.spatial(0) else { return false }
    return first > 0 && others > 0
  }

  /// What findings on a model say of sums without a ratio.
  private func leftOut(_ model: Int) -> String {
    let all = result.models[model].connections.indices
    let missing = all.filter { !isUsable(model, $0) }
    guard let first = missing.first else { return "" }
    return
      "; \(missing.count) of \(all.count) sums are left out, whose branch or skip is exactly 0, such as the \(result.models[model].connections[first].part.rawValue) of \(result.models[model].connections[first].block)"
  }

  /// Blocks of a model with the places of their sums that have ratios, in execution order.
  private func blocks(_ model: Int) -> [(depth: Double, sums: [Int])] {
    var blocks: [(name: String, depth: Double, sums: [Int])] = []
    for (index, one) in result.models[model].connections.enumerated()
    where isUsable(model, index) {
      if blocks.last?.name == one.block {
        blocks[blocks.count - 1].sums.append(index)
      } else {
        blocks.append((one.block, one.depth, [index]))
      }
    }
    return blocks.map { ($0.depth, $0.sums) }
  }

  /// log₂ of the class token's ratio less that of the spatial tokens, mean over the sums of each block; nil where one is
  /// missing.
  private func gaps(_ model: Int, _ replicate: Int) -> [(depth: Double, gap: Double)]? {
    var gaps: [(Double, Double)] = []
    for block in blocks(model) {
      let values = block.sums.map { place -> Double? in
        let table = tables[model][place]
        guard let first = table.first(replicate), let others = table.spatial(replicate), first > 0,
          others > 0
        else { return nil }
        return log2(first) - log2(others)
      }
      guard let mean = Statistics.mean(values) else { return nil }
      gaps.append((block.depth, mean))
    }
    return gaps
  }

  private func half(_ model: Int, _ replicate: Int, late: Bool) -> Double? {
    guard let gaps = gaps(model, replicate) else { return nil }
    let middle = gaps.count / 2
    // Of an odd number of blocks the middle one is in neither half.
    let own = late ? gaps.suffix(middle) : gaps.prefix(middle)
    return Statistics.mean(own.map(\.gap))
  }

  /// Where the gap goes from above 0 to below for the last time.
  private func crossing(_ model: Int, _ replicate: Int) -> Double? {
    guard let gaps = gaps(model, replicate) else { return nil }
    let place = gaps.indices.dropLast().last { gaps[$0].gap > 0 && gaps[$0 + 1].gap <= 0 }
    guard let place else { return nil }
    let (a, b) = (gaps[place], gaps[place + 1])
    return a.depth + (b.depth - a.depth) * a.gap / (a.gap - b.gap)
  }

  private func isAnswerable(_ model: Int) -> Bool {
    result.models[model].hasClassToken && blocks(model).count >= 4
      && result.models[model].connections.contains { $0.others > 0 }
  }

  /// Where class and spatial tokens of a model change roles.
  func transition(_ model: Int) -> ResidualResult.Transition? {
    guard isAnswerable(model) else { return nil }
    return ResidualResult.Transition(
      early: estimate { half(model, $0, late: false) },
      late: estimate { half(model, $0, late: true) }, change: change(model),
      crossing: estimate { crossing(model, $0) })
  }

  private func change(_ model: Int) -> IntervalEstimate {
    estimate { replicate in
      half(model, replicate, late: false).flatMap { early in
        half(model, replicate, late: true).map { early - $0 }
      }
    }
  }

  private func roles(_ model: Int) -> [Finding] {
    guard isAnswerable(model) else { return [] }
    let name = result.models[model].name
    let early = estimate { half(model, $0, late: false) }
    let late = estimate { half(model, $0, late: true).map { -$0 } }
    let unit = "log₂ of ‖z‖/‖f(z)‖, mean over branches and blocks\(leftOut(model))"
    let crossing = estimate { self.crossing(model, $0) }
    let place =
      crossing.value.map { value in
        "; the two lines cross at relative depth \(String(format: "%.2f", value))"
          + (crossing.low.flatMap { low in
            crossing.high.map { String(format: " (95 %% %.2f to %.2f)", low, $0) }
          } ?? "")
      } ?? "; the class token's line does not go from above the other to below it"
    var found = [
      finding(
        "\(name): in the first half of the blocks the skip connections carry the class token more than the spatial tokens",
        early, "\(unit): class token less spatial tokens, first half"),
      finding(
        "\(name): in the second half of the blocks they carry the spatial tokens more than the class token",
        late, "\(unit): spatial tokens less class token, second half"),
      finding(
        "\(name): class and spatial tokens change roles along depth", change(model),
        "\(unit): class token less spatial tokens, first half less second\(place); shows only where both halves show",
        Self.both(early.verdict(), late.verdict())),
    ]
    if let perceptrons = lateRewriting(model) { found.append(perceptrons) }
    return found.map { $0.bearing(on: .transition) }
  }

  private static func both(_ a: Finding.Verdict, _ b: Finding.Verdict) -> Finding.Verdict {
    if a == .shows, b == .shows { return .shows }
    return a == .doesNotShow || b == .doesNotShow ? .doesNotShow : .cannotTell
  }

  /// Late, the class token is rewritten mostly by the perceptrons.
  private func lateRewriting(_ model: Int) -> Finding? {
    let own = blocks(model)
    let late = own.suffix(own.count / 2).flatMap(\.sums)
    func mean(_ part: ResidualResult.Part, _ replicate: Int) -> Double? {
      let places = late.filter { result.models[model].connections[$0].part == part }
      return Statistics.mean(
        places.map { tables[model][$0].first(replicate).flatMap { $0 > 0 ? log2($0) : nil } })
    }
    guard mean(.attention, 0) != nil, mean(.mlp, 0) != nil else { return nil }
    let difference = estimate { replicate in
      mean(.attention, replicate).flatMap { a in mean(.mlp, replicate).map { a - $0 } }
    }
    return finding(
      "\(result.models[model].name): in the second half the class token is rewritten by the perceptrons more than by attention",
      difference,
      "log₂ of the class token's ‖z‖/‖f(z)‖, mean over blocks: attention less perceptrons")
  }

  // MARK: Designs

  /// Skips carry more in transformers than in convolutional networks.
  private func designs() -> Finding? {
    func models(_ design: String) -> [Int] {
      result.models.indices.filter { result.models[$0].design == design }
    }
    let (transformers, networks) = (models("transformer"), models("convolutional"))
    guard !transformers.isEmpty, !networks.isEmpty else { return nil }
    func mean(_ group: [Int], _ replicate: Int) -> Double? {
      Statistics.mean(
        group.map { model in
          Statistics.mean(
            tables[model].filter { ($0.spatial(0) ?? 0) > 0 }.map {
              $0.spatial(replicate).flatMap { $0 > 0 ? log2($0) : nil }
            })
        })
    }
    let difference = estimate { replicate in
      mean(transformers, replicate).flatMap { a in mean(networks, replicate).map { a - $0 } }
    }
    func names(_ group: [Int]) -> String {
      group.map { result.models[$0].name }.joined(separator: ", ")
    }
    return finding(
      "Skip connections carry more, against what branches add, in transformers than in convolutional networks",
      difference,
      "log₂ of the spatial ‖z‖/‖f(z)‖, mean over sums and models: \(names(transformers)) less \(names(networks))"
    )
  }

  // MARK: Removals

  /// The map falls into two squares.
  private func removal(_ one: ResidualResult.Removal) -> Finding {
    let numbers =
      [
        ("across", one.acrossIntact, one.acrossAblated),
        ("on one side", one.insideIntact, one.insideAblated),
      ]
      .map { name, before, after in
        "\(name) \(Self.number(before.value)) → \(Self.number(after.value))"
      }.joined(separator: ", ")
    return Finding(
      sentence:
        "\(result.models[one.model].name): with the skips of \(one.block) taken out at inference, layers before and after it become less alike than layers on one side",
      value: one.split.value, low: one.split.low, high: one.split.high,
      quantity:
        "growth of (mean CKA of layers on one side of the block less mean CKA across it); \(numbers). The weights were trained with the skips: not the paper's experiment"
        + (one.split.low == nil ? "" : "; 95 % jackknife interval over groups of blocks of images"),
      verdict: one.split.verdict(), analysis: "residual")
  }

  private static func number(_ value: Double?) -> String {
    value.map { String(format: "%.2f", $0) } ?? "–"
  }
}
