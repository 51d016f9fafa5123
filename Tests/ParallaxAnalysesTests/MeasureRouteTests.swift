import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Measures by features and by moments")
struct MeasureRouteTests {
  private let subjects: [Subject]
  private let measures: [any Measure] = [
    CKA(), Procrustes(), LinearRegression(), EigenspaceOverlap(),
  ]

  init() throws {
    subjects = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
  }

  private var few: MeasureMatrix.Options {
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups) = (5, 4)
    return options
  }

  private func analysis(
    _ measures: [any Measure], images: Int, _ route: MeasureRoute,
    _ preprocessing: FeaturePreprocessing = FeaturePreprocessing(), limit: Int = 1 << 33,
    isFlexible: Bool = false, options: MeasureMatrix.Options? = nil
  ) throws -> MeasuresAnalysis {
    try MeasuresAnalysis(
      measures, subjects.flatMap { try $0.representations() }, of: subjects, images: images,
      route: route, options: options ?? few, isFlexible: isFlexible,
      preprocessing: preprocessing, ids: (0..<images).map { "\($0).png" }, memoryLimit: limit)
  }

  /// Blocks of normal features, `[images, 12]` each.
  private func add(
    _ images: Range<Int>, block: Int, to analysis: MeasuresAnalysis,
    _ change: (Int, inout [Float]) -> Void = { _, _ in }
  ) throws {
    try analysis.begin(BlockHeading(index: block, samples: Array(images)))
    for index in analysis.wanted.indices {
      let all = RandomSource(seed: UInt64(index)).normal([200, 12])
      var numbers = (all.sliced(0, images.lowerBound, images.upperBound) + 1.0).scalars(Float.self)
      change(index, &numbers)
      try analysis.add(index, Tensor(numbers, shape: [images.count, 12]))
    }
    try analysis.finish()
  }

  private func gap(_ a: [[Double?]], _ b: [[Double?]]) -> Double {
    zip(a.joined(), b.joined()).map { x, y in
      if let x, let y { return abs(x - y) / max(1, abs(y)) }
      return x == nil && y == nil ? 0 : .infinity
    }.max() ?? .infinity
  }

  @Test("both routes see the same images and give the same values, with errors and p-values")
  func values() throws {
    let images = try imageFolder(60, broken: [7])
    let set = try ImageSet(images.path)
    let wanted = try subjects.flatMap { try $0.representations() }
    let found = try [MeasureRoute.features, .moments].map { route in
      var pass = Pass(subjects: subjects, images: set)
      pass.blockSize = route == .features ? 16 : 7
      pass.order = .shuffled
      let analysis = try MeasuresAnalysis(
        measures + [MutualKNN(neighbours: 5)], wanted, of: subjects, images: 60, route: route,
        options: few)
      _ = try pass.run([analysis])
      return try analysis.result()
    }
    for (a, b) in zip(found[0].measures, found[1].measures) {
      // The features' products of CKA are float32.
      #expect(gap(b.values, a.values) < 1e-4, "\(a.name) \(gap(b.values, a.values))")
      #expect(b.pValues != nil && b.errors != nil && a.route == "features")
      #expect(b.route == (a.name.hasPrefix("mutual-knn") ? "features" : "moments"))
    }
    #expect(found.allSatisfy { $0.images == 59 && $0.groups == 4 && $0.permutations == 5 })
    #expect(found.allSatisfy { $0.routeReason?.contains("asked for") == true })
    let rows = found[1].tidyRows()
    #expect(rows.contains { $0.measure == "procrustes" && $0.estimator.contains("second moments") })
    #expect(
      !rows.contains { $0.measure.hasPrefix("mutual-knn") && $0.estimator.contains("moments") })
    let data = try JSONEncoder().encode(found[1])
    #expect(try JSONDecoder().decode(MeasuresResult.self, from: data) == found[1])
  }

  @Test("a stopped run goes on from its moments, and from its features, to the same result")
  func resume() throws {
    for (asked, count) in [(measures, 0), (measures + [MutualKNN(neighbours: 3)], 1)] {
      let whole = try analysis(asked, images: 60, .moments)
      try add(0..<25, block: 0, to: whole)
      let halfway = Dictionary(
        uniqueKeysWithValues: whole.state().map { ($0.name, $0.tensor.cloned()) })
      #expect(halfway.keys.contains("features.0") == (count == 1))
      try add(25..<60, block: 1, to: whole)
      let resumed = try analysis(asked, images: 60, .moments)
      #expect(resumed.restore(halfway))
      try add(25..<60, block: 1, to: resumed)
      #expect(try resumed.result() == whole.result())
      var damaged = halfway
      damaged["moments.counts"] = nil
      #expect(try !analysis(asked, images: 60, .moments).restore(damaged))
      #expect(try !analysis(asked, images: 60, .features).restore(halfway))
      #expect(
        try analysis(asked, images: 60, .moments).fingerprint
          != analysis(asked, images: 60, .features).fingerprint)
    }
  }

  @Test("what is wrong with a site is said with the images' names, block by block")
  func badInput() throws {
    let analysis = try analysis(measures, images: 60, .moments)
    try add(0..<25, block: 0, to: analysis) { index, numbers in
      if index == 1 { numbers[3 * 12] = .nan }
      if index == 2 { numbers = numbers.map { _ in 0.5 } }
    }
    try add(25..<60, block: 1, to: analysis) { index, numbers in
      if index == 1 { for row in [1, 4, 9] { numbers[row * 12 + 5] = .infinity } }
      if index == 2 { numbers = numbers.map { _ in 0.5 } }
    }
    let result = try analysis.result()
    for entry in result.measures {
      #expect(entry.refusals.map(\.address) == [1, 2].map { analysis.wanted[$0].address })
      #expect(
        entry.refusals.first?.reason
          == "NaN or infinity in the activations of 3.png, 26.png, 29.png and 1 more")
      #expect(entry.refusals.last?.reason.contains("does not vary") == true)
      #expect(entry.values[1].allSatisfy { $0 == nil } && entry.values[0][3] != nil)
    }
  }

  @Test(
    "rows scaled, or columns centred, are those of the features; what needs all images is refused")
  func preprocessing() throws {
    for steps in [FeaturePreprocessing(normalized: true), FeaturePreprocessing(centred: true)] {
      let results = try [MeasureRoute.features, .moments].map { route in
        let analysis = try analysis(measures + [MagnitudeDifference()], images: 60, route, steps)
        try add(0..<60, block: 0, to: analysis)
        return try analysis.result()
      }
      for (a, b) in zip(results[0].measures, results[1].measures) {
        #expect(gap(b.values, a.values) < 1e-4, "\(steps) \(a.name)")
      }
    }
    let zeros = try analysis(
      [Procrustes()], images: 60, .moments, FeaturePreprocessing(normalized: true))
    try add(0..<60, block: 0, to: zeros) { index, numbers in
      if index == 1 { for place in 24..<36 { numbers[place] = 0 } }
    }
    #expect(
      try zeros.result().measures[0].refusals.map(\.reason)
        == ["preprocessing: 2.png is zero and has no direction"])
    let both = FeaturePreprocessing(centred: true, normalized: true)
    for steps in [FeaturePreprocessing(clip: .magnitude(0.9)), both] {
      let error = #expect(throws: AnalysisError.self) {
        try analysis(measures, images: 60, .moments, steps)
      }
      #expect("\(error as Any)".contains("all images"))
      // By itself the run takes the features, and says why.
      let own = try analysis(measures, images: 1 << 24, .automatic, steps, limit: 1 << 60)
      #expect(!own.streams && own.routeReason.contains("all images"))
    }
  }

  @Test("chunks too short to be shuffled, and more features than images, are said")
  func shortChunks() throws {
    var options = few
    (options.permutations, options.groups) = (19, 10)
    func found(_ images: Int) throws -> MeasuresResult {
      let analysis = try analysis([CKA()], images: images, .moments, options: options)
      try add(0..<images, block: 0, to: analysis)
      return try analysis.result()
    }
    let text = try found(20).warnings.first { $0.text.contains("chunks") }?.text ?? ""
    #expect(text.contains("within chunks of 2 images, which have one order"), "\(text)")
    let more = try found(60).warnings.first { $0.text.contains("chunks") }?.text ?? ""
    #expect(more.contains("within chunks of 6 images, which have few orders"), "\(more)")
    #expect(try !found(160).warnings.contains { $0.text.contains("chunks") })
    #expect(try analysis([CKA()], images: 10, .moments).routeReason.contains("is faster"))
    #expect(try !analysis([CKA()], images: 60, .moments).routeReason.contains("is faster"))
  }

  @Test("what takes less memory is taken, and less is resampled where only that fits")
  func choice() throws {
    #expect(try !analysis(measures, images: 60, .automatic).streams)
    let many = try analysis(measures, images: 1_000_000, .automatic)
    #expect(many.streams && many.routeReason.contains("features of all images would take"))
    let mixed = try analysis(
      measures + [MutualKNN()], images: 100_000, .automatic, limit: 1 << 50)
    #expect(!mixed.streams && mixed.routeReason.contains("mutual-knn needs the images"))
    #expect(throws: AnalysisError.self) {
      try analysis([MutualKNN(), UniformityDifference()], images: 60, .moments)
    }
    var options = few
    (options.permutations, options.groups) = (99, 10)
    let limit = 1 << 21
    #expect(throws: MeasureError.self) {
      try analysis(measures, images: 1_000_000, .automatic, limit: limit, options: options)
    }
    let fitted = try analysis(
      measures, images: 1_000_000, .automatic, limit: limit, isFlexible: true, options: options)
    #expect(fitted.streams && fitted.routeReason.contains("each more order"))
    #expect(throws: MeasureError.self) {
      try analysis(
        measures, images: 1_000_000, .automatic, limit: 1000, isFlexible: true, options: options)
    }
    #expect(throws: AnalysisError.tooFewImages(needed: 4, found: 3, where: "cka")) {
      try analysis([CKA()], images: 3, .moments)
    }
    #expect(throws: AnalysisError.self) { try analysis([CKA()], images: 9, .moments).result() }
  }
}
