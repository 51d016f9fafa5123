import ParallaxModels

/// The sites that an analysis of pixels looks at, and the pixels that go into each model.
struct ChosenSites {
  /// A site of one of the models.
  struct Place {
    var subject: Int
    var representation: Representation
    /// Among the model's sites that were asked for, from 0 to 1.
    var depth: Double

    var site: Site { representation.site }
  }

  /// The pixels that go into each model.
  private(set) var inputs: [Representation] = []
  private(set) var places: [Place] = []

  /// Sites that somebody chose, and of a model without one those that `few` takes.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order.
  ///   - subjects: the models.
  ///   - named: those of the sites that somebody chose.
  ///   - withTokens: whether one site with two choices of tokens is two; else everything that a site holds is meant.
  ///   - place: the analysis, for errors; nil where the model says enough.
  ///   - few: of all of a model's places those that are taken where nobody chose.
  /// - Throws: `AnalysisError.nothingAsked`.
  init(
    _ wanted: [Representation], of subjects: [Subject], among named: [Representation],
    withTokens: Bool = false, where place: String? = nil, few: (Subject, [Place]) -> [Place]
  ) throws {
    let chosen = Set(named.map(\.model))
    for (index, subject) in subjects.enumerated() {
      var seen: Set<String> = []
      let own = wanted.filter {
        $0.model == subject.name
          && seen.insert(withTokens ? $0.address : $0.site.name).inserted
      }
      let all = own.enumerated().map { number, one in
        Place(
          subject: index, representation: one, depth: Depths.relative(number, of: own.count))
      }
      let taken = chosen.contains(subject.name) ? all : few(subject, all)
      guard let input = subject.sites.first(where: { $0.name == "input" && $0.kind == .map }),
        !taken.isEmpty
      else {
        throw AnalysisError.nothingAsked(
          (place.map { "\($0): " } ?? "")
            + "\(subject.name): \(taken.isEmpty ? "no site is asked for" : "it does not show its input")"
        )
      }
      inputs.append(Representation(model: subject.name, site: input, tokens: .flat))
      places += taken
    }
  }

  /// At most so many, evenly spread, the first and the last among them; a single one is the first.
  static func spread<Item>(_ items: [Item], _ count: Int) -> [Item] {
    guard items.count > count, count > 1 else { return Array(items.prefix(max(count, 1))) }
    return (0..<count).map { items[($0 * (items.count - 1) + (count - 1) / 2) / (count - 1)] }
  }

  /// The same, but that a single one is the last.
  static func last<Item>(_ items: [Item], _ count: Int) -> [Item] {
    count == 1 ? Array(items.suffix(1)) : spread(items, count)
  }
}
