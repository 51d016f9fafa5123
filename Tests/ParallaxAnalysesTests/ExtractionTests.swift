import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Extraction")
struct ExtractionTests {
  private func extract(
    _ images: TemporaryFolder, _ subjects: [Subject], _ wanted: [Representation],
    to folder: TemporaryFolder, npy: Bool = false
  ) throws -> Extraction.Index {
    let set = try ImageSet(images.path)
    var pass = Pass(subjects: subjects, images: set)
    pass.blockSize = 5
    let extraction = try Extraction(wanted, to: folder.url)
    _ = try pass.run([extraction])
    return try extraction.complete(images: set, subjects: subjects, npy: npy)
  }

  @Test("shards, table and index say the same, for two models of different image sizes")
  func layout() throws {
    let (images, folder) = (try imageFolder(12, broken: [7]), try TemporaryFolder())
    let subjects = [try smallSubject("a"), try smallSubject("b", seed: 2, side: 32)]
    let wanted =
      try subjects[0].representations(at: SitePattern(parsing: "blocks.*,head"))
      + subjects[1].representations(at: SitePattern(parsing: "blocks.1"), tokens: .flat)
    let index = try extract(images, subjects, wanted, to: folder)
    let shards = (0..<3).map { "shard-0000\($0).safetensors" }
    #expect(folder.names() == ["index.json", "samples.csv"] + shards)
    #expect(index.shards == shards && index.images == 11 && index.format == 1)
    #expect(index.addresses == wanted.map(\.address))
    #expect(index.addresses.suffix(2) == ["a@head#flat", "b@blocks.1#flat"])
    #expect(index.widths == [12, 12, 12, 5, 17 * 12])
    #expect(index.models == ["a": "small 16 seed 1", "b": "small 32 seed 2"])
    #expect(index.data == (try ImageSet(images.path).fingerprint))
    let written = try JSONDecoder().decode(
      Extraction.Index.self, from: Data(try folder.bytes("index.json")))
    #expect(written == index)
    for (shard, rows) in zip(shards, [5, 4, 2]) {
      let file = try Safetensors(folder.file(shard))
      #expect(Set(file.names) == Set(index.addresses))
      for (address, width) in zip(index.addresses, index.widths) {
        #expect(file.shape(address) == [rows, width] && file.dtype(address) == .float32)
      }
    }
  }

  @Test("the table names every row's image, also where two classes use the same file names")
  func table() throws {
    let (images, folder) = (try imageFolder(12, broken: [7]), try TemporaryFolder())
    let subject = try smallSubject("a")
    _ = try extract(images, [subject], try subject.representations(), to: folder)
    let rows = try #require(cells(String(decoding: try folder.bytes("samples.csv"), as: UTF8.self)))
    #expect(rows[0] == ["shard", "row", "id", "path", "label", "class", "sha256"])
    #expect(rows.count == 12 && rows.allSatisfy { $0.count == 7 })
    #expect(Set(rows.dropFirst().map { $0[2] }).count == 11)
    #expect(rows[3][2] == "apes/1002.png" && rows[8][2] == "bees/1002.png")
    #expect(rows[3][4] == "0" && rows[8][4] == "1" && rows[8][5] == "bees")
    #expect(rows[6].prefix(2) == ["shard-00001.safetensors", "0"])
    #expect(rows[10].prefix(2) == ["shard-00002.safetensors", "0"])
    for row in rows.dropFirst() {
      #expect(row[6] == (try ContentHash.sha256(ofFile: row[3])))
      // The row holds what the model makes of that very image.
      let features = try Safetensors(folder.file(row[0]))["a@blocks.0#cls"]
      let input = try subject.preprocessing.tensor(
        try ImageBuffer(decoding: URL(filePath: row[3])))
      var expected = input
      let tap = Tap(["blocks.0"]) { visit in
        expected = visit.value.selected(1, 0)
        return nil
      }
      _ = subject.model(input, tap)
      let place = try #require(Int(row[1]))
      #expect(gap(try #require(features).sliced(0, place, place + 1), expected) < 1e-5)
    }
  }

