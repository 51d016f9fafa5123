import ParallaxTensors

extension RenamedWeights.Recipe {
  /// A class token: `[width]` or `[1, 1, width]` as `[1, 1, width]`.
  static func token(_ name: String) -> Self {
    Self(
      sources: [name], shape: { [1, 1] + Array($0[0].drop { $0 == 1 }) },
      make: { $0[0].reshaped(1, 1, -1) })
  }

  /// A matrix with a batch of one before it, where it has none.
  static func batched(_ name: String) -> Self {
    Self(
      sources: [name], shape: { $0[0].count == 2 ? [1] + $0[0] : $0[0] },
      make: { $0[0].rank == 2 ? $0[0].reshaped([1] + $0[0].shape) : $0[0] })
  }

  /// `[1, n, width]` tensors, one after the other along the tokens.
  static func stacked(_ names: [String]) -> Self {
    Self(
      sources: names,
      shape: { shapes in
        guard let first = shapes.first, first.count == 3,
          shapes.allSatisfy({ $0.count == 3 && $0[0] == first[0] && $0[2] == first[2] })
        else { return shapes.last ?? [] }
        return [first[0], shapes.map { $0[1] }.reduce(0, +), first[2]]
      }, make: { Tensor.concatenated($0, 1) },
      parts: { asked in
        guard asked.count == 3 else { return [asked, asked] }
        return [[asked[0], 1, asked[2]], [asked[0], asked[1] - 1, asked[2]]]
      })
  }

  /// `[1, n, width]` without its first rows.
  static func rows(from start: Int, of name: String) -> Self {
    Self(
      sources: [name],
      shape: { $0[0].count == 3 ? [$0[0][0], max(0, $0[0][1] - start), $0[0][2]] : $0[0] },
      make: { $0[0].sliced(1, start) },
      parts: { $0.count == 3 ? [[$0[0], $0[1] + start, $0[2]]] : [$0] })
  }

  /// A token `[1, 1, width]` with the first row of `[1, n, width]` added; errors say which n is expected.
  static func sum(_ token: String, rowOf positions: String, _ rows: Int) -> Self {
    Self(
      sources: [token, positions],
      shape: { $0[1].count == 3 && $0[1][0] == 1 && $0[1].last == $0[0].last ? $0[0] : $0[1] },
      // In float32, for half precision would round the sum.
      make: { $0[0].to(.float32) + $0[1].sliced(1, 0, 1).to(.float32) },
      parts: { [$0, [1, rows, $0.last ?? 0]] })
  }

  /// Some of three equal parts of a matrix or vector, along its first dimension.
  static func thirds(_ range: Range<Int>, of name: String) -> Self {
    Self(
      sources: [name],
      shape: { shapes in
        guard let rows = shapes[0].first, rows % 3 == 0 else { return shapes[0] }
        return [rows / 3 * range.count] + shapes[0].dropFirst()
      },
      make: { parts in
        let rows = parts[0].shape[0] / 3
        return parts[0].sliced(0, range.lowerBound * rows, range.upperBound * rows)
      }, parts: { [[3 * ($0.first ?? 0) / max(1, range.count)] + $0.dropFirst()] })
  }
}
