import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Safetensors files")
struct SafetensorsTests {
  private let folder: TemporaryFolder
  private let path: String

  init() throws {
    folder = try TemporaryFolder()
    path = folder.file("t.safetensors")
  }

  @Test("every element type goes out and comes in with the same bytes", arguments: DType.allCases)
  func types(_ dtype: DType) throws {
    let values = Tensor((0..<24).map { Float($0) - 7 }, shape: [2, 3, 4])
    let tensors: [(name: String, tensor: Tensor)] = [
      ("whole", values.to(dtype)), ("number", Tensor(Float(5)).to(dtype)),
      ("nothing", Tensor.zeros([0, 3], dtype)), ("turned", values.transposed(0, 2).to(dtype)),
      ("part", values.sliced(2, 1, 3).to(dtype)),
    ]
    try Safetensors.write(tensors, to: path)
    let file = try Safetensors(path)
    #expect(Set(file.names) == Set(tensors.map(\.name)))
    for (name, tensor) in tensors {
      let found = try #require(file[name])
      #expect(found.shape == tensor.shape && found.dtype == dtype)
      #expect(file.shape(name) == tensor.shape && file.dtype(name) == dtype)
      #expect(found.bytes() == tensor.bytes(), "\(name)")
      #expect(found.contiguous().bytes() == found.bytes())
    }
    #expect(file["other"] == nil && file.shape("other") == nil && file.dtype("other") == nil)
    #expect(file.path == path && file.metadata.isEmpty)
  }

  @Test("numbers that are not finite, and the smallest, come back bit by bit")
  func specialNumbers() throws {
    let numbers: [Double] = [.nan, -.infinity, .infinity, -0.0, .leastNonzeroMagnitude, .pi]
    try Safetensors.write([("x", Tensor(numbers, shape: [6]))], to: path)
    let found = try #require(try Safetensors(path)["x"]).scalars(Double.self)
    #expect(found.map(\.bitPattern) == numbers.map(\.bitPattern))
  }

  @Test("names and notes may hold anything that text can hold")
  func text() throws {
    let texts = [
      "plain", "", "with \"quotes\" and \\", "line\nbreak\r\n\ttab", "\u{0}\u{1}\u{1f}\u{7f}",
      "ünïcode ↔ 🦧 e\u{301}", "{\"dtype\":\"F32\"}", "/", "\u{2028}",
    ]
    let tensors = texts.enumerated().map { (name: $1, tensor: Tensor(Float($0))) }
    let notes = Dictionary(uniqueKeysWithValues: texts.map { ($0 + "!", $0) })
    try Safetensors.write(tensors, metadata: notes, to: path)
    let file = try Safetensors(path)
    #expect(file.names == texts && file.metadata == notes)
    for (index, text) in texts.enumerated() {
      #expect(file[text]?.item(Double.self) == Double(index))
    }
  }

  @Test("the bytes are those that the format describes, and the same again")
  func layout() throws {
    let tensors: [(name: String, tensor: Tensor)] = [
      ("b", Tensor([Float(1), -2], shape: [2, 1])), ("a", Tensor([true, false, true], shape: [3])),
    ]
    try Safetensors.write(tensors, metadata: ["k": "v", "a": "b"], to: path)
    var header =
      #"{"__metadata__":{"a":"b","k":"v"},"b":{"dtype":"F32","shape":[2,1],"data_offsets":[0,8]},"#
      + #""a":{"dtype":"BOOL","shape":[3],"data_offsets":[8,11]}}"#
    while header.utf8.count % 8 != 0 { header += " " }
    let expected: [UInt8] =
      [UInt8(header.utf8.count), 0, 0, 0, 0, 0, 0, 0] + Array(header.utf8)
      + [0, 0, 0x80, 0x3f, 0, 0, 0, 0xc0, 1, 0, 1]
    #expect(try folder.bytes("t.safetensors") == expected)
    try Safetensors.write(tensors, metadata: ["a": "b", "k": "v"], to: path)
    #expect(try folder.bytes("t.safetensors") == expected)
    try Safetensors.write([], to: path)
    #expect(try folder.bytes("t.safetensors") == [8, 0, 0, 0, 0, 0, 0, 0] + Array("{}      ".utf8))
    #expect(try Safetensors(path).names.isEmpty)
  }

  @Test("a tensor outlives the file that it was mapped from, and a file written over it")
  func mapping() throws {
    try Safetensors.write([("x", Tensor.ones([1000]))], to: path)
    let x = try #require(try Safetensors(path)["x"])
    try Safetensors.write([("x", Tensor.zeros([1000]))], to: path)
    #expect(x.sum().item(Double.self) == 1000)
    try FileManager.default.removeItem(atPath: path)
    #expect((x + 1.0).sum().item(Double.self) == 2000)
  }

  @Test("what cannot be read again is not written, and an older file stays")
  func refusedNames() throws {
    try Safetensors.write([("x", Tensor(Float(3)))], to: path)
    let one = Tensor(Float(1))
    for names in [["a", "a"], ["__metadata__"], ["a", "b", "a"]] {
      #expect(throws: TensorError.self) {
        try Safetensors.write(names.map { ($0, one) }, to: path)
      }
    }
    #expect(try Safetensors(path)["x"]?.item(Double.self) == 3)
    #expect(folder.names() == ["t.safetensors"])
    let error = #expect(throws: TensorError.self) {
      try Safetensors.write([("x", one)], to: folder.file("no/t.safetensors"))
    }
    if case .unwritable = error {} else { Issue.record("\(String(describing: error))") }
  }
}
