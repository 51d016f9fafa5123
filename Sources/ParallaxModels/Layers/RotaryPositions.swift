import Foundation
import ParallaxTensors

/// Queries and keys turned by angles that tell where their patch lies, so that their product depends on offsets.
///
/// > Source: Su et al., 2021, arXiv 2104.09864; in two dimensions Fang et al., 2023, arXiv 2303.11331,
/// > and Siméoni et al., 2025, arXiv 2508.10104.
public struct RotaryPositions: Sendable, Codable, Hashable {
  /// Which numbers are turned together, and how places are counted.
  public enum Form: String, Sendable, Codable, Hashable {
    /// Neighbouring numbers; whole patches, scaled to the grid that the network was trained on (EVA-02).
    case counted
    /// Numbers half a head apart; from −1 to 1 over the image (DINOv3).
    case centred
  }

  /// The form.
  public var form: Form
  /// The grid that counted places are scaled to.
  public var grid: Int
  /// Frequencies fall from 1 towards 1 / temperature.
  public var temperature: Double

  /// Turns for patches of a grid.
  public init(_ form: Form, grid: Int = 16, temperature: Double) {
    (self.form, self.grid, self.temperature) = (form, grid, temperature)
  }

  /// Sines and cosines for heads of a width, for a grid of patches: each `[patches, width]`.
  func angles(
    _ rows: Int, _ columns: Int, width: Int, _ device: Device
  ) -> (sines: Tensor, cosines: Tensor) {
    let bands = width / 4
    let frequencies = (0..<bands).map { Float(pow(temperature, -Double($0) / Double(bands))) }
    func places(_ count: Int) -> [Float] {
      (0..<count).map { index in
        switch form {
        case .counted: Float(index) / Float(count) * Float(grid)
        case .centred: 2 * (Float(index) + 0.5) / Float(count) - 1
        }
      }
    }
    let turn: Float = form == .centred ? 2 * .pi : 1
    let (y, x) = (places(rows), places(columns))
    let values = y.flatMap { y in
      x.flatMap { x in [y, x].flatMap { place in frequencies.map { turn * place * $0 } } }
    }
    let half = Tensor(values, shape: [rows * columns, 2 * bands]).to(device)
    func laidOut(_ x: Tensor) -> Tensor {
      form == .centred
        ? Tensor.concatenated([x, x], 1) : Tensor.stacked([x, x], 2).reshaped(rows * columns, -1)
    }
    return (laidOut(half.sine()), laidOut(half.cosine()))
  }

  /// `[batch, heads, tokens, width]` with the tokens after the first `prefix` turned.
  func turned(_ x: Tensor, _ by: (sines: Tensor, cosines: Tensor), prefix: Int) -> Tensor {
    let patches = x.sliced(2, prefix)
    let shape = patches.shape
    let quarter: Tensor  // The same, turned by a right angle.
    switch form {
    case .counted:
      let pairs = patches.reshaped(Array(shape.dropLast()) + [shape[3] / 2, 2]).unbound(4)
      quarter = Tensor.stacked([-pairs[1], pairs[0]], 4).reshaped(shape)
    case .centred:
      let half = shape[3] / 2
      quarter = Tensor.concatenated([-patches.sliced(3, half), patches.sliced(3, 0, half)], 3)
    }
    let result = patches * by.cosines + quarter * by.sines
    return prefix == 0 ? result : Tensor.concatenated([x.sliced(2, 0, prefix), result], 2)
  }
}
