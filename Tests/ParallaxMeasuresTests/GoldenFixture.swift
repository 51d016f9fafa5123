import Foundation
import Parallax

/// The made-up pair of representations whose values are known in float64.
enum GoldenFixture {
  /// X_ij = sin(0.98·i·(j+1)) + 0.5·cos(0.45·i + j), `[24, 6]`.
  static let x: [[Double]] = (1...24).map { row in
    let i = Double(row)
    return (0..<6).map { column -> Double in
      let j = Double(column)
      let wave: Double = sin(0.98 * i * (j + 1))
      return wave + 0.5 * cos(0.45 * i + j)
    }
  }

  /// Y_il = 0.8·tanh((XW)_il) + 0.3·sin(0.53·i·(l+2)), W_jl = cos(j+2l), `[24, 4]`.
  static let y: [[Double]] = (1...24).map { row in
    let i = Double(row)
    return (0..<4).map { column -> Double in
      let l = Double(column)
      var product: Double = 0
      for j in 0..<6 { product += x[row - 1][j] * cos(Double(j) + 2 * l) }
      return 0.8 * tanh(product) + 0.3 * sin(0.53 * i * (l + 2))
    }
  }

  /// X as a tensor.
  static func left(_ dtype: DType) -> Tensor { tensor(x, dtype) }

  /// Y as a tensor.
  static func right(_ dtype: DType) -> Tensor { tensor(y, dtype) }

  private static func tensor(_ rows: [[Double]], _ dtype: DType) -> Tensor {
    Tensor(rows.flatMap { $0 }, shape: [rows.count, rows[0].count]).to(dtype)
  }
}

/// Whether two numbers agree relative to the second.
func agrees(_ found: Double, _ expected: Double, within tolerance: Double) -> Bool {
  abs(found - expected) <= tolerance * abs(expected)
}
