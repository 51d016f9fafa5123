import Parallax
import Testing

@Suite("Forward derivatives")
struct ForwardGradientTests {
  @Test(
    "each operation's product with a direction is that of the way back",
    arguments: Differentiable.all)
  func duality(_ operation: Differentiable) {
    let x = RandomSource(seed: 11).normal(operation.shape).to(.float64)
    let v = RandomSource(seed: 13).normal(operation.shape).to(.float64)
    let (value, product) = Tensor.jacobianVectorProduct(at: [x], directions: [v]) {
      #expect(GradientMode.isOn && GradientMode.isForward)
      return operation.function($0[0])
    }
    let plain = operation.function(x)
    #expect(product.shape == plain.shape && product.dtype == .float64)
    #expect((value - plain).absolute().maximum().item(Double.self) < 1e-12)
    let u = RandomSource(seed: 12).normal(plain.shape).to(.float64)
    let (_, back) = Tensor.vectorJacobianProduct(at: [x], seed: u) { operation.function($0[0]) }
    let (there, here) = (
      (u * product).sum().item(Double.self), (back[0] * v).sum().item(Double.self)
    )
    #expect(abs(there - here) < 1e-11 * max(1, abs(there)))
    #expect(product.absolute().maximum().item(Double.self) > 1e-3)
    #expect(!GradientMode.isOn)
  }

  @Test("directions at several inputs add up; what does not depend on them has none")
  func several() {
    let (a, b) = (Tensor([1.0, 2], shape: [2]), Tensor([3.0, 4], shape: [2]))
    let (value, product) = Tensor.jacobianVectorProduct(
      at: [a, b], directions: [Tensor([1.0, 0], shape: [2]), Tensor([0.5, 2], shape: [2])]
    ) { $0[0] * $0[1] }
    #expect(value.scalars(Double.self) == [3, 8])
    #expect(product.scalars(Double.self) == [3 + 0.5, 4])
    let constant = Tensor.jacobianVectorProduct(at: [a], directions: [a]) { _ in b }
    #expect(constant.product.scalars(Double.self) == [0, 0])
    let cut = Tensor.jacobianVectorProduct(at: [a], directions: [a]) { $0[0].detached() * b }
    #expect(cut.product.scalars(Double.self) == [0, 0])
    // Neither what went in nor what came out carries anything afterwards.
    let again = Tensor.jacobianVectorProduct(at: [b], directions: [b]) { $0[0] * a * value }
    #expect(again.product.scalars(Double.self) == [9, 64])
  }

  @Test("what a function throws comes through, and leaves no trace")
  func failure() {
    struct Broken: Error {}
    let x = Tensor([1.0], shape: [1])
    #expect(throws: Broken.self) {
      try Tensor.jacobianVectorProduct(at: [x], directions: [x]) {
        (_: [Tensor]) throws(Broken) in throw Broken()
      }
    }
    #expect(!GradientMode.isForward)
    #expect(
      Tensor.jacobianVectorProduct(at: [x], directions: [x]) { $0[0].squared() }
        .product.scalars(Double.self) == [2])
  }

  @Test("threads have derivatives of their own at once")
  func threads() async {
    let sums = await withTaskGroup(of: Double.self) { group in
      for task in 0..<8 {
        group.addTask {
          var sum = 0.0
          for step in 0..<40 {
            let x = Tensor([Double(task + step)], shape: [1])
            sum += Tensor.jacobianVectorProduct(at: [x], directions: [x.zerosLike() + 1.0]) {
              ($0[0] * $0[0] * $0[0]).sine() * 0 + $0[0].squared()
            }.product.item(Double.self)
          }
          return sum
        }
      }
      var all: [Double] = []
      for await sum in group { all.append(sum) }
      return all.sorted()
    }
    for (task, sum) in sums.enumerated() {
      // Σ over 40 steps of 2·(task + step).
      #expect(sum == Double(80 * task + 1560))
    }
  }

  @Test(
    "an operator without a forward derivative throws where graphs call it; nested derivatives trap")
  func refusals() async {
    let sampler = Operator("aten::grid_sampler_2d")
    let x = Tensor.ones([1, 1, 4, 4], .float64)
    let grid = Tensor.zeros([1, 2, 2, 2], .float64)
    let error = #expect(throws: TensorError.self) {
      try Tensor.jacobianVectorProduct(at: [x], directions: [x]) { leaves throws(TensorError) in
        let all = try sampler.attempt([leaves[0], grid, 0, 0, false])
        return all[0].tensor ?? leaves[0]
      }
    }
    #expect(error?.description.contains("forward AD") == true)
    let nested = await #expect(
      processExitsWith: .failure, observing: [\.standardErrorContent]
    ) {
      let x = Tensor([1.0], shape: [1])
      _ = Tensor.jacobianVectorProduct(at: [x], directions: [x]) { leaves in
        Tensor.jacobianVectorProduct(at: leaves, directions: leaves) { $0[0] }.product
      }
    }
    let text = String(decoding: nested?.standardErrorContent ?? [], as: UTF8.self)
    #expect(text.contains("jacobianVectorProduct: a forward derivative within"))
  }
}
