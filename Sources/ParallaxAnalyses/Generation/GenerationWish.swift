import ParallaxModels

/// What somebody asks for, before it is known what the models have.
public enum GenerationWish: Sendable, Hashable {
  /// What becomes of several classes.
  public enum Combination: String, Sendable, CaseIterable {
    /// A picture each.
    case separate
    /// A picture each that has as little of the class as can be.
    case opposite
    /// One picture of all.
    case sum
    /// One picture of all, in which only the less active class descends.
    case juxtapose
    /// Pictures between each two neighbours.
    case interpolate
    /// A picture each, for the first two models together.
    case joint
  }

  /// Classes by index or name.
  case classes([String], Combination)
  /// A channel.
  case channel(site: String, index: Int)
  /// A channel at one place; nil for the middle.
  case neuron(site: String, index: Int, place: [Int]?)
  /// A direction drawn from a seed.
  case direction(site: String, seed: UInt64)
  /// A whole layer.
  case layer(site: String)
}

/// Wishes as objectives of models.
struct GenerationWishes {
  let subjects: [Subject]
  let frames: Int

  /// One picture to be made.
  struct Item {
    var objective: GenerationObjective
    /// The models that it is made for: one, or two.
    var models: [Int]
    var title: String
    var frame: Int?
  }

  /// The objectives of a wish, for every model.
  ///
  /// - Throws: `AnalysisError` where a model has no logits, no such class, channel or place; `ModelError.noSuchSite`.
  func items(_ wish: GenerationWish) throws -> [Item] {
    switch wish {
    case .classes(let texts, let combination): return try items(texts, combination)
    case .channel(let site, let index):
      return try features(site) { subject, found in
        try check(subject, found, index)
        return (.channel(site: found.name, index: index), "\(found.name) channel \(index)")
      }
    case .neuron(let site, let index, let place):
      return try features(site) { subject, found in
        try check(subject, found, index)
        let at = place.map { ", place \($0.map(String.init).joined(separator: ", "))" } ?? ""
        return (
          .neuron(site: found.name, index: index, place: place),
          "\(found.name) neuron \(index)\(at)"
        )
      }
    case .direction(let site, let seed):
      return try features(site) { subject, found in
        try check(subject, found, 0)
        return (
          .direction(site: found.name, seed: seed), "\(found.name) direction of seed \(seed)"
        )
      }
    case .layer(let site):
      return try features(site) { subject, found in
        try check(subject, found, 0)
        return (.layer(site: found.name), found.name)
      }
    }
  }

  /// What is made where nobody asked: some classes, or of a model without logits some channels of the last block.
  func usual(isDream: Bool) throws -> [Item] {
    var items: [Item] = []
    for (index, subject) in subjects.enumerated() {
      if isDream || subject.logitsSite == nil {
        let blocks = subject.sites.filter(\.isBlock)
        guard let block = isDream ? blocks.dropFirst(blocks.count / 2).first : blocks.last else {
          throw AnalysisError.nothingAsked("\(subject.name): it has no block and no logits")
        }
        let own = GenerationWishes(subjects: [subject], frames: frames)
        let wishes: [GenerationWish] =
          isDream
          ? [.layer(site: block.name)]
          : (0..<4).map { .channel(site: block.name, index: $0) }
        items += try wishes.flatMap { try own.items($0) }.map { $0.moved(to: index) }
      } else if let logits = subject.logitsSite {
        let count = logits.shape[0]
        let known = [1, 207, 947, 985].filter { $0 < count }
        let own = GenerationWishes(subjects: [subject], frames: frames)
        items += try own.items(
          known.count == 4 ? known.map(String.init) : (0..<min(4, count)).map(String.init),
          .separate
        ).map { $0.moved(to: index) }
      }
    }
    return items
  }

  private func items(
    _ texts: [String], _ combination: GenerationWish.Combination
  ) throws -> [Item] {
    guard combination != .joint else { return try joint(texts) }
    return try subjects.indices.flatMap { index -> [Item] in
      let classes = try texts.map { try classIndex($0, of: subjects[index]) }
      func title(_ all: [Int]) -> [String] { all.map { label($0, of: subjects[index]) } }
      func item(_ objective: GenerationObjective, _ title: String, _ frame: Int? = nil) -> Item {
        Item(objective: objective, models: [index], title: title, frame: frame)
      }
      if [.sum, .juxtapose, .interpolate].contains(combination), Set(classes).count < 2 {
        throw AnalysisError.nothingAsked(
          "\(combination.rawValue) needs two different classes, found \(Set(title(classes)).sorted().joined(separator: ", "))"
        )
      }
      // By index and by name, or by two spellings of it.
      if let twice = classes.indices.first(where: { place in
        combination == .interpolate
          ? place > 0 && classes[place - 1] == classes[place]
          : classes[..<place].contains(classes[place])
      }) {
        throw AnalysisError.nothingAsked(
          "\(subjects[index].name): '\(texts[twice])' is \(title([classes[twice]])[0]), which is asked for already; expected each class once"
        )
      }
      switch combination {
      case .separate: return classes.map { item(.classImage($0), title([$0])[0]) }
      case .opposite: return classes.map { item(.opposite($0), "not \(title([$0])[0])") }
      case .sum:
        return [item(.sum(classes), title(classes).joined(separator: " + "))]
      case .juxtapose:
        return [item(.juxtaposition(classes), title(classes).joined(separator: " | "))]
      case .interpolate:
        return zip(classes, classes.dropFirst()).flatMap { a, b in
          (0...frames).map { frame in
            item(
              .interpolation(from: a, to: b, frame: frame, of: frames),
              title([a, b]).joined(separator: " → ") + ", \(frame) of \(frames)", frame)
          }
        }
      case .joint: return []
      }
    }
  }

