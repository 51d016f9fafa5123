import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// Against the similarity of the same pass, whose numbers have oracles, and where the answer is known.
@Suite("Checkpoints on one axis")
struct CheckpointsTests {
  private func representations(_ subjects: [Subject]) throws -> [Representation] {
    try subjects.flatMap { try $0.representations() }
  }

  @Test("values are those of the similarity of the same pass; thirds and falls are means of them")
  func values() throws {
    let folder = try imageFolder(24)
    let subjects = [
      try smallSubject("a", seed: 1), try smallSubject("b", seed: 2),
      try smallSubject("c", seed: 1),
    ]
    let wanted = try representations(subjects)
    var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
    pass.blockSize = 8
    var options = CheckpointsAnalysis.Options()
    (options.places, options.axis, options.reference) = ([3, 10, 100], "% of the data", 2)
    let checkpoints = try CheckpointsAnalysis(
      wanted, of: subjects, images: 24, blockSize: 8, options: options)
    let similarity = try SimilarityAnalysis(
      wanted, of: subjects, images: 24, blockSize: 8, route: .minibatch)
    try pass.run([checkpoints, similarity])
    let (result, matrix) = (try checkpoints.result(), try similarity.result())
    let between = try #require(matrix.matrix(1, 2))
    for site in 0..<3 {
      let value = try #require(between.values[site][site])
      #expect(abs(try #require(result.checkpoints[1].toReference[site].value) - value) < 1e-12)
      // The same weights, wherever they stand.
      #expect(abs(try #require(result.checkpoints[0].toReference[site].value) - 1) < 1e-6)
    }
    let (first, last) = (
      try #require(between.values[0][0]), try #require(between.values[2][2])
    )
    #expect(result.checkpoints[1].thirds[0].value == first)
    #expect(result.checkpoints[1].fall.value == first - last)
    #expect(result.checkpoints[2].toReference.allSatisfy { $0.value == nil })
    #expect(abs(try #require(result.checkpoints[0].fall.value)) < 1e-6)
    let own = try #require(matrix.matrix(1, 1)).values
    let mean = [own[0][1], own[0][2], own[1][2]].compactMap(\.self).reduce(0, +) / 3
    #expect(abs(try #require(result.checkpoints[1].uniformity.value) - mean) < 1e-12)
    #expect(abs(try #require(result.between[0][2]) - 1) < 1e-6)
    #expect(result.between[0][1] == result.between[1][0])
    // The nearest on the axis, b, is another network: nearness does not show.
    let nearer = try #require(result.findings.first { $0.sentence.contains("nearest on the axis") })
    #expect(nearer.sentence.contains("b, is more like c than the farthest, a"))
    #expect(nearer.verdict == .doesNotShow)
    #expect(result.findings.allSatisfy { $0.claim == .scale })
    // Of made-up weights the paper claims nothing.
    var others = subjects
    others[0].objective = .untrained
    let untrained = try CheckpointsAnalysis(
      wanted, of: others, images: 24, blockSize: 8, options: options)
    #expect(
      untrained.restore(
        Dictionary(uniqueKeysWithValues: checkpoints.state().map { ($0.name, $0.tensor) })))
    let findings = try untrained.result().findings
    #expect(findings.count == result.findings.count)
    #expect(findings.allSatisfy { $0.claim == nil })
  }

  @Test("what is no list of checkpoints is refused with what was expected")
  func refusals() throws {
    let (small, large) = (try smallSubject("a"), try smallSubject("b", side: 24))
    func refused(
      _ subjects: [Subject], _ wanted: [Representation], _ text: String, places: [Double] = []
    ) throws {
      var options = CheckpointsAnalysis.Options()
      options.places = places
      let error = #expect(throws: AnalysisError.self) {
        try CheckpointsAnalysis(wanted, of: subjects, images: 24, blockSize: 8, options: options)
      }
      #expect("\(try #require(error))".contains(text))
    }
    try refused([small], try representations([small]), "expected at least 2 checkpoints")
    let flat = try [small, large].flatMap { try $0.representations(tokens: .flat) }
    try refused([small, large], flat, "checkpoints are of one architecture")
    let twin = try smallSubject("b", seed: 2)
    let both = try representations([small, twin])
    try refused([small, twin], Array(both.dropLast()), "expected the 2 sites of b, found 3")
    try refused([small, twin], both, "expected 2 places on the axis", places: [1, 2, 3])
  }
}
