/// The part of a Vega-Lite specification that our figures need.
///
/// > Source: Satyanarayan et al., 2017, Vega-Lite: A Grammar of Interactive Graphics.
struct Chart: Encodable {
  var title: Title?
  var data: Data?
  var transform: [Transform]?
  var width: Double?
  var height: Double?
  var mark: Mark?
  var encoding: [String: Channel]?
  /// Lines of the tooltip; stands in the encoding.
  var tooltip: [Channel]?
  var layer: [Chart]?
  var concat: [Chart]?
  /// Of `concat`.
  var columns: Int?
  var spacing: Spacing?
  var align: String?
  var bounds: String?
  var resolve: Resolve?
  var view: View?

  /// The cells of a heat map: coloured by their value, grey where there is none.
  ///
  /// Small cells reach a little (`seam`, in pixels) into the next, which is drawn later: no lines show between them.
  static func cells(
    of data: Data, _ position: [String: Channel], _ colour: Channel, seam: Double
  ) -> [Chart] {
    func cells(_ filter: String, _ colour: String?, _ encoding: [String: Channel]) -> Chart {
      Chart(
        data: data, transform: [Transform(filter: filter)],
        mark: Mark(type: "rect", color: colour, x2Offset: seam, y2Offset: -seam),
        encoding: encoding)
    }
    return [
      cells("isValid(datum.value)", nil, position.merging(["color": colour]) { $1 }),
      cells("!isValid(datum.value)", "#9a9a9a", position),
    ]
  }

  /// A heading over a panel, in its place whatever room the axes take.
  static func heading(_ lines: [String], limit: Double) -> Chart {
    Chart(
      data: Data(values: [[:]]),
      mark: Mark(
        type: "text", style: "ink", text: lines, align: "left", baseline: "alphabetic",
        fontSize: 13, fontWeight: "600", dy: Double(-9 - 16 * (lines.count - 1)), limit: limit),
      encoding: ["x": .pixels(0), "y": .pixels(0)])
  }

  /// A place in a grid where nothing is drawn.
  static func empty(width: Double, height: Double) -> Chart {
    Chart(
      data: Data(name: "nothing"), width: width, height: height,
      mark: Mark(type: "point", opacity: 0), encoding: [:], view: View(stroke: Setting.null))
  }

  private enum CodingKeys: CodingKey {
    case title, data, transform, width, height, mark, encoding, layer, concat
    case columns, spacing
    case align, bounds, resolve, view
  }

  private struct Name: CodingKey {
    var stringValue: String
    var intValue: Int? { nil }
    init(_ name: String) { stringValue = name }
    init?(stringValue: String) { self.init(stringValue) }
    init?(intValue: Int) { nil }
  }

  func encode(to encoder: any Encoder) throws {
    var container = encoder.container(keyedBy: CodingKeys.self)
    try container.encodeIfPresent(title, forKey: .title)
    try container.encodeIfPresent(data, forKey: .data)
    try container.encodeIfPresent(transform, forKey: .transform)
    try container.encodeIfPresent(width, forKey: .width)
    try container.encodeIfPresent(height, forKey: .height)
    try container.encodeIfPresent(mark, forKey: .mark)
    if let encoding {
      var channels = container.nestedContainer(keyedBy: Name.self, forKey: .encoding)
      for (name, channel) in encoding { try channels.encode(channel, forKey: Name(name)) }
      try channels.encodeIfPresent(tooltip, forKey: Name("tooltip"))
    }
    try container.encodeIfPresent(layer, forKey: .layer)
    try container.encodeIfPresent(concat, forKey: .concat)
    try container.encodeIfPresent(columns, forKey: .columns)
    try container.encodeIfPresent(spacing, forKey: .spacing)
    try container.encodeIfPresent(align, forKey: .align)
    try container.encodeIfPresent(bounds, forKey: .bounds)
    try container.encodeIfPresent(resolve, forKey: .resolve)
    try container.encodeIfPresent(view, forKey: .view)
  }

  /// Rows by the name that they have in the page, or a few that stand here.
  struct Data: Encodable {
    var name: String?
    var values: [[String: Int]]?
  }

  /// Pixels between panels.
  struct Spacing: Encodable, ExpressibleByFloatLiteral, ExpressibleByIntegerLiteral {
    var row: Double
    var column: Double

    init(row: Double, column: Double) { (self.row, self.column) = (row, column) }
    init(floatLiteral value: Double) { self.init(row: value, column: value) }
    init(integerLiteral value: Int) { self.init(floatLiteral: Double(value)) }
  }

