import Parallax
import Testing

/// A function of one matrix `[4, 6]` or image whose derivative is wanted.
struct Differentiable: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let shape: [Int]
  let function: @Sendable (Tensor) -> Tensor

  init(_ name: String, _ shape: [Int] = [4, 6], _ function: @escaping @Sendable (Tensor) -> Tensor)
  {
    (testDescription, self.shape, self.function) = (name, shape, function)
  }

  private static func fixed(_ shape: [Int], _ seed: UInt64) -> Tensor {
    RandomSource(seed: seed).normal(shape).to(.float64)
  }

  static let all: [Differentiable] = {
    let (row, matrix) = (fixed([6], 1), fixed([6, 6], 2))
    let (kernel, channels) = (fixed([2, 3, 3, 3], 3), fixed([3], 4))
    let image = [1, 3, 5, 5]
    return [
      Differentiable("sums and products") { ($0 + row) * ($0 - 2.0) / (row.squared() + 1.0) },
      Differentiable("negation") { -$0 }, Differentiable("power") { ($0 + 9.0).power(1.5) },
      Differentiable("exponential") { $0.exponential() },
      Differentiable("logarithm") { ($0.squared() + 1.0).logarithm() },
      Differentiable("square root") { ($0.squared() + 1.0).squareRoot() },
      Differentiable("sine") { $0.sine() }, Differentiable("cosine") { $0.cosine() },
      Differentiable("tanh") { $0.hyperbolicTangent() }, Differentiable("sigmoid") { $0.sigmoid() },
      Differentiable("relu") { $0.relu() }, Differentiable("relu6") { ($0 * 4.0).relu6() },
      Differentiable("silu") { $0.silu() }, Differentiable("gelu") { $0.gelu() },
      Differentiable("quick gelu") { $0.quickGELU() }, Differentiable("absolute") { $0.absolute() },
      Differentiable("softmax") { $0.softmax(1) },
      Differentiable("norm") { $0.norm(over: [1]) }, Differentiable("mean") { $0.mean(over: [0]) },
      Differentiable("product") { $0.times(matrix).times($0.transposed()) },
      Differentiable("linear") { $0.linear(matrix, row) },
      Differentiable("layer norm") { $0.layerNormalized(weight: row, bias: row, epsilon: 1e-5) },
      Differentiable("attention", [1, 2, 3, 4]) { Tensor.attention($0, $0 * 2.0, $0.cosine()) },
      Differentiable("convolution", image) {
        $0.convolution(kernel, stride: [2, 2], padding: [1, 1])
      },
      Differentiable("batch norm", image) {
        $0.batchNormalized(
          weight: channels, bias: channels, mean: channels, variance: channels.squared() + 1.0,
          epsilon: 1e-5)
      },
      Differentiable("maximum pooling", image) { $0.maxPooled(2, stride: 2, padding: 0) },
      Differentiable("average pooling", image) { $0.averagePooled(to: 2, 3) },
      Differentiable("bicubic", image) { $0.bicubic(to: [7, 4]) },
      Differentiable("bicubic, antialiased", image) { $0.bicubic(to: [3, 4], antialias: true) },
      Differentiable("shapes") {
        let turned = $0.reshaped(2, 2, 6).permuted(2, 0, 1).sliced(0, 1, 6, step: 2)
        return Tensor.concatenated([turned, turned.flipped(1) * 3.0], 1).padded([1, 0])
      },
      Differentiable("choices") {
        let chosen = Tensor.stacked([$0.gathered(1, [5, 0, 0]), $0.sliced(1, 0, 3)])
        return chosen.selected(0, 0) * chosen.unbound(0)[1]
      },
      Differentiable("extremes") { $0.maximum() * $0.minimum() + $0.topK(2).values.sum() },
    ]
  }()
}

