import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Resampling")
struct ResamplingTests {
  @Test("every filter gives Pillow's pixels, larger and smaller", arguments: Resampling.allCases)
  func pillow(filter: Resampling) throws {
    let table = try imageTable("resized")
    let keys = table.names.filter {
      $0.hasPrefix("resized/") && $0.split(separator: "/")[2] == filter.rawValue
    }
    #expect(keys.count == 10)
    for key in keys {
      let parts = key.split(separator: "/")
      let size = parts[3].split(separator: "x").compactMap { Int($0) }
      let source = try table.image("source/\(parts[1])")
      let resized = source.resized(width: size[0], height: size[1], using: filter)
      #expect(difference(resized, try table.image(key)) == 0, "\(key)")
    }
  }

  @Test("a window equals the same part of the whole", arguments: Resampling.allCases)
  func window(filter: Resampling) throws {
    let source = try imageTable("resized").image("source/c")
    for (width, height) in [(90, 70), (31, 23), (59, 10), (60, 20), (20, 45), (60, 45)] {
      let whole = source.resized(width: width, height: height, using: filter)
      let window = PixelWindow(x: 7, y: 3, width: 11, height: 5)
      let part = source.resized(width: width, height: height, using: filter, window: window)
      for row in 0..<window.height {
        let start = 3 * ((row + window.y) * width + window.x)
        #expect(
          Array(whole.pixels[start..<start + 33]) == Array(part.pixels[33 * row..<33 * row + 33]))
      }
    }
  }

  @Test("one colour stays that colour at any size", arguments: Resampling.allCases)
  func constant(filter: Resampling) {
    let image = ImageBuffer(width: 13, height: 7, colour: RGB(3, 128, 255))
    for (width, height) in [(1, 1), (5, 30), (40, 2), (13, 7)] {
      let resized = image.resized(width: width, height: height, using: filter)
      #expect(resized == ImageBuffer(width: width, height: height, colour: RGB(3, 128, 255)))
    }
  }

  @Test("weights vanish at the support's edge and are those of the definition")
  func weights() {
    for filter in Resampling.allCases where filter != .nearest {
      #expect(abs(filter.weight(filter.support + 1e-9)) < 1e-8)
      #expect(filter.weight(0) == 1)
    }
    #expect(Resampling.bicubic.weight(0.5) == 0.5625)
    #expect(Resampling.bicubic.weight(1.5) == -0.0625)
    #expect(Resampling.bilinear.weight(-0.25) == 0.75)
  }
}
