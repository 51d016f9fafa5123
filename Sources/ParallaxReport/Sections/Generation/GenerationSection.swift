import Foundation
import ParallaxResults

/// Pictures that models were made to make.
///
/// > Source: Badger, 2022, arXiv 2211.06496.
enum GenerationSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: GenerationResult = try material.run.result(analysis: "generation") else {
      return nil
    }
    if let problem = GenerationCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/generation.json").path, problem: problem)
    }
    let text = GenerationText(result: result)
    let traces = GenerationTraces(result: result)
    let figure = traces.figure()
    return Section(
      id: "generation", name: "Generation",
      title: result.beginning == nil
        ? "What the models make of noise when asked for something"
        : "What the models make of a picture when asked for something",
      body: [
        text.lead, Fold.switches(result.switches),
        .element("h3", [:], "The pictures"),
        .element(
          "figure", ["id": "figure-generation-grid", "class": "figure"],
          [
            GenerationGrid(result: result).html, .element("figcaption", [:], text.grid),
            Fold.again(material),
          ]),
        .element("h3", [:], "How the descents went"),
        figure.html(
          caption: [.text(text.traces)],
          after: [Fold.again(material), GenerationTable(result: result).html]),
      ], findings: result.findings, figures: [figure], data: traces.data())
  }
}

/// What the section says beside its figures.
struct GenerationText {
  let result: GenerationResult

