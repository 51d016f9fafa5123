import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Walks along the pullback metric")
struct PullbackWalkTests {
  private func tensor(_ name: String) throws -> Tensor {
    let file = try Safetensors(fixtures.appending(path: "equivalence/matching.safetensors").path)
    return try #require(file[name], "\(name)")
  }

  private func jacobian() throws -> LayerJacobian {
    let (first, bias) = (try tensor("match/conv1"), try tensor("match/bias1"))
    let second = try tensor("match/conv2")
    return try LayerJacobian("network", at: tensor("match/sources").sliced(0, 0, 1)) { x in
      x.convolution(first, bias, stride: [2, 2], padding: [1, 1]).hyperbolicTangent()
        .convolution(second, stride: [2, 2]).reshaped(x.shape[0], -1)
    }
  }

  private func options(_ kind: PullbackWalk.Kind) -> PullbackWalk.Options {
    var options = PullbackWalk.Options()
    (options.kind, options.steps, options.threshold, options.multiplier) = (kind, 4, 14, 2000)
    return options
  }

  @Test(
    "pictures, steps and eigenvalues are those of the whole metric decomposed by PyTorch",
    arguments: PullbackWalk.Kind.allCases)
  func oracle(_ kind: PullbackWalk.Kind) throws {
    let places = try tensor("walk/places").scalars(Double.self)
    let back = try tensor("walk/back").scalars(Double.self)
    let vectors = try tensor("walk/vectors")
    let stops = try PullbackWalk(options(kind)).walk(from: jacobian(), nil, { false }) { step in
      PullbackWalk.Draw(
        place: places[step], isBack: back[step] > 0, vector: vectors.sliced(0, step, step + 1))
    }
    let pictures = try tensor("walk/\(kind.rawValue)/pictures")
    let notes = try tensor("walk/\(kind.rawValue)/notes").scalars(Double.self)
    try #require(stops.count == 5)
    for (step, stop) in stops.dropFirst().enumerated() {
      #expect(gap(stop.picture, pictures.sliced(0, step, step + 1)) < 1e-8, "\(step)")
      // λ_min of 0 is ±1e-14 to eigh.
      #expect(abs(stop.length / notes[2 * step] - 1) < 1e-7)
      #expect(abs(stop.eigenvalue - notes[2 * step + 1]) < 1e-7)
    }
  }

  @Test("SiMEC keeps the embedding where SiMExp changes it; both move the picture")
  func kinds() throws {
    func drift(_ kind: PullbackWalk.Kind) throws -> (value: Double, picture: Double) {
      var options = options(kind)
      (options.multiplier, options.threshold) = (200, 0.1)
      let stops = try PullbackWalk(options)(from: jacobian())
      let (first, last) = (stops[0], try #require(stops.last))
      #expect(stops.count == 5)
      return (gap(last.value, first.value), gap(last.picture, first.picture))
    }
    let (same, other) = (try drift(.simec), try drift(.simexp))
    #expect(same.picture > 1e-3 && other.picture > 1e-3)
    #expect(same.value < 0.1 * other.value)
  }

  @Test("where J is not decomposed as a whole, eigenvectors are still on their side")
  func partial() throws {
    for kind in PullbackWalk.Kind.allCases {
      var options = options(kind)
      (options.whole, options.leading, options.steps) = (4, 2, 2)
      let stops = try PullbackWalk(options)(from: jacobian())
      #expect(stops.count == 3)
      for stop in stops.dropFirst() {
        #expect(kind == .simexp ? stop.eigenvalue > 12 : stop.eigenvalue < 0.05, "\(kind)")
      }
    }
  }

  @Test("of a linear map SiMEC never changes the embedding; without an eigenvector a walk ends")
  func linear() throws {
    let start = Tensor([0.2, 0.5, 0.4], shape: [1, 3, 1, 1])
    let jacobian = try LayerJacobian("linear", at: start) { x in
      x.reshaped(x.shape[0], 3).linear(Tensor([1.0, 2, 0, 0, 1, -1], shape: [2, 3]))
    }
    var options = PullbackWalk.Options()
    (options.steps, options.multiplier, options.clamps) = (5, 1000, false)
    let stops = try PullbackWalk(options)(from: jacobian)
    #expect(stops.count == 6)
    // λ are 6, 1 and 0: δ = 1000·√(10⁻⁶/6).
    for stop in stops.dropFirst() {
      #expect(abs(stop.length - 1 / 6.0.squareRoot()) < 1e-9)
      #expect(gap(stop.value, stops[0].value) < 1e-12 && stop.eigenvalue < 1e-20)
    }
    #expect(gap(stops[1].picture, stops[0].picture) > 0.1)
    options.kind = .simexp
    options.threshold = 2
    let along = try PullbackWalk(options)(from: jacobian)
    for stop in along.dropFirst() { #expect(abs(stop.eigenvalue - 6) < 1e-9) }
    options.threshold = 7
    #expect(try PullbackWalk(options)(from: jacobian).count == 1)
    #expect(throws: AnalysisError.interrupted) {
      try PullbackWalk(options)(from: jacobian, isInterrupted: { true })
    }
  }
}
