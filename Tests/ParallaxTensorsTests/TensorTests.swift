import Parallax
import ParallaxTestSupport
import Testing

@Suite("Tensors")
struct TensorTests {
  @Test("numbers go in and come out in row-major order, in every element type")
  func roundTrip() {
    let values: [Float] = [1, -2, 3.5, 4, 5, 6]
    let tensor = Tensor(values, shape: [2, 3])
    #expect(tensor.shape == [2, 3])
    #expect(tensor.transposed().scalars(Float.self) == [1, 4, -2, 5, 3.5, 6])
    #expect(tensor.to(.float64).scalars(Double.self) == values.map(Double.init))
    #expect(tensor.to(.int64).scalars(Int64.self) == [1, -2, 3, 4, 5, 6])
    #expect(Tensor([true, false], shape: [2]).scalars(Bool.self) == [true, false])
    #expect(Tensor(7.0).shape == [] && Tensor(7.0).item() == 7)
    #expect(Tensor([Float](), shape: [0, 3]).scalars(Float.self).isEmpty)
  }

  @Test("defaults are filled from the schema, and numbers are turned into what it asks for")
  func coercion() throws {
    let x = Tensor((0..<6).map(Float.init), shape: [2, 3])
    // `sum.dim_IntList(self, int[1]? dim, bool keepdim=False, *, ScalarType? dtype=None)`
    let sum = try Operator(checking: "aten::sum.dim_IntList").attempt([x, 1])
    #expect(sum.first?.tensor?.scalars(Float.self) == [3, 12])
    // `add.Tensor(self, Tensor other, *, Scalar alpha=1)`: a number where a tensor is asked for.
    let added = try Operator(checking: "aten::add.Tensor").attempt([x, 1, 2])
    #expect(added.first?.tensor?.scalars(Float.self) == [2, 3, 4, 5, 6, 7])
    #expect(added.first?.tensor?.dtype == .float32)
  }

  @Test("the throwing entrance tells libtorch's sentence on one line")
  func failure() throws {
    let a = Tensor.zeros([2, 3])
    let matmul = try Operator(checking: "aten::matmul")
    let error = #expect(throws: TensorError.self) { try matmul.attempt([a, a]) }
    let text = error?.description ?? ""
    #expect(text.hasPrefix("aten::matmul: "))
    #expect(text.contains("2x3") && !text.contains("\n") && !text.contains("frame #"))
    #expect(throws: TensorError.unknownOperator(name: "aten::nope")) {
      try Operator(checking: "aten::nope")
    }
    #expect(throws: TensorError.self) { try matmul.attempt([a]) }
    #expect(throws: TensorError.self) { try matmul.attempt([a, a, a, a]) }
    #expect(throws: TensorError.self) { try matmul.attempt(["a", a]) }
  }

  @Test("gradients agree with the derivative written by hand, and are zero where nothing depends")
  func gradients() {
    let x = Tensor([1.0, 2.0, 3.0], shape: [3])
    let unused = Tensor([1.0], shape: [1])
    let (value, gradients) = Tensor.valueWithGradient(at: [x, unused]) {
      ($0[0] * $0[0] * $0[0]).sum()
    }
    #expect(value.item() == 36)
    #expect(gradients[0].scalars(Double.self) == [3, 12, 27])
    #expect(gradients[1].scalars(Double.self) == [0])
    let product = Tensor.vectorJacobianProduct(at: [x], seed: Tensor([1.0, 0, -1], shape: [3])) {
      $0[0].squared()
    }
    #expect(product.products[0].scalars(Double.self) == [2, 0, -6])
  }

  @Test("a seed gives the same numbers again, and they are PyTorch's")
  func randomness() {
    let first = RandomSource(seed: 0).normal([3]).scalars(Float.self)
    #expect(first == RandomSource(seed: 0).normal([3]).scalars(Float.self))
    #expect(first != RandomSource(seed: 1).normal([3]).scalars(Float.self))
    // torch.randn(3, generator=torch.Generator().manual_seed(0))
    let reference: [Float] = [1.5410, -0.2934, -2.1788]
    for (a, b) in zip(first, reference) { #expect(abs(a - b) < 1e-4) }
  }

  @Test("a device that is not there is refused with its name")
  func devices() {
    let error = #expect(throws: TensorError.self) { try Device("quantum:0") }
    #expect(error?.description.contains("quantum:0") == true)
    #expect(throws: Never.self) { try Device("cpu") }
    #expect(Tensor(1.0).device == .cpu)
  }
}
