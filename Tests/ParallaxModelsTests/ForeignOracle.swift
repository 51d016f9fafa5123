import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

extension ModelOracle {
  /// Every parameter of the checkpoint, to be changed and handed on.
  func held() throws -> [String: Tensor] {
    var held: [String: Tensor] = [:]
    for name in weights.names { held[name] = try weights.tensor(name) }
    return held
  }

  /// A model from a source, in which nothing may be left over.
  static func make<M>(_ source: any WeightSource, _ make: (Weights) throws -> M) throws -> M {
    let weights = Weights(source)
    let model = try make(weights)
    try weights.finish(harmless: Architecture.isHarmless)
    return model
  }

  /// A model under timm's names against another implementation's: the output, the gradient at the pixels, and the
  /// sites that both have.
  ///
  /// - Parameters:
  ///   - model: made from the oracle's weights.
  ///   - names: the oracle's sites by the model's.
  ///   - sourceLocation: the test that asks.
  /// - Throws: where the fixture lacks a tensor.
  func check(
    _ model: any Model, foreign names: [String: String],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let input = try tensor("input")
    let output = Self.difference(model(input, .off), try tensor("output"))
    #expect(output < Self.tolerance, "output", sourceLocation: sourceLocation)
    let (_, gradients) = Tensor.valueWithGradient(at: [input]) {
      model($0[0], .off).squared().mean()
    }
    let gap = Self.difference(gradients[0], try tensor("grad/input"))
    #expect(gap < 1e-3, "gradient at the pixels", sourceLocation: sourceLocation)
    for (ours, theirs) in names {
      let reference = try tensor("site/\(theirs)")
      var seen = false
      let tap = Tap([ours]) {
        seen = true
        let found = $0.value.reshaped(reference.shape)
        let gap = Self.difference(found, reference)
        #expect(gap < Self.tolerance, "\(ours)", sourceLocation: sourceLocation)
        return nil
      }
      _ = model(input, tap)
      #expect(seen, "\(ours)", sourceLocation: sourceLocation)
    }
  }
}
