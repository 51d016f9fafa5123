import ParallaxResults

/// What is matched, and what stands for the training data.
extension ManifoldAnalysis {
  /// An input: what it is, and where it is among the images of the run.
  struct Chosen {
    var input: ManifoldResult.Input
    /// Its row among the images of the run; nil where it is none of them.
    var row: Int?
    /// Its row among the images of the set; nil where it is none of those.
    var member: Int?
    /// A number of its own among those of its kind.
    var number: Int
  }

  /// Whether the images suffice.
  ///
  /// - Parameters:
  ///   - names: the class of each image.
  ///   - classes: all classes there are; nil where the held-out one is known to be one of them.
  ///   - options: what is asked.
  /// - Throws: `AnalysisError.classes`, `AnalysisError.tooFewImages`.
  static func check(_ names: [String?], _ classes: [String]?, _ options: Options) throws {
    if let heldOut = options.heldOut {
      if let classes, !classes.contains(heldOut) {
        throw AnalysisError.classes(
          classes.isEmpty
            ? "manifold: no class can be held out, for the images have none; expected a folder of classes or a list with labels"
            : "manifold: there is no class '\(heldOut)' to hold out; expected one of \(classes.joined(separator: ", "))"
        )
      }
      guard names.contains(heldOut) else {
        throw AnalysisError.tooFewImages(
          needed: 1, found: 0, where: "manifold: the held-out class '\(heldOut)'")
      }
    }
    let count = names.count { $0 == nil || $0 != options.heldOut }
    guard count > options.neighbours else {
      throw AnalysisError.tooFewImages(
        needed: options.neighbours + 1, found: count,
        where: "manifold with \(options.neighbours) neighbours"
          + (options.heldOut.map { " without class '\($0)'" } ?? ""))
    }
  }

  /// Rows of the images that stand for the training data: all but those of the held-out class.
  ///
  /// - Parameter places: of the images that were read among those of the run.
  /// - Returns: rows in order.
  func bank(_ places: [Int]) -> [Int] {
    guard let heldOut = options.heldOut else { return Array(places.indices) }
    return places.indices.filter { samples[places[$0]].className != heldOut }
  }

  /// Noise, then images of the set, of other classes as long as there are some, then of the held-out class, then from elsewhere.
  ///
  /// - Parameter places: of the images that were read among those of the run.
  /// - Returns: them.
  func inputs(_ places: [Int]) -> [Chosen] {
    var chosen: [Chosen] = []
    func name(_ kind: ManifoldResult.Input.Kind, _ number: Int, _ of: Int) -> String {
      of > 1 ? "\(kind.rawValue) \(number + 1)" : kind.rawValue
    }
    for (kind, count) in [
      (ManifoldResult.Input.Kind.uniform, options.uniform), (.normal, options.normal),
    ] {
      for number in 0..<count {
        chosen.append(
          Chosen(input: .init(name: name(kind, number, count), kind: kind), number: number))
      }
    }
    let bank = bank(places)
    var turns: [String: Int] = [:]
    let ranked = bank.enumerated().map { member, row -> (turn: Int, row: Int, member: Int) in
      let name = samples[places[row]].className ?? ""
      turns[name, default: 0] += 1
      return (turns[name] ?? 0, row, member)
    }.sorted { ($0.turn, $0.row) < ($1.turn, $1.row) }
    for (number, one) in ranked.prefix(options.members).enumerated() {
      let sample = samples[places[one.row]]
      chosen.append(
        Chosen(
          input: .init(name: sample.id, kind: .member, className: sample.className), row: one.row,
          member: one.member, number: number))
    }
    let members = Set(bank)
    let strangers = places.indices.filter { !members.contains($0) }.prefix(options.inputLimit)
    for (number, row) in strangers.enumerated() {
      let sample = samples[places[row]]
      chosen.append(
        Chosen(
          input: .init(name: sample.id, kind: .heldOut, className: sample.className), row: row,
          number: number))
    }
    for (number, one) in outside.enumerated() {
      chosen.append(
        Chosen(
          input: .init(name: one.name, kind: .outside, className: one.className), number: number))
    }
    return chosen
  }
}
