import ParallaxModels
import ParallaxTensors

/// One representation that is probed: a site of a model, and which numbers of it.
struct ProbeEntry {
  /// Where the features come from.
  enum Source {
    case representation(Representation)
    case watch(Watch)
  }

  let model: Int
  /// The place of the site among the model's.
  let site: Int
  let tokens: String
  let width: Int
  let source: Source

  /// The features' address, for errors.
  func address(_ subject: Subject, _ sites: [Site]) -> String {
    "\(subject.name)@\(sites[site].name)#\(tokens)"
  }
}

/// The ways of taking features from a model's sites.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figure 11 and appendix F.
struct ProbeViews {
  let subject: Subject
  /// In execution order, each once.
  let sites: [Site]
  /// Those that suit the model first.
  let entries: [ProbeEntry]
  private let natives: Set<String>

  /// - Parameters:
  ///   - subject: the model.
  ///   - index: its place.
  ///   - wanted: its representations, in execution order. Where all have the tokens that suit their sites, the paper's other
  ///     ways are added; else they are taken as they are.
  ///   - flattening: whether maps are also cut into patches that are flattened.
  /// - Throws: `AnalysisError.nothingAsked` without sites, `ModelError.tokens`.
  init(
    _ subject: Subject, _ index: Int, _ wanted: [Representation], flattening: Bool
  ) throws {
    let layout = subject.model.tokenLayout
    var sites: [Site] = []
    for one in wanted where !sites.contains(one.site) { sites.append(one.site) }
    guard !sites.isEmpty else {
      throw AnalysisError.nothingAsked("\(subject.name): no site is asked for")
    }
    let isOpen = wanted.allSatisfy { $0.tokens == .byDefault(at: $0.site, layout) }
    let last = sites.last { [.map, .positions].contains($0.kind) }
    var entries: [ProbeEntry] = []
    for one in wanted {
      guard let place = sites.firstIndex(of: one.site) else { continue }
      func add(_ tokens: Tokens, called name: String? = nil) throws {
        let width = try tokens.width(at: one.site, layout, imageSize: subject.imageSize)
        entries.append(
          ProbeEntry(
            model: index, site: place, tokens: name ?? tokens.description, width: width,
            source: .representation(
              Representation(model: subject.name, site: one.site, tokens: tokens))))
      }
      try add(one.tokens)
      guard isOpen else { continue }
      switch one.site.kind {
      case .tokens where layout?.hasClassToken == true:
        try add(.avg)
        try add(.all)
      case .tokens, .patches:
        try add(.token(0), called: "first")
        if (layout?.registers ?? 0) > 0 { try add(.all) }
      case .map, .positions:
        guard flattening, let last,
          let patches = MapPatches(one.site, last: last)
        else { continue }
        entries.append(
          ProbeEntry(
            model: index, site: place, tokens: "patches", width: patches.width,
            source: .watch(
              Watch(model: subject.name, sites: [one.site.name], width: patches.width) {
                patches($0[0])
              })))
      default: continue
      }
    }
    (self.subject, self.sites, self.entries) = (subject, sites, entries)
    natives = Set(wanted.map { Tokens.byDefault(at: $0.site, layout).description })
  }

  /// The names of the views, in the order of the figures.
  var names: [String] {
    var names: [String] = []
    for entry in entries where !names.contains(entry.tokens) { names.append(entry.tokens) }
    // Of blocks and a head, the blocks' way goes first.
    let counts = Dictionary(grouping: entries, by: \.tokens).mapValues(\.count)
    let native = names.filter(natives.contains).max { (counts[$0] ?? 0) < (counts[$1] ?? 0) }
    return native.map { first in [first] + names.filter { $0 != first } } ?? names
  }

  /// The same in words.
  func label(_ tokens: String) -> String {
    let isMap = sites.contains { [.map, .positions].contains($0.kind) }
    switch tokens {
    case "cls": return "class token"
    case "avg":
      return isMap
        ? "mean of positions"
        : subject.model.tokenLayout?.prefix ?? 0 > 0 ? "mean of patches" : "mean of all tokens"
    case "all": return "mean of all tokens"
    case "concat": return "class token and mean of patches"
    case "first": return "first token"
    case "patches": return "patches flattened"
    case "flat": return "all numbers"
    default: return tokens
    }
  }

