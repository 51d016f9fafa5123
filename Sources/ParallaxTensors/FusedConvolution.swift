/// A convolution with its nonlinearity and a sum in one step: oneDNN's, with a weight in its own order.
///
/// Maps keep their channels side by side in memory. There are no gradients, so that whoever calls asks
/// `takes(_:)` first.
public struct FusedConvolution: Sendable {
  /// What follows the convolution.
  public enum Nonlinearity: String, Sendable, Codable, Hashable {
    /// Nothing.
    case none
    /// max(x, 0).
    case relu
    /// min(max(x, 0), 6).
    case relu6
    /// x · sigmoid(x).
    case silu
    /// x · min(max(x + 3, 0), 6) / 6.
    case hardSwish = "hard_swish"
  }

  /// oneDNN's operators, where this libtorch was built with them.
  private struct Operators: Sendable {
    let reorder: Operator
    let plain: Operator
    let summing: Operator

    static let found: Operators? = try? Operators()

    init() throws {
      reorder = try Operator(checking: "mkldnn::_reorder_convolution_weight")
      plain = try Operator(checking: "mkldnn::_convolution_pointwise")
      summing = try Operator(checking: "mkldnn::_convolution_pointwise.binary")
    }
  }

  private let operators: Operators
  private let weight: Tensor
  private let bias: Tensor
  private let stride: [Int]
  private let groups: Int
  private let nonlinearity: Nonlinearity

  /// A convolution of a weight `[out, in/groups, h, w]`; nil where oneDNN is not there for it.
  public init?(
    _ weight: Tensor, _ bias: Tensor, stride: Int, groups: Int, then nonlinearity: Nonlinearity
  ) {
    guard let operators = Operators.found, weight.device == .cpu, weight.dtype == .float32,
      let packed = try? operators.reorder.attempt([
        weight, [0, 0], [stride, stride], [1, 1], groups, Absent.none,
      ]).first?.tensor
    else { return nil }
    (self.operators, self.weight, self.bias) = (operators, packed, bias)
    (self.stride, self.groups, self.nonlinearity) = ([stride, stride], groups, nonlinearity)
  }

  /// Whether it may be used on a tensor now: float32 on the processor, and no gradient wanted.
  public func takes(_ x: Tensor) -> Bool {
    !GradientMode.isOn && x.dtype == .float32 && x.device == .cpu && x.count > 0
  }

  /// The convolution of `x` padded alike at both ends, plus `shortcut`, then the nonlinearity.
  ///
  /// - Precondition: `takes(x)`.
  public func callAsFunction(_ x: Tensor, padding: [Int], adding shortcut: Tensor? = nil) -> Tensor
  {
    let x = x.channelsLast()
    if let shortcut {
      // After a sum oneDNN's operator knows ReLU alone, and no network here has anything else there.
      let summed = operators.summing(
        x, shortcut.channelsLast(), weight, bias, padding, stride, [1, 1], groups, "add", 1.0,
        nonlinearity == .relu ? "relu" : nil, [Double](), Absent.none)
      return nonlinearity == .relu ? summed : nonlinearity(summed)
    }
    let (name, limits): (String, [Double]) =
      switch nonlinearity {
      case .none: ("none", [])
      case .relu: ("relu", [])
      case .relu6: ("hardtanh", [0, 6])
      case .silu: ("swish", [])
      case .hardSwish: ("hardswish", [])
      }
    return operators.plain(
      x, weight, bias, padding, stride, [1, 1], groups, name, limits, Absent.none)
  }
}

extension FusedConvolution.Nonlinearity {
  /// The nonlinearity by itself.
  public func callAsFunction(_ x: Tensor) -> Tensor {
    switch self {
    case .none: x
    case .relu: x.relu()
    case .relu6: x.relu6()
    case .silu: x.silu()
    case .hardSwish: x.hardSwish()
    }
  }
}
