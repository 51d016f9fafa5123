import Foundation

/// Writes NumPy's `.npy` files, version 1.0.
public enum Npy {
  /// Writes rows that come in parts, so that the whole need not fit in memory.
  ///
  /// - Parameters:
  ///   - rows: the number of rows of all parts together.
  ///   - rowShape: the shape of one row.
  ///   - dtype: of the elements.
  ///   - path: the file's name.
  ///   - part: called with 0, 1, … until it returns nil; `[rows, …]`.
  /// - Throws: `TensorError.file`, or what `part` throws.
  public static func write(
    rows: Int, rowShape: [Int], dtype: DType, to path: String, part: (Int) throws -> Tensor?
  ) throws {
    let code: String
    switch dtype {
    case .float64: code = "<f8"
    case .float32: code = "<f4"
    case .float16: code = "<f2"
    case .int64: code = "<i8"
    case .int32: code = "<i4"
    case .int16: code = "<i2"
    case .int8: code = "|i1"
    case .uint8: code = "|u1"
    case .bool: code = "|b1"
    case .bfloat16:
      throw TensorError.file(path: path, problem: "NumPy has no bfloat16; convert to float32 first")
    }
    let shape = ([rows] + rowShape).map(String.init).joined(separator: ", ")
    var header =
      "{'descr': '\(code)', 'fortran_order': False, 'shape': (\(shape)\(rowShape.isEmpty ? "," : "")), }"
    while (header.utf8.count + 11) % 64 != 0 { header += " " }
    header += "\n"
    let length = UInt16(header.utf8.count)
    let writer = try AtomicFile(path)
    try writer.append([0x93] + Array("NUMPY".utf8) + [1, 0])
    try writer.append([UInt8(length & 255), UInt8(length >> 8)] + Array(header.utf8))
    var index = 0
    var found = 0
    while let tensor = try part(index) {
      try writer.append(tensor.bytes())
      found += tensor.shape.first ?? 0
      index += 1
    }
    precondition(found == rows, "Npy.write: \(rows) rows announced, \(found) given")
    try writer.finish()
  }
}
