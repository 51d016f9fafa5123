import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("k* distributions over models")
struct KStarModelsTests {
  /// A file of features of models with concepts of given spreads.
  private func spaces(_ spreads: [(String, Double)], _ folder: TemporaryFolder) throws -> String {
    let labels = (0..<60).map { $0 % 6 }
    let centres = Tensor(
      labels.map { Double($0) * 10 } + labels.map { Double(($0 * 5) % 6) * 7 }, shape: [2, 60]
    ).transposed()
    let noise = RandomSource(seed: 4).normal([60, 2]).to(.float64)
    let path = folder.url.appending(path: "spaces.safetensors").path
    try Safetensors.write(
      spreads.map { ("\($0.0)@head", (centres + noise * $0.1).contiguous()) } + [
        ("labels", Tensor(labels.map(Int64.init), shape: [60]))
      ], to: path)
    return path
  }

  @Test("models whose concepts are all clustered are named, not dropped, and lead by the mean k*/n")
  func unranked() throws {
    let folder = try TemporaryFolder()
    let path = try spaces(
      [("perfect", 0.1), ("good", 0.3), ("poor", 6), ("bad", 20)], folder)
    let result = try FeatureFile(path).kStar(.init())
    #expect(Set(result.ranked.map(\.name)) == ["poor", "bad"])
    #expect(result.unranked.map(\.name) == ["good", "perfect"])
    let space = try #require(result.unranked[0].spaces.last)
    #expect(space.unskewed == "6 clustered" && space.basis.contains("over 0 of 6 concepts"))
    #expect(Array(result.rankedByMean.map(\.name).prefix(2)) == ["good", "perfect"])
    #expect(result.rankedByMean.count == 4)
    let perfect = try #require(result.findings.first { $0.sentence.contains("perfect holds") })
    #expect(perfect.verdict == .shows && perfect.value == 1)
    #expect(perfect.quantity.contains("no concept has a skewness: of 6 are 6 clustered"))
    let relation = try #require(result.findings.last)
    #expect(relation.quantity.contains("without Γ") && relation.quantity.contains("good, perfect"))
    let poor = try #require(result.findings.first { $0.sentence.contains("poor holds") })
    #expect(poor.quantity.contains("concepts"))
  }

  @Test(
    "given accuracies stand beside those of neighbours; of a model that is not there they are refused"
  )
  func accuracies() throws {
    let folder = try TemporaryFolder()
    let path = try spaces([("a", 6), ("b", 8), ("c", 12), ("d", 20)], folder)
    var options = KStarAnalysis.Options()
    options.accuracies = ("robust accuracy", ["a": 60, "b": 50, "c": 20, "d": 10])
    let result = try FeatureFile(path).kStar(options)
    #expect(result.accuracyName == "robust accuracy" && result.accuracies?["c"] == 20)
    let finding = try #require(result.findings.last)
    #expect(finding.sentence.contains("robust accuracy go together"))
    let pairs = KStarFindings(result: result).pairs { result.accuracies?[$0.name] }
    #expect(finding.value == KStarFindings.correlation(pairs.map(\.gamma), pairs.map(\.accuracy)))
    options.accuracies = ("robust accuracy", ["z": 1])
    #expect(throws: AnalysisError.self) { try FeatureFile(path).kStar(options) }
  }
}