  private var basis: String {
    "Recipe: \(result.preset), \(result.steps) steps; \(Text.plural(result.starts, "start")), \(result.dtype), seed \(result.seed)."
  }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      The same descent that asks what a layer knows of a picture can ask a model for a picture: of a class, of a feature, of more of \
      what a layer sees in a photograph. After Badger (2022), who holds that a model that recognises inputs can make them.
      """)
  }

  var grid: String {
    """
    Under each picture what was asked of it: the logit of the class, or the activation of the feature (mean over its places), of what the descent began with and of the picture; then the softmax's share and the rank of the class \
    among all, and the class that the model sees most. Scores are of the whole picture at the model's own size. Pictures are clamped to [0, 1] and shown at most 224 pixels a side; full size: tensors/generation/ in the run folder. \(basis)
    """
  }

  var traces: String {
    "The loss over the steps, a panel each model and a line each picture. Where octaves change, the size of the picture does; the loss may jump. \(basis)"
  }
}

/// The pictures, a row each model and kind.
struct GenerationGrid {
  let result: GenerationResult

  private struct Group: Hashable {
    var models: [Int]
    var kind: String
  }

  private var groups: [(group: Group, pictures: [GenerationResult.Picture])] {
    var list: [(group: Group, pictures: [GenerationResult.Picture])] = []
    for picture in result.pictures {
      let group = Group(models: picture.models, kind: picture.kind.rawValue)
      if let place = list.firstIndex(where: { $0.group == group }) {
        list[place].pictures.append(picture)
      } else {
        list.append((group, [picture]))
      }
    }
    return list
  }

  var html: HTML {
    let begins = PictureCell(
      picture: result.beginningPicture, label: result.beginning ?? "", name: "what it began with",
      lines: [result.beginning ?? ""])
    return .group(
      groups.map { group, pictures in
        let models = group.models.map { result.models[$0] }
        let between =
          pictures[0].kind == .interpolation
          ? ": "
            + pictures.compactMap { Self.halves($0.title).first }.reduce(into: [String]()) {
              if !$0.contains($1) { $0.append($1) }
            }.joined(separator: ", ") : ""
        let name =
          PictureCell.name(
            group.models[0], models.map(\.name).joined(separator: " + "),
            " \(Self.title(pictures[0].kind))\(between)\(models[0].twinOf.map { ", untrained twin of \($0)" } ?? "")"
          )
        let cells = (result.beginning == nil ? [] : [begins]) + pictures.map(cell)
        return PictureCell.row(name, cells, isLarge: pictures[0].kind != .interpolation)
      })
  }

  static func title(_ kind: GenerationResult.Kind) -> String {
    switch kind {
    case .classImage: "class images"
    case .opposite: "opposites: as little of a class as can be"
    case .sum: "sums of classes"
    case .juxtaposition: "juxtapositions: the less active class descends"
    case .interpolation: "interpolations between classes"
    case .joint: "class images for both models"
    case .channel: "channels"
    case .neuron: "neurons"
    case .direction: "directions"
    case .layer: "whole layers"
    }
  }

  /// `goldfish → daisy, 0 of 4` at its comma.
  private static func halves(_ title: String) -> [String] {
    title.split(separator: ", ").map(String.init)
  }

  private func cell(_ picture: GenerationResult.Picture) -> PictureCell {
    // Frames are small, and what they are between stands over each.
    if picture.frame != nil {
      return PictureCell(
        picture: picture.picture, label: picture.title,
        name: "frame \(Self.halves(picture.title).last ?? "")"
          + (result.starts > 1 ? ", start \(picture.start + 1)" : ""),
        lines: picture.after.map { "\(Text.number($0.value, digits: 1)) \($0.label)" }
          + (picture.best.first.map { ["sees \($0.label)"] } ?? []))
    }
    let scores = zip(picture.before, picture.after).map { before, after -> String in
      let isOne = picture.after.count == 1
      return
        (isOne
        ? "" : "\(picture.models.count > 1 ? result.models[after.model].name : after.label): ")
        + "\(Text.number(before.value, digits: 2)) → \(Text.number(after.value, digits: 2))"
        + (after.probability.map { ", \(Self.percent($0))" } ?? "")
        + (after.rank.map { ", rank \($0)" } ?? "")
    }
    let best = picture.best.first.map { ["sees \($0.label), \(Self.percent($0.probability ?? 0))"] }
    let diverged = picture.diverged.map { ["diverged at step \($0)"] }
    return PictureCell(
      picture: picture.picture,
      label:
        "\(picture.title), made by \(picture.models.map { result.models[$0].name }.joined(separator: " and "))",
      name: picture.title + (result.starts > 1 ? ", start \(picture.start + 1)" : ""),
      lines: scores + (best ?? []) + (diverged ?? []))
  }

  /// `97 %`, `0.02 %`.
  static func percent(_ share: Double) -> String {
    let value = 100 * share
    return "\(Text.number(value, digits: value >= 10 ? 0 : value >= 0.1 ? 1 : 3)) %"
  }
}

/// The loss over the steps.
struct GenerationTraces {
  let result: GenerationResult

  private static let id = "generation-traces"

  private var panels: [[Int]] {
    result.pictures.map(\.models).reduce(into: []) { list, models in
      if !list.contains(models) { list.append(models) }
    }
  }

  func data() -> [String: Dataset] {
    var rows: [[Dataset.Cell]] = []
    for (panel, models) in panels.prefix(6).enumerated() {
      for (line, picture) in result.pictures.enumerated() where picture.models == models {
        for point in picture.trace {
          rows.append([
            .text(
              Text.label(picture.models.map { result.models[$0].name }.joined(separator: " + "))),
            .text(picture.kind.rawValue), .text(Text.label(picture.title)),
            .number(Double(point.step)), .number(point.loss), .number(Double(panel)),
            .number(Double(line)),
          ])
        }
      }
    }
    return [
      Self.id: .table(
        columns: ["models", "kind", "picture", "step", "loss", "_panel", "_line"], rows: rows)
    ]
  }

  func figure() -> Figure {
    let shown = Array(panels.prefix(6))
    var charts = shown.enumerated().map { panel($0, $1) }
    while charts.count > 2, !charts.count.isMultiple(of: 2) {
      charts.append(.empty(width: 430, height: 190))
    }
    return Figure(
      id: Self.id, title: "Loss over the steps",
      description: "Curves: the loss of each picture over the steps of the descent",
      chart: Chart(
        concat: charts, columns: 2, spacing: Chart.Spacing(row: 56, column: 40), align: "each",
        bounds: "flush"), data: [Self.id], exported: [Self.id],
      marks: result.pictures.reduce(0) { $0 + $1.trace.count })
  }

  private func panel(_ place: Int, _ models: [Int]) -> Chart {
    let x = Chart.Channel.quantity(
      "step", Chart.Scale(domain: [0, Double(max(1, result.steps))], nice: false),
      axis: .value(
        Chart.Axis(title: .value("step"), grid: true, ticks: false, domain: false, tickCount: 5)))
    let y = Chart.Channel.quantity(
      "loss", Chart.Scale(nice: true, zero: false),
      axis: .value(
        Chart.Axis(title: .value("loss"), grid: true, ticks: false, domain: false, tickCount: 4)))
    return Chart(
      width: 430, height: 190,
      layer: [
        Chart(
          data: Chart.Data(name: Self.id),
          transform: [Chart.Transform(filter: "datum._panel === \(place) && isValid(datum.loss)")],
          mark: Chart.Mark(
            type: "line", color: Palette.colour(models[0]), opacity: 0.8, strokeWidth: 1.5),
          encoding: ["x": x, "y": y, "detail": .name("_line")],
          tooltip: [.name("picture"), .name("kind"), .name("step"), .name("loss")]),
        .heading(
          [Text.label(models.map { result.models[$0].name }.joined(separator: " + "))], limit: 440),
      ], view: Chart.View(stroke: Setting.null))
  }
}

/// All scores.
struct GenerationTable {
  let result: GenerationResult

  var html: HTML {
    let rows = result.pictures.flatMap { picture in
      zip(picture.before, picture.after).map { before, after -> HTML in
        let texts = [
          result.models[after.model].name, picture.kind.rawValue,
          picture.title + (result.starts > 1 ? ", start \(picture.start + 1)" : ""), after.label,
        ]
        let numbers = [
          Text.number(before.value, digits: 2), Text.number(after.value, digits: 2),
          before.rank.map(String.init) ?? "–", after.rank.map(String.init) ?? "–",
          after.probability.map { Text.number($0) } ?? "–",
          "\(picture.height) × \(picture.width)",
        ]
        return .element(
          "tr", [:],
          texts.map { .element("td", [:], $0) }
            + numbers.map { .element("td", ["class": "number"], $0) }
            + [.element("td", [:], picture.best.map(\.label).joined(separator: ", "))])
      }
    }
    return Fold.make(
      "Scores in numbers: \(Text.plural(rows.count, "row"))",
      [
        Fold.table(
          [
            "model", "kind", "picture", "of", "before", "after", "rank before", "rank after",
            "share", "pixels", "sees",
          ], rows)
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct GenerationCheck {
  let result: GenerationResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, !result.pictures.isEmpty else {
      return "it names no model or picture"
    }
    guard PictureCell.isPicture(result.beginningPicture) else { return "a picture is no PNG" }
    for picture in result.pictures {
      guard !picture.models.isEmpty, picture.models.allSatisfy(result.models.indices.contains)
      else { return "a picture is of models \(picture.models)" }
      guard PictureCell.isPicture(picture.picture) else { return "a picture is no PNG" }
      guard picture.before.count == picture.after.count else {
        return
          "a picture has \(picture.before.count) scores before and \(picture.after.count) after"
      }
      guard
        (picture.before + picture.after + picture.best).allSatisfy({
          result.models.indices.contains($0.model)
        })
      else { return "a score is of no model" }
    }
    return nil
  }
}
