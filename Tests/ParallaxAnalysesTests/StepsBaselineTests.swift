import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Single statistics, baselines and seeds of the processing steps")
struct StepsBaselineTests {
  private func options(_ change: (inout StepsAnalysis.Options) -> Void = { _ in })
    -> StepsAnalysis.Options
  {
    var options = StepsAnalysis.Options()
    (options.resampling.permutations, options.resampling.groups) = (2, 3)
    (options.alternatives, options.clips, options.probes) = ([], false, false)
    change(&options)
    return options
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, _ options: StepsAnalysis.Options
  ) throws -> (result: StepsResult, features: [String: Tensor]) {
    let wanted = try subjects.flatMap { try $0.representations() }
    let analysis = try StepsAnalysis(
      wanted, beginnings: subjects.flatMap(\.beginnings), of: subjects, images: images,
      options: options)
    let recorder = Recorder(analysis.wanted)
    _ = try Pass(subjects: subjects + [try Subject.pictures()], images: images)
      .run([analysis, recorder])
    let features = analysis.wanted.indices.map { (analysis.wanted[$0].address, recorder.all($0)) }
    return (try analysis.result(), Dictionary(features, uniquingKeysWith: { first, _ in first }))
  }

  private func subject(
    _ name: String, seed: UInt64, _ objective: Objective = .classification
  ) throws -> Subject {
    var found = try smallSubject(name, seed: seed)
    found.objective = objective
    return found
  }

  /// Noisy pictures, some of them grey, and one beside its mirror image.
  private func pictures() throws -> TemporaryFolder {
    let folder = try imageFolder(18)
    for index in 0..<8 {
      let grey = (RandomSource(seed: UInt64(500 + index)).uniform([16 * 16]) * 255.9)
        .scalars(UInt8.self)
      try folder.write(try greyPNG(grey), "apes/grey\(index).png")
      guard index == 0 else { continue }
      var mirrored: [UInt8] = []
      for row in 0..<16 { mirrored += grey[(16 * row)..<(16 * row + 16)].reversed() }
      try folder.write(try greyPNG(mirrored), "apes/mirror.png")
    }
    return folder
  }

  private func greyPNG(_ grey: [UInt8]) throws -> [UInt8] {
    let pixels = grey.flatMap { [$0, $0, $0] }
    return [UInt8](try ImageBuffer(width: 16, height: 16, pixels: pixels).pngData())
  }

  @Test("every statistic has its curve, where pictures share it too")
  func singles() throws {
    let images = try pictures()
    let (result, features) = try run(
      [try subject("a", seed: 1)], try ImageSet(images.path), options { $0.clips = true })
    #expect(result.images == 27)
    let level = result.lowLevel[0]
    #expect(level.statistics.map(\.name) == LowLevelStatistics.names)
    let statistics = try #require(features["the images@statistics#flat"])
    let sites = result.models[0].sites
    let layer = try #require(features[sites.address(3)])
    let measure = ExpectedInformationImbalance()
    var tied = 0
    for (column, space) in level.statistics.enumerated() {
      let own = statistics.sliced(1, column, column + 1)
      // Standardising moves no rank but by rounding; constant statistics have no value.
      if let expected = try? measure(layer, own) {
        let value = try #require(space.known[3].value)
        #expect(abs(value - expected) < 0.01, "\(space.name): \(value) \(expected)")
        #expect(space.known[3].low != nil && space.back[3] != nil && space.chance != nil)
        // Strict ranks are lower where pictures share a value, and the same where none do.
        let strict = try #require(space.strict[3])
        let side = try Neighbours(of: layer, count: 1, distance: .euclidean)
        let definition = try InformationImbalance().strictValues(from: [side], to: own)[0]
        #expect(abs(strict - definition) < 0.01 && strict < value + 1e-12)
        let clip = FeaturePreprocessing(clip: .magnitude(0.95))
        let clipped = try measure(try clip(layer), own)
        #expect(abs((space.clipped[3] ?? .nan) - clipped) < 0.01)
      } else {
        #expect(space.known.allSatisfy { $0.value == nil })
        #expect(result.refusals.contains { $0.address == "the images: \(space.name)" })
      }
      let values = own.scalars(Float.self)
      let equal = values.count { value in values.count { $0 == value } > 1 }
      #expect(space.equalImages == equal)
      if equal > 1 { tied += 1 }
    }
    #expect(tied > 3)
    // Groups of one are their statistic; groups of several have values though pictures share all of it.
    for group in LowLevelStatistics.groups {
      let space = try #require(level.spaces.first { $0.name == group.name })
      #expect(space.known.allSatisfy { $0.value != nil }, "\(group.name)")
      if group.columns.count == 1 {
        #expect(space.known == level.statistics[group.columns.lowerBound].known)
      }
    }
    #expect(!result.refusals.contains { $0.address == "the images: all statistics" })
    let rows = result.tidyRows()
    #expect(rows.contains { $0.measure == "known" && $0.b == "luminance.mean" && $0.low != nil })
    #expect(rows.contains { $0.measure == "known by chance" && $0.b == "entropy" })
  }

