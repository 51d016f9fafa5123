import ParallaxTensors

extension Tensor {
  /// Images `[batch, channels, height, width]` averaged over the cells of a grid, exactly.
  ///
  /// Cell i of n covers [i·height/n, (i + 1)·height/n) and takes of each pixel the share that lies in it. Where the sides
  /// are multiples of the grid's, these are plain means of blocks; PyTorch's adaptive pooling gives other numbers
  /// elsewhere, for its cells overlap. Computed in float64; agrees with scikit-image's `resize_local_mean` to float32's
  /// rounding.
  ///
  /// - Parameters:
  ///   - height: rows of the grid, at least 1.
  ///   - width: its columns, at least 1.
  /// - Returns: `[batch, channels, height, width]` in float32.
  public func areaAveraged(to height: Int, _ width: Int) -> Tensor {
    precondition(
      rank == 4 && height > 0 && width > 0,
      "areaAveraged: expected [batch, channels, height, width] and a grid, found \(shape)")
    let home = device.description.hasPrefix("mps") ? Device.cpu : device
    let rows = Self.coverage(shape[2], height).to(home)
    let columns = Self.coverage(shape[3], width).transposed().to(home)
    let wide = to(home).to(.float64)
    return rows.times(wide.times(columns)).to(.float32).to(device)
  }

  /// The weight of each of `count` pixels in each of `cells` cells, `[cells, count]`; rows sum to 1.
  private static func coverage(_ count: Int, _ cells: Int) -> Tensor {
    var weights = [Double](repeating: 0, count: cells * count)
    // In parts of a pixel, `cells` to one and `count` to a cell, so that all is whole.
    for cell in 0..<cells {
      let (start, end) = (cell * count, (cell + 1) * count)
      for pixel in start / cells...(end - 1) / cells {
        let shared = min(end, (pixel + 1) * cells) - max(start, pixel * cells)
        weights[cell * count + pixel] = Double(shared) / Double(count)
      }
    }
    return Tensor(weights, shape: [cells, count])
  }
}
