/// The one thing that is wanted of a picture's EXIF block: its orientation.
///
/// Every read is bounded by the bytes at hand, only the first directory is looked at, and nothing is
/// followed twice, so no offset or length in a file can lead anywhere else.
enum EXIF {
  /// The orientation that a file of this format states, upright where it states none.
  ///
  /// Read from JPEG's APP1, PNG's `eXIf` and WebP's `EXIF`; orientation in XMP is not looked at.
  static func orientation(in bytes: [UInt8], format: ImageFormat) -> Orientation {
    let block =
      switch format {
      case .jpeg: jpegBlock(bytes)
      case .png: pngBlock(bytes)
      case .webp: webpBlock(bytes)
      }
    guard var block else { return .upright }
    if block.starts(with: marker) { block = block.dropFirst(marker.count) }
    return orientation(tiff: block) ?? .upright
  }

  private static let marker = Array("Exif\0\0".utf8)

  private static func jpegBlock(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    let all = bytes[...]
    var at = 2
    while at + 4 <= bytes.count {
      guard bytes[at] == 0xFF else { return nil }
      let code = bytes[at + 1]
      if code == 0xFF {  // fill byte
        at += 1
        continue
      }
      if code == 0x01 || (0xD0...0xD8).contains(code) {  // no length
        at += 2
        continue
      }
      // Image data or the end: no segment of interest follows.
      if code == 0xDA || code == 0xD9 || code == 0 { return nil }
      guard let length = all.integer(at: at + 2, size: 2, bigEndian: true), length >= 2 else {
        return nil
      }
      let end = at + 2 + length
      guard end <= bytes.count else { return nil }
      let body = bytes[at + 4..<end]
      if code == 0xE1, body.starts(with: marker) { return body }
      at = end
    }
    return nil
  }

  private static func pngBlock(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    let all = bytes[...]
    var at = 8
    while let length = all.integer(at: at, size: 4, bigEndian: true) {
      let end = at + 8 + length
      guard end <= bytes.count else { return nil }
      let kind = bytes[at + 4..<at + 8]
      if kind.elementsEqual("eXIf".utf8) { return bytes[at + 8..<end] }
      if kind.elementsEqual("IEND".utf8) { return nil }
      at = end + 4
    }
    return nil
  }

  private static func webpBlock(_ bytes: [UInt8]) -> ArraySlice<UInt8>? {
    let all = bytes[...]
    var at = 12
    while let length = all.integer(at: at + 4, size: 4, bigEndian: false) {
      let end = at + 8 + length
      guard end <= bytes.count else { return nil }
      if bytes[at..<at + 4].elementsEqual("EXIF".utf8) { return bytes[at + 8..<end] }
      at = end + length % 2
    }
    return nil
  }

  /// Reads tag 0x0112 of the first directory; the last entry counts, as in Pillow.
  static func orientation(tiff: ArraySlice<UInt8>) -> Orientation? {
    let bigEndian: Bool
    if tiff.starts(with: [0x49, 0x49, 0x2A, 0]) {
      bigEndian = false
    } else if tiff.starts(with: [0x4D, 0x4D, 0, 0x2A]) {
      bigEndian = true
    } else {
      return nil
    }
    let base = tiff.startIndex
    guard let directory = tiff.integer(at: base + 4, size: 4, bigEndian: bigEndian),
      let count = tiff.integer(at: base + directory, size: 2, bigEndian: bigEndian)
    else { return nil }
    var found: Int?
    for entry in 0..<count {
      let at = base + directory + 2 + 12 * entry
      guard let tag = tiff.integer(at: at, size: 2, bigEndian: bigEndian),
        let type = tiff.integer(at: at + 2, size: 2, bigEndian: bigEndian),
        let values = tiff.integer(at: at + 4, size: 4, bigEndian: bigEndian)
      else { break }
      guard tag == 0x0112, values == 1, let size = [1: 1, 3: 2, 4: 4][type] else { continue }
      found = tiff.integer(at: at + 8, size: size, bigEndian: bigEndian)
    }
    return found.flatMap(Orientation.init(rawValue:))
  }
}

extension ArraySlice<UInt8> {
  /// The unsigned integer of `size` bytes (at most 4) at an index, nil where the bytes end before it.
  func integer(at index: Int, size: Int, bigEndian: Bool) -> Int? {
    guard index >= startIndex, index <= endIndex - size else { return nil }
    var value = 0
    for step in 0..<size {
      let byte = Int(self[bigEndian ? index + step : index + size - 1 - step])
      value = value << 8 | byte
    }
    return value
  }
}