  struct Title: Encodable {
    var lines: [String]
    var anchor: String? = "start"
    var frame: String? = "group"
    var limit: Double?

    private enum CodingKeys: String, CodingKey { case lines = "text", anchor, frame, limit }

    init(lines: [String], limit: Double? = nil) { (self.lines, self.limit) = (lines, limit) }
    init(text: String, limit: Double? = nil) { self.init(lines: [text], limit: limit) }
  }

  struct Transform: Encodable {
    var filter: String?
    var `as`: String?
  }

  struct Mark: Encodable {
    var type: String
    var color: String?
    var size: Double?
    var filled: Bool?
    var opacity: Double?
    var strokeWidth: Double?
    var strokeDash: [Double]?
    var x2Offset: Double?
    var y2Offset: Double?
    /// A colour of the page's own, light or dark: `ink`, `quiet` or `paper`.
    var style: String?
    /// Lines of a text that is the same everywhere.
    var text: [String]?
    var align: String?
    var baseline: String?
    var fontSize: Double?
    var fontWeight: String?
    var dx: Double?
    var dy: Double?
    var limit: Double?
    var thickness: Double?
    /// Whether what lies beyond the axes is cut off.
    var clip: Bool?
  }

  struct Channel: Encodable {
    var field: String?
    /// A constant on the scale instead of a field.
    var datum: Double?
    var type: String?
    var title: String?
    var scale: Scale?
    var axis: Setting<Axis>?
    var legend: Setting<Legend>?
    /// A place in pixels instead of a field.
    var value: Double?

    /// So many pixels from the left or from above.
    static func pixels(_ value: Double) -> Channel { Channel(value: value) }

    static func quantity(
      _ field: String, _ scale: Scale? = nil, axis: Setting<Axis>? = nil, title: String? = nil
    ) -> Channel {
      Channel(field: field, type: "quantitative", title: title, scale: scale, axis: axis)
    }

    static func name(_ field: String, title: String? = nil) -> Channel {
      Channel(field: field, type: "nominal", title: title)
    }
  }

  struct Scale: Encodable {
    /// `log`, `symlog`; nil for what suits the channel.
    var type: String?
    var domain: [Double]?
    var names: [String]?
    var range: [String]?
    var scheme: String?
    var nice: Bool?
    var zero: Bool?

    private enum CodingKeys: CodingKey { case type, domain, range, scheme, nice, zero }

    func encode(to encoder: any Encoder) throws {
      var container = encoder.container(keyedBy: CodingKeys.self)
      if let names {
        try container.encode(names, forKey: .domain)
      } else {
        try container.encodeIfPresent(domain, forKey: .domain)
      }
      try container.encodeIfPresent(type, forKey: .type)
      try container.encodeIfPresent(range, forKey: .range)
      try container.encodeIfPresent(scheme, forKey: .scheme)
      try container.encodeIfPresent(nice, forKey: .nice)
      try container.encodeIfPresent(zero, forKey: .zero)
    }
  }

  struct Axis: Encodable {
    var title: Setting<String>?
    var titleColor: String?
    var titleFontWeight: String?
    var titlePadding: Double?
    var titleLimit: Double?
    var values: [Double]?
    var labelExpr: String?
    var labels: Bool?
    var labelAngle: Double?
    var labelAlign: String?
    var labelBaseline: String?
    var labelOverlap: Bool?
    var labelLimit: Double?
    var labelSeparation: Double?
    var labelPadding: Double?
    var labelLineHeight: Double?
    var format: String?
    var grid: Bool?
    var ticks: Bool?
    var domain: Bool?
    var tickCount: Int?
  }

  struct Legend: Encodable {
    var title: String?
    var titleLimit: Double? = 400
    var symbolOpacity: Double? = 1
    var gradientOpacity: Double? = 1
    var orient: String?
    var gradientLength: Double?
    var gradientThickness: Double?
    var direction: String?
    var format: String?
    var tickCount: Int?
    var columns: Int?
  }

  struct Resolve: Encodable {
    var scale: [String: String]?
    var legend: [String: String]?
  }

  struct View: Encodable {
    var stroke: Setting<String>?
    var fill: String?
  }
}

/// A value, or the `null` by which Vega-Lite leaves a thing out.
enum Setting<Value: Encodable>: Encodable {
  case null
  case value(Value)

  func encode(to encoder: any Encoder) throws {
    var container = encoder.singleValueContainer()
    switch self {
    case .null: try container.encodeNil()
    case .value(let value): try container.encode(value)
    }
  }
}