  private func joint(_ texts: [String]) throws -> [Item] {
    guard subjects.count == 2 else {
      throw AnalysisError.nothingAsked(
        "pictures for two models need two models, found \(subjects.count)")
    }
    var seen: Set<Int> = []
    return try texts.map { text in
      let index = try classIndex(text, of: subjects[0])
      guard seen.insert(index).inserted else {
        throw AnalysisError.nothingAsked(
          "'\(text)' is \(label(index, of: subjects[0])), which is asked for already; expected each class once"
        )
      }
      let other = try classIndex(text, of: subjects[1])
      guard index == other else {
        throw AnalysisError.classes(
          "'\(text)' is class \(index) of \(subjects[0].name) and \(other) of \(subjects[1].name); expected the same of both"
        )
      }
      return Item(
        objective: .joint(index), models: [0, 1], title: label(index, of: subjects[0]), frame: nil)
    }
  }

  /// What a class is called.
  func label(_ index: Int, of subject: Subject) -> String {
    guard let names = subject.classNames, names.indices.contains(index),
      names.count == subject.logitsSite?.shape[0]
    else { return "class \(index)" }
    return names[index]
  }

  /// The class that a text means.
  private func classIndex(_ text: String, of subject: Subject) throws -> Int {
    guard let logits = subject.logitsSite else {
      throw AnalysisError.classes(
        "\(subject.name): it has no logits (\(Self.reason(subject))), so it has no class '\(text)'; ask for features with --channel, --neuron, --direction or --layer"
      )
    }
    let count = logits.shape[0]
    if let index = Int(text) {
      guard (0..<count).contains(index) else {
        throw AnalysisError.classes(
          "\(subject.name): there is no class \(index); expected one from 0 to \(count - 1)")
      }
      return index
    }
    guard let names = subject.classNames, names.count == count else {
      throw AnalysisError.classes(
        "\(subject.name): the names of its \(count) classes are not known; expected an index from 0 to \(count - 1) instead of '\(text)'"
      )
    }
    switch ImageNetClasses.match(text, among: names) {
    case .index(let index): return index
    case .unknown(let near):
      throw AnalysisError.classes(
        "\(subject.name): no class is called '\(text)'"
          + (near.isEmpty
            ? "; expected an index from 0 to \(count - 1), or a class's name"
            : "; did you mean \(near.joined(separator: ", "))?"))
    }
  }

  private static func reason(_ subject: Subject) -> String {
    switch subject.objective {
    case .languageImage: "trained on images and texts: its head is a projection"
    case .selfSupervised: "trained without labels"
    case .maskedImage: "trained to fill in what was masked"
    default: "it ends with \(subject.sites.last?.name ?? "nothing")"
    }
  }

  private func features(
    _ site: String, _ make: (Subject, Site) throws -> (GenerationObjective, String)
  ) throws -> [Item] {
    try subjects.enumerated().flatMap { index, subject in
      let found = try subject.sites.matching(SitePattern(parsing: site), of: subject.name)
      guard !found.isEmpty else {
        throw ModelError.noSuchSite(pattern: site, model: subject.name, candidates: [])
      }
      return try found.map {
        let (objective, title) = try make(subject, $0)
        return Item(objective: objective, models: [index], title: title, frame: nil)
      }
    }
  }

  /// Refuses a channel that a site does not have.
  private func check(_ subject: Subject, _ site: Site, _ index: Int) throws {
    let name = "\(subject.name)@\(site.name)"
    let channels: Int? =
      switch (site.kind, site.shape.count) {
      case (.map, 3): site.shape[0]
      case (.positions, 3): site.shape[2]
      case (.tokens, 2), (.patches, 2): site.shape[1]
      case (.vector, 1): site.shape[0]
      default: nil
      }
    guard let channels else {
      throw AnalysisError.site(
        name,
        problem: "a feature needs a site of maps, tokens or vectors, not of \(site.kind.rawValue)")
    }
    guard (0..<channels).contains(index) else {
      throw AnalysisError.site(
        name, problem: "it has no channel \(index); expected one from 0 to \(channels - 1)")
    }
  }
}

extension GenerationWishes.Item {
  /// The same for another model.
  func moved(to model: Int) -> Self {
    var copy = self
    copy.models = [model]
    return copy
  }
}
