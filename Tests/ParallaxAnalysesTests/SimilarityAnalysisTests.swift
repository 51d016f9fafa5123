import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Similarity of models over images")
struct SimilarityAnalysisTests {
  private let subjects: [Subject]

  init() throws {
    subjects = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
  }

  private func run(
    _ images: TemporaryFolder, block: Int, batch: Int = 32, _ wanted: [Representation]? = nil,
    _ route: SimilarityAnalysis.Route, _ estimator: Estimator = .debiased
  ) throws -> (result: SimilarityResult, features: [Tensor]) {
    let set = try ImageSet(images.path)
    let wanted = try wanted ?? subjects.flatMap { try $0.representations() }
    var pass = Pass(subjects: subjects, images: set)
    (pass.blockSize, pass.batchSize) = (block, batch)
    let similarity = try SimilarityAnalysis(
      wanted, of: subjects, images: set.samples.count, blockSize: block, route: route,
      estimator: estimator)
    let folder = try TemporaryFolder()
    let extraction = try Extraction(wanted, to: folder.url)
    _ = try pass.run([similarity, extraction])
    let index = try extraction.complete(images: set, subjects: subjects, npy: false)
    let files = try index.shards.map { try Safetensors(folder.file($0)) }
    let features = wanted.map { one in
      Tensor.concatenated(files.compactMap { $0[one.address] }, 0).to(.float64)
    }
    return (try similarity.result(), features)
  }

  /// The places of a matrix' values among all representations, three of each model.
  private func value(_ result: SimilarityResult, _ row: Int, _ column: Int) throws -> Double {
    let matrix = try #require(result.matrix(row / 3, column / 3))
    return try #require(matrix.values[row % 3][column % 3])
  }

  @Test(
    "over the whole set it is the CKA of what an extraction holds, computed in float64",
    arguments: [SimilarityAnalysis.Route.exact, .minibatch], [Estimator.debiased, .biased])
  func wholeSet(route: SimilarityAnalysis.Route, estimator: Estimator) throws {
    let images = try imageFolder(26, broken: [3])
    // By minibatches, one block holds all images.
    let (result, features) = try run(
      images, block: route == .exact ? 7 : 26, nil, route, estimator)
    #expect(features.allSatisfy { $0.shape == [25, 12] })
    for row in 0..<6 {
      for column in 0..<6 {
        let expected = try CKA(estimator: estimator)(features[row], features[column])
        #expect(abs(try value(result, row, column) - expected) < 1e-5, "\(row), \(column)")
      }
    }
    #expect(result.images == 25 && result.imagesLeftOut == 0)
    #expect(result.route == route.rawValue && result.estimator == estimator.rawValue)
    #expect(result.routeReason == "asked for" && result.measure == "CKA")
  }

  @Test("by blocks it is one ratio of the blocks' sums; a last block of three images is left out")
  func blocks() throws {
    let images = try imageFolder(24, broken: [5])
    let (result, features) = try run(images, block: 7, nil, .minibatch)
    // Blocks of 7, one of them with six images that can be read, then three images.
    let cuts = [0..<6, 6..<13, 13..<20]
    func sums(_ a: Tensor, _ b: Tensor) throws -> Double {
      try cuts.map { rows in
        try HSIC()(
          a.sliced(0, rows.lowerBound, rows.upperBound),
          b.sliced(0, rows.lowerBound, rows.upperBound))
      }.reduce(0, +)
    }
    for row in 0..<6 {
      for column in 0..<6 {
        let expected =
          try sums(features[row], features[column])
          / (sums(features[row], features[row]) * sums(features[column], features[column]))
          .squareRoot()
        #expect(abs(try value(result, row, column) - expected) < 1e-5, "\(row), \(column)")
      }
    }
    #expect(result.images == 20 && result.blocks == 3 && result.imagesLeftOut == 3)
    #expect(result.errorMethod?.contains("3 groups") == true)
    #expect(result.matrices.count == 3 && result.blockSize == 7)
    let between = try #require(result.matrix(0, 1))
    #expect(between.errors?[0][0] ?? 0 > 0 && between.shuffled?.shuffles == 20)
    #expect(result.matrix(0, 0)?.shuffled == nil)
    #expect(result.matrix(1, 0) == between.transposed)
    #expect(result.models.map(\.name) == ["a", "b"])
    #expect(result.models[1].sites.map(\.depth) == [0, 0.5, 1])
    #expect(result.models[0].address(2) == "a@blocks.2#cls")
    #expect(result.models[0].sites.map(\.features) == [12, 12, 12])
  }

