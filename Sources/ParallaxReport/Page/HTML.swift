/// A piece of a page. What comes from outside can enter only as text or as an attribute's value, and is escaped
/// there.
struct HTML: Sendable {
  private let markup: String

  private init(_ markup: String) { self.markup = markup }

  /// Nothing.
  static let none = HTML("")

  /// Text, escaped.
  static func text(_ text: String) -> HTML { HTML(escaped(text)) }

  /// Pieces one after another.
  static func group(_ pieces: [HTML]) -> HTML { HTML(pieces.map(\.markup).joined()) }

  /// An element with attributes in the order given and pieces in it.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:],
    _ pieces: [HTML]
  ) -> HTML {
    HTML(
      opening(name, attributes) + pieces.map(\.markup).joined() + "</\(name)>"
        + (isBlock(name) ? "\n" : ""))
  }

  /// An element that holds a text.
  static func element(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String> = [:], _ text: String
  ) -> HTML { element(name, attributes, [.text(text)]) }

  /// An element without content: `img`, `meta`, `input`.
  static func void(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>
  ) -> HTML { HTML(opening(name, attributes)) }

  /// Our own style sheet.
  static func style(_ sheet: StaticString) -> HTML { HTML("<style>\(sheet)</style>\n") }

  /// A script; what would end it early cannot stand in it.
  static func script(_ source: String) -> HTML {
    HTML(
      "<script>"
        + source.replacing("</script", with: "<\\/script").replacing("<!--", with: "<\\!--")
        + "</script>\n")
  }

  /// A value as JSON under an id, for the page's script.
  static func data(_ id: StaticString, _ value: some Encodable) throws -> HTML {
    HTML(
      "<script type=\"application/json\" id=\"\(id)\">\(try ScriptJSON.encode(value))</script>\n")
  }

  /// The whole page.
  static func document(head: [HTML], body: [HTML]) -> String {
    "<!doctype html>\n<html lang=\"en\">\n<head>\n" + head.map(\.markup).joined()
      + "</head>\n<body data-state=\"drawing\">\n" + body.map(\.markup).joined()
      + "</body>\n</html>\n"
  }

  private static func opening(
    _ name: StaticString, _ attributes: KeyValuePairs<StaticString, String>
  ) -> String {
    "<\(name)" + attributes.map { " \($0.key)=\"\(escaped($0.value))\"" }.joined() + ">"
  }

  private static func isBlock(_ name: StaticString) -> Bool {
    ["div", "section", "p", "tr", "li", "figure", "nav", "table", "ol", "ul", "details"]
      .contains("\(name)")
  }

  private static func escaped(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\"": result += "&quot;"
      case "'": result += "&#39;"
      case "\0"..<" " where scalar != "\n" && scalar != "\t": result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
