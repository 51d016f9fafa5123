import Foundation
import ParallaxTensors

/// A decoded image: 8-bit RGB, interleaved, rows from the top.
public struct ImageBuffer: Hashable, Sendable {
  /// Pixels a row.
  public let width: Int
  /// Rows.
  public let height: Int
  /// Red, green and blue of every pixel, `[height, width, 3]`.
  public let pixels: [UInt8]

  /// What becomes of transparency.
  public enum Alpha: String, Codable, CaseIterable, Sendable {
    /// The image lies on white: `(a * c + (255 - a) * 255) / 255`, rounded as Pillow's `paste` does.
    case overWhite = "white"
    /// The colours behind transparent pixels show, as in Pillow's `convert("RGB")`.
    case drop
  }

  /// The most pixels an image may have, at which Pillow too refuses.
  public static let mostPixels = 178_956_970
  /// The longest side an image may have.
  public static let longestSide = 1_000_000

  /// An image from its pixels.
  ///
  /// - Parameters:
  ///   - width: pixels a row, at least 1.
  ///   - height: rows, at least 1.
  ///   - pixels: `[height, width, 3]`.
  /// - Precondition: the sizes agree.
  public init(width: Int, height: Int, pixels: [UInt8]) {
    precondition(
      width > 0 && height > 0 && pixels.count == 3 * width * height,
      "ImageBuffer: \(pixels.count) bytes for \(width) x \(height) pixels")
    self.width = width
    self.height = height
    self.pixels = pixels
  }

  /// An image of one colour.
  public init(width: Int, height: Int, colour: RGB) {
    let row = [UInt8]([[UInt8]](repeating: colour.components, count: width).joined())
    self.init(
      width: width, height: height, pixels: Array([[UInt8]](repeating: row, count: height).joined())
    )
  }

  /// Decodes JPEG, PNG or WebP, told apart by the first bytes, and turns it upright as its EXIF says.
  ///
  /// The pixels are those of Pillow's `ImageOps.exif_transpose(Image.open(f)).convert("RGB")` but for
  /// two choices: alpha is laid over white unless it is to be dropped, and of 16-bit grey the high
  /// byte is taken, as of 16-bit colour (Pillow clips 16-bit grey at 255). Colour profiles and gamma
  /// are not applied.
  ///
  /// - Throws: `ImageError.image` where the bytes are no image, are truncated or damaged, or announce
  ///   more pixels than are allowed or than they could hold.
  public init(decoding bytes: [UInt8], alpha: Alpha = .overWhite) throws(ImageError) {
    guard !bytes.isEmpty else { throw .image(image: "image", problem: "has zero bytes") }
    guard let format = ImageFormat(magic: bytes) else {
      let head = bytes.prefix(4).map { String($0, radix: 16) }.joined(separator: " ")
      throw .image(
        image: "image", problem: "is neither JPEG, PNG nor WebP: it begins with bytes \(head)")
    }
    let (width, height, channels) = try format.header(bytes)
    guard width > 0, height > 0, width <= Self.longestSide, height <= Self.longestSide,
      width * height <= Self.mostPixels
    else {
      throw .image(
        image: "image",
        problem: "announces \(width) x \(height) pixels, expected at most \(Self.mostPixels)")
    }
    guard width * height <= format.mostPixels(bytes: bytes.count) else {
      throw .image(
        image: "image",
        problem: "truncated \(format.rawValue): announces \(width) x \(height) pixels "
          + "in \(bytes.count) bytes")
    }
    var pixels = try format.decode(bytes, count: width * height * channels)
    if channels == 4 { pixels = Self.flatten(pixels, alpha: alpha) }
    let stored = ImageBuffer(width: width, height: height, pixels: pixels)
    self = stored.turned(EXIF.orientation(in: bytes, format: format))
  }

  /// Decodes an image in memory.
  ///
  /// - Throws: `ImageError.image`.
  public init(decoding data: Data, alpha: Alpha = .overWhite) throws(ImageError) {
    try self.init(decoding: [UInt8](data), alpha: alpha)
  }

  /// Decodes an image file.
  ///
  /// - Throws: `ImageError.file` where it cannot be read, `ImageError.image` where it is no image;
  ///   both name the file.
  public init(decoding file: URL, alpha: Alpha = .overWhite) throws(ImageError) {
    let path = file.path(percentEncoded: false)
    let bytes = try Self.bytes(ofFile: path)
    do throws(ImageError) {
      try self.init(decoding: bytes, alpha: alpha)
    } catch {
      throw .image(image: path, problem: error.problem)
    }
  }

  /// All bytes of a file.
  static func bytes(ofFile path: String) throws(ImageError) -> [UInt8] {
    do throws(TensorError) {
      let file = try MappedFile(path)
      return file.bytes(0..<file.count)
    } catch {
      throw .file(path: path, problem: error.problem)
    }
  }

  private static func flatten(_ rgba: [UInt8], alpha: Alpha) -> [UInt8] {
    let count = rgba.count / 4
    return unsafe [UInt8](unsafeUninitializedCapacity: 3 * count) { out, initialized in
      unsafe rgba.withUnsafeBufferPointer { source in
        var from = 0
        var to = 0
        while to < 3 * count {
          let opacity = unsafe alpha == .drop ? 255 : UInt32(source[from + 3])
          var channel = 0
          while channel < 3 {
            let sum = unsafe UInt32(source[from + channel]) * opacity + 255 * (255 - opacity) + 128
            unsafe out[to + channel] = UInt8(truncatingIfNeeded: (sum >> 8 + sum) >> 8)
            channel += 1
          }
          from += 4
          to += 3
        }
        initialized = to
      }
    }
  }
}

/// A colour of 8 bits a channel.
public struct RGB: Hashable, Codable, Sendable {
  /// The red part.
  public var red: UInt8
  /// The green part.
  public var green: UInt8
  /// The blue part.
  public var blue: UInt8

  /// A colour from its parts.
  public init(_ red: UInt8, _ green: UInt8, _ blue: UInt8) {
    self.red = red
    self.green = green
    self.blue = blue
  }

  /// White.
  public static let white = RGB(255, 255, 255)
  /// Black.
  public static let black = RGB(0, 0, 0)

  /// Red, green, blue.
  public var components: [UInt8] { [red, green, blue] }
}
