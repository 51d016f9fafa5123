import ParallaxTensors

/// Sizes of effective receptive fields, in pixels.
public struct FieldStatistics: Sendable {
  /// The sizes of one field.
  public struct Values: Sendable, Equatable {
    /// Mean distance of the mass from its own centroid.
    public var radius: Double
    /// Standard deviation of the mass about its centroid, per axis: √((σ_y² + σ_x²) / 2).
    public var spread: Double
    /// Luo's size: √ of the number of pixels above 1 − 95.45 % of the maximum.
    public var luo: Double
    /// Sides of the smallest squares round the centre location that hold each of ``FieldStatistics/shares`` of the mass.
    public var squares: [Double]
    /// Share of the mass within the location's own cell, for a transformer its patch.
    public var centre: Double
  }

  /// The shares of the mass that squares are to hold, RepLKNet's.
  public static let shares = [0.2, 0.3, 0.5, 0.99]
  /// The part of the maximum that a pixel must exceed to be counted by Luo's size.
  public static let threshold = 1 - 0.9545

  private static let largest = Operator("aten::amax")
  private static let greater = Operator("aten::gt.Tensor")
  private static let addAt = Operator("aten::index_add")

  /// Row and column of each pixel, and their squares, `[pixels, 4]`.
  private let moments: Tensor
  /// For each pixel the number of the square round the location that it is on.
  private let ring: Tensor
  private let sides: [Double]
  private let cell: (rows: Range<Int>, columns: Range<Int>)

  /// Sizes round a location of a grid that covers the image evenly.
  ///
  /// The location's centre is that of its cell, (i + ½)·height/rows; where a convolution's padding puts it elsewhere, the
  /// squares and the cell are off by a part of the stride. Radius, spread and Luo's size do not depend on it.
  public init(height: Int, width: Int, location: CentreLocation) {
    func middle(_ index: Int, _ cells: Int, _ pixels: Int) -> Double {
      (Double(index) + 0.5) * Double(pixels) / Double(cells) - 0.5
    }
    func own(_ index: Int, _ cells: Int, _ pixels: Int) -> Range<Int> {
      let low = index * pixels / cells
      return low..<max(low + 1, ((index + 1) * pixels + cells - 1) / cells)
    }
    let y0 = middle(location.row, location.grid.rows, height)
    let x0 = middle(location.column, location.grid.columns, width)
    cell = (
      own(location.row, location.grid.rows, height),
      own(location.column, location.grid.columns, width)
    )
    var moments: [Double] = []
    var ring: [Int64] = []
    var farthest: [Double] = []
    for row in 0..<height {
      for column in 0..<width {
        let (y, x) = (Double(row), Double(column))
        moments += [y, x, y * y, x * x]
        let distance = max(abs(y - y0), abs(x - x0))
        let place = Int(distance)
        while farthest.count <= place { farthest.append(Double(farthest.count)) }
        farthest[place] = max(farthest[place], distance)
        ring.append(Int64(place))
      }
    }
    self.moments = Tensor(moments, shape: [height * width, 4])
    self.ring = Tensor(ring, shape: [height * width])
    sides = farthest.map { 2 * $0 + 1 }
  }

  /// The sizes of some fields.
  ///
  /// - Parameter maps: `[fields, height, width]`, nowhere negative.
  /// - Returns: for each its sizes; nil where it has no mass.
  public func callAsFunction(_ maps: Tensor) -> [Values?] {
    let maps = maps.to(.float64).to(.cpu)
    let count = maps.shape[0]
    let flat = maps.reshaped(count, -1)
    let totals = flat.sum(over: [1])
    let sums = flat.times(moments) / totals.reshaped(-1, 1)  // [fields, 4]
    let largest = Self.largest(flat, [1] as [Int], true)
    let above = Self.greater(flat, largest * Self.threshold).to(.float64).sum(over: [1])
    let rings = Self.addAt(Tensor.zeros([count, sides.count], .float64), 1, ring, flat)
    let own = maps.sliced(1, cell.rows.lowerBound, cell.rows.upperBound)
      .sliced(2, cell.columns.lowerBound, cell.columns.upperBound).sum(over: [1, 2])
    let (total, centroid) = (totals.scalars(Double.self), sums.scalars(Double.self))
    let (pixels, mass) = (above.scalars(Double.self), rings.scalars(Double.self))
    let centre = own.scalars(Double.self)
    return (0..<count).map { field in
      guard total[field] > 0, total[field].isFinite else { return nil }
      let (y, x) = (centroid[4 * field], centroid[4 * field + 1])
      let variance = (centroid[4 * field + 2] - y * y) + (centroid[4 * field + 3] - x * x)
      return Values(
        radius: radius(flat.selected(0, field), y, x) / total[field],
        // Rounding can leave a single pixel with a variance a little below zero.
        spread: variance > 0 ? (variance / 2).squareRoot() : 0,
        luo: pixels[field].squareRoot(),
        squares: squares(mass[(field * sides.count)..<((field + 1) * sides.count)], total[field]),
        centre: centre[field] / total[field])
    }
  }

  private func radius(_ map: Tensor, _ y: Double, _ x: Double) -> Double {
    let rows = moments.selected(1, 0) - y
    let columns = moments.selected(1, 1) - x
    return (map * (rows.squared() + columns.squared()).squareRoot()).sum().item(Double.self)
  }

  private func squares(_ rings: ArraySlice<Double>, _ total: Double) -> [Double] {
    // What is lost by adding up may not keep the last pixel out.
    let slack = 1e-12 * total
    return Self.shares.map { share in
      var held = 0.0
      for (place, mass) in rings.enumerated() {
        held += mass
        if held >= share * total - slack { return sides[place] }
      }
      return sides.last ?? 0
    }
  }
}
