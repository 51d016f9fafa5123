import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("The analysis of probes")
struct ProbeAnalysisTests {
  private struct Network: Decodable {
    struct Few: Decodable {
      var accuracy: [Double]
      var log2: [Double]
      var shuffled: Double
    }
    struct All: Decodable {
      var accuracy, shuffled, log2: Double
      var training, validation: Int
      var byPenalty: [Double]
    }
    struct View: Decodable {
      var votes: [String: Double]
      var weighted: Double
      var logistic: Double
      var one: Few
      var five: Few
      var all: All

      enum CodingKeys: String, CodingKey {
        case votes, weighted, logistic, all
        case one = "1"
        case five = "5"
      }
    }
    struct Site: Decodable {
      var views: [String: View]
      var tokens: [Double]
    }
    var side: Int
    var ids: [String]
    var sites: [String: Site]
  }

  private struct Facts: Decodable {
    var vit: Network
    var resnet: Network

    enum CodingKeys: String, CodingKey {
      case vit = "vit-timm"
      case resnet = "resnet-bottleneck"
    }
  }

  private static func fixture() throws -> (file: Safetensors, facts: Facts) {
    let file = try Safetensors(fixtures.appending(path: "probe/probe.safetensors").path)
    let text = try #require(file.metadata["facts"])
    return (file, try JSONDecoder().decode(Facts.self, from: Data(text.utf8)))
  }

