import ParallaxTensors

/// What is wrong with a pickle: a sentence without the file's name.
struct PickleProblem: Error {
  var text: String
  init(_ text: String) { self.text = text }
}

/// Reads a pickle's bytes in order, a window of the file at a time.
struct PickleBytes {
  private let file: MappedFile
  /// Where the pickle must have ended.
  let end: Int
  private(set) var position: Int
  // Single bytes come from a window, so that reading one costs no system call and no closure.
  private var window: [UInt8] = []
  private var windowStart = 0

  init(_ file: MappedFile, _ range: Range<Int>) {
    self.file = file
    (position, end) = (range.lowerBound, range.upperBound)
    windowStart = range.lowerBound
  }

  private func need(_ count: Int) throws(PickleProblem) {
    guard count >= 0, count <= end - position else {
      throw PickleProblem("the pickle ends in the middle (is the file truncated?)")
    }
  }

  mutating func byte() throws(PickleProblem) -> UInt8 {
    try need(1)
    if position - windowStart >= window.count {
      windowStart = position
      window = file.bytes(position..<min(end, position + 65_536))
    }
    defer { position += 1 }
    return window[position - windowStart]
  }

  /// A number of 1 to 8 bytes, least significant first.
  mutating func unsigned(_ count: Int) throws(PickleProblem) -> UInt64 {
    var value: UInt64 = 0
    for place in 0..<count { value |= UInt64(try byte()) << UInt64(8 * place) }
    return value
  }

  /// A length of as many bytes, which must not reach beyond the pickle.
  mutating func length(_ count: Int) throws(PickleProblem) -> Int {
    guard let length = Int(exactly: try unsigned(count)) else {
      throw PickleProblem("a length in the pickle is impossible")
    }
    try need(length)
    return length
  }

  mutating func bytes(_ count: Int) throws(PickleProblem) -> [UInt8] {
    try need(count)
    defer { skipChecked(count) }
    return file.bytes(position..<position + count)
  }

  mutating func skip(_ count: Int) throws(PickleProblem) {
    try need(count)
    skipChecked(count)
  }

  private mutating func skipChecked(_ count: Int) {
    position += count
    // The window is dropped once the position has left it.
    if position - windowStart > window.count { (window, windowStart) = ([], position) }
  }

  mutating func text(_ count: Int) throws(PickleProblem) -> String {
    String(decoding: try bytes(count), as: UTF8.self)
  }

  /// Text up to the end of the line, as protocol 0 writes it.
  mutating func line() throws(PickleProblem) -> String {
    var line: [UInt8] = []
    while true {
      let byte = try byte()
      if byte == 0x0a { break }
      line.append(byte)
      guard line.count <= 4096 else { throw PickleProblem("a line of the pickle has no end") }
    }
    return String(decoding: line, as: UTF8.self)
  }
}
