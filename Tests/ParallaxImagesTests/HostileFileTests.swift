import Foundation
import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Hostile files")
struct HostileFileTests {
  static let small = [
    "baseline-420.jpg", "progressive.jpg", "cmyk.jpg", "orientation-6.jpg", "grey4.png",
    "palette-transparent.png", "orientation-6.png", "interlaced.png", "lossy.webp",
    "lossy-alpha.webp", "lossless.webp", "orientation-8.webp",
  ]

  @Test("a file cut off at any length is refused, or whole already", arguments: small)
  func truncated(name: String) throws {
    let bytes = try imageFile(name)
    let whole = try ImageBuffer(decoding: bytes)
    var refused = 0
    for length in 0..<bytes.count {
      do throws(ImageError) {
        // What follows the pixels (end marks, a late EXIF chunk) may be missing.
        let image = try ImageBuffer(decoding: Array(bytes.prefix(length)))
        #expect(Set(image.pixels) == Set(whole.pixels), "\(length) bytes of \(name) made a picture")
      } catch {
        refused += 1
        #expect(!error.description.contains("\n"))
      }
    }
    #expect(refused >= bytes.count * 9 / 10)
  }

  @Test("flipped bits lead to an image or an error, never further", arguments: small)
  func flipped(name: String) throws {
    let bytes = try imageFile(name)
    var random = SplitMix(state: 7)
    var refused = 0
    for _ in 0..<300 {
      var damaged = bytes
      for _ in 0..<Int.random(in: 1...4, using: &random) {
        let at = Int.random(in: 0..<bytes.count, using: &random)
        damaged[at] ^= 1 << UInt8.random(in: 0..<8, using: &random)
      }
      do throws(ImageError) { _ = try ImageBuffer(decoding: damaged) } catch { refused += 1 }
    }
    #expect(refused > 0)
  }

  @Test("huge dimensions are refused before memory is asked for")
  func huge() throws {
    func refusal(_ bytes: [UInt8]) -> String? {
      do throws(ImageError) { _ = try ImageBuffer(decoding: bytes) } catch {
        return error.description
      }
      return nil
    }
    var png = try imageFile("rgb.png")
    png.replaceSubrange(16..<24, with: [0, 1, 0, 0, 0, 1, 0, 0])
    png.replaceSubrange(29..<33, with: crc32(Array(png[12..<29])))
    #expect(refusal(png)?.contains("65536 x 65536") == true)

    var jpeg = try imageFile("baseline-444.jpg")
    let frame = try #require(
      jpeg.indices.dropLast().first { jpeg[$0] == 0xFF && jpeg[$0 + 1] == 0xC0 })
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0xFF, 0, 0xFF, 0])
    #expect(refusal(jpeg)?.contains("65280 x 65280") == true)
    jpeg.replaceSubrange(frame + 5..<frame + 9, with: [0x20, 0, 0x20, 0])
    #expect(refusal(jpeg)?.contains("truncated JPEG") == true)

    var webp = try imageFile("lossless.webp")
    webp.replaceSubrange(21..<25, with: [0xFF, 0xFF, 0xFF, 0x0F])
    #expect(refusal(webp)?.contains("16384 x 16384") == true)
  }

  @Test("what is no image is refused with its name and its first bytes")
  func noImage() throws {
    let folder = try ScratchFolder()
    let empty = try folder.write([], "empty.png")
    #expect(throws: ImageError.image(image: empty.path, problem: "has zero bytes")) {
      try ImageBuffer(decoding: empty)
    }
    try folder.write("Not a picture.", "text.png")
    let text = folder.url.appending(path: "text.png")
    #expect(
      throws: ImageError.image(
        image: text.path,
        problem: "is neither JPEG, PNG nor WebP: it begins with bytes 4e 6f 74 20")
    ) { try ImageBuffer(decoding: text) }
    let missing = folder.url.appending(path: "missing.png")
    #expect(throws: ImageError.self) { try ImageBuffer(decoding: missing) }
  }

  @Test("EXIF with wild counts and offsets says nothing, and says so at once")
  func exif() {
    func tiff(_ rest: [UInt8]) -> Orientation? {
      EXIF.orientation(tiff: ([0x4D, 0x4D, 0, 0x2A] + rest)[...])
    }
    let entry: [UInt8] = [0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 6, 0, 0]
    #expect(tiff([0, 0, 0, 8, 0, 1] + entry) == .quarterTurn)
    #expect(tiff([0, 0, 0, 8, 0xFF, 0xFF] + entry) == .quarterTurn)
    #expect(tiff([0xFF, 0xFF, 0xFF, 0xFF, 0, 1] + entry) == nil)
    #expect(tiff([0, 0, 0, 0]) == nil)  // the directory is the header itself
    #expect(tiff([0, 0, 0, 8, 0, 1] + entry.dropLast(4)) == nil)
    #expect(tiff([0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0xFF, 0xFF, 0xFF, 0xFF, 0, 6, 0, 0]) == nil)
    #expect(tiff([0, 0, 0, 8, 0, 1, 0x01, 0x12, 0, 3, 0, 0, 0, 1, 0, 9, 0, 0]) == nil)
    #expect(EXIF.orientation(tiff: []) == nil)
  }

  @Test("segments that point beyond the file leave the picture upright")
  func segments() {
    let jpeg: [UInt8] = [0xFF, 0xD8, 0xFF, 0xE1, 0xFF, 0xFF, 0x45]
    #expect(EXIF.orientation(in: jpeg, format: .jpeg) == .upright)
    #expect(
      EXIF.orientation(in: [0xFF, 0xD8] + jpeg.dropFirst(2).dropLast(3) + [0, 0], format: .jpeg)
        == .upright)
    let png = [UInt8](repeating: 0xFF, count: 40)
    #expect(EXIF.orientation(in: png, format: .png) == .upright)
    #expect(EXIF.orientation(in: png, format: .webp) == .upright)
    #expect(EXIF.orientation(in: Array(png.prefix(10)), format: .webp) == .upright)
  }

  @Test("a strip a pixel wide is cropped, or refused where its resized length has no bounds")
  func strips() throws {
    let strip = ImageBuffer(width: 1, height: 3000, colour: RGB(1, 2, 3))
    #expect(try Preprocessing.centre(224)(strip).count == 3 * 224 * 224)
    let longer = ImageBuffer(width: 1, height: 100_000, colour: RGB(1, 2, 3))
    #expect(throws: ImageError.self) { try Preprocessing.centre(224)(longer) }
    #expect(try Preprocessing.letterbox(32)(longer).count == 3 * 32 * 32)
  }

  private func crc32(_ bytes: [UInt8]) -> [UInt8] {
    var crc: UInt32 = 0xFFFF_FFFF
    for byte in bytes {
      crc ^= UInt32(byte)
      for _ in 0..<8 { crc = crc & 1 == 1 ? (crc >> 1) ^ 0xEDB8_8320 : crc >> 1 }
    }
    crc ^= 0xFFFF_FFFF
    return [UInt8(crc >> 24), UInt8(crc >> 16 & 255), UInt8(crc >> 8 & 255), UInt8(crc & 255)]
  }
}
