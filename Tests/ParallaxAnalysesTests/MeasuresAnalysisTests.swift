import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Measures of models over images")
struct MeasuresAnalysisTests {
  private let subjects: [Subject]

  init() throws {
    subjects = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
  }

  private var few: MeasureMatrix.Options {
    var options = MeasureMatrix.Options()
    (options.permutations, options.groups) = (5, 4)
    return options
  }

  @Test(
    "values are those of the features that an extraction holds, whatever the blocks",
    arguments: [7, 26])
  func values(block: Int) throws {
    let images = try imageFolder(26, broken: [3])
    let set = try ImageSet(images.path)
    let wanted = try subjects.flatMap { try $0.representations() }
    var pass = Pass(subjects: subjects, images: set)
    pass.blockSize = block
    let measures: [any Measure] = [CKA(), Procrustes(), LinearRegression()]
    let analysis = try MeasuresAnalysis(
      measures, wanted, of: subjects, images: set.samples.count, options: few)
    let folder = try TemporaryFolder()
    let extraction = try Extraction(wanted, to: folder.url)
    _ = try pass.run([analysis, extraction])
    let index = try extraction.complete(images: set, subjects: subjects, npy: false)
    let files = try index.shards.map { try Safetensors(folder.file($0)) }
    let features = wanted.map { one in
      Tensor.concatenated(files.compactMap { $0[one.address] }, 0)
    }
    let result = try analysis.result()
    #expect(result.images == 25 && result.measures.map(\.name) == measures.map(\.name))
    #expect(result.addresses == wanted.map(\.address))
    for (entry, measure) in zip(result.measures, measures) {
      for a in wanted.indices {
        for b in wanted.indices {
          let expected = try? measure(features[a], features[b])
          #expect(entry.values[a][b] == expected, "\(entry.name) \(a) \(b)")
        }
      }
      #expect(entry.pValues?.count == wanted.count && entry.errors?.count == wanted.count)
    }
    let rows = result.tidyRows()
    let pairs = wanted.count * (wanted.count + 1) / 2
    #expect(rows.count == 2 * pairs + wanted.count * wanted.count)
    #expect(rows.contains { $0.low != nil })
  }

  @Test("it goes on from what was gathered, and refuses what is of other widths")
  func state() throws {
    let wanted = try subjects.flatMap { try $0.representations() }
    func analysis() throws -> MeasuresAnalysis {
      try MeasuresAnalysis([CKA()], wanted, of: subjects, images: 12, options: few)
    }
    func add(_ block: Int, to analysis: MeasuresAnalysis) throws {
      try analysis.begin(BlockHeading(index: block, samples: Array(6 * block..<6 * block + 6)))
      for index in wanted.indices {
        let source = RandomSource(seed: UInt64(100 * block + index))
        try analysis.add(index, source.normal([6, 12]))
      }
      try analysis.finish()
    }
    let whole = try analysis()
    try add(0, to: whole)
    let halfway = Dictionary(uniqueKeysWithValues: whole.state().map { ($0.name, $0.tensor) })
    try add(1, to: whole)
    let resumed = try analysis()
    #expect(resumed.restore(halfway))
    try add(1, to: resumed)
    #expect(try resumed.result() == whole.result())
    var wrong = halfway
    wrong["features.0"] = Tensor.zeros([6, 11])
    #expect(try !analysis().restore(wrong))
    #expect(throws: MeasureError.self) { try resumed.add(0, Tensor.zeros([6, 12])) }
  }

  @Test("a stop while measures are computed is an interruption; what was gathered is still there")
  func stopped() throws {
    let wanted = try subjects.flatMap { try $0.representations() }
    let analysis = try MeasuresAnalysis([CKA()], wanted, of: subjects, images: 8, options: few)
    try analysis.begin(BlockHeading(index: 0, samples: Array(0..<8)))
    for index in wanted.indices {
      try analysis.add(index, RandomSource(seed: UInt64(index)).normal([8, 12]))
    }
    try analysis.finish()
    var shares: [Double] = []
    analysis.progress = { shares.append($1) }
    analysis.isInterrupted = { shares.count > 4 }
    #expect(throws: AnalysisError.interrupted) { try analysis.result() }
    #expect(shares.count == 5 && shares == shares.sorted())
    analysis.isInterrupted = { false }
    _ = try analysis.result()
    #expect(shares.last == 1 && analysis.state().count == wanted.count + 1)
  }

