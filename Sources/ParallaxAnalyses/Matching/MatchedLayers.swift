import ParallaxModels

/// Which layers of which models are matched.
struct MatchedLayers {
  struct Layer {
    var subject: Int
    var site: Site
    /// Among the model's sites that were asked for, from 0 to 1.
    var depth: Double
  }

  /// The pixels that go into each model.
  private(set) var inputs: [Representation] = []
  private(set) var layers: [Layer] = []

  /// Sites that somebody chose, or of a model without one some of its blocks, the last among them.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order.
  ///   - subjects: the models.
  ///   - named: those of the sites that somebody chose.
  ///   - count: layers of a model whose sites nobody chose.
  ///   - place: the analysis, for errors.
  /// - Throws: `AnalysisError.nothingAsked`.
  init(
    _ wanted: [Representation], of subjects: [Subject], among named: [Representation], count: Int,
    where place: String
  ) throws {
    let chosen = Set(named.map(\.model))
    for (index, subject) in subjects.enumerated() {
      var seen: Set<String> = []
      let own = wanted.filter { $0.model == subject.name }.map(\.site)
        .filter { seen.insert($0.name).inserted }
      guard let input = subject.sites.first(where: { $0.name == "input" && $0.kind == .map }),
        !own.isEmpty
      else {
        throw AnalysisError.nothingAsked(
          "\(place): \(subject.name): \(own.isEmpty ? "no site is asked for" : "it does not show its input")"
        )
      }
      inputs.append(Representation(model: subject.name, site: input, tokens: .flat))
      let all = own.enumerated().map { number, site in
        Layer(subject: index, site: site, depth: Depths.relative(number, of: own.count))
      }
      layers += chosen.contains(subject.name) ? all : Self.last(all, count)
    }
  }

  /// At most so many, evenly spread, the last among them.
  static func last<Item>(_ items: [Item], _ count: Int) -> [Item] {
    count == 1 ? Array(items.suffix(1)) : InversionAnalysis.spread(items, count)
  }
}