  private func subject(_ name: String, side: Int) throws -> Subject {
    let weights = try ModelOracle(name).weights
    let model: any Model
    if name == "vit-timm" {
      var c = ViT.Configuration()
      (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
      model = try ViT(c, Weights(weights))
    } else {
      var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
      (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
      model = try ResNet(c, Weights(weights))
    }
    return try Subject(
      name: name, family: name, model: model,
      preprocessing: .letterbox(side, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "fixture \(name)")
  }

  /// The fixture's pictures as files.
  private func pictures(_ name: String, _ network: Network, _ file: Safetensors) throws
    -> TemporaryFolder
  {
    let folder = try TemporaryFolder()
    let pixels = try #require(file["\(name)/pixels"])
    for (place, id) in network.ids.enumerated() {
      let grey = pixels.selected(0, place).scalars(UInt8.self)
      try folder.write(
        [UInt8](
          try ImageBuffer(
            width: network.side, height: network.side, pixels: grey.flatMap { [$0, $0, $0] }
          ).pngData()), id)
    }
    return folder
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, blockSize: Int = 8, batchSize: Int = 8,
    _ change: (inout ProbeAnalysis.Options) -> Void = { _ in }
  ) throws -> ProbeAnalysis {
    var options = ProbeAnalysis.Options()
    change(&options)
    let analysis = try ProbeAnalysis(
      try subjects.flatMap { try $0.representations() }, of: subjects, images: images,
      options: options)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.batchSize) = (blockSize, batchSize)
    try pass.run([analysis])
    return analysis
  }

  @Test(
    "from files of pixels to accuracies: a ViT and a ResNet as by PyTorch's hooks, NumPy and scikit-learn",
    arguments: ["vit-timm", "resnet-bottleneck"])
  func oracle(_ name: String) throws {
    let (file, facts) = try Self.fixture()
    let network = name == "vit-timm" ? facts.vit : facts.resnet
    let folder = try pictures(name, network, file)
    let images = try ImageSet(folder.path)
    #expect(images.samples.map(\.id) == network.ids)
    let result = try run([try subject(name, side: network.side)], images) {
      ($0.shots, $0.seed, $0.tokenSites, $0.fitsAll) = ([1, 5], 3, 8, true)
    }.result()
    let model = result.models[0]
    let test = result.test
    #expect(result.refusals.isEmpty && test == 12)
    let names = Set(network.sites.values.flatMap(\.views.keys))
    #expect(Set(model.views.map(\.tokens)) == names)
    var compared = 0
    for view in model.views {
      #expect(view.sites.count == network.sites.count)
      for site in view.sites {
        let expected = try #require(network.sites[site.name]?.views[view.tokens])
        for (score, few) in zip(site.scores, [expected.one, expected.five]) {
          let mean = few.accuracy.reduce(0, +) / 3
          #expect(abs((score.accuracy.value ?? .nan) - mean) < 1e-12, "\(site.name) \(view.tokens)")
          #expect(abs(score.penalty - few.log2.reduce(0, +) / 3) < 1e-12, "\(site.name)")
          #expect(abs((score.shuffled.value ?? .nan) - few.shuffled) < 1e-12, "\(site.name)")
          compared += 1
        }
        // All training images: scikit-learn's Ridge on all of them at once.
        let whole = try #require(site.all)
        #expect(abs((whole.accuracy.value ?? .nan) - expected.all.accuracy) < 1e-12)
        #expect(abs((whole.shuffled.value ?? .nan) - expected.all.shuffled) < 1e-12)
        #expect(whole.penalty == expected.all.log2 && whole.tuned == 1)
        #expect(
          zip(whole.byPenalty, expected.all.byPenalty).allSatisfy { abs($0 - $1) < 1e-12 })
        #expect(result.all?.training == expected.all.training)
        #expect(result.all?.validation == expected.all.validation)
        for vote in site.votes {
          #expect(
            abs((vote.accuracy.value ?? .nan) - (expected.votes["\(vote.count)"] ?? 2)) < 1e-12)
        }
        #expect(site.votes.count == expected.votes.count)
        #expect(abs((site.weighted.value ?? .nan) - expected.weighted) < 1e-12)
        if view.isNative {
          #expect(abs((site.logistic.value ?? .nan) - expected.logistic) < 1e-12)
        }
      }
    }
    #expect(compared == (name == "vit-timm" ? 12 : 10))
    #expect(model.maps.count == network.sites.count)
    for map in model.maps {
      let expected = try #require(network.sites[map.site]?.tokens)
      let found = map.others.map(\.accuracy) + map.values
      #expect(found.count == expected.count)
      for (a, b) in zip(found, expected) { #expect(abs(a - b) < 1e-12, "\(map.site)") }
    }
    // Five of nine images to fit leave nothing to tune with; so it says.
    let tuned = model.views[0].sites[0].scores.map(\.tuned)
    #expect(tuned == (name == "vit-timm" ? [3, 3] : [3, 0]))
  }

  @Test("no number depends on blocks or batches, and a saved state goes on")
  func blocks() throws {
    let folder = try imageFolder(24)
    let images = try ImageSet(folder.path)
    let subjects = [try smallSubject("a"), try smallSubject("b", seed: 2, side: 24)]
    let first = try run(subjects, images)
    let whole = try first.result()
    #expect(try run(subjects, images, blockSize: 5, batchSize: 3).result() == whole)
    let state = Dictionary(uniqueKeysWithValues: first.state().map { ($0.name, $0.tensor) })
    func fresh(_ change: (inout ProbeAnalysis.Options) -> Void = { _ in }) throws -> ProbeAnalysis {
      var options = ProbeAnalysis.Options()
      change(&options)
      return try ProbeAnalysis(
        try subjects.flatMap { try $0.representations() }, of: subjects, images: images,
        options: options)
    }
    let second = try fresh()
    #expect(second.restore(state))
    #expect(try second.result() == whole)
    let other = try fresh { $0.tokenSites = 1 }
    #expect(!other.restore(state) && other.fingerprint != first.fingerprint)
    #expect(try fresh { $0.seed = 1 }.fingerprint != first.fingerprint)
  }

  @Test(
    "shots are nested, classes balanced, no test image is fitted, and a draw does not depend on other images"
  )
  func split() throws {
    let folder = try imageFolder(30)
    let images = try ImageSet(folder.path)
    let split = try ProbeSplit(images, seed: 4)
    #expect(split.test.map(\.count) == [6, 6] && split.pool.map(\.count) == [9, 9])
    #expect(split.mostShots == 9)
    #expect(Set(split.test.joined()).isDisjoint(with: split.pool.joined()))
    #expect(split.places.count == 30)
    let draws = (0..<2).map(split.draw)
    #expect(draws[0] != draws[1])
    for draw in draws { #expect(zip(draw, split.pool).allSatisfy { Set($0) == Set($1) }) }
    let fits = ProbeFits(
      split, rows: Array(0..<30), shots: [1, 5], draws: 2, groups: 3,
      penalties: FewShotProbe.defaultPenalties)
    let (one, five) = (fits.images(1, shots: 1), fits.images(1, shots: 5))
    #expect(Set(one.train).isSubset(of: five.train) && five.train.count == 10)
    #expect(five.labels == Array(repeating: 0, count: 5) + Array(repeating: 1, count: 5))
    #expect(five.shuffled.sorted() == five.labels && five.held.count == 8)
    // Of fewer images those that stay keep their order.
    let few = split.keeping(Set((0..<30).filter { $0 % 5 != 0 }))
    #expect(zip(few.draw(0), draws[0]).allSatisfy { few, all in few == all.filter { $0 % 5 != 0 } })
    let limited = split.limited(training: 4, test: 2)
    #expect(
      limited.pool[1] == Array(split.pool[1].prefix(4)) && limited.test.map(\.count) == [2, 2])
    // λ: the most hits, then the nearest to 2¹⁰, then the larger.
    let hits = { (change: [Int: Int]) in (0..<16).map { change[$0] ?? 0 } }
    #expect(fits.chosen(hits([3: 2, 12: 2])) == 12 && fits.chosen(hits([9: 2, 11: 2])) == 11)
    #expect(fits.chosen(hits([0: 1])) == 0 && fits.untuned == 10)
  }

  @Test("splits of one's own: folders of train and val, and a list of test images")
  func splits() throws {
    let folder = try TemporaryFolder()
    for index in 0..<12 {
      let side = index % 3 == 0 ? "val" : "train"
      try folder.write(
        try noisyPNG(index), "\(side)/\(index % 2 == 0 ? "ants" : "bees")/\(index).png")
    }
    let images = try ImageSet(folder.path)
    #expect(images.classes == ["train", "val"])
    let split = try ProbeSplit(images, .folders)
    #expect(split.classes == ["ants", "bees"] && split.test.map(\.count) == [2, 2])
    #expect(split.test.joined().allSatisfy { images.samples[$0].id.hasPrefix("val/") })
    let other = try imageFolder(8)
    let flat = try ImageSet(other.path)
    func refused(_ images: ImageSet, _ source: ProbeSplit.Source) -> String? {
      let error = #expect(throws: AnalysisError.self) { try ProbeSplit(images, source) }
      return error?.description
    }
    #expect(refused(flat, .folders)?.contains("lies in no train/CLASS") == true)
    let test = Set([flat.samples[0], flat.samples[5]].map(\.id))
    let listed = try ProbeSplit(flat, .ids(test))
    #expect(listed.test == [[0], [5]] && listed.pool.map(\.count) == [3, 3])
    #expect(refused(flat, .ids(["x.png"]))?.contains("names 'x.png'") == true)
    #expect(
      refused(flat, .ids([flat.samples[0].id]))?.contains("class 'bees' has 4 training and 0 test")
        == true)
  }

