import CImageCodecs

/// The file formats that are read, told apart by their first bytes, never by the file's name.
public enum ImageFormat: String, CaseIterable, Sendable {
  /// Baseline and progressive JPEG.
  case jpeg = "JPEG"
  /// Portable network graphics.
  case png = "PNG"
  /// Lossy and lossless WebP, still images only.
  case webp = "WebP"

  /// The format that the first bytes announce.
  public init?(magic bytes: some Collection<UInt8>) {
    let head = Array(bytes.prefix(12))
    if head.starts(with: [0xFF, 0xD8, 0xFF]) {
      self = .jpeg
    } else if head.starts(with: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A]) {
      self = .png
    } else if head.starts(with: Array("RIFF".utf8)), head.dropFirst(8).elementsEqual("WEBP".utf8) {
      self = .webp
    } else {
      return nil
    }
  }

  typealias Header = (width: Int, height: Int, channels: Int)

  /// Reads width, height and channels without decoding.
  func header(_ bytes: [UInt8]) throws(ImageError) -> Header {
    var header = codec_header()
    try unsafe call { message in
      switch self {
      case .jpeg: unsafe codec_jpeg_header(bytes, bytes.count, &header, message)
      case .png: unsafe codec_png_header(bytes, bytes.count, &header, message)
      case .webp: unsafe codec_webp_header(bytes, bytes.count, &header, message)
      }
    }
    return (Int(header.width), Int(header.height), Int(header.channels))
  }

  /// Decodes into `count` bytes.
  func decode(_ bytes: [UInt8], count: Int) throws(ImageError) -> [UInt8] {
    var failure: ImageError?
    let pixels = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, initialized in
      guard let base = buffer.baseAddress else { return }
      do throws(ImageError) {
        try unsafe call { message in
          switch self {
          case .jpeg: unsafe codec_jpeg_decode(bytes, bytes.count, base, count, message)
          case .png: unsafe codec_png_decode(bytes, bytes.count, base, count, message)
          case .webp: unsafe codec_webp_decode(bytes, bytes.count, base, count, message)
          }
        }
        initialized = count
      } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return pixels
  }

  /// The most pixels that so many bytes can hold: a file that announces more is cut off or made to
  /// exhaust memory.
  ///
  /// JPEG spends a bit on each block of 64 pixels at the least, deflate compresses 1032 to 1 at most;
  /// lossless WebP has no such bound.
  func mostPixels(bytes: Int) -> Int {
    switch self {
    case .jpeg: 64 * 8 * bytes
    case .png: 8 * 1032 * bytes
    case .webp: .max
    }
  }

  private func call(_ codec: (UnsafeMutablePointer<CChar>) -> Int32) throws(ImageError) {
    var message = [CChar](repeating: 0, count: Int(CODEC_MESSAGE))
    let status = unsafe message.withUnsafeMutableBufferPointer { buffer in
      guard let base = buffer.baseAddress else { return Int32(CODEC_MEMORY.rawValue) }
      return unsafe codec(base)
    }
    guard status != CODEC_OK.rawValue else { return }
    let text = String(
      decoding: message.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let verdict =
      switch status {
      case Int32(CODEC_TRUNCATED.rawValue): "truncated \(rawValue)"
      case Int32(CODEC_CORRUPT.rawValue): "damaged \(rawValue)"
      case Int32(CODEC_UNSUPPORTED.rawValue): "unsupported \(rawValue)"
      default: "\(rawValue) cannot be decoded"
      }
    throw .image(image: "image", problem: "\(verdict): \(text)")
  }
}
