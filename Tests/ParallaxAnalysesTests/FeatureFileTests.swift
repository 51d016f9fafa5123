import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Features of any origin")
struct FeatureFileTests {
  private func write(_ folder: TemporaryFolder, rows: Int = 12) throws -> Tensor {
    let x = RandomSource(seed: 4).normal([rows, 5])
    let path = folder.url.appending(path: "x.npy").path
    try Npy.write(rows: rows, rowShape: [5], dtype: .float32, to: path) { $0 == 0 ? x : nil }
    return x
  }

  @Test("arrays with labels of every kind give the same k*")
  func kinds() throws {
    let folder = try TemporaryFolder()
    let x = try write(folder)
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    let labels = (0..<12).map { Int64($0 % 2) }
    let numbers = Tensor(labels, shape: [12])
    try Npy.write(rows: 12, rowShape: [], dtype: .int64, to: path("y.npy")) {
      $0 == 0 ? numbers : nil
    }
    try folder.write(Array(labels.map { "\($0)\n" }.joined().utf8), "y.txt")
    try folder.write(
      Array(("id,class\n" + labels.map { "a,\($0)\n" }.joined()).utf8), "y.csv")
    try Safetensors.write([("labels", numbers)], to: path("y.safetensors"))
    try Safetensors.write(
      [("m@a#cls", x), ("m@b", x * 2), ("labels", numbers)], to: path("xy.safetensors"))
    let expected = try KStar()(x, labels: labels.map(Int.init)).ranks
    for name in ["y.npy", "y.txt", "y.csv", "y.safetensors"] {
      let result = try FeatureFile(path("x.npy"), labels: path(name)).kStar(.init())
      #expect(result.models.map(\.name) == ["x"])
      #expect(result.models[0].spaces[0].ranks == expected)
      #expect(result.classes == ["0", "1"] && result.images[3] == "row 3")
    }
    let both = try FeatureFile(path("xy.safetensors")).kStar(.init())
    #expect(both.models.map(\.name) == ["m"])
    #expect(both.models[0].spaces.map(\.site) == ["a", "b"])
    #expect(both.models[0].spaces.map(\.tokens) == ["cls", ""])
    #expect(both.models[0].spaces.allSatisfy { $0.ranks == expected })
  }

