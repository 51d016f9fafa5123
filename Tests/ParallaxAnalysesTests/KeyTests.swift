import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("What a saved state belongs to")
struct KeyTests {
  @Test("whatever changes the numbers changes the key, and nothing else does")
  func keys() throws {
    let folder = try imageFolder(8)
    let subject = try smallSubject("a")
    let wanted = try subject.representations()
    func key(
      _ subjects: [Subject], _ recorders: [Recorder], _ change: (inout Pass) -> Void = { _ in }
    ) throws -> String {
      var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
      change(&pass)
      return pass.key(recorders)
    }
    let usual = try key([subject], [Recorder(wanted)])
    #expect(
      try key([subject], [Recorder(wanted)]) {
        ($0.batchSize, $0.workers, $0.strict, $0.savingInterval) = (3, 7, true, 0)
      } == usual)
    var others = [
      try key([try smallSubject("b")], [Recorder(wanted)]),
      try key([try smallSubject("a", seed: 2)], [Recorder(wanted)]),
      try key([try smallSubject("a", side: 32)], [Recorder(wanted)]),
      try key([try smallSubject("a", mean: 0.4)], [Recorder(wanted)]),
      try key([subject, try smallSubject("b")], [Recorder(wanted)]),
      try key([subject], [Recorder(Array(wanted.dropLast()))]),
      try key([subject], [Recorder(wanted.reversed())]),
      try key([subject], [Recorder(try subject.representations(tokens: .avg))]),
      try key([subject], [Recorder(wanted, fingerprint: "2")]),
      try key([subject], [Recorder(wanted, name: "other")]),
      try key([subject], [Recorder(wanted), Recorder(wanted)]),
      try key([subject], [Recorder(wanted)]) { $0.blockSize = 65 },
      try key([subject], [Recorder(wanted)]) { $0.alpha = .drop },
    ]
    // The images: a changed one, a renamed one, one fewer.
    try folder.write(try noisyPNG(77), "apes/1000.png")
    others.append(try key([subject], [Recorder(wanted)]))
    try FileManager.default.moveItem(
      atPath: folder.file("apes/1001.png"), toPath: folder.file("apes/1009.png"))
    others.append(try key([subject], [Recorder(wanted)]))
    try FileManager.default.removeItem(atPath: folder.file("bees/1003.png"))
    others.append(try key([subject], [Recorder(wanted)]))
    #expect(Set(others + [usual]).count == others.count + 1)
  }

  @Test("the analyses' own options are part of it")
  func analyses() throws {
    let subject = try smallSubject("a")
    let wanted = try subject.representations()
    func similarity(
      _ route: SimilarityAnalysis.Route, _ estimator: Estimator = .debiased, seed: UInt64 = 0,
      block: Int = 8
    ) throws -> String {
      try SimilarityAnalysis(
        wanted, of: [subject], images: 40, blockSize: block, route: route, estimator: estimator,
        seed: seed
      ).fingerprint
    }
    let all = [
      try similarity(.minibatch), try similarity(.exact), try similarity(.minibatch, .biased),
      try similarity(.exact, .biased), try similarity(.minibatch, seed: 1),
      try similarity(.minibatch, block: 9),
    ]
    #expect(Set(all).count == all.count)
    let (here, there) = (try TemporaryFolder(), try TemporaryFolder())
    let (a, b) = (try Extraction(wanted, to: here.url), try Extraction(wanted, to: there.url))
    #expect(a.fingerprint != b.fingerprint)
  }
}
