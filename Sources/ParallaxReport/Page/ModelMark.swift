import Foundation

/// A model's marker in its colour, as it stands beside its name.
enum ModelMark {
  /// The marker alone.
  static func html(_ model: Int) -> HTML {
    let shape: HTML =
      switch Palette.marker(model) {
      case "circle": .element("circle", ["cx": "6", "cy": "6", "r": "4.5"], "")
      case "square": polygon("1.8,1.8 10.2,1.8 10.2,10.2 1.8,10.2")
      case "triangle-up": polygon("6,1 11.2,10.4 0.8,10.4")
      case "diamond": polygon("6,0.6 11.4,6 6,11.4 0.6,6")
      case "cross":
        polygon(
          "4.2,1 7.8,1 7.8,4.2 11,4.2 11,7.8 7.8,7.8 7.8,11 4.2,11 4.2,7.8 1,7.8 1,4.2 4.2,4.2")
      case "triangle-down": polygon("6,11 0.8,1.6 11.2,1.6")
      case "triangle-right": polygon("11,6 1.6,11.2 1.6,0.8")
      default: polygon("1,6 10.4,0.8 10.4,11.2")
      }
    return .element(
      "svg",
      [
        "class": "mark", "viewBox": "0 0 12 12", "aria-hidden": "true",
        "fill": Palette.colour(model),
      ], [shape])
  }

  private static func polygon(_ points: String) -> HTML {
    .element("polygon", ["points": points], "")
  }
}
