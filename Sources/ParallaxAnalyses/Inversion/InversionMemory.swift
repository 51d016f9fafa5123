import ParallaxModels
import ParallaxTensors

/// How many pictures can descend at once.
///
/// An estimate: what is held for the way back is 1¾ of the numbers that are shown up to the layer (``held(_:)``), as it was measured; the
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
    let activations = Self.held(subject.sites[...last])
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
    return (7 * activations / 4 + copies * most) * (options.precise.isEmpty ? 4 : 8)
  }

  /// Numbers of one picture that are held where nobody looks at them: no attention patterns, which are never written out then; no
  /// norm before its activation, which are one step then; and a module whose last part has its shape counts with that part.
  ///
  /// - Parameter sites: in execution order.
  /// - Returns: how many.
  static func held(_ sites: ArraySlice<Site>) -> Int {
    func word(_ site: Site) -> Substring { site.name.split(separator: ".").last ?? "" }
    return sites.indices.reduce(0) { sum, place in
      let (site, shape) = (sites[place], sites[place].shape)
      let next = place + 1 < sites.endIndex ? sites[place + 1] : nil
      let before = place > sites.startIndex ? sites[place - 1] : nil
      let isNorm = word(site).hasPrefix("bn") || word(site).contains("norm")
      let isFused = isNorm && next?.shape == shape && next.map(word)?.hasPrefix("act") == true
      let isEnd = before?.shape == shape && before?.name.hasPrefix("\(site.name).") == true
      return site.kind == .pattern || isFused || isEnd ? sum : sum + shape.reduce(1, *)
    }
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
