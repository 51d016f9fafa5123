import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Few-shot, neighbour and logistic probes")
struct ProbeTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "probe/probe.safetensors").path)
  }

  private func tensor(_ file: Safetensors, _ name: String) throws -> Tensor {
    try #require(file[name], "\(name)")
  }

  private func relative(_ found: Tensor, _ expected: Tensor) -> Double {
    guard found.shape == expected.shape else { return .infinity }
    let scale = expected.to(.float64).absolute().maximum().item(Double.self)
    return (found.to(.float64) - expected.to(.float64)).absolute().maximum().item(Double.self)
      / scale
  }

  private static let classes = ["narrow": 3, "wide": 4, "square": 5]

  @Test("scores of the golden fixture are those of the reference form")
  func golden() throws {
    let x = GoldenFixture.left(.float64)
    let labels = (0..<24).map { $0 % 3 }
    let fit = try FewShotProbe(penalties: [1, 1024]).fit(x, labels: labels, classes: 3)
    let scores = fit.scores(of: x)
    #expect(scores.shape == [24, 2, 3])
    let expected = [
      [0.0727410838147336, 0.065514989755873, -1.1382519069213],
      [-0.321711908273664, -0.322839481037943, -0.351200071123868],
    ]
    let first = scores.selected(0, 0).scalars(Double.self)
    for (found, expected) in zip(first, expected.flatMap(\.self)) {
      #expect(agrees(found, expected, within: 2e-11), "\(found) \(expected)")
    }
    let classes = fit.classes(of: x).reshaped(24, 2).scalars(Int64.self).map(Int.init)
    let right = (0..<2).map { penalty in
      Double((0..<24).count { classes[2 * $0 + penalty] == labels[$0] }) / 24
    }
    #expect(agrees(right[0], 0.416666666666667, within: 1e-12) && right[1] == 0.5)
  }

  @Test(
    "scores and weights are those of scikit-learn and of a transcription in NumPy, whichever matrix is smaller",
    arguments: ["narrow", "wide", "square"])
  func oracle(_ name: String) throws {
    let file = try Self.fixture()
    let (x, other) = (try tensor(file, "\(name)/x"), try tensor(file, "\(name)/other"))
    let classes = try #require(Self.classes[name])
    let labels = (0..<x.shape[0]).map { $0 % classes }
    let fit = try FewShotProbe().fit(x, labels: labels, classes: classes)
    #expect(fit.penalties.count == 16 && fit.penalties[10] == FewShotProbe.defaultPenalty)
    #expect(relative(fit.scores(of: other), try tensor(file, "\(name)/scores")) < 1e-9)
    #expect(relative(fit.weights(10), try tensor(file, "\(name)/weights")) < 1e-10)
  }

  @Test(
    "sums of batches give the same probe as all images at once, and scikit-learn's scores",
    arguments: ["narrow", "wide", "square"])
  func sums(_ name: String) throws {
    let file = try Self.fixture()
    let (x, other) = (try tensor(file, "\(name)/x"), try tensor(file, "\(name)/other"))
    let classes = try #require(Self.classes[name])
    let labels = (0..<x.shape[0]).map { $0 % classes }
    var sums = ProbeSums(width: x.shape[1], classes: classes)
    for start in stride(from: 0, to: x.shape[0], by: 7) {
      let end = min(start + 7, x.shape[0])
      try sums.add(x.sliced(0, start, end), labellings: [Array(labels[start..<end])])
    }
    var again = ProbeSums(width: x.shape[1], classes: classes)
    let isRestored = again.restore(
      Dictionary(uniqueKeysWithValues: sums.state().map { ($0, $1) }))
    #expect(isRestored)
    let fit = try again.fit(FewShotProbe())
    #expect(sums.images == x.shape[0] && fit.penalties.count == 16)
    #expect(relative(fit.scores(of: other), try tensor(file, "\(name)/scores")) < 1e-9)
    #expect(relative(fit.weights(10), try tensor(file, "\(name)/weights")) < 1e-9)
    #expect(throws: MeasureError.self) { try ProbeSums(width: 3, classes: 2).fit(FewShotProbe()) }
    let state = sums.state()
    #expect(throws: MeasureError.self) { try sums.add(x * .nan, labellings: [labels]) }
    #expect(throws: MeasureError.self) { try sums.add(x, labellings: [[0]]) }
    #expect(zip(state, sums.state()).allSatisfy { relative($0.tensor, $1.tensor) == 0 })
    var narrow = ProbeSums(width: 2, classes: classes)
    let isTaken = narrow.restore(Dictionary(uniqueKeysWithValues: state.map { ($0, $1) }))
    #expect(!isTaken)
  }

  @Test("a batch of representations and a second labelling change nothing of the first")
  func batches() throws {
    let x = MadeUp.noise(24, 30, seed: 1)
    let other = MadeUp.noise(24, 30, seed: 2)
    let (labels, mixed) = ((0..<24).map { $0 % 4 }, (0..<24).map { ($0 * 5 + $0 / 3) % 4 })
    let probe = FewShotProbe(penalties: [0.5, 64, 4096])
    let alone = try [x, other].map { one in
      try [labels, mixed].map {
        try probe.fit(one, labels: $0, classes: 4).scores(of: other)
      }
    }
    let both = try probe.fit(
      Tensor.stacked([x, other]), labellings: [labels, mixed], classes: 4)
    let scores = both.scores(of: Tensor.stacked([other, other]))
    #expect(scores.shape == [2, 24, 3, 8])
    for one in 0..<2 {
      for labelling in 0..<2 {
        let found = scores.selected(0, one).sliced(2, 4 * labelling, 4 * labelling + 4)
        #expect(relative(found, alone[one][labelling]) < 1e-11)
      }
    }
    #expect(both.classes(of: Tensor.stacked([other, other])).shape == [2, 24, 3, 2])
    // float32 features are widened before anything is computed.
    let narrow = try probe.fit(x.to(.float32), labels: labels, classes: 4).scores(of: other)
    #expect(relative(narrow, alone[0][0]) < 1e-5)
  }

  @Test("orthogonal features: the fit is exact, and a heavier penalty shrinks it")
  func orthogonal() throws {
    // Each class has a feature of its own.
    let labels = (0..<12).map { $0 % 3 }
    let x = Tensor(
      labels.flatMap { label in (0..<3).map { $0 == label ? 1.0 : 0.0 } }, shape: [12, 3])
    let fit = try FewShotProbe(penalties: [1e-9, 1e12]).fit(x, labels: labels, classes: 3)
    let scores = fit.scores(of: x)
    let targets = labels.flatMap { label in (0..<3).map { $0 == label ? 1.0 : -1.0 } }
    #expect(gap(scores.selected(1, 0), targets) < 1e-6)
    #expect(scores.selected(1, 1).absolute().maximum().item(Double.self) < 1e-3)
  }

  private func gap(_ found: Tensor, _ expected: [Double]) -> Double {
    zip(found.scalars(Double.self), expected).map { abs($0 - $1) }.max() ?? .infinity
  }

  @Test(
    "neighbours vote as scikit-learn's and DINO's do", arguments: ["narrow", "wide", "square"])
  func neighbours(_ name: String) throws {
    let file = try Self.fixture()
    let (x, other) = (try tensor(file, "\(name)/x"), try tensor(file, "\(name)/other"))
    let classes = try #require(Self.classes[name])
    let labels = (0..<x.shape[0]).map { $0 % classes }
    let votes = try NeighbourProbe()(other, bank: x, labels: labels, classes: classes)
    func expected(_ key: String) throws -> [Int] {
      try tensor(file, "\(name)/\(key)").scalars(Int64.self).map(Int.init)
    }
    #expect(votes.majority.keys.sorted() == [1, 5, 10, 20])
    for (count, found) in votes.majority {
      #expect(found == (try expected("majority/\(count)")), "\(count)")
    }
    #expect(votes.weighted == (try expected("weighted")) && votes.weightedCount == 20)
    // Votes of more than there are, and any length of a feature vector.
    let few = try NeighbourProbe()(
      other * 7, bank: x.sliced(0, 0, 12), labels: Array(labels.prefix(12)), classes: classes)
    #expect(few.majority.keys.sorted() == [1, 5, 10] && few.weightedCount == 12)
  }

  @Test(
    "logistic regression is scikit-learn's, for fewer features than images and more",
    arguments: ["narrow", "wide", "square"])
  func logistic(_ name: String) throws {
    let file = try Self.fixture()
    let x = try tensor(file, "\(name)/x")
    let classes = try #require(Self.classes[name])
    let labels = (0..<x.shape[0]).map { $0 % classes }
    let z = Standardisation(of: x)(x)
    let fit = try LogisticProbe().fit(z, labels: labels, classes: classes)
    #expect(relative(fit.weights, try tensor(file, "\(name)/logistic/weights")) < 1e-6)
    #expect(relative(fit.intercepts, try tensor(file, "\(name)/logistic/intercepts")) < 1e-6)
    #expect(fit.gradient <= 1e-9 && fit.iterations > 5)
    #expect(fit.intercepts.sum().absolute().item(Double.self) < 1e-9)
    let error = #expect(throws: MeasureError.self) {
      try LogisticProbe(limit: 2).fit(z, labels: labels, classes: classes)
    }
    #expect(error?.description.contains("no minimum within 2 iterations") == true)
  }

  @Test("what cannot be probed is refused")
  func refusals() throws {
    let x = MadeUp.noise(12, 4, seed: 1)
    let labels = (0..<12).map { $0 % 3 }
    let name = FewShotProbe.name
    #expect(throws: MeasureError.unequalCounts(measure: name, left: 12, right: 11)) {
      try FewShotProbe().fit(x, labels: Array(labels.dropLast()), classes: 3)
    }
    #expect(
      throws: MeasureError.undefined(measure: name, problem: "expected labels from 0 to 1, found 2")
    ) { try FewShotProbe().fit(x, labels: labels, classes: 2) }
    #expect(
      throws: MeasureError.undefined(
        measure: name, problem: "expected at least 2 classes, found 1")
    ) { try FewShotProbe().fit(x, labels: labels.map { _ in 0 }, classes: 1) }
    #expect(throws: MeasureError.notFinite(measure: name)) {
      try FewShotProbe().fit(x / 0, labels: labels, classes: 3)
    }
    #expect(throws: MeasureError.shape(measure: name, expected: "[images, width]", found: [12])) {
      try FewShotProbe().fit(x.selected(1, 0), labels: labels, classes: 3)
    }
    let flat = Tensor.concatenated([x.sliced(0, 0, 5), Tensor.zeros([1, 4], .float64)], 0)
    #expect(
      throws: MeasureError.row(
        measure: NeighbourProbe.name, row: 5, problem: "is all zeros: it has no direction")
    ) { try NeighbourProbe()(flat, bank: x, labels: labels, classes: 3) }
    #expect(throws: MeasureError.notFinite(measure: LogisticProbe.name)) {
      try LogisticProbe().fit(x * .nan, labels: labels, classes: 3)
    }
  }
}
