import ParallaxTensors
import ParallaxTestSupport
import Testing

@Suite("Fused convolutions")
struct FusedConvolutionTests {
  @Test(
    "a fused convolution is the convolution, the sum and the nonlinearity one after the other",
    arguments: [FusedConvolution.Nonlinearity.none, .relu, .relu6, .silu, .hardSwish], [1, 4])
  func agrees(nonlinearity: FusedConvolution.Nonlinearity, groups: Int) throws {
    let random = RandomSource(seed: 5)
    let x = random.normal([2, 4, 9, 7])
    let weight = random.normal([8, 4 / groups, 3, 3]) * 2
    let bias = random.normal([8])
    let shortcut = random.normal([2, 8, 5, 4])
    let fused = try #require(
      FusedConvolution(weight, bias, stride: 2, groups: groups, then: nonlinearity))
    #expect(fused.takes(x))
    func expected(_ other: Tensor?) -> Tensor {
      var y = x.convolution(weight, bias, stride: [2, 2], padding: [1, 1], groups: groups)
      if let other { y = y + other }
      switch nonlinearity {
      case .none: return y
      case .relu: return y.relu()
      case .relu6: return y.relu6()
      case .silu: return y * y.sigmoid()
      case .hardSwish: return y * (y + 3).relu6() / 6
      }
    }
    func gap(_ a: Tensor, _ b: Tensor) -> Double { (a - b).absolute().maximum().item() }
    #expect(gap(fused(x, padding: [1, 1]), expected(nil)) < 1e-4)
    #expect(gap(fused(x, padding: [1, 1], adding: shortcut), expected(shortcut)) < 1e-4)
    #expect(gap(fused(x.channelsLast(), padding: [1, 1]), expected(nil)) < 1e-4)
  }

  @Test("it declines what it cannot do: gradients, other types, nothing at all")
  func declines() throws {
    let fused = try #require(
      FusedConvolution(
        Tensor.ones([2, 3, 1, 1]), Tensor.zeros([2]), stride: 1, groups: 1, then: .relu))
    let x = Tensor.ones([1, 3, 4, 4])
    #expect(!fused.takes(x.to(.float64)))
    #expect(!fused.takes(Tensor.zeros([0, 3, 4, 4])))
    #expect(!GradientMode.isOn)
    let (value, _) = Tensor.valueWithGradient(at: [x]) { leaves in
      #expect(GradientMode.isOn && !fused.takes(leaves[0]))
      return leaves[0].sum()
    }
    #expect(value.item(Double.self) == 48)
    let float64 = Tensor.ones([2, 3, 1, 1], .float64)
    let none = FusedConvolution(
      float64, Tensor.zeros([2], .float64), stride: 1, groups: 1, then: .relu)
    #expect(none == nil)
  }
}
