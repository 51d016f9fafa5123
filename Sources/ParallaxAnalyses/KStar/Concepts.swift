import Foundation
import ParallaxImages
import ParallaxResults

/// Which concept each image belongs to: its class, or what a map makes of the class.
public struct Concepts: Sendable, Equatable {
  /// The concepts' names, sorted.
  public let classes: [String]
  /// A place among them each.
  public let labels: [Int]

  /// Concepts from names.
  ///
  /// - Parameter names: one an image.
  public init(_ names: [String]) {
    classes = Set(names).sorted { $0.utf8.lexicographicallyPrecedes($1.utf8) }
    let places = Dictionary(uniqueKeysWithValues: classes.enumerated().map { ($1, $0) })
    labels = names.map { places[$0] ?? 0 }
  }

  private init(classes: [String], labels: [Int]) { (self.classes, self.labels) = (classes, labels) }

  /// The classes of some images.
  ///
  /// - Parameters:
  ///   - samples: the images.
  ///   - superclasses: what becomes of each class; nil for the classes themselves.
  /// - Throws: `AnalysisError.classes` where an image has no class, or a class no superclass.
  public init(
    of samples: [Sample], superclasses: [String: String]? = nil
  ) throws(AnalysisError) {
    var names: [String] = []
    for sample in samples {
      guard let name = sample.className else {
        throw .classes(
          "k*: \(sample.id) has no class; expected a folder a class, or a .csv list with labels")
      }
      names.append(name)
    }
    try self.init(names: names, superclasses)
  }

  /// Names after a map.
  ///
  /// - Parameters:
  ///   - names: classes, one an image.
  ///   - superclasses: what becomes of each class; nil for the classes themselves.
  /// - Throws: `AnalysisError.classes` where a class has no superclass.
  public init(names: [String], _ superclasses: [String: String]?) throws(AnalysisError) {
    guard let superclasses else {
      self.init(names)
      return
    }
    let missing = Set(names).filter { superclasses[$0] == nil }.sorted()
    guard missing.isEmpty else {
      throw .classes(
        "the label map has no superclass for \(missing.prefix(3).map { "'\($0)'" }.joined(separator: ", "))\(missing.count > 3 ? " and \(missing.count - 3) more classes" : "")"
      )
    }
    self.init(names.compactMap { superclasses[$0] })
  }

  /// Those of some images, of the same classes.
  func keeping(_ places: [Int]) -> Concepts {
    Concepts(classes: classes, labels: places.map { labels[$0] })
  }

  /// Images a class.
  var sizes: [Int] {
    labels.reduce(into: [Int](repeating: 0, count: classes.count)) { $0[$1] += 1 }
  }

  /// - Throws: `AnalysisError.classes` where there are not two classes, one of which has three images.
  func check(_ place: String) throws(AnalysisError) {
    let sizes = sizes.filter { $0 > 0 }
    guard sizes.count > 1 else {
      throw .classes(
        "\(place): all images are of one class, '\(classes.first ?? "")'; k* needs a neighbour of another"
      )
    }
    guard sizes.contains(where: { $0 > 2 }) else {
      throw .classes(
        "\(place): the largest of \(sizes.count) classes has \(sizes.max() ?? 0) image\(sizes.max() == 1 ? "" : "s"), expected one with 3 at least"
      )
    }
  }

  /// A map from classes to superclasses, as a table `class,superclass` has it; a first line with these words is a heading.
  ///
  /// - Parameter path: the file.
  /// - Returns: a superclass a class.
  /// - Throws: `AnalysisError.classes` where a line does not hold two names, or a class stands twice; `ImageError` where the file
  ///   cannot be read.
  public static func superclasses(ofFile path: String) throws -> [String: String] {
    var found: [String: String] = [:]
    for (number, row) in try CellTable.rows(ofFile: path).enumerated() {
      let cells = row.map { $0.trimmingCharacters(in: .whitespaces) }
      guard cells.count == 2, !cells[0].isEmpty, !cells[1].isEmpty else {
        throw AnalysisError.classes(
          "\(path), row \(number + 1): expected class,superclass, found '\(row.joined(separator: ","))'"
        )
      }
      if number == 0, cells == ["class", "superclass"] { continue }
      guard found.updateValue(cells[1], forKey: cells[0]) == nil else {
        throw AnalysisError.classes(
          "\(path), row \(number + 1): the class '\(cells[0])' stands twice")
      }
    }
    guard !found.isEmpty else { throw AnalysisError.classes("\(path): it names no class") }
    return found
  }

  /// Accuracies of models, as a table `model,value` has them; the second word of a heading names them.
  ///
  /// - Parameter path: the file.
  /// - Returns: what they are called, `accuracy` without a heading, and a number a model.
  /// - Throws: `AnalysisError.classes` where a line does not hold a name and a number, or a model stands twice; `ImageError` where the
  ///   file cannot be read.
  public static func accuracies(
    ofFile path: String
  ) throws -> (name: String, ofModels: [String: Double]) {
    var (name, found) = ("accuracy", [String: Double]())
    for (number, row) in try CellTable.rows(ofFile: path).enumerated() {
      let cells = row.map { $0.trimmingCharacters(in: .whitespaces) }
      if number == 0, cells.count == 2, cells[0] == "model", !cells[1].isEmpty,
        Double(cells[1]) == nil
      {
        if cells[1] != "value" { name = cells[1] }
        continue
      }
      guard cells.count == 2, !cells[0].isEmpty, let value = Double(cells[1]), value.isFinite
      else {
        throw AnalysisError.classes(
          "\(path), row \(number + 1): expected model,value, found '\(row.joined(separator: ","))'")
      }
      guard found.updateValue(value, forKey: cells[0]) == nil else {
        throw AnalysisError.classes(
          "\(path), row \(number + 1): the model '\(cells[0])' stands twice")
      }
    }
    guard !found.isEmpty else { throw AnalysisError.classes("\(path): it names no model") }
    return (name, found)
  }
}
