import Foundation
import ParallaxResults

/// Horizontal violins of k̃, one a concept: a density cut at the data's range, quartiles, a star at the mean, the skewness and the
/// pattern at the right.
struct KStarViolins {
  let result: KStarResult
  let model: KStarResult.Model
  let space: KStarResult.Space
  let id: String

  /// More concepts than this, and only the ends of the list are drawn.
  static let most = 24
  private let row = 30.0

  /// The concepts that are drawn, the most fractured first; those without an order last.
  var concepts: [KStarResult.Concept] {
    let sorted = Self.sorted(space.concepts)
    guard sorted.count > Self.most else { return sorted }
    return Array(sorted.prefix(Self.most / 2)) + Array(sorted.suffix(Self.most / 2))
  }

  /// From the most fractured to the most clustered, the undefined last.
  static func sorted(_ concepts: [KStarResult.Concept]) -> [KStarResult.Concept] {
    func key(_ one: KStarResult.Concept) -> Double {
      switch (one.pattern, one.skewness.value) {
      case (.undefined, _): -.infinity
      case (_, let value?): value
      case (.fractured, nil): 1e9
      default: -1e9
      }
    }
    return concepts.sorted { (key($0), $0.label) > (key($1), $1.label) }
  }

  /// A name within an expression of Vega's, whatever signs it has.
  static func quoted(_ text: String) -> String {
    "\"\(Text.label(text).replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
  }

  /// The paper's letters and marks.
  static func mark(_ pattern: KStarResult.Pattern) -> String {
    switch pattern {
    case .fractured: "A ★ fractured"
    case .overlapped: "B ♣ overlapped"
    case .clustered: "C ♠ clustered"
    case .undefined: "undefined"
    }
  }

  /// The paper's blue, red and green, as far as they can be told apart by everyone.
  static let patterns = ["fractured", "overlapped", "clustered", "undefined"]
  static let colours = ["#0072B2", "#D55E00", "#009E73", "#7F7F7F"]

  static var colour: Chart.Channel {
    Chart.Channel(
      field: "pattern", type: "nominal", title: "pattern",
      scale: Chart.Scale(names: patterns, range: colours), legend: .null)
  }

  /// k̃ of the images of a concept, sorted.
  private func values(_ concept: KStarResult.Concept) -> [Double] {
    zip(space.ranks, result.labels).filter { $0.1 == concept.label }
      .map { Double($0.0) / Double(max(1, concept.size)) }.sorted()
  }

  private static func quantile(_ sorted: [Double], _ share: Double) -> Double {
    let place = share * Double(sorted.count - 1)
    let low = Int(place)
    let high = min(low + 1, sorted.count - 1)
    return sorted[low] + (place - Double(low)) * (sorted[high] - sorted[low])
  }

