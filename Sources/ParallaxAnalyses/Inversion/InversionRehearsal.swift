import ParallaxTensors

extension InversionAnalysis {
  /// One gradient at every layer: a descent that cannot move is refused before any begins.
  public func rehearse() throws {
    guard !gathered.samples.isEmpty else { return }
    for (place, layer) in layers.enumerated() where found["\(place).0"] == nil {
      let subject = subjects[layer.subject]
      let embedding = LayerEmbedding(
        subject: subject, model: options.precise[subject.name] ?? subject.model, site: layer.site,
        isRaw: layer.recipe.isRaw)
      let size = subject.imageSize
      let picture = subject.preprocessing.pixels(
        of: gathered.whole(layer.subject).sliced(0, 0, 1)
          .reshaped(1, 3, size.height, size.width)
      ).to(dtype).to(subject.device)
      let wanted = try embedding(picture)
      if layer.recipe.isRelative, !(wanted.norm(over: [1]).to(.float64).scalars(Double.self)[0] > 0)
      {
        throw AnalysisError.site(
          embedding.name,
          problem:
            "the embedding of '\(samples[gathered.samples[0]].id)' is 0, so no loss is relative to it"
        )
      }
      let inversion = Inversion(embedding.name, layer.recipe) { try embedding($0) }
      if try !inversion.canMove(picture, wanted, seed: seed(1, 0, 0)) {
        throw AnalysisError.site(
          embedding.name,
          problem: "its gradient at the pixels is 0 everywhere, so nothing can be found by descent")
      }
      if isInterrupted() { throw AnalysisError.interrupted }
    }
  }
}
