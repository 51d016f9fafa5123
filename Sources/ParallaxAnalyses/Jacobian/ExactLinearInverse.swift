import ParallaxTensors

/// A network of square linear layers without nonlinearities, and its exact inverse.
///
/// o = W·x + b, layer after layer; backwards x = W⁻¹(o − b), each by an LU decomposition in float64. A small change of the output
/// has a preimage that may be enormously far away: descent on the pixels, which starts among the pictures, never goes there.
///
/// > Source: Badger, 2022, arXiv 2211.06496, the invertible perceptron: float32 is not accurate enough.
public struct ExactLinearInverse: Sendable {
  private let layers: [(weight: Tensor, bias: Tensor?)]

  /// A network of square layers.
  ///
  /// - Parameter layers: weights `[width, width]` and biases `[width]` from the first to the last, kept in float64.
  /// - Throws: `AnalysisError.site` where a layer is not square or does not follow the one before.
  public init(_ layers: [(weight: Tensor, bias: Tensor?)]) throws {
    let width = layers.first?.weight.shape.last
    for (index, layer) in layers.enumerated() {
      guard layer.weight.shape == [width, width],
        layer.bias.map({ $0.shape == [width] }) ?? true
      else {
        throw AnalysisError.site(
          "layer \(index)",
          problem:
            "an exact inverse needs square layers of one width, found \(layer.weight.shape)\(layer.bias.map { " and a bias \($0.shape)" } ?? "")"
        )
      }
    }
    self.layers = layers.map { ($0.weight.to(.float64), $0.bias?.to(.float64)) }
  }

  /// The outputs of inputs.
  ///
  /// - Parameter inputs: `[images, width]`.
  /// - Returns: the same shape, in float64.
  public func callAsFunction(_ inputs: Tensor) -> Tensor {
    layers.reduce(inputs.to(.float64)) { $0.linear($1.weight, $1.bias) }
  }

  /// The inputs of outputs.
  ///
  /// - Parameter outputs: `[images, width]`.
  /// - Returns: the same shape, in float64.
  /// - Throws: `AnalysisError.site` where a layer is singular.
  public func inverse(_ outputs: Tensor) throws -> Tensor {
    var x = outputs.to(.float64)
    for (index, layer) in layers.enumerated().reversed() {
      let right = (layer.bias.map { x - $0 } ?? x).transposed()
      guard let found = try JacobianAlgebra.solved(layer.weight, right), found.isFinite() else {
        throw AnalysisError.site(
          "layer \(index)", problem: "its matrix is singular: there is no inverse")
      }
      x = found.transposed()
    }
    return x
  }
}
