import ParallaxModels

extension Subject {
  /// What the model's head reads: `class token` or `pooled`. A graph with a class token is taken to read it.
  var readout: String {
    let hasClassToken = model.tokenLayout?.hasClassToken ?? false
    switch model {
    case is Beit, is Eva, is Mixer, is Swin: return "pooled"
    default: return hasClassToken ? "class token" : "pooled"
    }
  }

  /// The model's embedding of an image: its last site where it was trained without labels, else
  /// what its classifier reads, the last site between its blocks and its logits. nil where there is no such site.
  var embedding: Representation? {
    guard let last = sites.last, let block = sites.lastIndex(where: \.isBlock) else { return nil }
    let behind = sites[(block + 1)...]
    let embeds = [.languageImage, .selfSupervised, .maskedImage].contains(objective)
    let candidates = embeds || last.kind != .vector ? behind : behind.dropLast()
    let kinds: [SiteKind] = [.vector, .tokens, .map, .positions]
    guard let site = candidates.last(where: { kinds.contains($0.kind) }) ?? sites[...block].last
    else { return nil }
    return Representation(
      model: name, site: site, tokens: .byDefault(at: site, model.tokenLayout))
  }
}
