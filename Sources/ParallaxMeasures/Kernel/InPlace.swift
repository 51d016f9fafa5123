import ParallaxTensors

/// libtorch's operators that write. Only for tensors that were made here and that nobody else has.
enum InPlace {
  static let add = Operator("aten::add_.Tensor")
  static let subtract = Operator("aten::sub_.Tensor")
  static let multiply = Operator("aten::mul_.Scalar")
  static let addProduct = Operator("aten::addmm_")
  static let exponential = Operator("aten::exp_")
  static let copy = Operator("aten::copy_")
  static let zero = Operator("aten::zero_")
  static let fillDiagonal = Operator("aten::fill_diagonal_")
  static let put = Operator("aten::put_")
  static let fill = Operator("aten::fill_.Scalar")
}

/// Operators that `Tensor` has no word for.
enum Plain {
  static let clone = Operator("aten::clone")
  static let triangle = Operator("aten::triu_indices")
  static let scaled = Operator("aten::mul.Scalar")
  static let upper = Operator("aten::triu")
  static let sort = Operator("aten::sort")
  static let median = Operator("aten::median.dim")
  static let plusProduct = Operator("aten::addmm")
  static let view = Operator("aten::view.dtype")
  static let less = Operator("aten::lt.Tensor")
  static let nonzero = Operator("aten::nonzero")
  static let quotient = Operator("aten::floor_divide.Scalar")
  static let remainder = Operator("aten::remainder.Scalar")
  static let maximum = Operator("aten::maximum")
  static let eigenvalues = Operator("aten::linalg_eigvalsh")
}
