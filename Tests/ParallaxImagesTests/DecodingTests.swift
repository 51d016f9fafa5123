import Foundation
import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Decoding")
struct DecodingTests {
  static let names = [
    "baseline-420.jpg", "baseline-422.jpg", "baseline-444.jpg", "cmyk.jpg", "grey-alpha.png",
    "grey.jpg", "grey.png", "grey16.png", "grey2.png", "grey4.png", "interlaced-rgba.png",
    "interlaced.png", "lossless-alpha.webp", "lossless.webp", "lossy-alpha.webp", "lossy.webp",
    "one-bit.png", "orientation-1.jpg", "orientation-2.jpg", "orientation-3.jpg",
    "orientation-4.jpg", "orientation-5.jpg", "orientation-6.jpg", "orientation-7.jpg",
    "orientation-8.jpg", "orientation-6.png", "orientation-8.webp", "palette-one-transparent.png",
    "palette-transparent.png", "palette.png", "palette4.png", "progressive.jpg", "restart.jpg",
    "rgb-colour-key.png", "rgb.png", "rgb16.png", "rgba.png", "rgba16.png",
  ]

  @Test("every kind of file decodes to Pillow's pixels, transparency over white", arguments: names)
  func overWhite(name: String) throws {
    let expected = try imageTable("expected").image("rgb/\(name)")
    let decoded = try ImageBuffer(decoding: imageFile(name))
    #expect(difference(decoded, expected) == 0)
  }

  @Test("dropped alpha shows the colours behind it, as in Pillow", arguments: names)
  func dropped(name: String) throws {
    let table = try imageTable("expected")
    let key = table.names.contains("drop/\(name)") ? "drop/\(name)" : "rgb/\(name)"
    let decoded = try ImageBuffer(decoding: imageFile(name), alpha: .drop)
    #expect(difference(decoded, try table.image(key)) == 0)
  }

  @Test("the format is told by the bytes, not by the name")
  func formatByBytes() throws {
    let folder = try ScratchFolder()
    let file = try folder.write(imageFile("lossy.webp"), "picture.png")
    let decoded = try ImageBuffer(decoding: file)
    #expect(decoded == (try ImageBuffer(decoding: imageFile("lossy.webp"))))
  }

  @Test("turning twice by the inverse gives the image back")
  func orientations() throws {
    let image = try ImageBuffer(decoding: imageFile("rgb.png"))
    for orientation in Orientation.allCases {
      let inverse: Orientation =
        switch orientation {
        case .quarterTurn: .quarterTurnBack
        case .quarterTurnBack: .quarterTurn
        default: orientation
        }
      let turned = image.turned(orientation)
      #expect(turned.turned(inverse) == image)
      #expect((turned == image) == (orientation == .upright))
    }
  }

  @Test("a PNG that was written is read back unchanged")
  func pngRoundTrip() throws {
    let image = try ImageBuffer(decoding: imageFile("baseline-444.jpg"))
    #expect(try ImageBuffer(decoding: image.pngData()) == image)
  }

  @Test("a JPEG that was written is close to what it was made from")
  func jpegRoundTrip() throws {
    let image = try ImageBuffer(decoding: imageFile("rgb.png")).resized(
      width: 96, height: 96, using: .bicubic)
    let back = try ImageBuffer(decoding: image.jpegData(quality: 95))
    let errors = zip(image.pixels, back.pixels).map { abs(Int($0) - Int($1)) }
    #expect(back.width == 96 && back.height == 96)
    #expect(errors.reduce(0, +) < 4 * errors.count)
    #expect(try image.jpegData(quality: 20).count < image.jpegData(quality: 95).count)
  }

  @Test("a thumbnail is a square with the whole image centred on white")
  func thumbnail() {
    let image = ImageBuffer(width: 40, height: 20, colour: RGB(200, 0, 0))
    let small = image.thumbnail(side: 16)
    #expect(small.width == 16 && small.height == 16)
    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
      Array(small.pixels[3 * (16 * y + x)..<3 * (16 * y + x) + 3])
    }
    #expect(pixel(0, 3) == [255, 255, 255] && pixel(15, 12) == [255, 255, 255])
    #expect(pixel(0, 4) == [200, 0, 0] && pixel(15, 11) == [200, 0, 0])
  }
}
