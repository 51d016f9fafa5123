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
      // The reference's order: matching well above random, the target's direction about as steep as random.
      #expect(limit(.matching) > 2 * limit(.random))
      let ratio = limit(.target) / limit(.random)
      #expect(ratio < limit(.matching) / limit(.random) && ratio > 0.1)
      #expect(limit(.target) > 10 * limit(.tangent))
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
      let first = try #require(steepest.values[0])
      #expect(abs(first - steepest.limit) < 0.05 * steepest.limit)
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

  @Test(
    "of what is decomposed in part nothing is said of the whole; tangent directions are found all the same"
  )
  func partial() throws {
    let folder = try imageFolder(8)
    var few = options()
    (few.whole, few.leading, few.walk, few.tangents) = (4, 3, 0, 2)
    few.pairs = .random(1)
    var all = few
    all.whole = 1024
    func pictures(_ options: LipschitzAnalysis.Options) throws -> LipschitzResult {
      let (analysis, pass) = try prepared(
        folder, [try smallSubject("small")], options, at: "blocks.2")
      try pass.run([analysis])
      return try analysis.result()
    }
    let (part, whole) = (try pictures(few), try pictures(all))
    let known = whole.models[0].places.flatMap(\.pictures)
    for (one, exact) in zip(part.models[0].places.flatMap(\.pictures), known) {
      #expect(!one.isWhole && exact.isWhole)
      #expect(one.curves.allSatisfy { $0.share == nil })
      let tangents = one.curves.filter { $0.kind == .tangent }
      let random = one.curves.filter { $0.kind == .random }.map(\.limit)
      #expect(tangents.count == 2)
      // Three leading vectors of twelve leave most of a random direction's effect; conjugate gradients do not.
      for tangent in tangents { #expect(tangent.limit < 0.1 * (random.min() ?? 0)) }
      #expect(!one.values.isEmpty && one.values.count <= 3)
      for (a, b) in zip(one.values, exact.values) { #expect(abs(a / b - 1) < 0.06) }
      #expect(one.steepest >= one.values[0] && abs(one.steepest / exact.steepest - 1) < 1e-3)
      #expect(one.bound >= one.values[0])
    }
    let share = try #require(part.findings.first { $0.sentence.contains("way to another image") })
    #expect(share.value == nil && share.verdict == .cannotTell)
    #expect(share.quantity.contains("in part only"))
  }

  @Test("a sentence stands beside what chance gives, and needs six pairs")
  func findings() throws {
    func verdict(_ target: Double, _ random: Double, pairs: Int) throws -> Finding {
      var result = LipschitzResult(images: [], seed: 0)
      var model = LipschitzResult.Model(
        name: "m", family: "f", design: "other", height: 1, width: 1)
      var place = LipschitzResult.Place(site: "s", tokens: "flat", depth: 1, features: 2)
      place.pictures = (0..<pairs).map { pair in
        var one = LipschitzResult.Picture(
          source: pair, target: pair + 1, ending: "matched", change: 1, cosine: 1, steps: [1])
        one.curves = [(LipschitzResult.Kind.target, target), (.random, random)].map {
          .init(kind: $0, limit: 1, values: [1], errors: [0], share: $1)
        }
        return one
      }
      // The same pairs at a second site are no more pairs.
      model.places = [place, place]
      result.models = [model]
      return try #require(
        LipschitzFindings(result: result)().first { $0.sentence.contains("way to another image") })
    }
    // The reviewed case: D = 1024 of n = 3072, target 0.506, random 0.509.
    #expect(try verdict(0.506, 0.509, pairs: 8).verdict == .doesNotShow)
    #expect(try verdict(0.1, 0.5, pairs: 6).verdict == .shows)
    #expect(try verdict(0.1, 0.5, pairs: 5).verdict == .cannotTell)
    #expect(try verdict(0.1, 0.5, pairs: 6).quantity.contains("mean 0.25"))
  }

  @Test("in float64 steps can be shorter than rounding lets them in float32")
  func precise() throws {
    let folder = try imageFolder(8)
    var options = options()
    (options.walk, options.steps, options.pairs) = (0, 8, .random(1))
    options.shortest = 1e-4
    func run(_ options: LipschitzAnalysis.Options) throws -> LipschitzResult {
      let (analysis, pass) = try prepared(folder, [try smallSubject("small")], options)
      try pass.run([analysis])
      return try analysis.result()
    }
    let single = try run(options)
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (16, 8, 12, 3, 2, 5)
    options.precise["small"] = try ViT(c, Weights(RandomWeights(seed: 1), dtype: .float64))
    let double = try run(options)
    #expect(single.dtype == "float32" && double.dtype == "float64")
    for (a, b) in zip(
      single.models[0].places.flatMap(\.pictures), double.models[0].places.flatMap(\.pictures))
    {
      let (coarse, fine) = (try #require(a.rounding), try #require(b.rounding))
      #expect(coarse > 1e-8 && coarse < 1e-5 && fine < 1e-6 * coarse)
      // A tangent step of 1e-4 moves the embedding by less than its rounding: no number, or a number of float64.
      let (lost, found) = (
        a.curves.filter { $0.kind == .tangent }, b.curves.filter { $0.kind == .tangent }
      )
      #expect(lost.allSatisfy { $0.values[0] == nil } && found.allSatisfy { $0.values[0] != nil })
      #expect(abs(a.steepest / b.steepest - 1) < 1e-3)
      // What is told in float32 is what float64 tells: along v₁ to the rounding that is allowed for.
      let (one, other) = (
        try #require(a.curves.first { $0.kind == .steepest }),
        try #require(b.curves.first { $0.kind == .steepest })
      )
      for (x, y) in zip(one.values, other.values) {
        if let x, let y { #expect(abs(x / y - 1) < 0.2) }
      }
      // The linear error goes down with h all the way.
      let errors = other.errors.prefix(5).compactMap(\.self)
      #expect(errors.count == 5 && zip(errors, errors.dropFirst()).allSatisfy { $0 < $1 })
    }
  }

  @Test("a pair of equal pixels says so, and costs the others nothing")
  func equalPixels() throws {
    let folder = try imageFolder(4)
    let source = try noisyPNG(0)
    // The same pixels in another file: apes/1000.png is noise of seed 0.
    try folder.write(source + [0], "bees/copy.png")
    var options = options()
    (options.walk, options.pairs) = (0, .from("apes/1000.png", 20))
    (options.iterations, options.steps, options.tangents) = (3, 2, 0)
    let (analysis, pass) = try prepared(
      folder, [try smallSubject("small")], options, at: "blocks.2")
    try pass.run([analysis])
    let result = try analysis.result()
    let pictures = result.models[0].places[0].pictures
    let bad = pictures.filter { $0.problem != nil }
    try #require(bad.count == 1)
    #expect(result.images[bad[0].target].id == "bees/copy.png")
    #expect(bad[0].problem?.contains("the same picture, pixel by pixel") == true)
    #expect(pictures.count == 4 && pictures.filter { !$0.curves.isEmpty }.count == 3)
    #expect(result.tidyRows().contains { $0.measure.hasPrefix("left out: ") })
    options.pairs = .one("apes/1000.png", "bees/copy.png")
    let (alone, again) = try prepared(folder, [try smallSubject("small")], options, at: "blocks.2")
    try again.run([alone])
    #expect { try alone.result() } throws: { "\($0)".contains("pixel by pixel") }
  }

  @Test("level sets and CLEVER are of a classifier's output only; segments show its classes")
  func outputs() throws {
    let folder = try imageFolder(6)
    var options = options()
    (options.walk, options.pairs, options.levelSet) = (0, .random(1), 5)
    (options.clever, options.widths, options.iterations) = ((20, 4, 0.5), [1, 4], 3)
    #expect { try prepared(folder, [try smallSubject("small")], options) } throws: {
      "\($0)".contains("level sets and CLEVER are of a classifier's output, found small@blocks.0")
        && "\($0)".contains("expected small@head")
    }
    let (analysis, pass) = try prepared(
      folder, [try smallSubject("small")], options, at: "blocks.2,head")
    try pass.run([analysis])
    let places = try analysis.result().models[0].places
    #expect(places.map(\.site) == ["blocks.2", "head"])
    let (block, head) = (places[0].pictures[0], places[1].pictures[0])
    #expect(block.levelSet == nil && block.clever == nil)
    let path = try #require(head.levelSet)
    let score = try #require(head.clever)
    #expect(score.location > 0 && score.classes == 1 && score.norm == "L2")
    // The least over all other classes is at most that of the runner-up; both draw the same points.
    options.cleverClasses = 9
    (options.levelSet, options.widths) = (0, [])
    let (all, once) = try prepared(folder, [try smallSubject("small")], options, at: "head")
    try once.run([all])
    let least = try #require(try all.result().models[0].places[0].pictures[0].clever)
    #expect(least.classes == 4)
    if let radius = least.radius, let own = score.radius { #expect(radius <= own) }
    #expect(path.widths?.map(\.radius) == [1, 4, 1, 4] && path.widths?.last?.isEnd == true)
    #expect(path.widths?.allSatisfy { $0.low <= $0.high && $0.low > 0 } == true)
    let (length, most) = (try #require(path.euclidean), try #require(path.maximum))
    #expect(length > 0 && most <= 1)
    #expect(abs((path.left.last ?? 0) - (path.euclidean ?? 0) / head.segments[1].length) < 1e-4)
    for segment in block.segments + head.segments {
      let classes = try #require(segment.sourceClass)
      #expect(
        classes.count == segment.toSource.count && classes.allSatisfy { (0...1).contains($0) })
    }
    // Both segments begin at the same picture, whichever site is looked at.
    let (one, other) = (block.segments[0].sourceClass?[0], head.segments[1].sourceClass?[0])
    #expect(abs((one ?? 0) - (other ?? 1)) < 1e-6)
  }

  @Test("directions of one kind have numbers in the table, and everything is there")
  func rows() throws {
    let folder = try imageFolder(6)
    var options = options()
    (options.walk, options.pairs, options.iterations) = (0, .random(1), 3)
    let (analysis, pass) = try prepared(
      folder, [try smallSubject("small")], options, at: "blocks.2")
    try pass.run([analysis])
    let rows = try analysis.result().tidyRows()
    let keys = rows.map { "\($0.measure) \($0.a) \($0.b) \($0.x)" }
    #expect(Set(keys).count == keys.count)
    for measure in ["segment: steepness", "segment: cosine with the target", "rounding"] {
      #expect(rows.contains { $0.measure == measure }, "\(measure)")
    }
    #expect(rows.contains { $0.b.hasSuffix(", random 4") })
  }

  @Test(
    "level sets are left as in a transcription of the authors' loop in PyTorch",
    arguments: [("plain", 0.0), ("countered", 1.0 / 255), ("far", 0.3)])
  func levelSets(_ name: String, _ perturbation: Double) throws {
    let file = try Safetensors(
      fixtures.appending(path: "equivalence/matching.safetensors").path)
    func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }
    let (first, bias) = (try tensor("match/conv1"), try tensor("match/bias1"))
    let second = try tensor("match/conv2")
    func network(_ x: Tensor) -> Tensor {
      x.convolution(first, bias, stride: [2, 2], padding: [1, 1]).hyperbolicTangent()
        .convolution(second, stride: [2, 2]).reshaped(x.shape[0], -1)
    }
    var options = LevelSetTraversal.Options()
    (options.steps, options.perturbation, options.jitter) = (30, perturbation, 0)
    let source = (try tensor("match/sources")).sliced(0, 0, 1)
    let target = (try tensor("match/targets")).sliced(0, 0, 1)
    let path = try LevelSetTraversal(options)(from: source, towards: target) { network($0) }
    let wanted = try tensor("level-set/\(name)/confidences").scalars(Double.self)
    #expect(path.confidences.count == wanted.count && path.steps == wanted.count - 1)
    for (a, b) in zip(path.confidences, wanted) { #expect(abs(a - b) < 1e-10) }
    #expect(gap(path.picture, try tensor("level-set/\(name)/picture")) < 1e-9)
    #expect(path.distances.last ?? 0 < path.distances[0])
    if name == "plain" {
      let found = try LevelSetTraversal.widths(
        around: source, orthogonalTo: target - source, label: path.label, radii: [0.5, 2, 5],
        directions: try tensor("level-set/drawn")
      ) { network($0) }
      let widths = try tensor("level-set/widths").scalars(Double.self)
      for (a, b) in zip(found.flatMap { [$0.low, $0.high] }, widths) { #expect(abs(a - b) < 1e-10) }
      #expect(found.count == 3)
      // The published start is moved a little.
      options.jitter = 2.0 / 255
      options.steps = 1
      let moved = try LevelSetTraversal(options)(from: source, towards: target) { network($0) }
      let near = try LevelSetTraversal.Options.still(options)(from: source, towards: target) {
        network($0)
      }
      let shift = gap(moved.picture, near.picture)
      #expect(shift > 0.1 / 255 && shift <= 2.5 / 255)
    }
  }
}

extension LevelSetTraversal.Options {
  /// The same without the random start.
  fileprivate static func still(_ options: Self) -> LevelSetTraversal {
    var options = options
    options.jitter = 0
    return LevelSetTraversal(options)
  }
}
