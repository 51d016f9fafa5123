import ParallaxModels

/// Which sites of a model hold attention of tokens among themselves.
enum AttentionSites {
  /// The patterns, in execution order.
  ///
  /// An architecture names them. In an imported graph they are the results of a softmax over tokens and tokens, which are
  /// sites where every node is one.
  static func patterns(of subject: Subject) -> [Site] {
    let isGraph = subject.model is ImportedGraph
    return subject.sites.filter { site in
      guard site.shape.count == 3, site.shape[1] == site.shape[2],
        let last = site.name.split(separator: ".").last?.lowercased()
      else { return false }
      guard isGraph else { return last == "pattern" }
      return (last.contains("softmax") || last.contains("pattern"))
        && subject.model.attentionPlaces(
          at: site, height: subject.imageSize.height, width: subject.imageSize.width) != nil
    }
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
    guard subject.model is ImportedGraph else { return "the model has no attention" }
    let isFused = subject.sites.contains { $0.name.contains("scaled_dot_product_attention") }
    if isFused || subject.design == .transformer {
      return
        "the graph hands out no attention weights: nodes called softmax are seen with --every-node, and a fused "
        + "scaled_dot_product_attention has none; export it with eager attention (timm: TIMM_FUSED_ATTN=0, "
        + "transformers: attn_implementation=\"eager\")"
    }
    return
      "no softmax over tokens and tokens is among the graph's sites; --every-node makes every node one"
  }
}
