/// A safetensors file: named tensors, mapped into memory.
///
/// The format: eight bytes with the header's length, a JSON header, then the raw numbers.
/// A file is checked whole when it is opened, so that reading a tensor later cannot fail.
public struct Safetensors: Sendable {
  /// Where the file lies.
  public var path: String { file.path }
  /// What the writer noted, such as versions and seeds.
  public let metadata: [String: String]
  /// The tensors' names, in the order of their bytes.
  public let names: [String]
  private let file: MappedFile
  private let entries: [String: Entry]

  private struct Entry: Sendable {
    var dtype: DType
    var shape: [Int]
    var start: Int
  }

  private static let codes: [(String, DType)] = [
    ("F64", .float64), ("F32", .float32), ("F16", .float16), ("BF16", .bfloat16),
    ("I64", .int64), ("I32", .int32), ("I16", .int16), ("I8", .int8), ("U8", .uint8),
    ("BOOL", .bool),
  ]

  /// Opens a file and checks its header.
  ///
  /// - Throws: `TensorError.file` where it cannot be read, `TensorError.safetensors` where it is damaged.
  public init(_ path: String) throws(TensorError) {
    file = try MappedFile(path)
    func bad(_ problem: String) -> TensorError { .safetensors(path: path, problem: problem) }
    guard file.count >= 8 else { throw bad("expected at least 8 bytes, found \(file.count)") }
    let length = file.littleEndian64(at: 0)
    guard length <= UInt64(file.count - 8), length <= 100_000_000 else {
      throw bad("the header says it is \(length) bytes long, the file has \(file.count)")
    }
    let dataStart = 8 + Int(length)
    let header: SafetensorsHeader
    do {
      header = try SafetensorsHeader(file.bytes(8..<dataStart))
    } catch {
      throw bad("the header \(error.text)")
    }
    var found: [String: Entry] = [:]
    var ends: [(start: Int, end: Int, name: String)] = []
    for entry in header.entries {
      let (name, shape, offsets) = (entry.name, entry.shape, entry.offsets)
      guard let dtype = Self.codes.first(where: { $0.0 == entry.dtype })?.1 else {
        throw bad("'\(name)' has the dtype \(entry.dtype), which Parallax does not read")
      }
      guard offsets[0] <= offsets[1], offsets[1] <= file.count - dataStart
      else { throw bad("the bytes of '\(name)' do not lie within the file (is it truncated?)") }
      guard let size = dtype.byteCount(of: shape) else {
        throw bad("'\(name)' has an impossible shape \(shape)")
      }
      guard size == offsets[1] - offsets[0] else {
        throw bad(
          "'\(name)' of shape \(shape) needs \(size) bytes, found \(offsets[1] - offsets[0])")
      }
      found[name] = Entry(dtype: dtype, shape: shape, start: dataStart + offsets[0])
      ends.append((offsets[0], offsets[1], name))
    }
    ends.sort { ($0.start, $0.end, $0.name) < ($1.start, $1.end, $1.name) }
    // As the format has it, the tensors fill the data without gaps: what nothing names is no weight.
    var end = 0
    for part in ends {
      guard part.start >= end else {
        throw bad("the bytes of '\(part.name)' overlap another tensor's")
      }
      guard part.start == end else {
        throw bad("bytes \(end) to \(part.start) of the data belong to no tensor")
      }
      end = part.end
    }
    guard end == file.count - dataStart else {
      throw bad("\(file.count - dataStart - end) bytes at the end belong to no tensor")
    }
    names = ends.map(\.name)
    entries = found
    metadata = header.metadata
  }

  /// The tensor of that name, over the file's own memory; nil where there is none.
  public subscript(name: String) -> Tensor? {
    entries[name].map { file.tensor(at: $0.start, dtype: $0.dtype, shape: $0.shape) }
  }

  /// A tensor's shape, without touching its bytes.
  public func shape(_ name: String) -> [Int]? { entries[name]?.shape }

  /// A tensor's element type, without touching its bytes.
  public func dtype(_ name: String) -> DType? { entries[name]?.dtype }

  /// Writes tensors to a file, in the given order: first to a temporary name, then renamed.
  ///
  /// The same tensors and metadata give the same bytes.
  ///
  /// - Throws: `TensorError.unwritable` where the file cannot be written; then nothing of it stays.
  public static func write(
    _ tensors: [(name: String, tensor: Tensor)], metadata: [String: String] = [:], to path: String
  ) throws(TensorError) {
    var header = "{"
    if !metadata.isEmpty {
      let notes = metadata.sorted { $0.key < $1.key }
        .map { "\(quoted($0.key)):\(quoted($0.value))" }
      header += "\"__metadata__\":{\(notes.joined(separator: ","))},"
    }
    var offset = 0
    var seen: Set<String> = ["__metadata__"]
    for (name, tensor) in tensors {
      guard seen.insert(name).inserted else {
        throw .unwritable(path: path, problem: "a second tensor would be called '\(name)'")
      }
      guard let code = codes.first(where: { $0.1 == tensor.dtype })?.0 else {
        throw .file(path: path, problem: "cannot hold \(tensor.dtype)")
      }
      let size = tensor.count * tensor.dtype.byteCount
      header +=
        "\(quoted(name)):{\"dtype\":\"\(code)\",\"shape\":[\(tensor.shape.map(String.init).joined(separator: ","))],\"data_offsets\":[\(offset),\(offset + size)]},"
      offset += size
    }
    if header.hasSuffix(",") { header.removeLast() }
    header += "}"
    // The format's padding: spaces, so that the numbers start at a multiple of eight.
    while header.utf8.count % 8 != 0 { header += " " }
    let writer = try AtomicFile(path)
    let length = UInt64(header.utf8.count)
    try writer.append((0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) })
    try writer.append(Array(header.utf8))
    for (_, tensor) in tensors { try writer.append(tensor.bytes()) }
    try writer.finish()
  }

  private static func quoted(_ text: String) -> String {
    var out = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": out += "\\\""
      case "\\": out += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        out += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: out.unicodeScalars.append(scalar)
      }
    }
    return out + "\""
  }
}