  @Test("layers of a .safetensors file are in the order in which people count")
  func naturalOrder() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([12, 5])
    let path = folder.url.appending(path: "x.safetensors").path
    let names = ["head", "blocks.10", "blocks.2", "blocks.0", "blocks.11"]
    try Safetensors.write(
      names.map { ($0, x) } + [("labels", Tensor((0..<12).map { Int64($0 % 2) }, shape: [12]))],
      to: path)
    let file = try FeatureFile(path)
    #expect(file.spaces.map(\.name) == ["blocks.0", "blocks.2", "blocks.10", "blocks.11", "head"])
    #expect(file.sources.map(\.role) == ["features"] && file.sources[0].hash.count == 64)
    let result = try file.kStar(.init())
    #expect(
      result.models[0].spaces.last?.site == "head" && result.models[0].spaces.last?.map != nil)
    #expect(
      result.switches.contains { $0.name == "sites" && $0.value.contains("digits as numbers") })
    // Eleven others, so many vote.
    #expect(result.switches.contains { $0.name == "neighbours that vote" && $0.value == "10" })
    for (a, b) in [
      ("a2", "a10"), ("a02", "a10"), ("a", "b"), ("a1", "a1b"), ("a1", "a01"), ("2", "a"),
    ] {
      #expect(NaturalOrder.precedes(a, b) && !NaturalOrder.precedes(b, a))
    }
    #expect(!NaturalOrder.precedes("a1", "a1"))
  }

  @Test("switches say what was done")
  func switches() throws {
    let folder = try TemporaryFolder()
    _ = try write(folder)
    let labels = (0..<12).map { "\($0 % 2)\n" }.joined()
    try folder.write(Array(labels.utf8), "y.txt")
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    var options = KStarAnalysis.Options()
    (options.metric, options.neighbours, options.resamples) = (.cosine, 500, 5)
    let result = try FeatureFile(path("x.npy"), labels: path("y.txt")).kStar(options)
    func value(_ name: String) -> String { result.switches.first { $0.name == name }?.value ?? "" }
    #expect(value("features").contains("of unit length"))
    #expect(value("neighbours that vote") == "11")
    #expect(value("intervals") == "none: 5 resamples, 20 are needed")
    let map = result.models[0].spaces[0].map
    #expect(map?.note == "of Euclidean distances, as the map is")
    #expect(result.models[0].spaces[0].concepts[0].dimensionNote == "of Euclidean distances alone")
  }

  @Test("a map that cannot be drawn is no reason to refuse the space")
  func noMap() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([12, 5]) * 1e25
    let path = folder.url.appending(path: "x.safetensors").path
    try Safetensors.write(
      [("x", x), ("labels", Tensor((0..<12).map { Int64($0 % 2) }, shape: [12]))], to: path)
    let space = try #require(try FeatureFile(path).kStar(.init()).models.first?.spaces.first)
    #expect(space.map == nil && space.mapNote?.contains("overflow") == true)
    #expect(space.breakers?.count == 12)
  }

  @Test("what does not fit is refused in a sentence")
  func refusals() throws {
    let folder = try TemporaryFolder()
    _ = try write(folder)
    func path(_ name: String) -> String { folder.url.appending(path: name).path }
    func refused(_ features: String, _ labels: String?, _ text: String) {
      do {
        _ = try FeatureFile(path(features), labels: labels.map(path)).kStar(.init())
        Issue.record("expected a refusal of \(features) \(labels ?? "")")
      } catch { #expect("\(error)".contains(text), "\(error)") }
    }
    try folder.write(Array("a\nb\n".utf8), "short.txt")
    try folder.write(Array(String(repeating: "a\n", count: 12).utf8), "one.txt")
    try folder.write(Array((0..<12).map { "c\($0)\n" }.joined().utf8), "single.txt")
    try folder.write(Array("x,y\na,b\n".utf8), "columns.csv")
    try folder.write(Array("no array".utf8), "bad.npy")
    let cut = Array(try folder.bytes("x.npy").dropLast(3))
    try folder.write(cut, "cut.npy")
    refused("x.npy", nil, "there are no classes; name a file of them with --labels")
    refused("x.npy", "short.txt", "expected a label for each of 12 images, found 2")
    refused("x.npy", "one.txt", "all images are of one class, 'a'")
    refused("x.npy", "single.txt", "the largest of 12 classes has 1 image, expected one with 3")
    refused("x.npy", "columns.csv", "none is called label or class")
    refused("x.npy", "x.npy", "expected whole numbers [images]")
    refused("bad.npy", "one.txt", "is no .npy file")
    refused("cut.npy", "one.txt", "needs 240 bytes")
    refused("none.npy", "one.txt", "there is no such file")
    refused("x.npy", "none.txt", "there is no such file of labels")
    refused("short.txt", "one.txt", "expected .npy, .safetensors")
    try FileManager.default.createDirectory(
      atPath: path("empty"), withIntermediateDirectories: true)
    refused("empty", nil, "has no index.json")
  }

  @Test("NaN is refused with the image's name, and other spaces go on")
  func notFinite() throws {
    let folder = try TemporaryFolder()
    let x = RandomSource(seed: 4).normal([8, 3])
    let bad = Tensor.concatenated([x.sliced(0, 0, 5), x.sliced(0, 5, 6) / 0.0, x.sliced(0, 6)], 0)
    let path = folder.url.appending(path: "x.safetensors").path
    let labels = Tensor((0..<8).map { Int64($0 % 2) }, shape: [8])
    try Safetensors.write([("good", x), ("bad", bad), ("labels", labels)], to: path)
    let result = try FeatureFile(path).kStar(.init())
    #expect(result.refusals.map(\.address) == ["bad"])
    #expect(result.refusals[0].reason.contains("of row 5"))
    #expect(result.models[0].spaces.map(\.site) == ["good"])
  }
}