  @Test("untrained twins are baselines: nothing else changes, and they have their own curves")
  func untrained() throws {
    let images = try imageFolder(20)
    let set = try ImageSet(images.path)
    let models = [
      try subject("a", seed: 1), try subject("b", seed: 2, .selfSupervised),
    ]
    let twins = [
      try subject("b-random", seed: 8, .untrained), try subject("other", seed: 9, .untrained),
    ]
    let (found, features) = try run(models + twins, set, options())
    var with = found
    let (without, _) = try run(models, set, options())
    let untrained = try #require(with.untrained)
    #expect(untrained.models.map(\.name) == ["b-random", "other"])
    #expect(untrained.twinOf == [1, nil])
    #expect(with.switches.contains { $0.value.hasPrefix("b-random, other: baselines") })
    (with.untrained, with.switches) = (nil, without.switches)
    #expect(with == without)
    let sites = untrained.models[0].sites
    let (x, y) = (
      try #require(features[sites.address(2)]), try #require(features[sites.address(3)])
    )
    let step = try #require(untrained.smoothness[0].changes.first)
    #expect(step.forward.value == (try InformationImbalance()(x, y)))
    #expect(untrained.evolutions.count == 1 && untrained.lowLevel[1].spaces[0].known.count == 5)
    // Where nothing was trained, they are the models.
    let (only, _) = try run(twins, set, options())
    #expect(only.models.count == 2 && only.untrained == nil)
    // Their rows carry their names.
    with.untrained = untrained
    #expect(with.tidyRows().contains { $0.a == "b-random@blocks.0#cls" && $0.measure == "step" })
  }

