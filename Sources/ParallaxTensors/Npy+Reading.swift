import Foundation

extension Npy {
  private static let codes: [(String, DType)] = [
    ("<f8", .float64), ("<f4", .float32), ("<f2", .float16), ("<i8", .int64), ("<i4", .int32),
    ("<i2", .int16), ("|i1", .int8), ("|u1", .uint8), ("|b1", .bool),
  ]

  /// Reads a `.npy` file, version 1 to 3, little-endian, rows first.
  ///
  /// - Parameter path: the file.
  /// - Returns: the array.
  /// - Throws: `TensorError.file` where it cannot be read, is no such file, or holds what Parallax does not read.
  ///
  /// > Source: NumPy Enhancement Proposal 1.
  public static func read(_ path: String) throws(TensorError) -> Tensor {
    let file = try MappedFile(path)
    func bad(_ problem: String) -> TensorError { .file(path: path, problem: problem) }
    let start = file.bytes(0..<min(12, file.count))
    guard start.count == 12, Array(start.prefix(6)) == [0x93] + Array("NUMPY".utf8) else {
      throw bad("is no .npy file")
    }
    guard (1...3).contains(start[6]) else {
      throw bad("is of version \(start[6]) of the format, expected 1 to 3")
    }
    let isLong = start[6] > 1
    let length =
      isLong
      ? Int(start[8]) | Int(start[9]) << 8 | Int(start[10]) << 16 | Int(start[11]) << 24
      : Int(start[8]) | Int(start[9]) << 8
    let begin = isLong ? 12 : 10
    guard length <= file.count - begin else { throw bad("its header is cut off") }
    let header = String(decoding: file.bytes(begin..<(begin + length)), as: UTF8.self)
    guard let descr = header.firstMatch(of: /'descr':\s*'([^']*)'/),
      let order = header.firstMatch(of: /'fortran_order':\s*(True|False)/),
      let shaped = header.firstMatch(of: /'shape':\s*\(([0-9, ]*)\)/)
    else { throw bad("its header names no element type, order and shape") }
    guard let dtype = codes.first(where: { $0.0 == descr.1 })?.1 else {
      throw bad(
        "its elements are '\(descr.1)', expected one of \(codes.map(\.0).joined(separator: ", "))")
    }
    let cells = shaped.1.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
      .filter { !$0.isEmpty }
    let shape = cells.compactMap { Int($0) }
    guard shape.count == cells.count, shape.count < 16, let size = dtype.byteCount(of: shape) else {
      throw bad("has an impossible shape (\(shaped.1))")
    }
    guard order.1 == "False" || shape.count < 2 else {
      throw bad("lies column by column; save it with numpy.ascontiguousarray")
    }
    guard size == file.count - begin - length else {
      throw bad("needs \(size) bytes of shape \(shape), found \(file.count - begin - length)")
    }
    return file.tensor(at: begin + length, dtype: dtype, shape: shape)
  }
}
