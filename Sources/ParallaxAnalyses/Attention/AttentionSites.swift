import ParallaxModels

/// Which sites of a model hold attention of tokens among themselves.
enum AttentionSites {
  /// The patterns, in execution order.
  ///
  /// An architecture names them `pattern`, and so does an imported graph, whether it attends in one step or writes its weights
  /// out. Where it names none, the results of a softmax over tokens and tokens count, which are sites where every node is one.
  ///
  /// - Parameters:
  ///   - subject: the model.
  ///   - chosen: only those at or under these sites; all where there are none.
  /// - Returns: sites `[heads, tokens, tokens]`.
  static func patterns(of subject: Subject, among chosen: [String] = []) -> [Site] {
    let isGraph = subject.model is ImportedGraph
    let (height, width) = subject.imageSize
    let sites = subject.sites.filter { site in
      guard site.shape.count == 3, site.shape[1] == site.shape[2],
        chosen.isEmpty
          || chosen.contains(where: { site.name == $0 || site.name.hasPrefix($0 + ".") })
      else { return false }
      return !isGraph
        || subject.model.attentionPlaces(at: site, height: height, width: width) != nil
    }
    let named = sites.filter { last($0).hasPrefix("pattern") }
    return named.isEmpty && isGraph ? sites.filter { last($0).contains("softmax") } : named
  }

  private static func last(_ site: Site) -> String {
    site.name.split(separator: ".").last?.lowercased() ?? ""
  }

  /// Where a pattern's tokens lie.
  ///
  /// - Throws: `AnalysisError.nothingAsked` where the patches do not fill a grid.
  static func places(of site: Site, _ subject: Subject) throws -> AttentionPlaces {
    let (height, width) = subject.imageSize
    if let places = subject.model.attentionPlaces(at: site, height: height, width: width) {
      return places
    }
    guard let layout = subject.model.tokenLayout else {
      throw AnalysisError.nothingAsked(
        "\(subject.name)@\(site.name): expected to know where patches lie, and the model does not tell"
      )
    }
    throw AnalysisError.nothingAsked(
      "\(subject.name)@\(site.name): expected \(layout.prefix) tokens and \(height / layout.patch)×\(width / layout.patch) "
        + "patches of \(layout.patch) pixels, found \(site.shape[1]) tokens")
  }

  /// Why a model has none.
  static func absence(_ subject: Subject, isChosen: Bool) -> String {
    if isChosen { return "no attention pattern lies at or under the sites asked for" }
    guard let graph = subject.model as? ImportedGraph else { return "the model has no attention" }
    let square = subject.sites.first { site in
      site.kind == .pattern && site.shape.count == 3 && site.shape[1] == site.shape[2]
        && last(site).hasPrefix("pattern")
    }
    if let square {
      guard let layout = graph.tokenLayout else {
        return
          "\(square.name) has \(square.shape[1]) tokens, and the names of the graph's parameters do not tell where patches lie"
      }
      let (height, width) = subject.imageSize
      return
        "\(square.name) has \(square.shape[1]) tokens, expected \(layout.prefix) and "
        + "\(height / layout.patch)×\(width / layout.patch) patches of \(layout.patch) pixels"
    }
    if graph.attends {
      return
        "the graph's attention has no weights [batch, heads, tokens, tokens] over the whole image, and inside windows its tokens "
        + "could not be followed; an architecture with the same weights tells where they lie (parallax models)"
    }
    return
      "the graph has no attention: neither a fused step of it nor a product with a softmax; --every-node makes every node a "
      + "site"
  }
}
