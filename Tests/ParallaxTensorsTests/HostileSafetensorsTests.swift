import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Hostile safetensors files")
struct HostileSafetensorsTests {
  private let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  /// A file of that header and so many bytes of data; the length is the header's own unless given.
  private func file(_ header: [UInt8], data: Int, length: UInt64? = nil) -> [UInt8] {
    let length = length ?? UInt64(header.count)
    return (0..<8).map { UInt8(truncatingIfNeeded: length >> (8 * UInt64($0))) } + header
      + [UInt8](repeating: 1, count: data)
  }

  private func open(_ bytes: [UInt8]) throws -> Safetensors {
    try folder.write(bytes, "x")
    return try Safetensors(folder.file("x"))
  }

  static let deep = 200_000

  /// Headers that are wrong, with the bytes of data after them and a word of the complaint.
  static let headers: [(text: String, data: Int, complaint: String)] = [
    ("", 0, "expected '{'"), ("[]", 0, "expected '{'"), ("null", 0, "expected '{'"),
    ("{", 0, "expected '\"'"), ("{}x", 0, "after its end"), ("{}{}", 0, "after its end"),
    (#"{"a":1}"#, 4, "expected '{'"), (#"{"a":null}"#, 4, "expected '{'"),
    (#"{"a":{}}"#, 4, "does not give 'a' a dtype"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "does not give 'a'"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0]}}"#, 4, "does not give 'a'"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4,8]}}"#, 4, "does not give 'a'"),
    (#"{"a":{"dtype":4,"shape":[1],"data_offsets":[0,4]}}"#, 4, "expected '\"'"),
    (#"{"a":{"dtype":"F31","shape":[1],"data_offsets":[0,4]}}"#, 4, "dtype F31"),
    (#"{"a":{"dtype":"F32","shape":1,"data_offsets":[0,4]}}"#, 4, "expected '['"),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"F32","shape":[1.0],"data_offsets":[0,4]}}"#, 4, "expected ']'"),
    (#"{"a":{"dtype":"F32","shape":[1e0],"data_offsets":[0,4]}}"#, 4, "expected ']'"),
    (#"{"a":{"dtype":"F32","shape":[NaN],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"F32","shape":[Infinity],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"F32","shape":["1"],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"F32","shape":[9223372036854775808],"data_offsets":[0,4]}}"#, 4, "2^63"),
    (#"{"a":{"dtype":"F32","shape":[1,],"data_offsets":[0,4]}}"#, 4, "whole number"),
    (#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "needs 8 bytes"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "within the file"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,8]}}"#, 4, "within the file"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "whole number"),
    (
      #"{"a":{"dtype":"F32","shape":[4611686018427387905],"data_offsets":[0,4]}}"#, 4,
      "impossible shape"
    ),
    (
      #"{"a":{"dtype":"U8","shape":[4294967296,4294967296,0],"data_offsets":[0,0]}}"#, 0,
      "impossible shape"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 5, "belong to no tensor"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "belong to no tensor"),
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F32","shape":[2],"data_offsets":[4,12]}}"#,
      12, "overlap"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "overlap"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#,
      4, "'a' twice"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"\u0061":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#,
      8, "'a' twice"
    ),
    (
      #"{"a":{"dtype":"F32","dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 4, "surplus 'dtype'"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4],"x":1}}"#, 4, "surplus 'x'"),
    (#"{"__metadata__":{"a":1}}"#, 0, "expected '\"'"),
    (#"{"__metadata__":[]}"#, 0, "expected '{'"),
    (#"{"__metadata__":{"a":"1","a":"2"}}"#, 0, "notes 'a' twice"),
    (#"{"__metadata__":{},"__metadata__":{}}"#, 0, "twice"),
    (#"{"a\u00g0":{}}"#, 0, "hexadecimal"), (#"{"\ud800":{}}"#, 0, "surrogate"),
    (#"{"\ud800\u0041":{}}"#, 0, "surrogate"), (#"{"\udc00":{}}"#, 0, "surrogate"),
    (#"{"\x":{}}"#, 0, "unknown escape"), (#"{"\u12"#, 0, "hexadecimal"),
    ("{\"a", 0, "without an end"), ("{\"a\\", 0, "without an end"),
    ("{\"a\u{1}\":{}}", 0, "control character"),
    (String(repeating: "[", count: deep), 0, "expected '{'"),
    (String(repeating: "{\"a\":", count: deep), 0, "surplus 'a'"),
    (#"{"a":{"dtype":"F32","shape":"# + String(repeating: "[", count: deep), 0, "whole number"),
  ]

  @Test("a wrong header is refused with what is wrong", arguments: headers.indices)
  func header(_ index: Int) throws {
    let (text, data, complaint) = Self.headers[index]
    let error = #expect(throws: TensorError.self) { try open(file(Array(text.utf8), data: data)) }
    guard case .safetensors(let path, let problem) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(path == folder.file("x"))
    #expect(problem.contains(complaint), "\(problem)")
    #expect(problem.utf8.count < 400)
  }

  @Test("text that is not UTF-8 is refused")
  func notUTF8() throws {
    for bad in [[0xff], [0xc3], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xf5, 0x80, 0x80, 0x80]]
      as [[UInt8]]
    {
      let name = Array("{\"".utf8) + bad + Array("\":{}}".utf8)
      let error = #expect(throws: TensorError.self) { try open(file(name, data: 0)) }
      #expect(error?.description.contains("UTF-8") == true)
    }
  }

  @Test("lengths that the file does not have are refused, whatever their size")
  func lengths() throws {
    let header = Array("{}".utf8)
    for length in [3, 100, 1 << 31, 1 << 32, UInt64(Int64.max), UInt64(Int64.max) + 1, .max] {
      #expect(throws: TensorError.self) { try open(file(header, data: 0, length: length)) }
    }
    for count in 0..<8 {
      #expect(throws: TensorError.self) { try open([UInt8](repeating: 0, count: count)) }
    }
    #expect(throws: TensorError.self) { try open(file(header, data: 0, length: 0)) }
    #expect(throws: TensorError.self) { try open(file(header, data: 0, length: 1)) }
  }

  @Test("a missing file, a folder and an empty file are errors with their path")
  func noFile() throws {
    try folder.write([], "empty")
    for name in ["missing", "", "empty"] {
      let path = folder.file(name)
      let error = #expect(throws: TensorError.self) { try Safetensors(path) }
      #expect(error?.description.hasPrefix(path) == true)
    }
  }

  @Test("a good file that was cut anywhere, or in which a byte has changed, never traps")
  func damage() throws {
    let tensors: [(name: String, tensor: Tensor)] = [
      ("a", Tensor.ones([3, 2])), ("b", Tensor.ones([2], .int64)), ("c", Tensor.ones([3], .bool)),
    ]
    try Safetensors.write(tensors, metadata: ["k": "v"], to: folder.file("good"))
    let good = try folder.bytes("good")
    let data = 24 + 16 + 3
    for count in 0..<good.count {
      #expect(throws: TensorError.self) { try open(Array(good.prefix(count))) }
    }
    #expect(throws: TensorError.self) { try open(good + [0]) }
    var refused = 0
    for place in 0..<(good.count - data) {
      for change in [1, 2, 0x10, 0x80, 0xff] as [UInt8] {
        var bytes = good
        bytes[place] ^= change
        do {
          let file = try open(bytes)
          // What still opens can be read whole.
          for name in file.names { #expect(file[name]?.bytes().isEmpty == false) }
        } catch is TensorError {
          refused += 1
        }
      }
    }
    #expect(refused > 4 * (good.count - data))
  }
}