  /// A Gaussian kernel density with Scott's bandwidth n^(−1/5)·s on a grid over the range of the values, at most 1; nil where they
  /// are all the same.
  ///
  /// > Source: Scott, 1992, Multivariate Density Estimation; as seaborn draws violins.
  static func density(_ values: [Double], points: Int = 41) -> [(x: Double, y: Double)]? {
    let n = Double(values.count)
    guard n > 1, let low = values.min(), let high = values.max(), high > low else { return nil }
    let mean = values.reduce(0, +) / n
    let deviation = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / (n - 1)).squareRoot()
    let bandwidth = deviation * pow(n, -0.2)
    let curve = (0..<points).map { place -> (x: Double, y: Double) in
      let x = low + (high - low) * Double(place) / Double(points - 1)
      return (
        x, values.reduce(0) { $0 + exp(-0.5 * (($1 - x) / bandwidth) * (($1 - x) / bandwidth)) }
      )
    }
    let most = curve.map(\.y).max() ?? 1
    return curve.map { ($0.x, $0.y / most) }
  }

  func figure() -> Figure {
    Figure(
      id: id, title: "How \(model.name) holds concepts at \(space.site)",
      description:
        "Violins of k* over class size, one for each concept, from the most fractured to the most clustered",
      chart: chart(520), data: ["\(id)-density", "\(id)-concepts"],
      exported: ["\(id)-concepts"], marks: concepts.count * 8,
      narrow: (chart(230, isNarrow: true), 920))
  }

  func data() -> [String: Dataset] {
    var (areas, rows): ([[Dataset.Cell]], [[Dataset.Cell]]) = ([], [])
    for (place, concept) in concepts.enumerated() {
      let values = values(concept)
      let name = result.classes[concept.label]
      for point in Self.density(values) ?? [] {
        areas.append([
          .text(name), .text(concept.pattern.rawValue), .number(point.x),
          .number(Double(place) + 0.5 - 0.42 * point.y),
          .number(Double(place) + 0.5 + 0.42 * point.y),
        ])
      }
      let interval = Text.interval(concept.skewness.low, concept.skewness.high, digits: 2)
      let skew = concept.skewness.value.map { "Skew = \(Text.number($0, digits: 2))" }
      rows.append([
        .text(name), .text(concept.pattern.rawValue), .text(concept.isDecided ? "yes" : "no"),
        .number(Double(concept.count)), .number(concept.mean), .number(concept.deviation),
        .number(concept.skewness.value), .number(concept.skewness.low),
        .number(concept.skewness.high), .number(concept.dimension.value),
        .number(values.isEmpty ? nil : Self.quantile(values, 0.25)),
        .number(values.isEmpty ? nil : Self.quantile(values, 0.5)),
        .number(values.isEmpty ? nil : Self.quantile(values, 0.75)),
        .number(values.first), .number(values.last),
        .number(Double(place) + 0.5),
        .text(skew ?? (concept.count < 3 ? "n < 3" : "Skew –")),
        .text(
          Self.mark(concept.pattern)
            + (concept.isDecided || result.resamples < 20 || concept.pattern == .undefined
              ? "" : "?")),
        .text(interval ?? "none"),
      ])
    }
    return [
      "\(id)-density": .table(columns: ["concept", "pattern", "x", "low", "high"], rows: areas),
      "\(id)-concepts": .table(
        columns: [
          "concept", "pattern", "decided", "n", "mean", "sd", "skewness", "low", "high",
          "dimension", "q1", "median", "q3", "least", "most", "_row", "_skew", "_mark", "_interval",
        ], rows: rows),
    ]
  }

  /// - Parameters:
  ///   - width: of the violins in pixels.
  ///   - isNarrow: whether skewness and pattern stand one above the other.
  /// - Returns: the chart.
  private func chart(_ width: Double, isNarrow: Bool = false) -> Chart {
    let count = Double(concepts.count)
    let names = concepts.enumerated().map { place, concept in
      "\"\(place)\":\(Self.quoted(result.classes[concept.label]))"
    }
    let down = Chart.Scale(domain: [count, 0], nice: false, zero: false)
    let most = zip(space.ranks, result.labels).map { rank, label in
      Double(rank)
        / Double(max(1, space.concepts.first { $0.label == label }?.size ?? rank))
    }.max()
    let across = Chart.Scale(domain: [0, max(1, most ?? 1)], nice: false)
    let y = Chart.Channel.quantity(
      "_row", down,
      axis: .value(
        Chart.Axis(
          title: .null, values: concepts.indices.map { Double($0) + 0.5 },
          labelExpr: "{\(names.joined(separator: ","))}[floor(datum.value)]",
          labelLimit: isNarrow ? 105 : 160,
          grid: false, ticks: false, domain: false)))
    let x = Chart.Channel.quantity(
      "mean", across,
      axis: .value(
        Chart.Axis(title: .value("k* over the images of the class"), grid: true, tickCount: 5)))
    let rows = Chart.Data(name: "\(id)-concepts")
    let tooltip = [
      Chart.Channel.name("concept"), .name("pattern"), .name("_interval", title: "skewness, 95 %"),
      .quantity("n", title: "images"), .quantity("mean"), .quantity("sd"),
      .quantity("skewness"), .quantity("dimension", title: "intrinsic dimension"),
    ]
    func spread(_ from: String, _ to: String, _ thickness: Double) -> Chart {
      Chart(
        data: rows, mark: Mark(type: "rule", strokeWidth: thickness, style: "ink"),
        encoding: [
          "y": y, "x": .quantity(from, across, axis: x.axis), "x2": Chart.Channel(field: to),
        ])
    }
    func note(
      _ field: String, _ place: Double, down: Double = 0, _ colour: Chart.Channel?
    ) -> Chart {
      var encoding: [String: Chart.Channel] = [
        "y": y, "x": .pixels(width + place), "text": .name(field),
      ]
      if let colour { encoding["color"] = colour }
      return Chart(
        data: rows,
        mark: Mark(
          type: "text", style: colour == nil ? "ink" : nil, align: "left", baseline: "middle",
          fontSize: isNarrow ? 11 : 11.5, dy: down, limit: 150), encoding: encoding)
    }
    let area = Chart(
      data: Chart.Data(name: "\(id)-density"), mark: Mark(type: "area", opacity: 0.7),
      encoding: [
        "x": .quantity("x", across, axis: x.axis), "y": .quantity("low", down, axis: y.axis),
        "y2": Chart.Channel(field: "high"), "detail": .name("concept"), "color": Self.colour,
      ])
    let star = Chart(
      data: rows,
      mark: Mark(
        type: "text", style: "paper", text: ["★"], align: "center", baseline: "middle",
        fontSize: 21), encoding: ["x": x, "y": y])
    let inner = Chart(
      data: rows,
      mark: Mark(
        type: "text", style: "ink", text: ["★"], align: "center", baseline: "middle",
        fontSize: 14), encoding: ["x": x, "y": y], tooltip: tooltip)
    // Whoever points anywhere at a row sees its numbers.
    let band = Chart(
      data: rows, mark: Mark(type: "rule", opacity: 0.001, strokeWidth: row - 4),
      encoding: ["y": y, "x": .pixels(0), "x2": .pixels(width)], tooltip: tooltip)
    return Chart(
      width: width, height: row * count,
      layer: [
        area, spread("least", "most", 0.75), spread("q1", "q3", 3.5), star, inner, band,
      ]
        + (isNarrow
          ? [note("_skew", 8, down: -7, nil), note("_mark", 8, down: 7, Self.colour)]
          : [note("_skew", 10, nil), note("_mark", 106, Self.colour)]),
      view: Chart.View(stroke: .null))
  }

  private typealias Mark = Chart.Mark
}
