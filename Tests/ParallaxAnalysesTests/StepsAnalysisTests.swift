import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("The processing steps of models over images")
struct StepsAnalysisTests {
  private func options(_ change: (inout StepsAnalysis.Options) -> Void = { _ in })
    -> StepsAnalysis.Options
  {
    var options = StepsAnalysis.Options()
    (options.resampling.permutations, options.resampling.groups) = (3, 4)
    options.measure = CKA()
    options.alternatives = []
    options.clips = false
    options.probes = false
    change(&options)
    return options
  }

  private func subjects() throws -> [Subject] {
    var found = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
    found[0].objective = .classification
    found[1].objective = .selfSupervised
    return found
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, _ options: StepsAnalysis.Options, block: Int = 16
  ) throws -> (result: StepsResult, features: [String: Tensor]) {
    let wanted = try subjects.flatMap { try $0.representations() }
    let analysis = try StepsAnalysis(
      wanted, beginnings: subjects.flatMap(\.beginnings), of: subjects, images: images,
      options: options)
    var pass = Pass(subjects: subjects + [try Subject.pictures()], images: images)
    pass.blockSize = block
    let recorder = Recorder(analysis.wanted)
    _ = try pass.run([analysis, recorder])
    let features = analysis.wanted.indices.map { (analysis.wanted[$0].address, recorder.all($0)) }
    return (try analysis.result(), Dictionary(features, uniquingKeysWith: { first, _ in first }))
  }

  @Test("grids, steps and low-level distances are the measure's on the pass' features")
  func values() throws {
    let images = try imageFolder(24)
    let set = try ImageSet(images.path)
    let (result, features) = try run(try subjects(), set, options())
    #expect(result.quantity == "1 − cka" && result.floor == 0 && result.images == 24)
    #expect(result.models.map(\.leading) == [2, 2])
    #expect(result.models[0].sites.sites.map(\.name).prefix(2) == ["input", "pos_drop"])
    #expect(result.models.map(\.design) == ["transformer", "transformer"])
    #expect(result.models.map(\.objective) == ["classification", "self-supervised"])
    #expect(result.models[0].sites.sites.map(\.depth) == [0, 0, 0, 0.5, 1])
    let cka = CKA()
    func far(_ a: String, _ b: String) throws -> Double? {
      guard let left = features[a], let right = features[b] else { return nil }
      return (try? cka(left, right)).map { 1 - $0 }
    }
    for grid in result.grids {
      let (rows, columns) = (result.models[grid.a].sites, result.models[grid.b].sites)
      for i in rows.sites.indices {
        for j in columns.sites.indices {
          #expect(grid.values[i][j] == (try far(rows.address(i), columns.address(j))))
        }
      }
    }
    let sites = result.models[0].sites
    let step = try #require(result.smoothness[0].changes.first)
    #expect(step.mean.value == (try far(sites.address(2), sites.address(3))))
    #expect(step.cka == step.mean.value && step.jaccard != nil && step.mean.low != nil)
    // The images' own numbers: standardised statistics, and pixels as they are.
    let pixels = try #require(features["the images@pixels#flat"])
    let known = try #require(result.lowLevel[1].spaces.first { $0.name == "pixels" })
    let last = try #require(features[result.models[1].sites.address(4)])
    #expect(known.known[4].value == 1 - (try cka(last, pixels)))
    let statistics = try #require(features["the images@statistics#flat"]).to(.float64)
    let centred = statistics - statistics.mean(over: [0], keeping: true)
    let scaled = centred / centred.squared().mean(over: [0], keeping: true).squareRoot()
    let all = try #require(result.lowLevel[1].spaces.first)
    #expect(all.name == "all statistics" && all.width == LowLevelStatistics.names.count)
    let expected = 1 - (try cka(last, scaled.to(.float32)))
    #expect(abs((all.known[4].value ?? .nan) - expected) < 1e-6)
  }

