import Foundation
import ParallaxTensors

@testable import ParallaxModels

/// Export archives taken apart and put together again, for tests of what is wrong with them.
enum Archives {
  typealias Entry = (name: String, bytes: [UInt8])

  /// The entries of a zip archive.
  static func entries(_ path: String) throws -> [Entry] {
    let zip = try ZipArchive(MappedFile(path))
    return try zip.names.map { ($0, try zip.range($0).map { zip.file.bytes($0) } ?? []) }
  }

  /// Writes a zip archive of stored entries, each at a multiple of 64 bytes as torch does.
  static func write(_ entries: [Entry], to path: String) throws {
    var bytes: [UInt8] = []
    var directory: [UInt8] = []
    for entry in entries {
      let name = Array(entry.name.utf8)
      let place = bytes.count
      let pad = (64 - (place + 30 + name.count + 4) % 64) % 64
      let sizes = little(entry.bytes.count, 4) + little(entry.bytes.count, 4)
      let common = little(0, 2) + little(0, 2) + little(0, 4) + little(0, 4) + sizes
      bytes += little(0x0403_4b50, 4) + little(20, 2) + common + little(name.count, 2)
      bytes += little(pad + 4, 2) + name + little(0x4246, 2) + little(pad, 2)
      bytes += [UInt8](repeating: 0, count: pad) + entry.bytes
      directory += little(0x0201_4b50, 4) + little(20, 2) + little(20, 2) + common
      directory += little(name.count, 2) + little(0, 12) + little(place, 4) + name
    }
    let start = bytes.count
    bytes += directory + little(0x0605_4b50, 4) + little(0, 4) + little(entries.count, 2)
    bytes += little(entries.count, 2) + little(directory.count, 4) + little(start, 4) + little(0, 2)
    try Data(bytes).write(to: URL(filePath: path))
  }

  private static func little(_ value: Int, _ count: Int) -> [UInt8] {
    (0..<count).map { $0 < 8 ? UInt8(truncatingIfNeeded: value >> (8 * $0)) : 0 }
  }

  /// A copy with an entry less.
  static func without(_ suffix: String, _ path: String, at target: String) throws {
    try write(entries(path).filter { !$0.name.hasSuffix(suffix) }, to: target)
  }

  /// A copy with the text of an entry changed; every occurrence of what is given first becomes what follows.
  static func replacing(
    _ suffix: String, _ old: String, _ new: String, in path: String, at target: String
  ) throws {
    try write(
      entries(path).map { entry in
        guard entry.name.hasSuffix(suffix) else { return entry }
        let text = String(decoding: entry.bytes, as: UTF8.self)
        return (entry.name, Array(text.replacing(old, with: new).utf8))
      }, to: target)
  }
}
