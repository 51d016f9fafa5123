import Foundation
import ParallaxImages
import ParallaxTensors
import Testing

@Suite("Low-level statistics of pictures whose numbers are known")
struct LowLevelLawTests {
  /// The statistics of one picture by name.
  private func statistics(
    _ height: Int, _ width: Int, _ colour: (_ row: Double, _ column: Double) -> [Double]
  ) -> [String: Double] {
    let pixels = (0..<height).flatMap { row in
      (0..<width).map { colour(Double(row), Double($0)) }
    }
    let values = (0..<3).flatMap { channel in pixels.map { Float($0[channel]) } }
    let found = LowLevelStatistics()(Tensor(values, shape: [1, 3, height, width]))
    return Dictionary(
      uniqueKeysWithValues: zip(LowLevelStatistics.names, found.scalars(Double.self)))
  }

  private func grey(_ height: Int, _ width: Int, _ value: (Double, Double) -> Double) -> [String:
    Double]
  {
    statistics(height, width) { row, column in
      [Double](repeating: value(row, column), count: 3)
    }
  }

  @Test("a picture of one colour has the statistics that are documented, exactly")
  func oneColour() {
    for colour in [[0, 0, 0], [1, 1, 1], [0.3, 0.3, 0.3], [0.9, 0.2, 0.1], [0.1, 0.7, 0.33]] {
      for (height, width) in [(224, 224), (7, 31), (1, 1), (1, 2), (3, 1)] {
        let found = statistics(height, width) { _, _ in colour }
        let zeros = LowLevelStatistics.names.filter {
          $0.hasSuffix(".sd") || $0.hasPrefix("edges") || $0.hasPrefix("spectrum")
            || ["contrast.rms", "entropy"].contains($0)
        }
        #expect(zeros.count == 4 + 11 + 6 + 2)
        #expect(zeros.allSatisfy { found[$0] == 0 && found[$0]?.sign == .plus }, "\(colour)")
        let light = 0.2126 * colour[0] + 0.7152 * colour[1] + 0.0722 * colour[2]
        #expect(abs((found["luminance.mean"] ?? .nan) - light) < 1e-6)
        if colour[0] == colour[1] {
          let none = ["colour.saturation", "colour.hue.cos", "colour.hue.sin"]
          #expect(none.allSatisfy { found[$0] == 0 } && abs(found["colourfulness"] ?? 1) < 1e-12)
        }
      }
    }
  }

  @Test(
    "the mean hue of one hue is its angle, of opposite ones nothing",
    arguments: zip(
      [[1.0, 0, 0], [1, 1, 0], [0, 1, 0], [0, 1, 1], [0, 0, 1], [1, 0, 1], [0.5, 0.25, 0]],
      [0.0, 60, 120, 180, 240, 300, 30]))
  func hue(_ colour: [Double], _ degrees: Double) {
    let angle = degrees * .pi / 180
    // Half of the picture is grey and has no say; its saturation has.
    let found = statistics(6, 8) { _, column in column < 4 ? colour : [0.4, 0.4, 0.4] }
    #expect(abs((found["colour.hue.cos"] ?? .nan) - cos(angle)) < 1e-6)
    #expect(abs((found["colour.hue.sin"] ?? .nan) - sin(angle)) < 1e-6)
    #expect(abs((found["colour.saturation"] ?? .nan) - 0.5) < 1e-6)
    let top = colour.max() ?? 0
    let mixed = statistics(6, 8) { _, column in column < 4 ? colour : colour.map { top - $0 } }
    #expect(abs(mixed["colour.hue.cos"] ?? .nan) < 1e-6)
    #expect(abs(mixed["colour.hue.sin"] ?? .nan) < 1e-6)
  }

  @Test("colourfulness is Hasler and Süsstrunk's of one colour and of two, on the scale of bytes")
  func colourfulness() {
    // One colour: only the means, 0.3·√(1 + 0.25)·255 of red.
    let red = statistics(5, 5) { _, _ in [1, 0, 0] }
    #expect(abs((red["colourfulness"] ?? 0) - 0.3 * 1.25.squareRoot() * 255) < 1e-4)
    // Red and green, half and half: rg = ±1, yb = ½.
    let both = statistics(4, 4) { row, _ in row < 2 ? [1, 0, 0] : [0, 1, 0] }
    #expect(abs((both["colourfulness"] ?? 0) - (1 + 0.3 * 0.5) * 255) < 1e-4)
  }

  @Test("256 equally frequent levels have 8 bits, two have one")
  func entropy() {
    let all = grey(16, 16) { ($0 * 16 + $1) / 255 }
    #expect(all["entropy"] == 8)
    #expect(grey(8, 8) { _, column in column < 4 ? 0 : 1 }["entropy"] == 1)
    // The same within one level.
    #expect(grey(8, 8) { _, column in column < 4 ? 0.5 : 0.5004 }["entropy"] == 0)
  }

