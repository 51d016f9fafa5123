import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("NumPy files")
struct NpyTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("x.npy")
  }

  /// What `numpy.save` (2.4) writes before the numbers.
  private func header(_ description: String) -> [UInt8] {
    let text = description + String(repeating: " ", count: 117 - description.utf8.count) + "\n"
    return [0x93] + Array("NUMPY".utf8) + [1, 0, 0x76, 0] + Array(text.utf8)
  }

  @Test(
    "the header is numpy.save's for every element type",
    arguments: [
      (DType.float64, "<f8"), (.float32, "<f4"), (.float16, "<f2"), (.int64, "<i8"),
      (.int32, "<i4"), (.int16, "<i2"), (.int8, "|i1"), (.uint8, "|u1"), (.bool, "|b1"),
    ])
  func types(_ dtype: DType, _ code: String) throws {
    let x = Tensor((0..<12).map { Float($0 % 2) }, shape: [3, 4]).to(dtype)
    try Npy.write(rows: 3, rowShape: [4], dtype: dtype, to: path) { $0 == 0 ? x : nil }
    #expect(
      try folder.bytes("x.npy")
        == header("{'descr': '\(code)', 'fortran_order': False, 'shape': (3, 4), }") + x.bytes())
  }

  @Test("shapes of one dimension, of none, and of many are written as Python writes tuples")
  func shapes() throws {
    for (row, text) in [([], "(2,)"), ([0], "(2, 0)"), ([3, 1, 2], "(2, 3, 1, 2)")]
      as [([Int], String)]
    {
      let x = Tensor.ones([2] + row)
      try Npy.write(rows: 2, rowShape: row, dtype: .float32, to: path) { $0 == 0 ? x : nil }
      let bytes = try folder.bytes("x.npy")
      #expect(
        bytes
          == header("{'descr': '<f4', 'fortran_order': False, 'shape': \(text), }") + x.bytes())
    }
    try Npy.write(rows: 0, rowShape: [7], dtype: .float64, to: path) { _ in nil }
    #expect(
      try folder.bytes("x.npy")
        == header("{'descr': '<f8', 'fortran_order': False, 'shape': (0, 7), }"))
  }

  @Test("parts follow one another, also turned ones, and a long header stays aligned")
  func parts() throws {
    let x = RandomSource(seed: 1).normal([9, 5])
    let parts = [
      x.sliced(0, 0, 4), x.sliced(0, 4, 5), x.transposed().contiguous().transposed().sliced(0, 5),
    ]
    try Npy.write(rows: 9, rowShape: [5], dtype: .float32, to: path) {
      $0 < 3 ? parts[$0] : nil
    }
    #expect(try Array(folder.bytes("x.npy").suffix(180)) == x.bytes())
    let ones = Array(repeating: 1, count: 60)
    try Npy.write(rows: 1, rowShape: ones, dtype: .int8, to: path) {
      $0 == 0 ? Tensor.ones([1] + ones, .int8) : nil
    }
    let bytes = try folder.bytes("x.npy")
    #expect((bytes.count - 1) % 64 == 0 && bytes[bytes.count - 2] == 10)
    #expect(Int(bytes[8]) + 256 * Int(bytes[9]) == bytes.count - 1 - 10)
  }

  @Test("bfloat16, a part that fails and a folder that is not there leave no file")
  func failures() throws {
    struct Broken: Error {}
    #expect(throws: TensorError.self) {
      try Npy.write(rows: 0, rowShape: [1], dtype: .bfloat16, to: path) { _ in nil }
    }
    #expect(throws: Broken.self) {
      try Npy.write(rows: 4, rowShape: [1], dtype: .float32, to: path) {
        if $0 == 1 { throw Broken() }
        return Tensor.ones([2, 1])
      }
    }
    #expect(folder.names().isEmpty)
    #expect(throws: TensorError.self) {
      try Npy.write(rows: 0, rowShape: [], dtype: .int8, to: folder.file("no/x.npy")) { _ in nil }
    }
  }
}
