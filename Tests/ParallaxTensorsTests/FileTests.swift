import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Files and hashes")
struct FileTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  @Test("a file appears only when it is finished, whole and with nothing beside it")
  func atomic() throws {
    let path = folder.file("x")
    do {
      let file = try AtomicFile(path)
      try file.append([1, 2])
      #expect(!FileManager.default.fileExists(atPath: path))
      #expect(folder.names().count == 1 && folder.names()[0].hasSuffix(".partial"))
    }
    #expect(folder.names().isEmpty, "what is not finished goes")
    let big = [UInt8](repeating: 7, count: 3_000_000)
    let file = try AtomicFile(path)
    try file.append([])
    try file.append(big)
    try file.append([9])
    try file.finish()
    #expect(folder.names() == ["x"])
    #expect(try folder.bytes("x") == big + [9])
  }

  @Test("an older file stays until the new one is finished")
  func replaced() throws {
    let path = folder.file("x")
    try AtomicFile.write([1], to: path)
    do {
      let first = try AtomicFile(path)
      let second = try AtomicFile(path)
      try first.append([2])
      try second.append([3])
      #expect(try folder.bytes("x") == [1])
      try second.finish()
      #expect(try folder.bytes("x") == [3])
    }
    #expect(folder.names() == ["x"])
    #expect(try folder.bytes("x") == [3])
  }

  @Test("a folder that is not there, and a name that is a folder, cannot be written")
  func unwritable() throws {
    let missing = folder.file("no/x")
    #expect(throws: TensorError.unwritable(path: missing, problem: "No such file or directory")) {
      try AtomicFile(missing)
    }
    try folder.write([1], "d/y")
    #expect(throws: TensorError.self) { try AtomicFile.write([2], to: folder.file("d")) }
    #expect(folder.names() == ["d"] && folder.names("d") == ["y"])
    #expect(throws: TensorError.self) { try AtomicFile.write([2], to: folder.file("d/y/z")) }
  }

  @Test("hashes are SHA-256, of bytes, text and files alike")
  func hashes() throws {
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    let abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    #expect(ContentHash.sha256("") == empty && ContentHash.sha256([UInt8]()) == empty)
    #expect(ContentHash.sha256("abc") == abc && ContentHash.sha256(Array("abc".utf8)) == abc)
    try folder.write(Array("abc".utf8), "abc")
    try folder.write([], "empty")
    #expect(try ContentHash.sha256(ofFile: folder.file("abc")) == abc)
    #expect(try ContentHash.sha256(ofFile: folder.file("empty")) == empty)
    #expect(throws: TensorError.self) { try ContentHash.sha256(ofFile: folder.file("none")) }
    #expect(throws: TensorError.self) { try ContentHash.sha256(ofFile: folder.path) }
  }

  @Test("a mapped file hands out its bytes, and tensors at any address")
  func mapped() throws {
    try folder.write((0..<32).map { UInt8($0) }, "x")
    let file = try MappedFile(folder.file("x"))
    #expect(file.count == 32 && file.bytes(3..<6) == [3, 4, 5] && file.bytes(7..<7).isEmpty)
    #expect(file.littleEndian64(at: 1) == 0x0807_0605_0403_0201)
    let aligned = file.tensor(at: 4, dtype: .int32, shape: [2])
    #expect(aligned.scalars(Int32.self) == [0x0706_0504, 0x0b0a_0908])
    let odd = file.tensor(at: 5, dtype: .int32, shape: [1])
    #expect(odd.scalars(Int32.self) == [0x0807_0605])
    #expect(file.tensor(at: 32, dtype: .float64, shape: [0]).shape == [0])
    #expect(throws: TensorError.self) { try MappedFile(folder.path) }
  }
}
