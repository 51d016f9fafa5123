import ParallaxTensors

/// Reads Python's pickles (protocols 2 to 5) as plain data: it builds values and runs nothing.
///
/// A pickle is a program for a stack machine. The dangerous instructions are those that fetch a Python
/// name and call it; here a name is one of `PickleGlobal`'s, and "calling" it describes a tensor or makes
/// a container. Everything else is refused by name. Work and memory are bounded by the pickle's length
/// and by a limit on instructions.
struct Unpickler {
  var stack: [PickleValue] = []
  private var marks: [Int] = []
  private var memo: [UInt64: PickleValue] = [:]
  /// Tuples, lists and sets.
  private(set) var sequences: [[PickleValue]] = [[]]
  /// Dictionaries, in their order.
  private(set) var dictionaries: [[(key: PickleValue, value: PickleValue)]] = []
  private(set) var storages: [PickledStorage] = []
  private var input: PickleBytes
  private var copied = 0

  /// More than any checkpoint needs: some ten instructions a tensor.
  private static let limit = 20_000_000

  init(_ file: MappedFile, _ range: Range<Int>) { input = PickleBytes(file, range) }

  /// Where the next pickle begins, after a `load`.
  var position: Int { input.position }

  /// Reads one pickle.
  mutating func load() throws(PickleProblem) -> PickleValue {
    (stack, marks, memo) = ([], [], [:])
    for _ in 0..<Self.limit {
      let code = try input.byte()
      if code == UInt8(ascii: ".") { return try pop() }
      try step(code)
    }
    throw PickleProblem("the pickle has more than \(Self.limit) instructions")
  }

  private mutating func step(_ code: UInt8) throws(PickleProblem) {
    switch code {
    case 0x80:
      let version = try input.byte()
      guard version <= 5 else { throw PickleProblem("pickle protocol \(version) is not known") }
    case 0x95: try input.skip(8)  // FRAME
    case UInt8(ascii: "("): marks.append(stack.count)
    case UInt8(ascii: "0"):  // POP takes a mark where that is what lies on top
      if let mark = marks.last, mark == stack.count { marks.removeLast() } else { _ = try pop() }
    case UInt8(ascii: "1"): _ = try popToMark()
    case UInt8(ascii: "2"): stack.append(try top())
    case UInt8(ascii: "q"): try remember(try input.unsigned(1))
    case UInt8(ascii: "r"): try remember(try input.unsigned(4))
    case UInt8(ascii: "p"): try remember(try number(try input.line()))
    case 0x94: try remember(UInt64(memo.count))
    case UInt8(ascii: "h"): try recall(try input.unsigned(1))
    case UInt8(ascii: "j"): try recall(try input.unsigned(4))
    case UInt8(ascii: "g"): try recall(try number(try input.line()))
    case UInt8(ascii: "c"):
      let module = try input.line()
      try global(module, try input.line())
    case 0x93:
      guard case .text(let name) = try pop(), case .text(let module) = try pop() else {
        throw PickleProblem("the pickle refers to a name that is no text")
      }
      try global(module, name)
    case UInt8(ascii: "Q"): try persistent(try pop())
    case UInt8(ascii: "R"), 0x81:  // REDUCE, NEWOBJ
      let arguments = try pop()
      try reduce(try pop(), arguments)
    case 0x92:  // NEWOBJ_EX
      _ = try pop()
      let arguments = try pop()
      try reduce(try pop(), arguments)
    case UInt8(ascii: "b"): try build()
    default:
      if try scalar(code) { return }
      if try container(code) { return }
      throw PickleProblem(
        "the pickle has the instruction 0x\(String(code, radix: 16)), which no checkpoint needs")
    }
  }

  private mutating func scalar(_ code: UInt8) throws(PickleProblem) -> Bool {
    switch code {
    case UInt8(ascii: "N"): stack.append(.none)
    case 0x88: stack.append(.bool(true))
    case 0x89: stack.append(.bool(false))
    case UInt8(ascii: "J"):
      stack.append(.int(Int(Int32(truncatingIfNeeded: try input.unsigned(4)))))
    case UInt8(ascii: "K"): stack.append(.int(Int(try input.byte())))
    case UInt8(ascii: "M"): stack.append(.int(Int(try input.unsigned(2))))
    case 0x8a: stack.append(Self.long(try input.bytes(try input.length(1))))
    case 0x8b: stack.append(Self.long(try input.bytes(try input.length(4))))
    case UInt8(ascii: "G"):
      stack.append(.float(Double(bitPattern: try input.unsigned(8).byteSwapped)))
    case UInt8(ascii: "X"), UInt8(ascii: "T"):
      stack.append(.text(try input.text(try input.length(4))))
    case 0x8c, UInt8(ascii: "U"): stack.append(.text(try input.text(try input.length(1))))
    case 0x8d: stack.append(.text(try input.text(try input.length(8))))
    case UInt8(ascii: "B"): try skipBytes(4)
    case UInt8(ascii: "C"): try skipBytes(1)
    case 0x8e, 0x96: try skipBytes(8)
    default: return false
    }
    return true
  }

  private mutating func skipBytes(_ width: Int) throws(PickleProblem) {
    try input.skip(try input.length(width))
    stack.append(.opaque)
  }