  @Test(
    "names with commas, quotes and line breaks stay one cell",
    arguments: ["a,b", "a\"b\"", "\"", "a\nb", "a\r\nb", "a\rb", "a,\u{301}b", "\"\u{308}"])
  func hostileNames(_ name: String) throws {
    let (images, folder) = (try TemporaryFolder(), try TemporaryFolder())
    for index in 0..<4 { try images.write(try noisyPNG(index), "\(name)/\(index).png") }
    let subject = try smallSubject("a")
    _ = try extract(images, [subject], try subject.representations(), to: folder)
    let rows = try #require(cells(String(decoding: try folder.bytes("samples.csv"), as: UTF8.self)))
    #expect(rows.count == 5)
    #expect(rows.dropFirst().allSatisfy { $0.count == 7 && $0[5].utf8.elementsEqual(name.utf8) })
  }

  @Test("the .npy files hold all rows of the shards, in order")
  func npy() throws {
    let (images, folder) = (try imageFolder(12), try TemporaryFolder())
    let subject = try smallSubject("a")
    let wanted = try subject.representations()
    let index = try extract(images, [subject], wanted, to: folder, npy: true)
    for address in index.addresses {
      let bytes = try folder.bytes(address + ".npy")
      let parts = try index.shards.map {
        try #require(try Safetensors(folder.file($0))[address])
      }
      let all = Tensor.concatenated(parts, 0)
      #expect(all.shape == [12, 12])
      #expect(Array(bytes.suffix(4 * 144)) == all.bytes())
      let header = String(decoding: bytes.dropLast(4 * 144).dropFirst(10), as: UTF8.self)
      #expect(header.hasPrefix("{'descr': '<f4', 'fortran_order': False, 'shape': (12, 12), }"))
    }
  }

  @Test("a folder that cannot be made is an error with its path")
  func unwritable() throws {
    let folder = try TemporaryFolder()
    try folder.write([1], "file")
    let error = #expect(throws: TensorError.self) {
      try Extraction([], to: folder.url.appending(path: "file/inside"))
    }
    #expect(error?.description.contains("file/inside") == true)
  }

  @Test("a folder that holds other files and no extraction is refused and left alone")
  func otherFiles() throws {
    let folder = try TemporaryFolder()
    for name in ["notes.txt", "index.json", "shard-1.safetensors", "samples.csv"] {
      try folder.write(Array("{}".utf8), name)
      let error = #expect(throws: TensorError.self) { try Extraction([], to: folder.url) }
      guard case .unwritable(let path, let problem) = error else {
        Issue.record("\(name): \(String(describing: error))")
        continue
      }
      #expect(path == folder.path && problem.contains("holds other files and no extraction"))
      #expect(folder.names() == [name])
      try FileManager.default.removeItem(atPath: folder.file(name))
    }
    // Hidden files are nobody's, and an interrupted extraction has shards alone.
    try folder.write([1], ".hidden")
    _ = try Extraction([], to: folder.url)
    try folder.write([1], "shard-00002.safetensors")
    _ = try Extraction([], to: folder.url)
  }

  @Test("an earlier extraction is replaced whole: no shard, table or array of it stays")
  func replaced() throws {
    let (large, small) = (try imageFolder(12), try imageFolder(6))
    let folder = try TemporaryFolder()
    let subject = try smallSubject("a")
    let wanted = try subject.representations()
    _ = try extract(large, [subject], wanted, to: folder, npy: true)
    try folder.write([1], "mine.txt")
    #expect(folder.names().contains("shard-00002.safetensors"))
    #expect(folder.names().contains("a@blocks.2#cls.npy"))
    let index = try extract(small, [subject], [wanted[0]], to: folder)
    #expect(index.shards.count == 2)
    #expect(
      folder.names() == [
        "index.json", "mine.txt", "samples.csv", "shard-00000.safetensors",
        "shard-00001.safetensors",
      ])
    // While shards are replaced, no index speaks of the old ones.
    var pass = Pass(subjects: [subject], images: try ImageSet(large.path))
    (pass.blockSize, pass.isInterrupted) = (5, { true })
    let extraction = try Extraction(wanted, to: folder.url)
    #expect(throws: AnalysisError.interrupted) { try pass.run([extraction]) }
    #expect(!folder.names().contains("index.json") && !folder.names().contains("samples.csv"))
  }

  @Test("the same representation twice is refused, not written twice")
  func twice() throws {
    let (images, folder) = (try imageFolder(4), try TemporaryFolder())
    let subject = try smallSubject("a")
    let wanted = try subject.representations()
    #expect(throws: TensorError.self) {
      try extract(images, [subject], wanted + [wanted[1]], to: folder)
    }
    #expect(!folder.names().contains { $0.hasPrefix("shard") })
  }
}
