import Foundation
import ParallaxImages
import ParallaxTensors
import ParallaxTestSupport
import Testing

/// The bytes of a fixture in `Tests/Fixtures/images`.
func imageFile(_ name: String) throws -> [UInt8] {
  [UInt8](try Data(contentsOf: fixtures.appending(path: "images/\(name)")))
}

/// A table of fixtures in `Tests/Fixtures/images`.
func imageTable(_ name: String) throws -> Safetensors {
  try Safetensors(fixtures.appending(path: "images/\(name).safetensors").path)
}

extension Safetensors {
  /// A `[height, width, 3]` entry as an image.
  func image(_ name: String) throws -> ImageBuffer {
    let tensor = try #require(self[name], "\(name) is not in the fixture")
    let shape = tensor.shape
    return ImageBuffer(width: shape[1], height: shape[0], pixels: tensor.bytes())
  }
}

/// The largest difference of two images of one size; 256 where the sizes differ.
func difference(_ a: ImageBuffer, _ b: ImageBuffer) -> Int {
  guard a.width == b.width, a.height == b.height else { return 256 }
  return zip(a.pixels, b.pixels).map { abs(Int($0) - Int($1)) }.max() ?? 256
}

/// A small generator with a seed, so that every run sees the same damage.
struct SplitMix: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// A folder that is removed after its use.
final class ScratchFolder {
  let url: URL
  var path: String { url.path }

  init() throws {
    url = FileManager.default.temporaryDirectory.appending(path: "parallax-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
  }

  deinit { try? FileManager.default.removeItem(at: url) }

  /// Writes a file, and the folders above it.
  @discardableResult
  func write(_ bytes: [UInt8], _ name: String) throws -> URL {
    let file = url.appending(path: name)
    try FileManager.default.createDirectory(
      at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
    try Data(bytes).write(to: file)
    return file
  }

  func write(_ text: String, _ name: String) throws { try write(Array(text.utf8), name) }

  func link(_ name: String, to target: String) throws {
    try FileManager.default.createSymbolicLink(
      atPath: url.appending(path: name).path, withDestinationPath: target)
  }
}

/// A PNG of one colour.
func plainPNG(width: Int = 6, height: Int = 4, _ red: UInt8 = 9) throws -> [UInt8] {
  [UInt8](try ImageBuffer(width: width, height: height, colour: RGB(red, 20, 30)).pngData())
}