  @Test("the information imbalance drives it, with alternatives, clipping and probes")
  func everything() throws {
    let images = try imageFolder(36)
    let (result, features) = try run(
      try subjects(), try ImageSet(images.path),
      options {
        $0 = StepsAnalysis.Options()
        $0.resampling.permutations = 2
      })
    #expect(result.measure == "information-imbalance" && result.floor == 2.0 / 36)
    #expect(!result.isSymmetric && result.groups == 10 && result.permutations == 2)
    let grid = try #require(result.grid(0, 1))
    let (a, b) = (result.models[0].sites.address(3), result.models[1].sites.address(2))
    let (x, y) = (try #require(features[a]), try #require(features[b]))
    #expect(grid.values[3][2] == (try InformationImbalance()(x, y)))
    #expect(
      result.alternatives.map(\.quantity) == [
        "information-imbalance-k5", "1 − cka", "information-imbalance, clipped",
      ])
    for alternative in result.alternatives {
      #expect(alternative.findings.map(\.sentence) == result.findings.map(\.sentence))
    }
    #expect(result.findings.count == 4)
    #expect(result.findings.last?.verdict == .cannotTell)
    let low = result.lowLevel[0]
    #expect(low.probes.count == LowLevelStatistics.names.count && low.meanScore.count == 5)
    let probe = try RidgeProbe()(x, try #require(features["the images@statistics#flat"]))
    #expect(low.probes.map { $0.scores[3] } == probe.scores)
    #expect(low.spaces[0].clipped.count == 5 && low.riseClipped != nil && low.rise.low != nil)
    let clip = FeaturePreprocessing(clip: .magnitude(0.95))
    let pixels = try #require(features["the images@pixels#flat"])
    let clipped = try #require(low.spaces.first { $0.name == "pixels" }).clipped[3]
    #expect(clipped == (try InformationImbalance()(try clip(x), pixels)))
    let names = result.geometry[0].curves.map(\.name)
    #expect(
      names == [
        "intrinsic dimension (TwoNN)", "intrinsic dimension (GRIDE, n₁ = 8)",
        "participation ratio", "overlap with the next stage (k = 30)", "label overlap (k = 17)",
      ])
    #expect(result.geometry[0].curves[0].values[3] == (try TwoNN()(x).value))
    #expect(result.switches.filter { $0.origin == "paper" }.count == 1)
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "R²" } && rows.contains { $0.measure == "along depth" })
    #expect(rows.allSatisfy { $0.analysis == "steps" && $0.n == 36 })
  }

  @Test("classifiers against the others, and designs, are asked only where both are there")
  func groups() throws {
    let images = try imageFolder(20)
    var models = try subjects()
    models[1].objective = .unknown
    let (result, _) = try run(models, try ImageSet(images.path), options())
    let second = try #require(result.findings.first { $0.sentence.hasPrefix("Classifiers") })
    #expect(second.verdict == .cannotTell && second.quantity.contains("--objective"))
    #expect(result.aggregates.map(\.name) == ["all pairs", "same design"])
    let (one, _) = try run([models[0]], try ImageSet(images.path), options())
    #expect(one.findings.count == 2 && one.evolutions.isEmpty && one.positions.isEmpty)
  }

  @Test("what has been gathered goes on, whatever the blocks; other widths are refused")
  func state() throws {
    let images = try imageFolder(20)
    let set = try ImageSet(images.path)
    let models = try subjects()
    let (seven, _) = try run(models, set, options(), block: 7)
    let (all, _) = try run(models, set, options(), block: 20)
    #expect(seven == all)
    let wanted = try models.flatMap { try $0.representations() }
    func analysis() throws -> StepsAnalysis {
      try StepsAnalysis(wanted, of: models, images: set, options: options())
    }
    let first = try analysis()
    var pass = Pass(subjects: models + [try Subject.pictures()], images: set)
    pass.blockSize = 8
    _ = try pass.run([first])
    let saved = Dictionary(
      first.state().map { ($0.name, $0.tensor) }, uniquingKeysWith: { first, _ in first })
    let second = try analysis()
    #expect(second.restore(saved))
    #expect(try second.result() == (try first.result()))
    #expect(!second.restore(saved.filter { $0.key != "samples" }))
  }

  @Test("copies of an image are left out and named, and everything else has its values")
  func copies() throws {
    let images = try imageFolder(22)
    try images.write(noisyPNG(3), "apes/copy.png")
    let (result, _) = try run(
      try subjects(), try ImageSet(images.path),
      options { $0.measure = InformationImbalance() })
    #expect(result.images == 22)
    let named = try #require(result.refusals.first { $0.address.hasPrefix("image ") })
    #expect(named.reason.hasPrefix("left out: a model sees the same picture as in apes/"))
    #expect(result.grids.allSatisfy { $0.values.allSatisfy { !$0.contains(nil) } })
  }

  @Test("too few images, too few sites, too much memory: one sentence each")
  func refusals() throws {
    let images = try imageFolder(8)
    let set = try ImageSet(images.path)
    let models = try subjects()
    let wanted = try models.flatMap { try $0.representations() }
    #expect(
      throws: AnalysisError.tooFewImages(
        needed: 12, found: 8, where: "neighbourhood-overlap-k10")
    ) {
      _ = try StepsAnalysis(
        wanted, of: models, images: set,
        options: options { $0.measure = NeighbourhoodOverlap(neighbours: 10) })
    }
    let one = #expect(throws: AnalysisError.self) {
      _ = try StepsAnalysis(
        Array(wanted.prefix(1)), of: [models[0]], images: set, options: options())
    }
    #expect("\(try #require(one))".contains("one site is"))
    #expect(throws: MeasureError.self) {
      _ = try StepsAnalysis(
        wanted, of: models, images: set, options: options { $0.memoryLimit = 1000 })
    }
    let analysis = try StepsAnalysis(wanted, of: models, images: set, options: options())
    #expect(throws: AnalysisError.self) { _ = try analysis.result() }
    analysis.isInterrupted = { true }
    let pass = Pass(subjects: models + [try Subject.pictures()], images: set)
    _ = try pass.run([analysis])
    #expect(throws: AnalysisError.interrupted) { _ = try analysis.result() }
  }
}
