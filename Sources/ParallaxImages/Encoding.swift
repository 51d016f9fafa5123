import CImageCodecs
import Foundation

extension ImageBuffer {
  /// The whole image in a square, centred on a colour, for contact sheets.
  ///
  /// - Parameters:
  ///   - side: of the square, in pixels, at least 1.
  ///   - colour: what shows beside an image that is not square.
  /// - Returns: the square.
  public func thumbnail(side: Int, over colour: RGB = .white) -> ImageBuffer {
    let longest = max(width, height)
    let size = (
      width: max(1, (width * side + longest / 2) / longest),
      height: max(1, (height * side + longest / 2) / longest)
    )
    let small = resized(width: size.width, height: size.height, using: .bicubic)
    return small.placed(
      in: (side, side), x: (side - size.width) / 2, y: (side - size.height) / 2, over: colour)
  }

  /// The image on a larger canvas.
  func placed(in canvas: (width: Int, height: Int), x: Int, y: Int, over colour: RGB)
    -> ImageBuffer
  {
    var pixels = ImageBuffer(width: canvas.width, height: canvas.height, colour: colour).pixels
    for row in 0..<height {
      let target = 3 * ((y + row) * canvas.width + x)
      pixels.replaceSubrange(
        target..<target + 3 * width, with: self.pixels[3 * row * width..<3 * (row + 1) * width])
    }
    return ImageBuffer(width: canvas.width, height: canvas.height, pixels: pixels)
  }

  /// The image as a PNG file.
  ///
  /// - Throws: `ImageError.image` where there is no memory for it.
  public func pngData() throws(ImageError) -> Data {
    try unsafe encoded("PNG") { pixels, out, count, message in
      unsafe codec_png_encode(pixels, UInt32(width), UInt32(height), out, count, message)
    }
  }

  /// The image as a JPEG file, with colour at half resolution.
  ///
  /// - Parameter quality: 1 to 100, libjpeg's scale.
  /// - Returns: the file's bytes.
  /// - Throws: `ImageError.image` where there is no memory for it, or a side exceeds 65500.
  public func jpegData(quality: Int = 85) throws(ImageError) -> Data {
    let quality = Int32(min(max(quality, 1), 100))
    return try unsafe encoded("JPEG") { pixels, out, count, message in
      unsafe codec_jpeg_encode(pixels, UInt32(width), UInt32(height), quality, out, count, message)
    }
  }

  private typealias Encoder = (
    UnsafePointer<UInt8>?, UnsafeMutablePointer<UnsafeMutablePointer<UInt8>?>,
    UnsafeMutablePointer<Int>, UnsafeMutablePointer<CChar>
  ) -> Int32

  private func encoded(_ format: String, _ encode: Encoder) throws(ImageError) -> Data {
    var message = [CChar](repeating: 0, count: Int(CODEC_MESSAGE))
    var encoded: UnsafeMutablePointer<UInt8>?
    var count = 0
    let status = unsafe pixels.withUnsafeBufferPointer { pixels in
      unsafe message.withUnsafeMutableBufferPointer { message in
        guard let message = message.baseAddress else { return Int32(CODEC_MEMORY.rawValue) }
        return unsafe encode(pixels.baseAddress, &encoded, &count, message)
      }
    }
    guard status == CODEC_OK.rawValue, let bytes = unsafe encoded else {
      let text = String(
        decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
      throw .image(image: "image", problem: "cannot be written as \(format): \(text)")
    }
    defer { unsafe codec_free(bytes) }
    return unsafe Data(bytes: bytes, count: count)
  }
}