  /// Whether it is what suits the model.
  ///
  /// Where sites of a model have different ways, such as maps and vectors, those that the first lacks are native by their own.
  func isNative(_ tokens: String) -> Bool { tokens == names.first || natives.contains(tokens) }

  /// Of each site the name of the way that suits it: the first view's, or the first native one that it has.
  var native: [String?] {
    sites.indices.map { site in
      names.first { name in
        isNative(name) && entries.contains { $0.site == site && $0.tokens == name }
      }
    }
  }
}

/// A map cut into patches that are flattened, so that its channels come near to those of the last stage, then the mean over
/// positions.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, appendix F; the size of the patches is ours.
struct MapPatches: Sendable {
  private let side: Int
  private let isChannelsLast: Bool
  private let shape: [Int]
  let width: Int

  /// - Parameters:
  ///   - site: a map or positions.
  ///   - last: the model's last one.
  init?(_ site: Site, last: Site) {
    func sizes(_ site: Site) -> [Int] {
      site.kind == .positions ? [site.shape[2], site.shape[0], site.shape[1]] : site.shape
    }
    guard site.shape.count == 3, last.shape.count == 3 else { return nil }
    let (own, end) = (sizes(site), sizes(last))
    // The largest patch that divides the map, leaves no fewer positions, and has no more channels than the last stage.
    let fitting = (1...max(1, min(own[1], own[2]))).last { side in
      own[1] % side == 0 && own[2] % side == 0 && own[1] / side >= end[1] && own[2] / side >= end[2]
        && own[0] * side * side <= max(end[0], own[0])
    }
    side = fitting ?? 1
    (shape, isChannelsLast) = (own, site.kind == .positions)
    width = own[0] * side * side
  }

  /// `[batch, channels, height, width]`, or positions first, to `[batch, channels · side²]`.
  func callAsFunction(_ value: Tensor) -> Tensor {
    let map = isChannelsLast ? value.permuted(0, 3, 1, 2) : value
    return map.reshaped(
      -1, shape[0], shape[1] / side, side, shape[2] / side, side
    ).mean(over: [2, 4]).reshaped(-1, width)
  }
}

/// All tokens of one site, one after another: those before the patches, then the grid row by row.
struct TokenEntry {
  let model: Int
  let site: Int
  let rows: Int
  let columns: Int
  let isPooled: Bool
  /// Names of the tokens before the patches.
  let others: [String]
  let width: Int
  let hasClassToken: Bool
  let watch: Watch

  var tokens: Int { others.count + rows * columns }

  /// - Parameters:
  ///   - views: the model.
  ///   - model: its place.
  ///   - place: of the site.
  /// - Throws: `AnalysisError.site` where the site has no positions, or they fill no grid.
  init(_ views: ProbeViews, _ model: Int, site place: Int) throws(AnalysisError) {
    let (subject, site) = (views.subject, views.sites[place])
    let location = try CentreLocation(
      site, subject.model.tokenLayout, imageSize: subject.imageSize, model: subject.name)
    let isMap = [.map, .positions].contains(site.kind)
    var (rows, columns) = location.grid
    if isMap, let last = views.sites.last(where: { [.map, .positions].contains($0.kind) }),
      last.shape.count == 3
    {
      let end = last.kind == .map ? (last.shape[1], last.shape[2]) : (last.shape[0], last.shape[1])
      (rows, columns) = (min(rows, end.0), min(columns, end.1))
    }
    (self.model, self.site, self.rows, self.columns) = (model, place, rows, columns)
    isPooled = (rows, columns) != location.grid
    width = location.channels
    let layout = subject.model.tokenLayout
    hasClassToken = site.kind == .tokens && layout?.hasClassToken == true
    let after = hasClassToken ? 1 : 0
    others = (0..<location.prefix).map { index in
      index < after
        ? "class"
        : location.prefix - after == 1
          ? "register or distillation" : "register \(index - after + 1)"
    }
    let (kind, channels, grid) = (site.kind, location.channels, (rows, columns))
    watch = Watch(
      model: subject.name, sites: [site.name],
      width: (others.count + rows * columns) * channels
    ) { values in
      let value = values[0]
      guard isMap else { return value.reshaped(value.shape[0], -1) }
      let map = kind == .map ? value : value.permuted(0, 3, 1, 2)
      return map.averagePooled(to: grid.0, grid.1).permuted(0, 2, 3, 1)
        .reshaped(value.shape[0], -1)
    }
  }
}