  @Test("what two seeds differ by is taken off what remains between others")
  func seeds() throws {
    let images = try imageFolder(24)
    let set = try ImageSet(images.path)
    let models = [
      try subject("a", seed: 1), try subject("b", seed: 2),
      try subject("c", seed: 3, .selfSupervised),
    ]
    let (result, _) = try run(models, set, options())
    #expect(result.seedPairs == [[0, 1]])
    func position(_ a: Int, _ b: Int) throws -> StepsResult.Position {
      try #require(result.positions.first { $0.a == a && $0.b == b })
    }
    func residual(_ a: Int, _ b: Int) throws -> Double {
      try #require(try position(a, b).residual.value)
    }
    let between = (try residual(0, 1) + residual(1, 0)) / 2
    #expect(try position(0, 1).aboveSeeds == nil)
    let found = try #require(try position(0, 2).aboveSeeds)
    let own = try residual(0, 2)
    #expect(abs((found.value ?? .nan) - (own - between)) < 1e-12 && found.low != nil)
    let remaining = try #require(result.findings.first { $0.sentence.hasPrefix("Strong") })
    #expect(
      remaining.quantity.contains("farther than models of one architecture, objective and sites"))
    let (none, _) = try run([models[0], models[2]], set, options())
    #expect(none.seedPairs.isEmpty && none.positions.allSatisfy { $0.aboveSeeds == nil })
  }

  @Test("where outliers were cut off is recorded, and the other normalisation follows")
  func recorded() throws {
    let images = try imageFolder(20)
    let (result, features) = try run(
      [try subject("a", seed: 1), try subject("b", seed: 2)], try ImageSet(images.path),
      options {
        $0.clips = true
        $0.preprocessing = FeaturePreprocessing(clip: .twoSided(0.05))
      })
    #expect(result.clipping.map(\.model) == [0, 1, 0, 1])
    #expect(result.clipping.map(\.isOfAll) == [true, true, false, false])
    let sites = result.models[1].sites
    for site in sites.sites.indices {
      let whole = try #require(features[sites.address(site)])
      let limits = try #require(result.clipping[1].limits[site])
      let expected = try #require(FeaturePreprocessing(clip: .twoSided(0.05)).limits(of: whole))
      #expect(limits.low == expected.low && limits.high == expected.high)
      let values = whole.scalars(Double.self).sorted()
      // Equal outermost values, as of padding, are limits themselves.
      #expect(limits.low >= values[0] && limits.high <= values[values.count - 1])
      // Once more of what is left, by magnitude.
      let again = try #require(result.clipping[3].limits[site])
      #expect(again.low == -again.high && again.high <= max(-limits.low, limits.high))
    }
    let rescaled = try #require(result.rescaled)
    #expect(rescaled.quantity == "information-imbalance-zero-based")
    let zero = try #require(InformationImbalance(normalization: .zeroBased).selfValue(images: 20))
    #expect(abs(rescaled(2.0 / 20) - zero) < 1e-15)
    let rows = result.tidyRows().filter { $0.estimator == rescaled.quantity }
    let cell = try #require(
      rows.first { $0.measure == rescaled.quantity && $0.a == sites.address(3) })
    let prepared = try [cell.a, cell.b].map { address in
      try FeaturePreprocessing(clip: .twoSided(0.05))(try #require(features[address]))
    }
    let expected = try InformationImbalance(normalization: .zeroBased)(prepared[0], prepared[1])
    #expect(abs((cell.value ?? .nan) - expected) < 1e-12)
    for difference in ["residual of matches", "rise at the end"] {
      let scaled = try #require(rows.first { $0.measure == difference })
      let own = try #require(
        result.tidyRows().first { $0.measure == difference && $0.estimator == result.quantity })
      #expect(abs((scaled.value ?? .nan) - (own.value ?? .nan) * 20 / 18) < 1e-12)
    }
    let (cka, _) = try run(
      [try subject("a", seed: 1)], try ImageSet(images.path), options { $0.measure = CKA() })
    #expect(cka.rescaled == nil && cka.clipping.isEmpty)
  }

  @Test("a layer with equal rows is refused as the measure refuses it, the spaces are not")
  func equalLayers() throws {
    let noise = RandomSource(seed: 3).normal([12, 5])
    let twice = noise.gathered(0, [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 4])
    let statistics = Tensor(
      (0..<12 * LowLevelStatistics.names.count).map { Float($0 % 7) },
      shape: [12, LowLevelStatistics.names.count])
    let spaces = LowLevelSpaces(
      [
        PictureModel.statisticsSite: statistics, PictureModel.pixelsSite: noise,
        PictureModel.coarsePixelsSite: twice,
      ], dtype: .float32)
    var resampling = MeasureMatrix.Options()
    (resampling.permutations, resampling.groups) = (0, 0)
    let matrices = StepsMatrices(
      spaces: spaces, sites: 2, images: 12, resampling: resampling, tick: { _, _ in })
    let found = try matrices(
      [InformationImbalance(), MutualKNN(neighbours: 3)], [0: noise, 1: twice], singles: true)
    #expect(found[0].equal.map(\.site) == [1] && found[1].equal.isEmpty)
    let table = found[0].tables.whole
    let coarse = 2 + spaces.spaces.count - 1
    #expect(table[0, 1] == nil && table[1, 0] == nil && table[0, coarse] != nil)
    #expect(table[coarse, 0] != nil && found[1].tables.whole[0, 1] != nil)
    #expect(table.size == 2 + spaces.spaces.count + spaces.singles.count)
    #expect(found[1].tables.whole.size == 2 + spaces.spaces.count)
    #expect(LowLevelSpaces.widths([31, 4, 5]).count == spaces.spaces.count + spaces.singles.count)
  }
}
