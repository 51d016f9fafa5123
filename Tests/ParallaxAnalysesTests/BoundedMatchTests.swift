import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Matching within a box")
struct BoundedMatchTests {
  private func tensor(_ name: String) throws -> Tensor {
    let file = try Safetensors(fixtures.appending(path: "equivalence/matching.safetensors").path)
    return try #require(file[name], "\(name)")
  }

  private func network() throws -> (Tensor) -> Tensor {
    let (first, bias) = (try tensor("match/conv1"), try tensor("match/bias1"))
    let second = try tensor("match/conv2")
    return { x in
      x.convolution(first, bias, stride: [2, 2], padding: [1, 1]).hyperbolicTangent()
        .convolution(second, stride: [2, 2]).reshaped(x.shape[0], -1)
    }
  }

  /// To the minimum, not only to a match.
  private func recipe(_ radius: Double) -> MatchRecipe {
    var recipe = MatchRecipe.sabour2016
    (recipe.ball, recipe.steps, recipe.tolerance) = (.maximum(radius), 500, 0)
    return recipe
  }

  @Test(
    "the minimum within the bound is SciPy's L-BFGS-B's, and so are the pictures",
    arguments: [("near", 4.0 / 255), ("far", 10.0 / 255)])
  func minimum(_ name: String, _ radius: Double) throws {
    let f = try network()
    let (sources, wanted) = (try tensor("match/sources"), try tensor("match/wanted"))
    let losses = try tensor("bounded/\(name)/losses").scalars(Double.self)
    let pictures = try tensor("bounded/\(name)/pictures")
    var state = EmbeddingMatch.State(sources)
    try EmbeddingMatch("network", recipe(radius)) { f($0) }.run(sources, to: wanted, &state)
    #expect(state.endings == [.stuck, .stuck])
    for (image, loss) in losses.enumerated() {
      #expect(abs(0.5 * state.distances[image] / loss - 1) < 1e-6, "\(image)")
      // Losses fall from step to step.
      let trace = state.trace[image].map(\.loss)
      #expect(trace.count > 3 && zip(trace, trace.dropFirst()).allSatisfy { $1 <= $0 })
    }
    let change = (state.pictures - sources).absolute()
    #expect(change.maximum().item(Double.self) <= radius + 1e-15)
    #expect(state.pictures.minimum().item(Double.self) >= 0)
    #expect(state.pictures.maximum().item(Double.self) <= 1)
    // Most numbers end at a bound; which ones, and where the others are, SciPy says.
    #expect(gap(state.pictures, pictures) < 0.02 * radius)
    let atBound = change.scalars(Double.self).count { $0 > radius - 1e-12 }
    #expect(atBound > change.count / 2)
  }

  @Test("of a linear map the minimum is that of bounded least squares, reached where it can be")
  func linear() throws {
    let matrix = Tensor([1.0, 2, 0, 0, 1, -1], shape: [2, 3])
    let source = Tensor([0.2, 0.5, 0.9], shape: [1, 3, 1, 1])
    func f(_ x: Tensor) -> Tensor { x.reshaped(x.shape[0], 3).linear(matrix) }
    // (0.25, 0.55, 0.85) is within 0.05 of the source: d = 0 is reached.
    let near = Tensor([0.25, 0.55, 0.85], shape: [1, 3, 1, 1])
    var state = EmbeddingMatch.State(source)
    try EmbeddingMatch("linear", recipe(0.05)) { f($0) }.run(source, to: f(near), &state)
    #expect(state.distances[0] < 1e-12)
    // Out of reach: all numbers end at their bounds.
    var other = EmbeddingMatch.State(source)
    let far = Tensor([5.0, 5], shape: [1, 2])
    try EmbeddingMatch("linear", recipe(0.01)) { f($0) }.run(source, to: far, &other)
    #expect(gap(other.pictures, Tensor([0.21, 0.51, 0.89], shape: [1, 3, 1, 1])) < 1e-12)
    #expect(other.endings == [.stuck])
  }

  @Test("a ball of all pixels together is no box; NaN ends a match where it was")
  func refusals() throws {
    let f = try network()
    let (sources, wanted) = (try tensor("match/sources"), try tensor("match/wanted"))
    var recipe = recipe(0.1)
    recipe.ball = .euclidean(1)
    var state = EmbeddingMatch.State(sources)
    #expect {
      try EmbeddingMatch("network", recipe) { f($0) }.run(sources, to: wanted, &state)
    } throws: { "\($0)".contains("stay in a box, found the ball L2 1.0") }
    // Everywhere but at the start NaN: no step is taken.
    var lost = EmbeddingMatch.State(sources)
    try EmbeddingMatch("network", self.recipe(0.1)) { x in
      let moved = (x - sources).absolute().maximum().item(Double.self) > 0
      return moved ? f(x) * Double.nan : f(x)
    }.run(sources, to: wanted, &lost)
    #expect(lost.endings == [.stuck, .stuck])
    #expect(gap(lost.pictures, sources) == 0)
    #expect(lost.distances.allSatisfy { $0.isFinite })
  }

  @Test("a path is searched down to Armijo's condition, and no further")
  func search() {
    // L(t) = (t − 0.3)², ⟨g, d⟩ = −0.6.
    func value(_ t: Double) -> Double { (t - 0.3) * (t - 0.3) }
    var search = PathSearch(from: 1, value: value(0), slope: -0.6)
    search.take(value(1), gain: -0.6)
    #expect(!search.hasEnded && abs(search.length - 0.3) < 1e-12)
    search.take(value(0.3), gain: -0.6 * 0.3)
    #expect(search.hasEnded && abs(search.length - 0.3) < 1e-12)
    // Nothing lower: nothing is taken.
    var none = PathSearch(from: 1, value: 0, slope: -1)
    while !none.hasEnded { none.take(1, gain: -none.length) }
    #expect(none.length == 0)
    #expect(PathSearch(from: 1, value: 0, slope: 0).length == 0)
  }
}
