import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Errors in the checkpoint's own names")
struct OwnNamesTests {
  private func held(_ fixture: String) throws -> [String: Tensor] {
    let oracle = try ModelOracle(fixture)
    var held: [String: Tensor] = [:]
    for name in oracle.weights.names { held[name] = try oracle.weights.tensor(name) }
    return held
  }

  private func configuration(registers: Int = 0) -> ViT.Configuration {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (35, 7, 24, 2, 3, 0)
    (c.layerScale, c.registers) = (true, registers)
    return c
  }

  private func error(_ held: [String: Tensor], _ c: ViT.Configuration) -> ModelError? {
    #expect(throws: ModelError.self) {
      let weights = Weights(ViT.recognised(HeldWeights(held, label: "w"), c))
      _ = try ViT(c, weights)
      try weights.finish(harmless: Architecture.isHarmless)
    }
  }

  @Test("whatever is missing from transformers' DINOv2 is named as it is there")
  func missing() throws {
    for (fixture, c) in [
      ("dinov2-hf", configuration()), ("dinov2-registers-hf", configuration(registers: 2)),
    ] {
      let whole = try held(fixture)
      for (name, value) in whole
      where !name.contains("mask_token") && name != "encoder.layer.0.layer_scale1.lambda1" {
        var held = whole
        held[name] = nil
        let found = error(held, c)
        guard case .missingParameter(let named, let shape, "w") = found else {
          Issue.record("\(name): \(String(describing: found))")
          continue
        }
        #expect(named == name)
        #expect(shape.drop { $0 == 1 } == value.shape.drop { $0 == 1 }, "\(name)")
      }
    }
  }

  @Test("whatever has another shape is named with its own shape and the expected one")
  func misshapen() throws {
    for (fixture, c) in [
      ("dinov2-hf", configuration()), ("dinov2-registers-hf", configuration(registers: 2)),
    ] {
      let whole = try held(fixture)
      for (name, value) in whole where !name.contains("mask_token") {
        var held = whole
        var shape = value.shape
        shape[shape.count - 1] += 1
        held[name] = Tensor.ones(shape)
        let found = error(held, c)
        // A token and its position are one parameter of timm's: either may be to blame.
        let expected = ModelError.shape(
          name: name, expected: value.shape, found: shape, file: "w")
        #expect(found == expected, "\(name)")
      }
    }
  }

  @Test("what is left over is named as it is in the checkpoint")
  func surplus() throws {
    var held = try held("dinov2-hf")
    held["encoder.layer.2.norm1.weight"] = Tensor.ones([24])
    #expect(
      error(held, configuration())
        == .surplusParameters(names: ["encoder.layer.2.norm1.weight"], file: "w"))
    // Parameters that timm has a name for, and this variant no use.
    held["encoder.layer.2.norm1.weight"] = nil
    var c = configuration()
    c.layerScale = false
    guard case .surplusParameters(let names, "w") = error(held, c) else {
      Issue.record("nothing was left over")
      return
    }
    #expect(names.count == 4 && names.allSatisfy { $0.contains(".layer_scale") })
  }

  @Test("a checkpoint with other module names is spoken of in them, a missing one too")
  func modules() throws {
    var held = try held("mobilenetv2-torchvision")
    let name = "features.1.conv.1.weight"
    let shape = try #require(held[name]).shape
    held[name] = nil
    let source = MobileNetV2.recognised(HeldWeights(held, label: "w"), .standard)
    let fault = try #require(source as? any ForeignNames).fault("blocks.0.0.conv_pw.weight", shape)
    #expect(fault.name == name && fault.found == nil && fault.expected == shape)
  }

  @Test("a grouped convolution is drawn for its fan-out, which its groups divide")
  func fanOut() throws {
    let weights = Weights(RandomWeights(seed: 3))
    func deviation(_ tensor: Tensor) -> Double {
      tensor.to(.float64).squared().mean().item(Double.self).squareRoot()
    }
    let plain = try weights("a.weight", 96, 64, 3, 3)
    #expect(abs(deviation(plain) / (2.0 / (96 * 9)).squareRoot() - 1) < 0.02)
    let depthwise = try weights("b.weight", 960, 1, 5, 5, groups: 960)
    #expect(abs(deviation(depthwise) / (2.0 / 25).squareRoot() - 1) < 0.02)
    let grouped = try weights("c.weight", 128, 32, 3, 3, groups: 4)
    #expect(abs(deviation(grouped) / (2.0 / (32 * 9)).squareRoot() - 1) < 0.02)
    // The network hands its groups on.
    let net = try MobileNetV2(.headless, weights)
    let found = deviation(net.network.stages[5][1].depthwise.weight)
    #expect(abs(found / (2.0 / 9).squareRoot() - 1) < 0.03)
  }
}