  private mutating func container(_ code: UInt8) throws(PickleProblem) -> Bool {
    switch code {
    case UInt8(ascii: ")"): stack.append(.tuple(0))
    case UInt8(ascii: "t"), 0x91:
      stack.append(.tuple(sequence(try popToMark())))
    case 0x85, 0x86, 0x87:
      var items: [PickleValue] = []
      for _ in 0..<(code - 0x84) { items.append(try pop()) }
      stack.append(.tuple(sequence(items.reversed())))
    case UInt8(ascii: "]"), 0x8f: stack.append(.list(sequence([])))
    case UInt8(ascii: "l"): stack.append(.list(sequence(try popToMark())))
    case UInt8(ascii: "a"):
      let item = try pop()
      try append([item])
    case UInt8(ascii: "e"), 0x90: try append(try popToMark())
    case UInt8(ascii: "}"): stack.append(dictionary([]))
    case UInt8(ascii: "d"): stack.append(dictionary(try Self.pairs(try popToMark())))
    case UInt8(ascii: "s"):
      let value = try pop()
      let key = try pop()
      try insert([(key, value)])
    case UInt8(ascii: "u"): try insert(try Self.pairs(try popToMark()))
    default: return false
    }
    return true
  }

  // MARK: The stack and the arena

  mutating func pop() throws(PickleProblem) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.popLast() else {
      throw PickleProblem("the pickle takes a value where there is none")
    }
    return value
  }

  private func top() throws(PickleProblem) -> PickleValue {
    guard stack.count > (marks.last ?? 0), let value = stack.last else {
      throw PickleProblem("the pickle takes a value where there is none")
    }
    return value
  }

  private mutating func popToMark() throws(PickleProblem) -> [PickleValue] {
    guard let mark = marks.popLast() else { throw PickleProblem("the pickle lacks a mark") }
    let items = Array(stack[mark...])
    stack.removeLast(items.count)
    return items
  }

  private mutating func remember(_ place: UInt64) throws(PickleProblem) {
    memo[place] = try top()
  }

  private mutating func recall(_ place: UInt64) throws(PickleProblem) {
    guard let value = memo[place] else {
      throw PickleProblem("the pickle refers to value \(place), which it has not remembered")
    }
    stack.append(value)
  }

  private func number(_ text: String) throws(PickleProblem) -> UInt64 {
    guard let number = UInt64(text) else { throw PickleProblem("'\(text)' is no number") }
    return number
  }

  private static func long(_ bytes: [UInt8]) -> PickleValue {
    guard bytes.count <= 8 else { return .long(bytes) }
    // Two's complement of as many bytes as it takes.
    var value: UInt64 = (bytes.last ?? 0) & 0x80 == 0 ? 0 : .max
    for byte in bytes.reversed() { value = value << 8 | UInt64(byte) }
    return .int(Int(truncatingIfNeeded: value))
  }

  mutating func sequence(_ items: [PickleValue]) -> Int {
    sequences.append(items)
    return sequences.count - 1
  }

  mutating func dictionary(_ items: [(key: PickleValue, value: PickleValue)]) -> PickleValue {
    dictionaries.append(items)
    return .dict(dictionaries.count - 1)
  }

  mutating func storage(_ storage: PickledStorage) {
    storages.append(storage)
    stack.append(.storage(storages.count - 1))
  }

  /// Counts items that are copied from one container into another, which one instruction can ask for.
  mutating func charge(_ count: Int) throws(PickleProblem) {
    copied += count
    guard copied <= Self.limit else { throw PickleProblem("the pickle copies too much") }
  }

  private mutating func append(_ items: [PickleValue]) throws(PickleProblem) {
    switch try top() {
    case .list(let place): sequences[place] += items
    case .opaque: break
    case let other: throw PickleProblem("the pickle appends to \(other.kind)")
    }
  }

  private mutating func insert(
    _ items: [(key: PickleValue, value: PickleValue)]
  ) throws(PickleProblem) {
    switch try top() {
    case .dict(let place): dictionaries[place] += items
    case let other: throw PickleProblem("the pickle sets an item of \(other.kind)")
    }
  }

  private static func pairs(
    _ items: [PickleValue]
  ) throws(PickleProblem) -> [(key: PickleValue, value: PickleValue)] {
    guard items.count % 2 == 0 else { throw PickleProblem("a dict in the pickle lacks a value") }
    return stride(from: 0, to: items.count, by: 2).map { (items[$0], items[$0 + 1]) }
  }

  private mutating func global(_ module: String, _ name: String) throws(PickleProblem) {
    guard let global = PickleGlobal(module: module, name: name) else {
      throw PickleProblem(
        "its pickle wants to use '\(module).\(name)', which Parallax does not allow: a checkpoint may hold only tensors, numbers, texts and plain containers"
      )
    }
    stack.append(.global(global))
  }

  /// What BUILD sets on a container or parameter (`_metadata`, hooks) says nothing about its numbers.
  private mutating func build() throws(PickleProblem) {
    _ = try pop()
    switch try top() {
    case .dict, .list, .tuple, .tensor, .opaque: break
    case let other: throw PickleProblem("the pickle sets attributes of \(other.kind)")
    }
  }
}
