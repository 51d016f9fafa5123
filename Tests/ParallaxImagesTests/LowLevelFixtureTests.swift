import Foundation
import ParallaxImages
import ParallaxTensors
import ParallaxTestSupport
import Testing

/// `Tests/Fixtures/images/low-level.safetensors`: what NumPy, SciPy and scikit-image say of made-up pictures.
struct LowLevelFixture {
  let file: Safetensors
  let pictures: [String]
  let names: [String]

  init() throws {
    let table = try imageTable("low-level")
    func list(_ key: String) throws -> [String] {
      let text = try #require(table.metadata[key])
      return try JSONDecoder().decode([String].self, from: Data(text.utf8))
    }
    (file, pictures, names) = (table, try list("pictures"), try list("names"))
  }

  /// One picture, `[1, 3, height, width]` in float32.
  func picture(_ name: String) throws -> Tensor {
    let stored = try #require(file["picture/\(name)"])
    return (stored.dtype == .uint8 ? stored.to(.float32) / 255 : stored).unsqueezed(0)
  }

  func numbers(_ key: String) throws -> [Double] {
    try #require(file[key]).scalars(Double.self)
  }
}

@Suite("Low-level statistics against their oracle")
struct LowLevelFixtureTests {
  @Test(
    "every statistic of every picture is NumPy's, SciPy's or scikit-image's to a digit of float32")
  func statistics() throws {
    let fixture = try LowLevelFixture()
    #expect(fixture.names == LowLevelStatistics.names && fixture.pictures.count == 19)
    for name in fixture.pictures {
      let found = LowLevelStatistics()(try fixture.picture(name))
      #expect(found.shape == [1, 31] && found.dtype == .float32)
      let expected = try fixture.numbers("statistics/\(name)")
      for (place, (found, expected)) in zip(found.scalars(Double.self), expected).enumerated() {
        #expect(found.isFinite)
        // Cancelled sums, such as the mean hue of noise, are as exact as their terms.
        let gap = abs(found - expected) / max(abs(expected), 1e-6)
        #expect(gap < 1e-7, "\(LowLevelStatistics.names[place]) of \(name): \(found), \(expected)")
      }
    }
  }

  @Test("area averages are scikit-image's resize_local_mean", arguments: ["disc", "tall", "six"])
  func areas(_ name: String) throws {
    let fixture = try LowLevelFixture()
    let picture = try fixture.picture(name)
    for (height, width) in [(8, 8), (13, 11)] {
      let found = picture.areaAveraged(to: height, width)
      #expect(found.shape == [1, 3, height, width] && found.dtype == .float32)
      let expected = try fixture.numbers("area/\(name)/\(height)x\(width)")
      let gap = zip(found.scalars(Double.self), expected).map { abs($0 - $1) }.max() ?? .infinity
      #expect(gap < 6e-8)
    }
  }

  @Test("a picture's numbers do not depend on the pictures beside it")
  func batches() throws {
    let pictures = RandomSource(seed: 4).uniform([5, 3, 30, 41])
    let all = LowLevelStatistics()(pictures)
    for index in 0..<5 {
      let one = LowLevelStatistics()(pictures.sliced(0, index, index + 1))
      #expect(one.bytes() == all.sliced(0, index, index + 1).bytes())
    }
    #expect(LowLevelStatistics()(pictures.sliced(0, 0, 0)).shape == [0, 31])
  }

  @Test("the groups hold every column once, in the order of the table")
  func groups() {
    let groups = LowLevelStatistics.groups
    #expect(
      groups.map(\.name) == [
        "luminance", "contrast", "colour", "colourfulness", "entropy", "edges", "spectrum",
      ])
    #expect(groups.flatMap { Array($0.columns) } == Array(0..<LowLevelStatistics.names.count))
    #expect(groups.map(\.columns.count) == [2, 1, 9, 1, 1, 11, 6])
    #expect(Set(LowLevelStatistics.names).count == 31)
    #expect(LowLevelStatistics.definitions.allSatisfy { !$0.formula.isEmpty && !$0.source.isEmpty })
  }
}
