/// Colours and markers. A model has one of each in every figure.
enum Palette {
  /// Okabe and Ito's colours, as far as they stand out on white and on black: their yellow is darkened, and black is grey.
  static let colours = [
    "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#B8AD00", "#7F7F7F",
  ]
  /// Vega's names of shapes.
  static let markers = [
    "circle", "square", "triangle-up", "diamond", "cross", "triangle-down", "triangle-right",
    "triangle-left",
  ]
  /// The map of all similarities: perceptually uniform, and legible to colour-blind readers.
  static let similarity = "viridis"
  /// The map of differences, with zero in the middle.
  static let diverging = ["#08519c", "#6baed6", "#f2f2f2", "#fdae6b", "#a63603"]
  /// The map of relative depth: the middle of plasma, as far as it stands out on white and on black.
  static let depth = ["#7301a8", "#9c179e", "#bd3786", "#d8576b", "#ed7953", "#fb9f3a"]

  /// The colour of the model at a place in the order asked for.
  static func colour(_ model: Int) -> String { colours[model % colours.count] }

  /// Its marker; changes once the colours are used up, so that 64 models stay apart.
  static func marker(_ model: Int) -> String {
    markers[(model + model / colours.count) % markers.count]
  }
}
