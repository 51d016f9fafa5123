import ParallaxTensors

extension Descent {
  /// One look at the pictures: the step, and what of them the model sees.
  public struct Moment: Sendable, Hashable {
    /// Which of the octaves, from 0.
    public let octave: Int
    /// i within the octave, from 0; N after the last step.
    public let step: Int
    /// The height of the whole pictures in pixels.
    public let height: Int
    /// Their width.
    public let width: Int
    /// The first row that the model sees.
    public private(set) var top = 0
    /// The first column.
    public private(set) var left = 0
    /// How many rows.
    public private(set) var rows: Int
    /// How many columns.
    public private(set) var columns: Int
    /// By how many rows and columns what the model sees is rolled.
    public private(set) var shift = [0, 0]
    /// Whether a point of the trace is wanted.
    public private(set) var isLogged: Bool

    init(octave: Int, step: Int, height: Int, width: Int, isLogged: Bool) {
      (self.octave, self.step, self.height, self.width) = (octave, step, height, width)
      (rows, columns, self.isLogged) = (height, width, isLogged)
    }

    /// Whether the model sees whole pictures, rolled or not.
    public var isWhole: Bool { rows == height && columns == width }

    /// What the model sees of other pictures: resized to these pictures' size, then cut; not rolled.
    ///
    /// - Parameter pictures: `[batch, channels, …, …]`.
    /// - Returns: `[batch, channels, rows, columns]`.
    public func part(of pictures: Tensor) -> Tensor { cut(pictures.resized(height, width)) }

    func cut(_ pictures: Tensor) -> Tensor {
      isWhole
        ? pictures
        : pictures.sliced(2, top, top + rows).sliced(3, left, left + columns)
    }

    func rolled(_ pictures: Tensor) -> Tensor {
      shift == [0, 0] ? pictures : pictures.rolled(shift, [2, 3])
    }

    mutating func cut(to side: Int, _ places: [Double]) {
      func first(_ length: Int, _ place: Double) -> Int {
        min(length - side, Int(place * Double(length - side + 1)))
      }
      (top, left) = (first(height, places[0]), first(width, places[1]))
      (rows, columns) = (side, side)
    }

    mutating func roll(_ reach: Int, _ places: [Double]) {
      shift = places.map { Int(($0 * Double(2 * reach + 1)).rounded(.down)) - reach }
    }

    /// The same look, noted.
    var logged: Moment {
      var copy = self
      copy.isLogged = true
      return copy
    }

    mutating func becomeWhole() {
      (top, left, rows, columns, shift) = (0, 0, height, width, [0, 0])
    }
  }

  /// The look of a state's next step; crops and jitter are drawn from the seed and the step, the same for all pictures.
  func moment(_ state: State, _ seed: UInt64, isLogged: Bool) -> Moment {
    let ((octave, step), (height, width)) = (place(state.step), size(state))
    let rules = recipe.octaves[octave]
    var moment = Moment(
      octave: octave, step: step, height: height, width: width, isLogged: isLogged)
    func places(_ purpose: UInt64) -> [Double] {
      let own = seed &* 1_000_003 &+ UInt64(state.step) &+ purpose &* 0x9E37_79B9_7F4A_7C15
      return RandomSource(seed: own).uniform([2]).scalars(Float.self).map(Double.init)
    }
    if let crop = rules.crop { moment.cut(to: crop, places(1)) }
    let reach = Int(LinearSchedule(Double(rules.jitter), 0)(step, of: rules.steps).rounded())
    if reach > 0 { moment.roll(reach, places(0)) }
    return moment
  }
}
