#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif
import CTorch

/// A file's bytes, mapped into memory and read only when touched.
///
/// Tensors made from it share the mapping, which lasts as long as any of them.
public struct MappedFile: Sendable {
  /// Where the file lies.
  public let path: String
  /// Its size in bytes.
  public var count: Int { mapping.count }
  private let mapping: Mapping

  @safe private final class Mapping: Sendable {
    let base: UInt
    let count: Int
    init(base: UInt, count: Int) {
      self.base = base
      self.count = count
    }
    deinit {
      if count > 0 { unsafe munmap(UnsafeMutableRawPointer(bitPattern: base), count) }
    }
  }

  /// Maps a file.
  ///
  /// - Throws: `TensorError.file` where it is missing, a folder, or cannot be read.
  public init(_ path: String) throws(TensorError) {
    self.path = path
    let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw .file(path: path, problem: "cannot be opened: \(reason())")
    }
    defer { close(descriptor) }
    var status = stat()
    guard unsafe fstat(descriptor, &status) == 0 else {
      throw .file(path: path, problem: "cannot be read: \(reason())")
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .file(path: path, problem: "is not a file")
    }
    let size = Int(status.st_size)
    if size == 0 {
      mapping = Mapping(base: 0, count: 0)
      return
    }
    guard let base = unsafe mmap(nil, size, PROT_READ, MAP_PRIVATE, descriptor, 0),
      unsafe base != MAP_FAILED
    else { throw .file(path: path, problem: "cannot be mapped: \(reason())") }
    mapping = Mapping(base: UInt(bitPattern: base), count: size)
  }

  /// Reads bytes in place; the pointer must not leave the closure.
  public func withBytes<Result, Failure: Error>(
    _ range: Range<Int>, _ body: (UnsafeRawBufferPointer) throws(Failure) -> Result
  ) throws(Failure) -> Result {
    precondition(range.lowerBound >= 0 && range.upperBound <= count, "\(path): bytes out of range")
    let start = unsafe UnsafeRawPointer(bitPattern: mapping.base + UInt(range.lowerBound))
    return try unsafe body(UnsafeRawBufferPointer(start: start, count: range.count))
  }

  /// Some of the bytes, copied.
  public func bytes(_ range: Range<Int>) -> [UInt8] {
    unsafe withBytes(range) { unsafe [UInt8]($0) }
  }

  /// The UInt64 at an offset, least significant byte first.
  public func littleEndian64(at offset: Int) -> UInt64 {
    unsafe withBytes(offset..<offset + 8) {
      unsafe UInt64(littleEndian: $0.loadUnaligned(as: UInt64.self))
    }
  }

  /// A tensor over the file's own bytes: shared where they are aligned, else copied.
  ///
  /// - Precondition: the bytes lie within the file.
  public func tensor(at offset: Int, dtype: DType, shape: [Int]) -> Tensor {
    let size = shape.reduce(dtype.byteCount, *)
    precondition(offset >= 0 && offset + size <= count, "\(path): tensor out of range")
    let address = mapping.base + UInt(offset)
    guard size > 0, address % UInt(dtype.byteCount) == 0 else {
      return unsafe withBytes(offset..<offset + size) {
        unsafe Tensor(copying: $0, dtype: dtype, shape: shape)
      }
    }
    var out: OpaquePointer?
    let owner = unsafe Unmanaged.passRetained(mapping)
    let problem = unsafe px_tensor_borrowing(
      UnsafeRawPointer(bitPattern: address), dtype.rawValue, shape.map(Int64.init),
      Int64(shape.count), owner.toOpaque(),
      { context in
        if let context = unsafe context {
          unsafe Unmanaged<Mapping>.fromOpaque(context).release()
        }
      }, &out)
    if let problem = unsafe problem { fatalError("\(path): \(takeMessage(problem))") }
    guard let made = unsafe out else { fatalError("\(path): libtorch made nothing") }
    return unsafe Tensor(made)
  }
}

/// What the system says about the last failure.
func reason() -> String { unsafe String(cString: strerror(errno)) }
