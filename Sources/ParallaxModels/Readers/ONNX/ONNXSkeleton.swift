import ParallaxTensors

/// An ONNX file's bytes without its initialisers' numbers, and where those lie.
///
/// A model of 100 MB is 99 MB of `raw_data`. Decoding it whole would copy them; here the protobuf is
/// walked once, only field by field, and the decoder is given what is left.
struct ONNXSkeleton {
  /// A valid `ModelProto` whose initialisers lack `raw_data`.
  private(set) var bytes: [UInt8] = []
  /// Where the numbers of the initialiser of that index lie, where it has `raw_data`.
  private(set) var raw: [Int: Range<Int>] = [:]
  private let file: MappedFile
  private var initializers = 0

  struct Problem: Error {
    var text: String
  }

  // Field numbers of the public schema.
  private static let graph = 7
  private static let initializer = 5
  private static let rawData = 9

  init(_ file: MappedFile) throws(Problem) {
    self.file = file
    var model: [UInt8] = []
    try fields(0..<file.count) { scanner, number, whole, payload throws(Problem) in
      guard number == Self.graph, let payload else {
        model += file.bytes(whole)
        return
      }
      Self.append(try scanner.graph(payload), as: Self.graph, to: &model)
    }
    bytes = model
  }

  private mutating func graph(_ range: Range<Int>) throws(Problem) -> [UInt8] {
    var graph: [UInt8] = []
    try fields(range) { scanner, number, whole, payload throws(Problem) in
      guard number == Self.initializer, let payload else {
        graph += scanner.file.bytes(whole)
        return
      }
      Self.append(try scanner.tensor(payload), as: Self.initializer, to: &graph)
      scanner.initializers += 1
    }
    return graph
  }

  private mutating func tensor(_ range: Range<Int>) throws(Problem) -> [UInt8] {
    var tensor: [UInt8] = []
    try fields(range) { scanner, number, whole, payload throws(Problem) in
      if number == Self.rawData, let payload {
        scanner.raw[scanner.initializers] = payload
      } else {
        tensor += scanner.file.bytes(whole)
      }
    }
    return tensor
  }

  // MARK: Protobuf's wire format

  /// Calls `body` with each field's number, its bytes with the tag, and those without tag and length
  /// where it has a length.
  private mutating func fields(
    _ range: Range<Int>,
    _ body: (inout ONNXSkeleton, Int, Range<Int>, Range<Int>?) throws(Problem) -> Void
  ) throws(Problem) {
    var at = range.lowerBound
    while at < range.upperBound {
      let start = at
      let tag = try varint(&at, range.upperBound)
      var payload: Range<Int>?
      var length: UInt64 = 0
      switch tag & 7 {
      case 0: _ = try varint(&at, range.upperBound)
      case 1: length = 8
      case 2:
        length = try varint(&at, range.upperBound)
        payload = at..<at
      case 5: length = 4
      default: throw Problem(text: "not an ONNX file (byte \(start) begins no field of protobuf)")
      }
      guard tag >> 3 > 0, tag >> 3 < 1 << 29, length <= UInt64(range.upperBound - at) else {
        throw Problem(
          text:
            "not an ONNX file, or a damaged one: a field at byte \(start) reaches beyond the end")
      }
      if payload != nil { payload = at..<at + Int(length) }
      at += Int(length)
      try body(&self, Int(tag >> 3), start..<at, payload)
    }
  }

  private func varint(_ at: inout Int, _ end: Int) throws(Problem) -> UInt64 {
    let bytes = file.bytes(at..<min(end, at + 10))
    var value: UInt64 = 0
    for (place, byte) in bytes.enumerated() {
      value |= UInt64(byte & 0x7f) << UInt64(7 * place)
      if byte & 0x80 == 0 {
        at += place + 1
        return value
      }
    }
    throw Problem(text: "not an ONNX file, or a damaged one: a number at byte \(at) has no end")
  }

  private static func append(_ payload: [UInt8], as number: Int, to bytes: inout [UInt8]) {
    for var value in [number << 3 | 2, payload.count] {
      while value > 0x7f {
        bytes.append(UInt8(value & 0x7f | 0x80))
        value >>= 7
      }
      bytes.append(UInt8(value))
    }
    bytes += payload
  }
}
