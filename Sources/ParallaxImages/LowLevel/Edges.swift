import ParallaxTensors

/// Sobel's gradients of one picture.
struct Edges {
  /// gx and gy, luminance a pixel to the right and downwards, `[height, width]`.
  private let (across, down): (Tensor, Tensor)

  /// A ramp that gains s a pixel has the gradient s; the outermost pixels are repeated beyond the border.
  ///
  /// Differences are taken first: exactly 0 where nothing changes.
  ///
  /// - Parameter luminance: `[height, width]` in float64.
  init(_ luminance: Tensor) {
    let padded = PixelOperator.pad(luminance.unsqueezed(0), [1, 1, 1, 1]).selected(0, 0)
    func smoothed(_ x: Tensor, _ dim: Int) -> Tensor {
      let count = x.shape[dim] - 2
      return (x.sliced(dim, 0, count) + x.sliced(dim, 1, count + 1) * 2 + x.sliced(dim, 2)) / 8
    }
    func difference(_ dim: Int) -> Tensor {
      padded.sliced(dim, 2) - padded.sliced(dim, 0, padded.shape[dim] - 2)
    }
    across = smoothed(difference(1), 0)
    down = smoothed(difference(0), 1)
  }

  /// A tenth of what a step from black to white gives, which is 0.5. The margin keeps bytes that meet it exactly out.
  private static let threshold = 0.05 * 0.05 * (1 + 1e-5)

  var statistics: [Tensor] {
    let squares = across.squared() + down.squared()
    let size = squares.squareRoot()
    let density = PixelOperator.greaterNumber(squares, Self.threshold).to(.float64).mean()
    // No quotient of whole numbers is the tangent of a bin's end, so that bytes never meet one.
    let turns = PixelOperator.angle(down, across) * (8 / Double.pi)
    let bins = PixelOperator.remainder(PixelOperator.floor(turns + 0.5), 8.0)
    let sums = size.reshaped(-1).sums(by: bins.reshaped(-1).to(.int64), 8)
    let shares = sums.orZero(over: sums.sum())
    return [size.mean(), density] + shares.unbound(0) + [shares.entropy()]
  }
}
