/// Reads the JSON of a safetensors header, and nothing else of JSON.
///
/// A header is an object of flat objects, so the parser needs no recursion (nested input cannot exhaust
/// the stack); it keeps the order, refuses a name given twice, and reads whole numbers exactly.
struct SafetensorsHeader {
  struct Entry {
    var name: String
    var dtype: String
    var shape: [Int]
    var offsets: [Int]
  }

  /// What is wrong with a header: the words that follow "the header".
  struct Problem: Error {
    var text: String
  }

  private(set) var entries: [Entry] = []
  private(set) var metadata: [String: String] = [:]
  private let bytes: [UInt8]
  private var position = 0

  init(_ bytes: [UInt8]) throws(Problem) {
    self.bytes = bytes
    var names: Set<String> = []
    try object { parser, name throws(Problem) in
      guard names.insert(name).inserted else { throw Problem(text: "names '\(name)' twice") }
      if name == "__metadata__" {
        try parser.readMetadata()
      } else {
        try parser.readEntry(name)
      }
    }
    skipSpace()
    guard position == bytes.count else { throw bad("text after its end") }
  }

  private mutating func readMetadata() throws(Problem) {
    try object { parser, key throws(Problem) in
      let value = try parser.string()
      guard parser.metadata.updateValue(value, forKey: key) == nil else {
        throw Problem(text: "notes '\(key)' twice")
      }
    }
  }

  private mutating func readEntry(_ name: String) throws(Problem) {
    var dtype: String?
    var shape: [Int]?
    var offsets: [Int]?
    try object { parser, key throws(Problem) in
      switch key {
      case "dtype" where dtype == nil: dtype = try parser.string()
      case "shape" where shape == nil: shape = try parser.integers()
      case "data_offsets" where offsets == nil: offsets = try parser.integers()
      default: throw Problem(text: "gives '\(name)' a surplus '\(key)'")
      }
    }
    guard let dtype, let shape, let offsets, offsets.count == 2 else {
      throw Problem(text: "does not give '\(name)' a dtype, a shape and two data_offsets")
    }
    entries.append(Entry(name: name, dtype: dtype, shape: shape, offsets: offsets))
  }

  // MARK: JSON

  private func bad(_ what: String) -> Problem {
    Problem(text: "is not JSON as safetensors has it: \(what) at byte \(position)")
  }

  private mutating func skipSpace() {
    while position < bytes.count, [0x20, 0x09, 0x0a, 0x0d].contains(bytes[position]) {
      position += 1
    }
  }

  /// Skips spaces and, where it comes next, the character.
  private mutating func take(_ character: Character) -> Bool {
    skipSpace()
    guard position < bytes.count, bytes[position] == character.asciiValue else { return false }
    position += 1
    return true
  }

  private mutating func need(_ character: Character) throws(Problem) {
    guard take(character) else { throw bad("expected '\(character)'") }
  }

  private mutating func object(
    _ member: (inout SafetensorsHeader, String) throws(Problem) -> Void
  ) throws(Problem) {
    try need("{")
    if take("}") { return }
    repeat {
      let key = try string()
      try need(":")
      try member(&self, key)
    } while take(",")
    try need("}")
  }

  private mutating func integers() throws(Problem) -> [Int] {
    try need("[")
    var numbers: [Int] = []
    if take("]") { return numbers }
    repeat {
      skipSpace()
      let start = position
      while position < bytes.count, (0x30...0x39).contains(bytes[position]) { position += 1 }
      guard let number = Int(String(decoding: bytes[start..<position], as: UTF8.self)) else {
        throw bad("expected a whole number below 2^63")
      }
      numbers.append(number)
    } while take(",")
    try need("]")
    return numbers
  }

  private mutating func string() throws(Problem) -> String {
    try need("\"")
    var text: [UInt8] = []
    while position < bytes.count {
      let byte = bytes[position]
      position += 1
      switch byte {
      case UInt8(ascii: "\""):
        let decoded = String(decoding: text, as: UTF8.self)
        guard decoded.utf8.elementsEqual(text) else { throw bad("a text that is not UTF-8 ends") }
        return decoded
      case UInt8(ascii: "\\"): text += try escape()
      case 0..<0x20: throw bad("a control character")
      default: text.append(byte)
      }
    }
    throw bad("a text without an end")
  }

  private mutating func escape() throws(Problem) -> [UInt8] {
    guard position < bytes.count else { throw bad("a text without an end") }
    let byte = bytes[position]
    position += 1
    switch Character(UnicodeScalar(byte)) {
    case "\"", "\\", "/": return [byte]
    case "b": return [0x08]
    case "f": return [0x0c]
    case "n": return [0x0a]
    case "r": return [0x0d]
    case "t": return [0x09]
    case "u":
      var units = [try codeUnit()]
      if (0xd800..<0xdc00).contains(units[0]) {
        guard position + 1 < bytes.count, bytes[position] == UInt8(ascii: "\\"),
          bytes[position + 1] == UInt8(ascii: "u")
        else { throw bad("half a surrogate pair") }
        position += 2
        units.append(try codeUnit())
      }
      let text = String(decoding: units, as: UTF16.self)
      guard text.utf16.elementsEqual(units) else { throw bad("half a surrogate pair") }
      return Array(text.utf8)
    default: throw bad("an unknown escape")
    }
  }

  private mutating func codeUnit() throws(Problem) -> UInt16 {
    guard position + 4 <= bytes.count,
      bytes[position..<position + 4].allSatisfy({ Character(UnicodeScalar($0)).isHexDigit }),
      let unit = UInt16(
        String(decoding: bytes[position..<position + 4], as: UTF8.self), radix: 16)
    else { throw bad("expected four hexadecimal digits") }
    position += 4
    return unit
  }
}
