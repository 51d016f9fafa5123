import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("The analysis of k* distributions")
struct KStarAnalysisTests {
  private func analysis(
    _ folder: TemporaryFolder, _ subjects: [Subject],
    _ set: ((inout KStarAnalysis.Options) -> Void)? = nil
  ) throws -> (KStarAnalysis, ImageSet) {
    let images = try ImageSet(folder.url.path)
    var options = KStarAnalysis.Options()
    set?(&options)
    let wanted = try subjects.flatMap { try $0.representations() }
    return (try KStarAnalysis(wanted, of: subjects, images: images, options: options), images)
  }

  @Test("blocks and the last site are looked at; k* is that of their features")
  func spaces() throws {
    let folder = try imageFolder(16, broken: [3])
    let subject = try smallSubject("small")
    let (analysis, images) = try analysis(folder, [subject])
    let recorder = Recorder(analysis.wanted)
    var pass = Pass(subjects: [subject], images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    _ = try pass.run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.images.count == 15 && result.classes == ["apes", "bees"])
    #expect(result.images == result.images.sorted())
    #expect(result.models[0].spaces.map(\.site) == ["blocks.0", "blocks.1", "blocks.2", "head"])
    #expect(result.models[0].spaces.map(\.depth).max() == 1)
    let seen = recorder.blocks.flatMap(\.samples)
    #expect(seen != seen.sorted())
    let order = seen.indices.sorted { seen[$0] < seen[$1] }
    for (index, space) in result.models[0].spaces.enumerated() {
      let features = Tensor.concatenated(try #require(recorder.features[index]), 0)
        .gathered(0, order)
      #expect(try KStar()(features, labels: result.labels).ranks == space.ranks)
      #expect(space.concepts.map(\.count) == [7, 8])
      #expect(space.neighbourhood.neighbours == 10 && space.neighbourhood.accuracy != nil)
      #expect((space.map == nil) == (index < 3))
    }
    let map = try #require(result.models[0].spaces.last?.map)
    #expect(map.images == Array(0..<15) && map.chains.count == 15)
    for (image, chain) in map.chains.enumerated() {
      let rank = result.models[0].spaces[3].ranks[image]
      #expect(chain.count == min(rank, 12))
      #expect(chain.dropLast().allSatisfy { result.labels[$0] == result.labels[image] })
      if rank <= 12 {
        #expect(result.labels[try #require(chain.last)] != result.labels[image])
      }
    }
    #expect(map.trustworthiness != nil && result.refusals.isEmpty)
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "gamma macroMean" && $0.a == "small@head#flat" })
    #expect(rows.count { $0.measure == "skewness" } == 8)
    #expect(result.switches.contains { $0.name == "distance" && $0.origin == "paper" })
    #expect(result.findings.last?.quantity == "too few models: 1, expected 4 at least")
    #expect(result.findings.last?.verdict == .cannotTell)
  }

  @Test("a state restores, and another width does not")
  func states() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let (first, images) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([first])
    let (second, _) = try analysis(folder, [subject])
    let state = Dictionary(uniqueKeysWithValues: first.state().map { ($0.name, $0.tensor) })
    #expect(second.restore(state))
    #expect(try second.result() == first.result())
  }

  @Test("superclasses, and classes that do not suffice")
  func classes() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    #expect(throws: AnalysisError.self) {
      try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal", "bees": "animal"] }
    }
    #expect(
      throws: AnalysisError.classes("the label map has no superclass for 'bees'")
    ) { try analysis(folder, [subject]) { $0.superclasses = ["apes": "animal"] } }
    let (turned, images) = try analysis(folder, [subject]) {
      $0.superclasses = ["apes": "z", "bees": "a"]
    }
    _ = try Pass(subjects: [subject], images: images).run([turned])
    let (plain, _) = try analysis(folder, [subject])
    _ = try Pass(subjects: [subject], images: images).run([plain])
    #expect(try turned.result().classes == ["a", "z"])
    #expect(
      try turned.result().models[0].spaces[0].ranks == plain.result().models[0].spaces[0].ranks)
    let few = try imageFolder(4)
    #expect(throws: AnalysisError.self) { try analysis(few, [subject]) }
    #expect(throws: AnalysisError.self) { try Concepts(of: [], superclasses: nil).check("x") }
  }

  @Test("a table of superclasses is read, or refused with its line")
  func labelMaps() throws {
    let map = try Concepts.superclasses(
      "class,superclass\nape,animal\nvan,vehicle\n", path: "m.csv")
    #expect(map == ["ape": "animal", "van": "vehicle"])
    for (text, place) in [
      ("ape\n", "line 1"), ("ape,animal\nape,thing\n", "line 2"), ("", "names no class"),
      ("ape,animal,x\n", "line 1"),
    ] {
      do {
        _ = try Concepts.superclasses(text, path: "m.csv")
        Issue.record("expected a refusal of \(text)")
      } catch { #expect("\(error)".contains(place)) }
    }
  }

  @Test("images are counted among those of a bank")
  func banks() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14))
    let subject = try smallSubject("small")
    let (images, bankImages) = (try ImageSet(folder.url.path), try ImageSet(other.url.path))
    let wanted = try subject.representations()
    let chosen = KStarAnalysis.chosen(wanted, [subject], among: wanted, 6)
    #expect(chosen == wanted)
    let bank = try KStarBank(chosen, of: [subject], images: bankImages, superclasses: nil)
    let analysis = try KStarAnalysis(
      wanted, of: [subject], images: images, among: wanted, bank: bank)
    let recorder = Recorder(chosen)
    _ = try Pass(subjects: [subject], images: images).run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.bank == 14 && result.models[0].spaces.last?.map == nil)
    let features = Tensor.concatenated(try #require(recorder.features[1]), 0)
    let expected = try KStar()(
      features, labels: [0, 0, 0, 0, 1, 1, 1, 1], bank: bank.features(wanted[1]),
      bankLabels: bank.labels(among: Concepts(["apes", "bees"])))
    #expect(result.models[0].spaces[1].ranks == expected.ranks)
    #expect(result.models[0].spaces[1].concepts.map(\.size) == [7, 7])
    let lone = Concepts(["apes", "cats"])
    #expect(throws: AnalysisError.classes("the bank has no image of the class 'cats'")) {
      try bank.check(lone)
    }
  }

  @Test("noise is an image's own, whatever the batch, of the size that was asked for")
  func noise() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("small")
    let model = NoisyInputs(model: subject.model, scale: [2, 2, 1], seed: 1)
    let x = RandomSource(seed: 2).normal([6, 3, 16, 16])
    let whole = model.noisy(x)
    #expect(
      (model.noisy(x.sliced(0, 3, 5)) - whole.sliced(0, 3, 5)).absolute().maximum()
        .item(Double.self) == 0)
    let size = (whole - x).sliced(1, 0, 2).squared().mean().item(Double.self).squareRoot()
    #expect(abs(size - 2) < 0.1)
    #expect(
      (whole - x).selected(0, 0).sum().item(Double.self)
        != (whole - x).selected(0, 1).sum().item(Double.self))
    let (analysis, images) = try analysis(folder, [subject]) { $0.noise = [0.1, 0.5] }
    #expect(analysis.companions.map(\.name) == ["small+noise0.1", "small+noise0.5"])
    _ = try Pass(subjects: [subject] + analysis.companions, images: images).run([analysis])
    let result = try analysis.result()
    #expect(result.models.map(\.noisy) == [nil, "small", "small"])
    #expect(result.models.map(\.noise) == [nil, 0.1, 0.5] && result.plain.count == 1)
    #expect(result.models[1].spaces.count == 4 && result.models[1].spaces.last?.map == nil)
    #expect(result.models[2].spaces[0].ranks != result.models[0].spaces[0].ranks)
    #expect(result.ranked.count <= 1)
  }

  @Test("correlations over models have Fisher's interval, and directions of their own")
  func correlations() throws {
    let r = try #require(KStarFindings.correlation([1, 2, 3, 4, 5], [2, 1, 4, 3, 5]))
    #expect(abs(r - 0.8) < 1e-12)
    let ends = try #require(KStarFindings.interval(r, count: 5))
    // SciPy's pearsonr(...).confidence_interval().
    #expect(abs(ends.0 - -0.2796) < 1e-3 && abs(ends.1 - 0.9862) < 1e-3)
    #expect(KStarFindings.correlation([1, 1, 1, 1], [1, 2, 3, 4]) == nil)
    #expect(KStarFindings.interval(0.5, count: 3) == nil)
  }
}

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
