import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("The analysis of steepness")
struct LipschitzAnalysisTests {
  private func prepared(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: LipschitzAnalysis.Options,
    at text: String? = "blocks.*"
  ) throws -> (LipschitzAnalysis, Pass) {
    let (images, wanted, pass) = try averagedSites(folder, subjects, at: text)
    let analysis = try LipschitzAnalysis(
      wanted, of: subjects, images: images, among: text == nil ? [] : wanted, options: options)
    return (analysis, pass)
  }

  private func options() -> LipschitzAnalysis.Options {
    var options = LipschitzAnalysis.Options()
    options.pairs = .random(2)
    options.recipe = .newton
    (options.recipe.tolerance, options.recipe.isRelative) = (1e-7, false)
    (options.directions, options.tangents, options.steps, options.samples) = (4, 2, 6, 2)
    (options.iterations, options.walk) = (100, 3)
    return options
  }

  @Test("the reference's order of directions holds, and everything that must be below σ₁ is")
  func orders() throws {
    let folder = try imageFolder(8)
    let (analysis, pass) = try prepared(folder, [try smallSubject("small")], options())
    try pass.run([analysis])
    let result = try analysis.result()
    let places = result.models[0].places
    #expect(!places.isEmpty)
    for one in places.flatMap(\.pictures) {
      func limit(_ kind: LipschitzResult.Kind) -> Double {
        let values = one.curves.filter { $0.kind == kind }.map(\.limit)
        return values.reduce(0, +) / Double(max(1, values.count))
      }
      #expect(one.isWhole && one.values == one.values.sorted(by: >))
      #expect(abs(limit(.steepest) - one.steepest) < 1e-3 * one.steepest)
      for curve in one.curves { #expect(curve.limit <= one.steepest * 1.0001) }
      #expect(limit(.steepest) > limit(.random) && limit(.random) > 10 * limit(.tangent))
      #expect(limit(.matching) > limit(.tangent))
      #expect(one.bound >= one.steepest)
      for curve in one.curves {
        let share = try #require(curve.share)
        #expect(share <= 1 + 1e-9)
        switch curve.kind {
        case .steepest, .gradient: #expect(share > 0.999, "\(curve.kind)")
        case .tangent: #expect(share < 1e-3)
        default: break
        }
      }
      // Short steps are all but linear.
      let steepest = try #require(one.curves.first { $0.kind == .steepest })
      #expect(abs(steepest.values[0] - steepest.limit) < 0.05 * steepest.limit)
      for segment in one.segments {
        #expect(segment.largest >= segment.mean && segment.mean >= segment.secant * (1 - 1e-6))
        #expect(abs(segment.toSource[0] - 1) < 1e-6)
      }
      let target = try #require(one.segments.first { $0.to == "target" })
      #expect(abs(try #require(target.toTarget.last) - 1) < 1e-6)
      #expect(one.walk.first?.way == 0 && one.walk.allSatisfy { $0.drift <= 0.1 })
    }
    #expect(result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(result.findings.count == 4)
    #expect(result.tidyRows().contains { $0.measure == "walk: drift" })
    let again = try JSONDecoder().decode(
      LipschitzResult.self, from: JSONEncoder().encode(result))
    #expect(again == result)
  }

  @Test("a stopped run goes on to the same numbers")
  func resumes() throws {
    let folder = try imageFolder(6)
    var options = options()
    options.walk = 0
    let (whole, pass) = try prepared(folder, [try smallSubject("small")], options)
    try pass.run([whole])
    let wanted = try whole.result()
    let (part, again) = try prepared(folder, [try smallSubject("small")], options)
    try again.run([part])
    let first = Set(whole.state().map(\.name).filter { $0.hasPrefix("found.") })
    part.isInterrupted = { part.state().contains { $0.name == "found.0.0.numbers" } }
    #expect(throws: AnalysisError.interrupted) { try part.result() }
    let state = Dictionary(uniqueKeysWithValues: part.state().map { ($0.name, $0.tensor) })
    #expect(state.keys.filter { $0.hasPrefix("found.") }.count < first.count)
    let (resumed, _) = try prepared(folder, [try smallSubject("small")], options)
    #expect(resumed.restore(state))
    #expect(try resumed.result() == wanted)
  }

  /// f(x) = Wx of the reference.
  private static func linear(_ x: Tensor) -> Tensor {
    x.reshaped(x.shape[0], 3).linear(Tensor([1.0, 2, 0, 0, 1, -1], shape: [2, 3]))
  }

  @Test(
    "of a linear map a walk never changes the embedding, and goes as far as the null space lets it")
  func walks() throws {
    let start = Tensor([0.2, -0.5, 0.9], shape: [1, 3, 1, 1])
    let goal = Tensor([1, 0.3, -0.4], shape: [1, 3, 1, 1])
    var options = EquivalenceWalk.Options()
    (options.steps, options.stride, options.clamps) = (6, 1, false)
    let stops = try EquivalenceWalk(options)(
      from: LayerJacobian("linear", at: start) { Self.linear($0) }, towards: goal)
    #expect(stops.count > 1 && stops.allSatisfy { $0.drift < 1e-6 })
    // All of the way that lies along (−2, 1, 1)/√6.
    let null = Tensor([-2.0, 1, 1], shape: [1, 3, 1, 1]) / 6.0.squareRoot()
    let along = (null * (goal - start)).sum().item(Double.self)
    let last = try #require(stops.last)
    #expect(gap(last.picture, start + null * along) < 1e-6)
    #expect {
      try EquivalenceWalk(options)(
        from: LayerJacobian("linear", at: start) { Self.linear($0) }, towards: start)
    } throws: { "\($0)".contains("two pictures with different embeddings") }
  }

  @Test("level sets are left as in a transcription of the loop in PyTorch")
  func levelSets() throws {
    let file = try Safetensors(
      fixtures.appending(path: "equivalence/matching.safetensors").path)
    func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }
    let (first, bias) = (try tensor("match/conv1"), try tensor("match/bias1"))
    let second = try tensor("match/conv2")
    var options = LevelSetTraversal.Options()
    options.steps = 30
    let (sources, targets) = (try tensor("match/sources"), try tensor("match/targets"))
    let path = try LevelSetTraversal(options)(
      from: sources.sliced(0, 0, 1), towards: targets.sliced(0, 0, 1)
    ) { x in
      x.convolution(first, bias, stride: [2, 2], padding: [1, 1]).hyperbolicTangent()
        .convolution(second, stride: [2, 2]).reshaped(x.shape[0], -1)
    }
    let wanted = try tensor("level-set/confidences").scalars(Double.self)
    #expect(path.confidences.count == wanted.count && path.steps == wanted.count - 1)
    for (a, b) in zip(path.confidences, wanted) { #expect(abs(a - b) < 1e-10) }
    #expect(gap(path.picture, try tensor("level-set/picture")) < 1e-10)
    #expect(path.distances.last ?? 0 < path.distances[0])
  }
}