  @Test("the number of images a forward pass changes nothing that counts")
  func batches() throws {
    let images = try imageFolder(24)
    let whole = try run(images, block: 8, nil, .minibatch).result
    for batch in [1, 3] {
      let found = try run(images, block: 8, batch: batch, nil, .minibatch).result
      for row in 0..<6 {
        for column in 0..<6 {
          #expect(abs(try value(found, row, column) - value(whole, row, column)) < 1e-4)
        }
      }
      #expect(found.images == whole.images && found.refusals == whole.refusals)
    }
  }

  @Test(
    "a site that is the same for every image is refused with its address, the others go on",
    arguments: [SimilarityAnalysis.Route.exact, .minibatch])
  func constantSite(route: SimilarityAnalysis.Route) throws {
    let images = try imageFolder(24)
    // Before the first block the class token has seen nothing of the image.
    let before = try subjects[0].representations(at: SitePattern(parsing: "pos_drop"), tokens: .cls)
    let wanted = try before + subjects.flatMap { try $0.representations() }
    let (result, features) = try run(images, block: 8, wanted, route)
    #expect(result.refusals.map(\.address) == ["a@pos_drop#cls"])
    #expect(result.refusals[0].reason.contains("does not vary"))
    let own = try #require(result.matrix(0, 0))
    #expect(own.values.count == 4 && own.values[0].allSatisfy { $0 == nil })
    #expect(own.values.allSatisfy { $0[0] == nil } && own.values[1][1] == 1)
    if route == .exact {
      let expected = try CKA()(features[1], features[2])
      #expect(abs(try #require(own.values[1][2]) - expected) < 1e-5)
    }
    // What is undefined survives the way through a file.
    let data = try JSONEncoder().encode(result)
    #expect(try JSONDecoder().decode(SimilarityResult.self, from: data) == result)
  }

  @Test("without a choice the cheaper route is taken, and the result says why")
  func automatic() throws {
    let images = try imageFolder(24)
    let (result, _) = try run(images, block: 8, nil, .automatic)
    let widths = Array(repeating: 12, count: 6)
    let choice = CKARoute.choose(images: 24, blockSize: 8, widths: widths)
    #expect(result.route == choice.route.rawValue)
    #expect(result.routeReason == "chosen by itself: \(choice.reason)")
  }

  @Test("nothing to compare, too few images, unknown models and too much memory are refused")
  func refused() throws {
    let wanted = try subjects[0].representations()
    #expect(throws: AnalysisError.self) {
      try SimilarityAnalysis([], of: subjects, images: 9, blockSize: 4)
    }
    #expect(throws: AnalysisError.tooFewImages(needed: 4, found: 3, where: "CKA")) {
      try SimilarityAnalysis(wanted, of: subjects, images: 3, blockSize: 4)
    }
    #expect(throws: AnalysisError.nothingAsked("a@blocks.0#cls: there is no such model")) {
      try SimilarityAnalysis(wanted, of: [subjects[1]], images: 9, blockSize: 4)
    }
    #expect(throws: MeasureError.self) {
      try SimilarityAnalysis(
        wanted, of: subjects, images: 9, blockSize: 4, route: .exact, memoryLimit: 1000)
    }
    // Of ten images only three can be read.
    let images = try imageFolder(10, broken: Set(3..<10))
    #expect(throws: MeasureError.self) { try run(images, block: 10, nil, .minibatch) }
  }
}
