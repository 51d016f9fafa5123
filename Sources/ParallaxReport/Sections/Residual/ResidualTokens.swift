import Foundation
import ParallaxResults

/// Token × block: the ratio of every token, a panel a model and kind of branch, as the paper draws it.
struct ResidualTokens {
  let result: ResidualResult
  let id = "residual-tokens"

  private struct Panel {
    var model: Int
    var part: ResidualResult.Part
    var sums: [ResidualResult.Connection]
  }

  /// Models whose tokens are the same in all blocks.
  private var panels: [Panel] {
    result.models.indices.flatMap { index -> [Panel] in
      let own = result.models[index].connections
      guard isOfTokens(index) else { return [] }
      return ResidualResult.Part.allCases.compactMap { part in
        let sums = own.filter { $0.part == part }
        return sums.isEmpty ? nil : Panel(model: index, part: part, sums: sums)
      }
    }
  }

  private func isOfTokens(_ model: Int) -> Bool {
    let own = result.models[model].connections
    return result.models[model].design != "convolutional" && Set(own.map(\.tokens.count)).count == 1
      && (own.first?.tokens.count ?? 0) > 1
  }

  var hasPanels: Bool { !panels.isEmpty }

  private let width = 800.0

  func figure() -> Figure {
    let shown = panels
    return Figure(
      id: id, title: "Norm ratios of every token in every block",
      description:
        "Heat maps of log₂ of the ratio of norms of skip and branch, tokens from left to right, blocks from above downwards",
      chart: Chart(
        concat: shown.indices.map { panel($0, shown[$0]) }, columns: 1,
        spacing: Chart.Spacing(row: 44, column: 0), align: "each", bounds: "flush",
        resolve: Chart.Resolve(scale: ["color": "shared"])),
      data: [id], exported: [id],
      marks: shown.reduce(0) { $0 + $1.sums.reduce(0) { $0 + $1.tokens.count } })
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (index, panel) in panels.enumerated() {
      let model = result.models[panel.model]
      for (row, one) in panel.sums.enumerated() {
        for (token, value) in one.tokens.enumerated() {
          rows.append([
            .number(Double(index)), .text(model.name),
            .text(one.block), .text(name(token, one, model)),
            .number(place(token, one.others)),
            .number(place(token + 1, one.others) - (token + 1 == one.others ? Self.gap : 0)),
            .number(Double(row)), .number(Double(row + 1)),
            .number(value.flatMap { $0 > 0 ? log2($0) : nil }),
            .text(Text.number(value, digits: 2)),
            .text(Text.number(one.cosines[token], digits: 2)),
          ])
        }
      }
    }
    return [
      id: .table(
        columns: [
          "_panel", "model", "block", "token", "x0", "x1", "y0", "y1", "value", "ratio", "cosine",
        ], rows: rows)
    ]
  }

  /// Units that a token before the grid is wide, a patch being 1, and the gap behind them.
  private static let wide = 4.0
  private static let gap = 2.0

  /// Where a token begins on the abscissa.
  private func place(_ token: Int, _ others: Int) -> Double {
    guard others > 0 else { return Double(token) }
    return token < others
      ? Self.wide * Double(token) : Self.wide * Double(others) + Self.gap + Double(token - others)
  }

  private func name(
    _ token: Int, _ one: ResidualResult.Connection, _ model: ResidualResult.Model
  ) -> String {
    if token < one.others {
      if token == 0, model.hasClassToken { return "class token" }
      return "register or distillation token \(token - (model.hasClassToken ? 1 : 0))"
    }
    let place = token - one.others
    guard one.shownColumns > 0 else { return "token \(place)" }
    return "patch at row \(place / one.shownColumns), column \(place % one.shownColumns)"
  }

  private func panel(_ index: Int, _ panel: Panel) -> Chart {
    let others = panel.sums.first?.others ?? 0
    let count = place(panel.sums.first?.tokens.count ?? 1, others)
    let rows = Double(panel.sums.count)
    let height = max(6, min(14, 220 / rows)) * rows
    let x = Chart.Scale(domain: [0, count], nice: false, zero: false)
    let y = Chart.Scale(domain: [rows, 0], nice: false, zero: false)
    let pairs = panel.sums.enumerated().map { "\"\($0)\":\(SimilarityFigures.quoted($1.block))" }
    let every = max(1, Int((rows / 6).rounded(.up)))
    let columns = panel.sums.first?.shownColumns ?? 0
    let starts =
      columns > 0 ? Array(stride(from: place(others, others), to: count, by: Double(columns))) : []
    let isLast = index == panels.count - 1
    let horizontal = ParallaxReport.Setting<Chart.Axis>.value(
      Chart.Axis(
        title: isLast
          ? .value(
            "tokens: \(others > 0 ? "class and other tokens, then " : "")patches row by row (a tick a row)"
          )
          : .null,
        values: starts, labels: false, grid: false, ticks: true, domain: false))
    let vertical = ParallaxReport.Setting<Chart.Axis>.value(
      Chart.Axis(
        title: .null,
        values: stride(from: 0, to: panel.sums.count, by: every).map { Double($0) + 0.5 },
        labelExpr: "{\(pairs.joined(separator: ","))}[floor(datum.value)]", grid: false,
        ticks: false, domain: false))
    let position: [String: Chart.Channel] = [
      "x": .quantity("x0", x, axis: horizontal), "x2": Chart.Channel(field: "x1"),
      // From below upwards, as seams reach up: the axis is turned over.
      "y": .quantity("y1", y, axis: vertical), "y2": Chart.Channel(field: "y0"),
    ]
    let span = result.span
    var colour = Chart.Channel.quantity(
      "value",
      Chart.Scale(
        domain: [-span, -span / 2, 0, span / 2, span], range: Palette.diverging, nice: false))
    colour.legend = .value(
      Chart.Legend(
        title: "log₂ ‖z‖/‖f(z)‖: below 0 rewritten, above 0 carried past", orient: "top",
        gradientLength: 220, gradientThickness: 10, direction: "horizontal", tickCount: 5))
    let own = Chart.Transform(filter: "datum._panel === \(index)")
    var layers = Chart.cells(of: Chart.Data(name: id), position, colour, seam: 0.6)
    for place in layers.indices {
      layers[place].transform = [own] + (layers[place].transform ?? [])
    }
    layers.append(
      Chart(
        data: Chart.Data(name: id), transform: [own], mark: Chart.Mark(type: "rect", opacity: 0),
        encoding: position,
        tooltip: [
          .name("model"), .name("block"), .name("token"), .name("ratio", title: "‖z‖/‖f(z)‖"),
          .name("cosine"),
        ]))
    let name = "\(result.models[panel.model].name), \(ResidualResult.name(panel.part))"
    return Chart(
      width: width, height: height, layer: layers + [Chart.heading([name], limit: width)],
      view: Chart.View(stroke: Setting.null))
  }
}
