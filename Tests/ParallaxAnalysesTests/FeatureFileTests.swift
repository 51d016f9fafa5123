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

  private func layers(_ folder: TemporaryFolder, _ names: [String], rows: Int = 40) throws
    -> String
  {
    let path = folder.url.appending(path: "layers.safetensors").path
    try Safetensors.write(
      names.enumerated().map {
        ($1, RandomSource(seed: UInt64($0)).normal([rows, 5]))
      } + [("labels", Tensor((0..<rows).map { Int64($0 % 2) }, shape: [rows]))], to: path)
    return path
  }

  @Test("maps are drawn of the last space, and of those that are asked for, by what is asked for")
  func maps() throws {
    let folder = try TemporaryFolder()
    let path = try layers(folder, ["a@blocks.0", "a@blocks.1", "a@head", "b@blocks.0", "b@pool"])
    func mapped(_ set: (inout KStarAnalysis.Options) throws -> Void) throws -> [String] {
      var options = KStarAnalysis.Options()
      (options.resamples, options.maps) = (0, .pca)
      try set(&options)
      return try FeatureFile(path).kStar(options).models.flatMap { model in
        model.spaces.filter { $0.map != nil }.map { "\(model.name)@\($0.site)" }
      }
    }
    #expect(try mapped { _ in } == ["a@head", "b@pool"])
    #expect(try mapped { $0.mapped = .all }.count == 5)
    let first = try mapped { $0.mapped = .sites(try SitePattern(parsing: "blocks.0")) }
    #expect(first == ["a@blocks.0", "a@head", "b@blocks.0", "b@pool"])
    // Of one model alone there is such a site: that is enough.
    let some = try mapped { $0.mapped = .sites(try SitePattern(parsing: "blocks.1,head")) }
    #expect(some == ["a@blocks.1", "a@head", "b@pool"])
    do {
      _ = try mapped { $0.mapped = .sites(try SitePattern(parsing: "blocks.0,stem")) }
      Issue.record("expected a refusal")
    } catch {
      #expect("\(error)".contains("no site that is looked at is 'stem', of which a map is asked"))
      #expect("\(error)".contains("expected some of blocks.0, blocks.1, head, pool"))
    }
    var options = KStarAnalysis.Options()
    options.mapped = .all
    #expect(throws: AnalysisError.self) {
      try options.settleMaps([(0..<241).map { "blocks.\($0)" }])
    }
    #expect(options.mapLimit == 1000)
    #expect(try options.settleMaps([(0..<60).map { "blocks.\($0)" }])[0].count == 60)
    #expect(options.mapLimit == 400)
  }

  @Test("t-SNE stands beside principal components, and says what it took")
  func layouts() throws {
    let folder = try TemporaryFolder()
    let path = try layers(folder, ["x"])
    var options = KStarAnalysis.Options()
    (options.resamples, options.mapLimit) = (0, 30)
    let result = try FeatureFile(path).kStar(options)
    let map = try #require(result.models[0].spaces[0].map)
    let tsne = try #require(map.tsne)
    #expect(map.images.count == 30 && tsne.points.count == 30 && tsne.images == 40)
    #expect(tsne.perplexity == 13 && tsne.askedPerplexity == 30 && map.tsneNote == nil)
    #expect(tsne.points.flatMap(\.self).map { abs($0) }.max() == 1)
    #expect(try #require(tsne.trustworthiness) > 0.6 && tsne.divergence > 0)
    #expect(
      result.tidyRows().contains { $0.measure == "t-SNE trustworthiness perplexity=13.0 k=10" })
    #expect(result.switches.contains { $0.name == "t-SNE" && $0.value.contains("no seed") })
    #expect(try FeatureFile(path).kStar(options) == result)
    options.maps = .pca
    let bare = try FeatureFile(path).kStar(options)
    #expect(bare.models[0].spaces[0].map?.tsne == nil)
    #expect(bare.models[0].spaces[0].map?.points == map.points)
    #expect(!bare.switches.contains { $0.name == "t-SNE" })
    // Coincident images have one place.
    let flat = folder.url.appending(path: "flat.safetensors").path
    let rows = Tensor((0..<4).map(Double.init), shape: [4, 1])
    try Safetensors.write(
      [("x", rows), ("labels", Tensor([Int64(0), 0, 0, 1], shape: [4]))], to: flat)
    let few = try FeatureFile(flat).kStar(.init()).models[0].spaces[0].map
    #expect(few?.tsne == nil && few?.tsneNote == "t-SNE needs at least 5 images, found 4")
    var large = KStarAnalysis.Options()
    #expect(large.laysOut(1000) && !large.laysOut(1001))
    large.maps = .tsne
    #expect(large.laysOut(50_000))
  }

  @Test("a run that is stopped keeps the spaces that it has finished, until they are written")
  func kept() throws {
    let folder = try TemporaryFolder()
    let states = try TemporaryFolder()
    let file = try FeatureFile(layers(folder, ["blocks.0", "blocks.1", "head"]))
    let options = KStarAnalysis.Options()
    func kept(_ options: KStarAnalysis.Options = options, resumes: Bool = true) -> KeptSpaces {
      KeptSpaces(of: file, options, in: states.url, version: "1", resumes: resumes)
    }
    var share = 0.0
    #expect(throws: AnalysisError.interrupted) {
      try file.kStar(
        options, keeping: kept(), isInterrupted: { share > 0.3 }, progress: { share = $0 })
    }
    #expect(states.names().count == 1)
    let expected = try file.kStar(options)
    // The first is not made again: what lies there counts.
    let path = try #require(states.names().first)
    let text = String(decoding: try states.bytes(path), as: UTF8.self)
    try states.write(Array(text.replacing("\"tied\":0", with: "\"tied\":7").utf8), path)
    var told: [Double] = []
    var resumed = try file.kStar(options, keeping: kept(), progress: { told.append($0) })
    #expect(resumed.models[0].spaces[0].tied == 7)
    #expect(try #require(told.first) > 0.3)
    resumed.models[0].spaces[0].tied = 0
    #expect(resumed == expected && states.names().count == 3)
    // Other options, a damaged file, and who does not want to resume make it anew.
    var other = options
    other.ties = .optimistic
    #expect(try file.kStar(other, keeping: kept(other)).models[0].spaces[0].tied == 0)
    #expect(try file.kStar(options, keeping: kept(resumes: false)) == expected)
    try states.write(Array("no JSON".utf8), path)
    #expect(try file.kStar(options, keeping: kept()) == expected)
    kept().forget()
    kept(other).forget()
    #expect(states.names().isEmpty)
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