  @Test("images without classes, one class, and classes too small for the shots: one line each")
  func refusals() throws {
    let subjects = [try smallSubject("a")]
    func refused(
      _ names: [String], _ change: (inout ProbeAnalysis.Options) -> Void = { _ in }
    ) throws -> String {
      let folder = try TemporaryFolder()
      for (index, name) in names.enumerated() { try folder.write(try noisyPNG(index), name) }
      let images = try ImageSet(folder.path)
      let error = #expect(throws: AnalysisError.self) { try run(subjects, images, change) }
      return error?.description ?? ""
    }
    let (ants, bees) = ((0..<6).map { "ants/\($0).png" }, (0..<3).map { "bees/\($0).png" })
    #expect(try refused(["1.png", "2.png"]).contains("have no classes; expected a folder a class"))
    #expect(try refused(ants).contains("are of one class, 'ants'"))
    #expect(
      try refused(ants + ["bees/1.png"]).contains("class 'bees' has 1 image; expected at least 2"))
    #expect(
      try refused(ants + bees) { $0.shots = [1, 5] }.hasPrefix(
        "class 'bees' has 2 training images beside 1 for testing, fewer than 5 shots; ask for fewer with --shots"
      ))
    let folder = try imageFolder(8)
    let images = try ImageSet(folder.path)
    #expect(throws: MeasureError.self) { try run(subjects, images) { $0.memoryLimit = 1 << 12 } }
    // Among other analyses single tokens go first, then the whole.
    func inStudy(_ limit: Int) throws -> Int {
      try run(subjects, images) { ($0.adapts, $0.memoryLimit) = (true, limit) }.result().tokenShots
    }
    #expect(try inStudy(1 << 33) > 0)
    #expect(try inStudy(1 << 14) == 0)
    #expect(throws: AnalysisError.self) { try inStudy(1 << 10) }
  }

  /// Shows the means of four patches, and then what is not finite.
  private struct Cracked: Model {
    var tokenLayout: TokenLayout? { TokenLayout(hasClassToken: false, patch: 8) }

    func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
      let x = tap("input", images, as: .map)
      let tokens = x.averagePooled(to: 2, 2).reshaped(-1, 3, 4).transposed(1, 2)
      let first = tap.block("blocks.0", tokens, as: .patches)
      let second = tap.block("blocks.1", first / first.zerosLike(), as: .patches)
      return tap("head", second.mean(over: [1]), as: .vector)
    }
  }

  @Test("NaN is named by site and image, and the other sites have their values")
  func notFinite() throws {
    let folder = try imageFolder(10)
    let images = try ImageSet(folder.path)
    let subject = try Subject(
      name: "cracked", family: "ViT", model: Cracked(),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "cracked")
    let result = try run([subject], images).result()
    let sites = result.models[0].views[0].sites
    #expect(sites[0].scores.count == result.shots.count && sites[1].scores.isEmpty)
    #expect(sites[0].scores[0].accuracy.value != nil)
    let reasons = result.refusals.map { "\($0.address): \($0.reason)" }
    #expect(
      reasons.contains {
        $0.hasPrefix("cracked@blocks.1#avg: NaN or infinity in the activations of ")
          && $0.contains("apes/1000.png")
      }, "\(reasons)")
    // What has no value makes no finding up.
    #expect(result.findings.allSatisfy { !$0.sentence.hasPrefix("cracked") })
    let folderOut = try TemporaryFolder()
    let out = RunFolder(folderOut.url)
    try out.create()
    #expect(try !run([subject], images).write(into: out).isEmpty)
    let read: ProbeResult = try #require(try out.result(analysis: "probe"))
    #expect(read == result)
  }

  @Test("findings bear on the paper's claims, and say what they lack")
  func findings() throws {
    let folder = try imageFolder(24)
    let images = try ImageSet(folder.path)
    let subjects = [
      try smallSubject("vit"), try Subject(Catalog.load(.name("resnet18"), randomWeights: 1)),
    ]
    let result = try run(subjects, images) { $0.logistic = nil }.result()
    #expect(result.models.map(\.hasClassToken) == [true, false])
    let findings = result.findings
    #expect(findings.map(\.claim) == [nil, nil, .tokens, .tokens, .intermediate])
    #expect(findings.allSatisfy { $0.analysis == "probe" })
    for finding in findings where finding.value == nil {
      #expect(finding.verdict == .cannotTell && finding.quantity.contains("here"))
    }
    // The numbers are those of the curves.
    let views = result.models[0].views
    func last(_ tokens: String) -> Double? {
      views.first { $0.tokens == tokens }?.sites.last?.scores.last?.accuracy.value
    }
    let gap = try #require(last("cls")) - #require(last("avg"))
    #expect(abs((findings[2].value ?? .nan) - gap) < 1e-12)
    let curve = views[0].sites.compactMap { $0.scores.last?.accuracy.value }
    let best = try #require(curve.dropLast().max())
    #expect(abs((findings[0].value ?? .nan) - (curve[2] - best)) < 1e-12)
    #expect(findings[4].value != nil && findings[4].quantity.contains("vit less resnet18"))
    let alone = try run([subjects[0]], images).result().findings
    #expect(alone.last?.quantity == "no convolutional network here" && alone.last?.value == nil)
  }

  @Test("intervals know of draws and of groups of images, and of what is there")
  func intervals() {
    let tally = ProbeTally(
      [[true, true, false, true], [true, false, false, true]], groups: [0, 1, 0, 1], count: 2)
    let sizes = [2, 2]
    #expect(tally.accuracy(.all, sizes: sizes) == 0.625)
    #expect(tally.accuracy(.draw(1), sizes: sizes) == 0.5)
    #expect(tally.accuracy(.without(0), sizes: sizes) == 0.75)
    let both = ProbeIntervals(draws: 2, sizes: sizes).estimate(tally)
    // Student's t of 0.75 and 0.5; a jackknife of 0.75 and 0.5; both 12.706 times 0.125.
    let margin = 12.706 * 0.125
    #expect(abs((both.high ?? 0) - 0.625 - margin * 2.0.squareRoot()) < 1e-9)
    let alone = ProbeIntervals(draws: 2, sizes: [4]).estimate { part in
      if case .draw(let draw) = part { [0.75, 0.5][draw] } else { 0.625 }
    }
    #expect(abs((alone.high ?? 0) - 0.625 - margin) < 1e-9)
    #expect(ProbeIntervals(draws: 1, sizes: [4]).estimate { _ in 0.5 } == IntervalEstimate(0.5))
  }

  @Test("patches are flattened as far as the last map's channels allow")
  func flattening() throws {
    func site(_ name: String, _ shape: [Int]) -> Site {
      Site(name: name, kind: .map, shape: shape, isBlock: true)
    }
    let last = site("b", [40, 2, 2])
    let patches = try #require(MapPatches(site("a", [8, 8, 8]), last: last))
    #expect(patches.width == 32)
    let value = RandomSource(seed: 1).normal([3, 8, 8, 8])
    let found = patches(value).reshaped(3, 8, 2, 2)
    let mean = value.sliced(2, 1, step: 2).sliced(3, 0, step: 2).mean(over: [2, 3])
    #expect(gap(found.selected(3, 0).selected(2, 1), mean) < 1e-6)
    #expect(MapPatches(last, last: last)?.width == 40)
  }
}