  @Test("a ramp's gradient is its slope, in the bin of its direction")
  func ramps() {
    for bin in 0..<8 {
      let angle = Double(bin) * .pi / 8
      let (across, down) = (0.004 * cos(angle), 0.004 * sin(angle))
      let found = grey(60, 60) { 0.5 + across * ($1 - 30) + down * ($0 - 30) }
      // Borders halve what crosses them.
      #expect(abs((found["edges.gradient"] ?? 0) - 0.004) < 1e-4)
      #expect((found["edges.orientation\(bin + 1)"] ?? 0) > 0.93, "bin \(bin)")
      #expect(found["edges.density"] == 0)
    }
  }

  @Test("vertical edges are in the first orientation, horizontal ones in the fifth, and only there")
  func orientations() {
    let stripes = { (x: Double) in Int(x) / 8 % 2 == 0 ? 0.2 : 0.8 }
    let vertical = grey(64, 64) { _, column in stripes(column) }
    let horizontal = grey(64, 64) { row, _ in stripes(row) }
    #expect(vertical["edges.orientation1"] == 1 && horizontal["edges.orientation5"] == 1)
    #expect(vertical["edges.entropy"] == 0 && horizontal["edges.entropy"] == 0)
    // Seven edges of two columns each; a step of 0.6 has the gradient 0.3 there.
    let share = 14.0 / 64
    #expect(abs((vertical["edges.density"] ?? 0) - share) < 1e-7)
    #expect(abs((vertical["edges.gradient"] ?? 0) - 0.3 * share) < 1e-7)
    // A step as high as the threshold is none, one a byte higher is one.
    let (low, high) = (0.2, 0.2 + 0.1)
    #expect(grey(9, 9) { _, x in x < 4 ? low : high }["edges.density"] == 0)
    #expect((grey(9, 9) { _, x in x < 4 ? low : high + 1 / 255 }["edges.density"] ?? 0) > 0.2)
  }

  @Test(
    "a sinusoid's power lies in its octave",
    arguments: [(10.0, 1), (20, 2), (40, 3), (80, 4), (14, 1), (28, 2), (56, 3), (112, 4)])
  func octaves(_ cycles: Double, _ octave: Int) {
    for isVertical in [true, false] {
      let found = grey(224, 224) {
        0.5 + 0.4 * cos(2 * .pi * cycles * (isVertical ? $1 : $0) / 224)
      }
      let share = found["spectrum.octave\(octave)"] ?? 0
      // The window spreads a line over three frequencies along both sides, 2/3 and twice 1/6 of its power. At an
      // octave's end the sum inside is 2/3·2/3 + 1/6, and at the highest frequency both sides fold into it.
      let inside = cycles == 112 ? 7.0 / 9 : [14, 28, 56].contains(cycles) ? 11.0 / 18 : 1
      #expect(abs(share - inside) < 1e-6, "\(cycles) cycles: \(share)")
      #expect(((found["spectrum.high"] ?? 0) > 0.5) == (octave > 2))
    }
  }

  @Test("noise of power 1/f^α has the slope α", arguments: [0.0, 1, 2, 3])
  func slopes(_ alpha: Double) {
    let side = 224
    let noise = RandomSource(seed: 12).normal([8, side, side]).to(.float64)
    let rows = Tensor.range(0, side, .float64)
    let half = (rows + Double(side / 2)).scalars(Double.self).map {
      $0.truncatingRemainder(dividingBy: Double(side)) - Double(side / 2)
    }
    let k = Tensor(half, shape: [side, 1]).squared()
    let squares = k + k.transposed()
    let radius = Operator("aten::masked_fill.Scalar")(
      squares, Operator("aten::eq.Scalar")(squares, 0.0), 1.0)
    let spectrum = Operator("aten::fft_fft2")(noise, Absent.none, [-2, -1], Absent.none)
    let field = Operator("aten::real")(
      Operator("aten::fft_ifft2")(
        spectrum * radius.power(-alpha / 4), Absent.none, [-2, -1], Absent.none))
    let size = field.absolute().maximum().item(Double.self)
    let pictures = (field * (0.4 / size) + 0.5).unsqueezed(1).expanded(8, 3, side, side)
    let found = LowLevelStatistics()(pictures.to(.float32)).scalars(Double.self)
    let column = LowLevelStatistics.names.firstIndex(of: "spectrum.slope") ?? 0
    let slopes = (0..<8).map { found[$0 * 31 + column] }
    let mean = slopes.reduce(0, +) / 8
    #expect(abs(mean - alpha) < 0.06, "\(slopes)")
  }
}
