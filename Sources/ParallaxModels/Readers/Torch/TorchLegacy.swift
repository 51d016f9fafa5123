import ParallaxTensors

/// A checkpoint in torch's format before 1.6: five pickles in a row, then the raw numbers.
///
/// The pickles: a magic number, the format's version, the writer's system, the object, and the storages'
/// keys. Then for each key an int64 with the number of elements, and the elements.
struct TorchLegacy {
  let tensors: TorchTensors

  /// The first pickle: protocol 2, and 0x1950a86a20f9469cfc6c as a long.
  private static let magic: [UInt8] = [
    0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19,
  ]

  /// Whether a file that begins with these bytes claims to be of this format.
  static func matches(_ start: [UInt8]) -> Bool {
    start.count >= 14 && start[0] == 0x80 && Array(start[2..<4]) == [0x8a, 10]
      && Array(start[4..<14]) == magic
  }

  init(_ file: MappedFile) throws(ModelError) {
    do {
      tensors = try Self.read(file)
    } catch {
      throw .checkpoint(file: file.path, problem: error.text)
    }
  }

  private static func read(_ file: MappedFile) throws(PickleProblem) -> TorchTensors {
    var unpickler = Unpickler(file, 0..<file.count)
    guard case .long(magic) = try unpickler.load() else {
      throw PickleProblem("a Python pickle, but not one that torch.save wrote")
    }
    guard case .int(1001) = try unpickler.load() else {
      throw PickleProblem("an unknown version of torch's older format, expected 1001")
    }
    if case .dict(let system) = try unpickler.load() {
      for (key, value) in unpickler.dictionaries[system] {
        if case (.text("little_endian"), .bool(false)) = (key, value) {
          throw PickleProblem("its numbers are big-endian, expected little-endian")
        }
      }
    }
    let root = try unpickler.load()
    let storages = unpickler.storages
    let state = try StateDict(root, in: unpickler)
    // In two steps: as one, `items` would see the unpickler as it was before it loaded them.
    let listed = try unpickler.load()
    let keys = try unpickler.items(listed)

    var sizes: [String: (count: Int, element: Int)] = [:]
    for storage in storages {
      if let known = sizes[storage.key], known != (storage.count, storage.elementSize) {
        throw PickleProblem("storage '\(storage.key)' has two sizes")
      }
      sizes[storage.key] = (storage.count, storage.elementSize)
    }
    var ranges: [String: Range<Int>] = [:]
    var position = unpickler.position
    for key in keys {
      guard case .text(let key) = key, let size = sizes[key] else {
        throw PickleProblem("its list of storages names one that no tensor uses")
      }
      let truncated = PickleProblem(
        "storage '\(key)' should hold \(size.count) elements, the file ends before (is it truncated?)"
      )
      guard position <= file.count - 8 else { throw truncated }
      guard let count = Int(exactly: file.littleEndian64(at: position)), count == size.count else {
        throw PickleProblem(
          "storage '\(key)' should hold \(size.count) elements, found \(file.littleEndian64(at: position))"
        )
      }
      position += 8
      let (length, overflow) = count.multipliedReportingOverflow(by: size.element)
      guard !overflow, length <= file.count - position else { throw truncated }
      ranges[key] = position..<position + length
      position += length
    }
    return try TorchTensors(state, storages: storages, file: file) {
      storage throws(PickleProblem) in
      guard let range = ranges[storage.key] else {
        throw PickleProblem("storage '\(storage.key)' is missing from the file")
      }
      return range
    }
  }
}