@Suite("Gradients")
struct GradientTests {
  @Test("each operation's gradient is that of central differences", arguments: Differentiable.all)
  func differences(_ operation: Differentiable) {
    let x = RandomSource(seed: 11).normal(operation.shape).to(.float64)
    let y = operation.function(x)
    let weights = RandomSource(seed: 12).normal(y.shape).to(.float64)
    func number(_ x: Tensor) -> Tensor { (operation.function(x) * weights).sum() }
    let (value, gradients) = Tensor.valueWithGradient(at: [x]) { number($0[0]) }
    #expect(value.item(Double.self) == number(x).item(Double.self))
    #expect(gradients.count == 1 && gradients[0].shape == x.shape && gradients[0].dtype == .float64)
    let found = gradients[0].scalars(Double.self)
    var values = x.scalars(Double.self)
    for index in values.indices {
      let (kept, step) = (values[index], 1e-5)
      values[index] = kept + step
      let above = number(Tensor(values, shape: x.shape)).item(Double.self)
      values[index] = kept - step
      let below = number(Tensor(values, shape: x.shape)).item(Double.self)
      values[index] = kept
      let expected = (above - below) / (2 * step)
      #expect(abs(found[index] - expected) < 1e-6 * max(1, abs(expected)))
    }
    #expect(found.contains { abs($0) > 1e-3 })
    let (_, products) = Tensor.vectorJacobianProduct(at: [x], seed: weights) {
      operation.function($0[0])
    }
    for (a, b) in zip(products[0].scalars(Double.self), found) { #expect(abs(a - b) < 1e-12) }
  }

  @Test(
    "gradients at several inputs are each in its own shape; where nothing depends they are zero")
  func several() {
    let (a, b) = (
      Tensor([1.0, 2], shape: [2]), Tensor([[3.0], [4]].flatMap { $0 }, shape: [2, 1])
    )
    let (value, gradients) = Tensor.valueWithGradient(at: [a, b, a]) { ($0[0] * $0[1]).sum() }
    #expect(value.item(Double.self) == 21)
    #expect(gradients[0].scalars(Double.self) == [7, 7])
    #expect(gradients[1].scalars(Double.self) == [3, 3] && gradients[1].shape == [2, 1])
    #expect(gradients[2].scalars(Double.self) == [0, 0])
    let (constant, none) = Tensor.valueWithGradient(at: [a]) { _ in Tensor(3.0) }
    #expect(constant.item(Double.self) == 3 && none[0].scalars(Double.self) == [0, 0])
    let cut = Tensor.valueWithGradient(at: [a]) { ($0[0].detached() * $0[0]).sum() }
    #expect(cut.gradients[0].scalars(Double.self) == [1, 2])
  }

  @Test("what a function throws comes through, and leaves no trace")
  func failure() {
    struct Broken: Error {}
    let x = Tensor([1.0], shape: [1])
    #expect(throws: Broken.self) {
      try Tensor.valueWithGradient(at: [x]) { (_: [Tensor]) throws(Broken) in throw Broken() }
    }
    #expect(!GradientMode.isOn)
    // A gradient within a function that is being differentiated.
    let (value, gradients) = Tensor.valueWithGradient(at: [x * 3.0]) { outer in
      let inner = Tensor.valueWithGradient(at: outer) { $0[0].squared().sum() }
      #expect(GradientMode.isOn)
      return (outer[0] * inner.gradients[0]).sum()
    }
    #expect(value.item(Double.self) == 18 && gradients[0].scalars(Double.self) == [6])
    #expect(!GradientMode.isOn)
  }

  @Test("one forward pass has as many ways back as are wanted")
  func pullback() throws {
    let x = Tensor([1.0, 2, 3], shape: [3])
    var calls = 0
    let back = Tensor.pullback(at: [x, x * 2.0]) { leaves in
      calls += 1
      return [
        leaves[0].squared(), leaves[0] * leaves[1], leaves[1].sine(), Tensor([5.0], shape: [1]),
      ]
    }
    #expect(calls == 1 && !GradientMode.isOn)
    #expect(back.values[1].scalars(Double.self) == [2, 8, 18])
    for _ in 0..<2 {
      let seed = Tensor([1.0, 0, 2], shape: [3])
      #expect(try back.products(of: 0, with: seed)[0]?.scalars(Double.self) == [2, 0, 12])
      let both = try back.products(of: 1, with: seed)
      #expect(both[0]?.scalars(Double.self) == [2, 0, 12])
      #expect(both[1]?.scalars(Double.self) == [1, 0, 6])
      #expect(try back.products(of: 2, with: seed)[0] == nil)
      #expect(try back.products(of: 3, with: Tensor([1.0], shape: [1]))[1] == nil)
    }
    // A seed of another shape is an error, not a trap.
    #expect(throws: TensorError.self) {
      try back.products(of: 0, with: Tensor([1.0], shape: [1]))
    }
  }

  @Test("the programmer's mistakes trap with the operation's name and libtorch's sentence")
  func traps() async {
    let shapes = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) { _ = Tensor.zeros([2, 3]).times(Tensor.zeros([2, 3])) }
    let text = String(decoding: shapes?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("aten::matmul: ") && text.contains("2x3"))
    let whole = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) { _ = Tensor.valueWithGradient(at: [Tensor([Int64(1)], shape: [1])]) { $0[0].sum() } }
    let complaint = String(decoding: whole?.standardErrorContent ?? [], as: UTF8.self)
    #expect(complaint.contains("valueWithGradient") && complaint.contains("int64"))
  }
}
