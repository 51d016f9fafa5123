import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("parallax extract")
struct ExtractCommandTests {
  private static let base = [
    "extract", "mobilenetv2_100@blocks.0.0,global_pool", "--random-weights", "1", "--images",
    "photos", "--block-size", "4",
  ]
  private static let addresses = [
    "mobilenetv2_100-random@blocks.0.0#avg", "mobilenetv2_100-random@global_pool#flat",
  ]

  private func shards(_ index: Extraction.Index, in folder: TemporaryFolder) throws
    -> [Safetensors]
  {
    try index.shards.map { try Safetensors(folder.file("features/\($0)")) }
  }

  @Test(
    "writes shards, a table of the images and an index, and .npy files where they are asked for")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10)
    let outcome = try parallax.run(Self.base + ["--json", "--npy"])
    outcome.expectSuccess()
    let index = try outcome.json(Extraction.Index.self)
    #expect(index.addresses == Self.addresses)
    #expect(index.widths == [16, 1280] && index.images == 10)
    #expect(
      index.shards == [0, 1, 2].map { "shard-0000\($0).safetensors" })
    #expect(
      try parallax.folder.bytes("features/index.json") == Array(outcome.output.utf8).dropLast())
    #expect(
      parallax.folder.names("features")
        == (["index.json", "samples.csv"] + index.shards + Self.addresses.map { "\($0).npy" })
        .sorted())
    let files = try shards(index, in: parallax.folder)
    for (place, address) in Self.addresses.enumerated() {
      let width = index.widths[place]
      #expect(files.map { $0.shape(address) } == [[4, width], [4, width], [2, width]])
      let rows = Tensor.concatenated(try files.map { try #require($0[address]) }, 0)
      #expect(rows.isFinite())
      // A .npy file ends with the numbers, row by row.
      let bytes = try parallax.folder.bytes("features/\(address).npy")
      #expect(Array(bytes.prefix(6)) == [0x93] + Array("NUMPY".utf8))
      #expect(Array(bytes.suffix(4 * 10 * width)) == rows.bytes())
    }
    #expect(parallax.states.isEmpty)
  }

  @Test("the table names every row's image, also where classes use the same file names")
  func table() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10)
    let outcome = try parallax.run(Self.base)
    outcome.expectSuccess()
    #expect(outcome.output == "features: 2 representations of 10 images in 3 shards\n")
    let text = String(decoding: try parallax.folder.bytes("features/samples.csv"), as: UTF8.self)
    let rows = try #require(cells(text))
    #expect(rows.first == ["shard", "row", "id", "path", "label", "class", "sha256"])
    let images = rows.dropFirst()
    #expect(
      images.map { $0[2] }
        == ["ants", "bees"].flatMap { name in (100..<105).map { "\(name)/\($0).png" } })
    #expect(images.map { $0[5] } == (0..<10).map { $0 < 5 ? "ants" : "bees" })
    #expect(images.map { $0[4] } == (0..<10).map { $0 < 5 ? "0" : "1" })
    #expect(Set(images.map { $0[6] }).count == 10)
    #expect(images.map { $0[1] } == ["0", "1", "2", "3", "0", "1", "2", "3", "0", "1"])
  }

  @Test("nothing depends on the batch size or on the number of threads that decode")
  func batches() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(6)
    let first = try parallax.run(Self.base + ["--json"])
    first.expectSuccess()
    let second = try parallax.run(
      Self.base + ["--json", "--output", "other", "-b", "1", "-j", "1"])
    second.expectSuccess()
    let index = try first.json(Extraction.Index.self)
    #expect(try second.json(Extraction.Index.self) == index)
    for file in index.shards {
      let a = try Safetensors(parallax.folder.file("features/\(file)"))
      let b = try Safetensors(parallax.folder.file("other/\(file)"))
      for address in index.addresses {
        let gap = ModelOracle.difference(
          try #require(a[address]), try #require(b[address]))
        #expect(gap < 1e-5, "\(address)")
      }
    }
  }

  @Test("the address and the shared options mean the same, and the address goes before")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let tail = ["--random-weights", "1", "--images", "photos", "--json"]
    func addresses(_ head: [String]) throws -> [String] {
      try parallax.run(["extract"] + head + tail + ["--output", "of-\(head.count)"])
        .json(Extraction.Index.self).addresses
    }
    let name = "mobilenetv2_100-random"
    #expect(
      try addresses(["mobilenetv2_100", "--sites", "blocks.1.*", "--tokens", "grid:2"])
        == ["\(name)@blocks.1.0#grid:2", "\(name)@blocks.1.1#grid:2"])
    #expect(
      try addresses(["mobilenetv2_100@blocks.2.0", "--sites", "blocks.1.*"])
        == ["\(name)@blocks.2.0#avg"])
    // Several addresses of one model share it, in execution order.
    #expect(
      try addresses(["mobilenetv2_100@blocks.2.0", "mobilenetv2_100@blocks.0.0#flat"])
        == ["\(name)@blocks.0.0#flat", "\(name)@blocks.2.0#avg"])
  }

  @Test("broken images are left out, counted and named; --strict makes the first an error")
  func broken() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10, broken: [1, 7])
    try parallax.folder.write([], "photos/ants/099.png")
    let outcome = try parallax.run(Self.base + ["--json"])
    outcome.expectSuccess()
    let index = try outcome.json(Extraction.Index.self)
    #expect(index.images == 8)
    for name in ["ants/099.png", "ants/101.png", "bees/102.png"] {
      #expect(outcome.errors.contains("left out \(name): "), "\(outcome.errors)")
    }
    #expect(
      try shards(index, in: parallax.folder).map { $0.shape(Self.addresses[0])?[0] } == [3, 3, 2])
    try parallax.run(Self.base + ["--strict"]).expectFailure(65, "ants/099.png: has zero bytes")
    try FileManager.default.removeItem(atPath: parallax.folder.file("photos/ants/099.png"))
    try parallax.run(Self.base + ["--strict"]).expectFailure(65, "ants/101.png")
    let quiet = try parallax.run(Self.base + ["--quiet"])
    #expect(quiet.code == 0 && quiet.errors == "")
  }

  @Test("no image, or none that can be read, is an error and leaves no index")
  func nothing() throws {
    let parallax = try CommandRunner()
    try FileManager.default.createDirectory(
      atPath: parallax.folder.file("photos"), withIntermediateDirectories: true)
    try parallax.run(Self.base).expectFailure(66, "photos: holds no usable image")
    try parallax.folder.write([], "photos/a.png")
    try parallax.run(Self.base).expectFailure(66, "photos: holds no usable image", "1 skipped")
    try parallax.folder.pictures(6, broken: Set(0..<6))
    try parallax.run(Self.base).expectFailure(65, "photos", "found 0")
    #expect(!parallax.folder.names("features").contains("index.json"))
    try parallax.run(Self.base.map { $0 == "photos" ? "absent" : $0 }).expectFailure(66, "absent")
  }

  @Test("a list of paths and labels serves as well as a folder, and the limit spreads over classes")
  func list() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let lines = ["ants/100.png,x", "ants/101.png,y", "bees/100.png,y"].map { "photos/\($0)" }
    try parallax.folder.write(Array(("path,label\n" + lines.joined(separator: "\n")).utf8), "l.csv")
    let listed = try parallax.run(Self.base.map { $0 == "photos" ? "l.csv" : $0 } + ["--json"])
    listed.expectSuccess()
    #expect(try listed.json(Extraction.Index.self).images == 3)
    let limited = try parallax.run(Self.base + ["--limit", "4", "--json", "--output", "limited"])
    limited.expectSuccess()
    let text = String(decoding: try parallax.folder.bytes("limited/samples.csv"), as: UTF8.self)
    #expect(
      try #require(cells(text)).dropFirst().map { $0[5] } == ["ants", "ants", "bees", "bees"])
    try parallax.folder.write(Array("path,label\nphotos/none.png,x\n".utf8), "l.csv")
    try parallax.run(Self.base.map { $0 == "photos" ? "l.csv" : $0 }).expectFailure(
      65, "l.csv: row 2", "photos/none.png")
  }
}
