import ParallaxTensors

/// The entries of a zip archive that are stored as they are, found through its central directory.
///
/// Sizes and places come from the directory at the end (and its zip64 extension), so an entry with a
/// data descriptor behind it reads like any other.
struct ZipArchive: Sendable {
  /// The entries' names, in the directory's order.
  let names: [String]
  let file: MappedFile
  private let entries: [String: Entry]

  struct Problem: Error {
    var text: String
    init(_ text: String) { self.text = text }
  }

  private struct Entry: Sendable {
    var method: Int
    var flags: Int
    var stored: Int
    var size: Int
    var header: Int
  }

  init(_ file: MappedFile) throws(Problem) {
    self.file = file
    guard let directory = Self.findDirectory(file) else {
      throw Problem("the zip archive has no directory at its end (is the file truncated?)")
    }
    let bytes = file.bytes(directory.range)
    var names: [String] = []
    var entries: [String: Entry] = [:]
    var at = 0
    for _ in 0..<directory.count {
      guard at + 46 <= bytes.count, Self.number(bytes, at, 4) == 0x0201_4b50 else {
        throw Problem("the directory of the zip archive is damaged")
      }
      let nameEnd = at + 46 + Self.number(bytes, at + 28, 2)
      let extraEnd = nameEnd + Self.number(bytes, at + 30, 2)
      let end = extraEnd + Self.number(bytes, at + 32, 2)
      guard end <= bytes.count else {
        throw Problem("the directory of the zip archive is damaged")
      }
      let name = String(decoding: bytes[at + 46..<nameEnd], as: UTF8.self)
      var entry = Entry(
        method: Self.number(bytes, at + 10, 2), flags: Self.number(bytes, at + 8, 2),
        stored: Self.number(bytes, at + 20, 4), size: Self.number(bytes, at + 24, 4),
        header: Self.number(bytes, at + 42, 4))
      try Self.widen(&entry, bytes, nameEnd..<extraEnd, name)
      guard entries.updateValue(entry, forKey: name) == nil else {
        throw Problem("the zip archive holds '\(name)' twice")
      }
      names.append(name)
      at = end
    }
    self.names = names
    self.entries = entries
  }

  /// Where an entry's bytes lie in the file; nil where there is none of that name.
  func range(_ name: String) throws(Problem) -> Range<Int>? {
    guard let entry = entries[name] else { return nil }
    guard entry.flags & 1 == 0 else { throw Problem("'\(name)' in the zip archive is encrypted") }
    guard entry.method == 0, entry.stored == entry.size else {
      throw Problem(
        "'\(name)' in the zip archive is compressed (method \(entry.method)), expected it stored as torch.save does"
      )
    }
    let damaged = Problem("'\(name)' in the zip archive does not lie within the file")
    guard entry.header <= file.count - 30 else { throw damaged }
    let header = file.bytes(entry.header..<entry.header + 30)
    guard Self.number(header, 0, 4) == 0x0403_4b50 else { throw damaged }
    let start = entry.header + 30 + Self.number(header, 26, 2) + Self.number(header, 28, 2)
    guard start <= file.count, entry.size <= file.count - start else { throw damaged }
    return start..<start + entry.size
  }

  // MARK: The format

  private static func number(_ bytes: [UInt8], _ at: Int, _ count: Int) -> Int {
    (0..<count).reduce(0) { $0 | Int(bytes[at + $1]) << (8 * $1) }
  }

  /// A number of 8 bytes; nil where it is no size or place of a file.
  private static func wide(_ bytes: [UInt8], _ at: Int) -> Int? {
    let value = (0..<8).reduce(0 as UInt64) { $0 | UInt64(bytes[at + $1]) << UInt64(8 * $1) }
    return Int(exactly: value)
  }

  private static func findDirectory(_ file: MappedFile) -> (range: Range<Int>, count: Int)? {
    // The end record is 22 bytes and a comment of up to 65,535.
    let tailStart = max(0, file.count - 65_557)
    let tail = file.bytes(tailStart..<file.count)
    guard tail.count >= 22 else { return nil }
    for at in stride(from: tail.count - 22, through: 0, by: -1)
    where tail[at] == 0x50 && number(tail, at, 4) == 0x0605_4b50 {
      guard at + 22 + number(tail, at + 20, 2) == tail.count else { continue }
      var (count, size, start) = (
        number(tail, at + 10, 2), number(tail, at + 12, 4), number(tail, at + 16, 4)
      )
      if count == 0xffff || size == 0xffff_ffff || start == 0xffff_ffff {
        guard at >= 20, number(tail, at - 20, 4) == 0x0706_4b50,
          let place = wide(tail, at - 12), place >= 0, place <= file.count - 56
        else { return nil }
        let record = file.bytes(place..<place + 56)
        guard number(record, 0, 4) == 0x0606_4b50, let wideCount = wide(record, 32),
          let wideSize = wide(record, 40), let wideStart = wide(record, 48)
        else { return nil }
        (count, size, start) = (wideCount, wideSize, wideStart)
      }
      guard start <= file.count, size <= file.count - start, count <= size / 46 else { return nil }
      return (start..<start + size, count)
    }
    return nil
  }

  /// Takes the sizes that do not fit into 32 bits from the zip64 field.
  private static func widen(
    _ entry: inout Entry, _ bytes: [UInt8], _ extra: Range<Int>, _ name: String
  ) throws(Problem) {
    var at = extra.lowerBound
    while at + 4 <= extra.upperBound {
      let (id, length) = (number(bytes, at, 2), number(bytes, at + 2, 2))
      let end = at + 4 + length
      guard end <= extra.upperBound else { break }
      if id == 1 {
        var next = at + 4
        for field in [\Entry.size, \.stored, \.header] where entry[keyPath: field] == 0xffff_ffff {
          guard next + 8 <= end, let value = wide(bytes, next) else {
            throw Problem("the size of '\(name)' in the zip archive is not valid")
          }
          entry[keyPath: field] = value
          next += 8
        }
      }
      at = end
    }
  }
}
