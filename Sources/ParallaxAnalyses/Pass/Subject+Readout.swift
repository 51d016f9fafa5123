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
}