  @Test("features that would not fit are refused before the pass, and so is nothing at all")
  func refusals() throws {
    let wanted = try subjects.flatMap { try $0.representations() }
    #expect(throws: MeasureError.self) {
      try MeasuresAnalysis([CKA()], wanted, of: subjects, images: 1000, memoryLimit: 1000)
    }
    // The features of 100 images fit, the Gram matrices do not.
    let widths = wanted.count * 100
    #expect(throws: MeasureError.self) {
      try MeasuresAnalysis(
        [MagnitudeDifference(), CKA()], wanted, of: subjects, images: 2000, route: .features,
        memoryLimit: 2000 * widths * 8)
    }
    #expect(throws: AnalysisError.tooFewImages(needed: 4, found: 3, where: "cka")) {
      try MeasuresAnalysis([CKA()], wanted, of: subjects, images: 3)
    }
    #expect(throws: AnalysisError.self) {
      try MeasuresAnalysis([], wanted, of: subjects, images: 10)
    }
  }

  @Test(
    "what is wrong with a representation is said with the images' names, and the others keep theirs"
  )
  func badInput() throws {
    let wanted = try subjects.flatMap { try $0.representations() }
    #expect(wanted.count > 3)
    let analysis = try MeasuresAnalysis(
      [CKA(), InformationImbalance(), MutualKNN(neighbours: 3)], wanted, of: subjects, images: 14,
      options: few, ids: (0..<15).map { "set/\($0).png" })
    // Image 3 could not be read, so that row 3 is image 4.
    try analysis.begin(BlockHeading(index: 0, samples: [0, 1, 2] + Array(4..<15)))
    for index in wanted.indices {
      let width = 12
      var numbers = RandomSource(seed: UInt64(index)).normal([14, width]).scalars(Float.self)
      switch index {
      case 0:
        numbers[3 * width + 5] = .nan
        for row in 7..<11 { numbers[row * width] = .infinity }
      case 1:
        for column in 0..<width {
          numbers[5 * width + column] = numbers[2 * width + column]
          numbers[13 * width + column] = numbers[2 * width + column]
        }
      case 2: numbers = [Float](repeating: 0.5, count: 14 * width)
      default: break
      }
      try analysis.add(index, Tensor(numbers, shape: [14, width]))
    }
    try analysis.finish()
    let result = try analysis.result()
    let reasons = result.measures.map { entry in
      Dictionary(uniqueKeysWithValues: entry.refusals.map { ($0.address, $0.reason) })
    }
    for each in reasons {
      #expect(
        each[wanted[0].address]
          == "NaN or infinity in the activations of set/4.png, set/8.png, set/9.png and 2 more")
      #expect(each[wanted[2].address]?.contains("does not vary") == true)
    }
    #expect(
      reasons[1][wanted[1].address]
        == "information-imbalance: set/2.png, set/6.png, set/14.png have the same activations; duplicates have no order among neighbours"
    )
    #expect(reasons[0].count == 2 && reasons[1].count == 3 && reasons[2].count == 2)
    for (entry, refused) in zip(result.measures, reasons) {
      for a in wanted.indices {
        for b in wanted.indices {
          let isRefused =
            refused[wanted[a].address] != nil || refused[wanted[b].address] != nil
          #expect((entry.values[a][b] == nil) == isRefused, "\(entry.name) \(a) \(b)")
        }
      }
    }
  }

  @Test("preprocessing is fitted on the features and recorded; the zeros it meets have a name")
  func preprocessing() throws {
    let wanted = try subjects.flatMap { try $0.representations() }
    let steps = FeaturePreprocessing(clip: .twoSided(0.05), normalized: true)
    let analysis = try MeasuresAnalysis(
      [CKA()], wanted, of: subjects, images: 14, options: few, preprocessing: steps,
      ids: (0..<14).map { "\($0)" })
    var features = wanted.indices.map { RandomSource(seed: UInt64($0)).normal([14, 12]) }
    var numbers = features[0].scalars(Float.self)
    for place in 24..<36 { numbers[place] = 0 }
    features[0] = Tensor(numbers, shape: [14, 12])
    try analysis.begin(BlockHeading(index: 0, samples: Array(0..<14)))
    for (index, one) in features.enumerated() { try analysis.add(index, one) }
    try analysis.finish()
    let result = try analysis.result()
    #expect(result.preprocessing == steps.description)
    #expect(
      result.measures[0].refusals.map(\.reason)
        == ["preprocessing: 2 is zero and has no direction"])
    let expected = try CKA()(steps(features[1]), steps(features[2]))
    #expect(result.measures[0].values[1][2] == expected)
    #expect(result.tidyRows().allSatisfy { $0.estimator.contains("0.05") })
  }
}
