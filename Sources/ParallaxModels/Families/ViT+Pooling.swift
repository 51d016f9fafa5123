import ParallaxTensors

extension ViT {
  /// Pooling by attention: one learned query looks at every patch, an MLP follows (SigLIP's `map` head).
  ///
  /// > Source: Lee et al., 2019, arXiv 1810.00825; Zhai et al., 2022, arXiv 2106.04560.
  struct AttentionPool: Sendable {
    let latent: Tensor
    let q: Linear
    let kv: Linear
    let projection: Linear
    let norm: LayerNorm
    let mlp: MLP
    let heads: Int

    init(_ w: Weights, _ c: Configuration) throws {
      heads = c.heads
      latent = try w("latent", 1, 1, c.width)
      q = try Linear(w["q"], c.width, c.width)
      kv = try Linear(w["kv"], c.width, 2 * c.width)
      projection = try Linear(w["proj"], c.width, c.width)
      norm = try LayerNorm(w["norm"], c.width, epsilon: c.epsilon)
      mlp = try MLP(w["mlp"], c.width, inner: c.inner, c.activation)
    }

    /// `[batch, width]`.
    func callAsFunction(_ x: Tensor, _ tap: Tap) -> Tensor {
      let (batch, width) = (x.shape[0], x.shape[2])
      // The query is the same for every image, so it is no site.
      let query = q(latent).expanded(batch, 1, width).splitIntoHeads(heads, parts: 1)[0]
      let parts = tap("kv", kv(x)).splitIntoHeads(heads, parts: 2)
      var y = tap("proj", projection(attended(query, parts[0], parts[1], tap).joinedHeads()))
      y = y + tap("mlp", mlp(tap("norm", norm(y)), tap["mlp"]))  // [b, 1, d]
      return y.selected(1, 0)
    }
  }
}
