import ParallaxModels
import ParallaxTensors

/// How many pictures can descend at once.
///
/// An estimate: everything that is shown up to the layer counts twice, for what comes between is kept for the way back too; the
/// descent itself holds some copies of its parameters, L-BFGS two for each pair of its history besides.
struct InversionMemory {
  let subject: Subject
  let layer: InversionAnalysis.Layer
  let options: InversionAnalysis.Options

  init(_ subject: Subject, _ layer: InversionAnalysis.Layer, _ options: InversionAnalysis.Options) {
    (self.subject, self.layer, self.options) = (subject, layer, options)
  }

  /// Bytes for one picture.
  var bytes: Int {
    let last = subject.sites.firstIndex { $0.name == layer.site.name } ?? subject.sites.count - 1
    let activations = subject.sites[...last].reduce(0) { $0 + $1.shape.reduce(1, *) }
    let (descent, size) = (layer.recipe.descent, subject.imageSize)
    var most = 0
    for octave in descent.octaves {
      let own = octave.size(of: size.height, size.width)
      let grown = 2 * octave.padding * octave.steps
      let made = descent.parametrisation.make(
        channels: 3, height: own.height + grown, width: own.width + grown)
      most = max(most, made.shape.reduce(1, *))
    }
    let copies: Int
    switch descent.optimiser {
    case .lbfgs(let history, _): copies = 10 + 4 * history
    default: copies = 12
    }
    return (2 * activations + copies * most) * (options.precise.isEmpty ? 4 : 8)
  }

  /// Pictures that fit, at most those that were asked for; a graph's own number where that is fixed.
  ///
  /// - Returns: at least 1.
  /// - Throws: `AnalysisError.memory` where not even one fits.
  func batch() throws -> Int {
    let fixed = subject.model.fixedBatch
    let least = fixed ?? 1
    guard bytes * least <= options.memoryLimit else {
      throw AnalysisError.memory(
        "\(subject.name)@\(layer.site.name)", needed: bytes * least, limit: options.memoryLimit)
    }
    return max(1, fixed ?? min(options.batchSize, options.memoryLimit / max(1, bytes)))
  }
}
