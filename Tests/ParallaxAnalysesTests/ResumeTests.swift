import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Interruption and resuming")
struct ResumeTests {
  private let images: TemporaryFolder
  private let subjects: [Subject]

  init() throws {
    // Blocks of 6, 6, 6 and 3; one image that cannot be read, in the second.
    images = try imageFolder(21, broken: [8])
    subjects = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
  }

  private func pass(_ state: TemporaryFolder?, batch: Int = 32, after limit: Int? = nil) throws
    -> Pass
  {
    var pass = Pass(subjects: subjects, images: try ImageSet(images.path))
    (pass.blockSize, pass.batchSize, pass.stateFolder) = (6, batch, state?.url)
    if let limit {
      let interrupter = Interrupter(after: limit)
      pass.isInterrupted = { interrupter.isInterrupted() }
    }
    return pass
  }

  private func wanted() throws -> [Representation] {
    try subjects.flatMap { try $0.representations() }
  }

  /// Interrupts at the first question, the second, and so on, and resumes each time in one go; the
  /// work is done with fresh accumulators, as in another process.
  ///
  /// - Returns: how often it could be interrupted.
  private func atEveryQuestion(
    batch: Int, _ make: () throws -> [any Accumulator],
    then check: ([any Accumulator], Pass.Outcome) throws -> Void
  ) throws -> Int {
    for limit in 0..<100 {
      let state = try TemporaryFolder()
      do {
        _ = try pass(state, batch: batch, after: limit).run(try make())
        return limit
      } catch AnalysisError.interrupted {
        #expect(state.names().count == 1)
      }
      let resumed = try make()
      let outcome = try pass(state, batch: batch).run(resumed)
      #expect(outcome.samples == [Int](0..<21).filter { $0 != 8 })
      #expect(outcome.skipped.map(\.path) == ["apes/1008.png"])
      #expect(state.names().isEmpty, "the state of a finished run is removed")
      try check(resumed, outcome)
    }
    return 100
  }

  @Test(
    "an extraction that was interrupted leaves the bytes of an undisturbed one", arguments: [32, 2])
  func extraction(batch: Int) throws {
    let folder = try TemporaryFolder()
    func complete(_ extraction: Extraction) throws {
      _ = try extraction.complete(
        images: try ImageSet(images.path), subjects: subjects, npy: true)
    }
    let undisturbed = try Extraction(try wanted(), to: folder.url)
    _ = try pass(nil, batch: batch).run([undisturbed])
    try complete(undisturbed)
    let names = folder.names()
    let expected = try names.map { try folder.bytes($0) }
    #expect(names.filter { $0.hasSuffix(".safetensors") }.count == 4)
    func clear() throws {
      for name in folder.names() { try FileManager.default.removeItem(atPath: folder.file(name)) }
    }
    try clear()
    let asked = try atEveryQuestion(
      batch: batch, { [try Extraction(try wanted(), to: folder.url)] }
    ) { accumulators, _ in
      let resumed = try #require(accumulators.first as? Extraction)
      try complete(resumed)
      #expect(folder.names() == names)
      let found = try names.map { try folder.bytes($0) }
      #expect(found == expected)
      try clear()
    }
    #expect(asked >= (batch == 32 ? 3 : 15))
  }

  @Test(
    "a similarity that was interrupted is an undisturbed one", arguments: [32, 2],
    [SimilarityAnalysis.Route.minibatch, .exact])
  func similarity(batch: Int, route: SimilarityAnalysis.Route) throws {
    func make() throws -> SimilarityAnalysis {
      try SimilarityAnalysis(
        try wanted(), of: subjects, images: 21, blockSize: 6, route: route)
    }
    let undisturbed = try make()
    _ = try pass(nil, batch: batch).run([undisturbed])
    let expected = try undisturbed.result()
    #expect(expected.route == route.rawValue && expected.matrices.count == 3)
    let asked = try atEveryQuestion(batch: batch, { [try make()] }) { accumulators, _ in
      let resumed = try #require(accumulators.first as? SimilarityAnalysis)
      let found = try resumed.result()
      #expect(found == expected)
    }
    #expect(asked >= (batch == 32 ? 3 : 15))
  }

  @Test("two analyses of one kind in one pass keep their states apart")
  func twoOfAKind() throws {
    func make() throws -> [any Accumulator] {
      try [Estimator.debiased, .biased].map { estimator in
        try SimilarityAnalysis(
          try wanted(), of: subjects, images: 21, blockSize: 6, route: .minibatch,
          estimator: estimator)
      }
    }
    func results(_ accumulators: [any Accumulator]) throws -> [SimilarityResult] {
      try accumulators.compactMap { try ($0 as? SimilarityAnalysis)?.result() }
    }
    let undisturbed = try make()
    _ = try pass(nil).run(undisturbed)
    let expected = try results(undisturbed)
    #expect(expected.count == 2 && expected[0].matrices != expected[1].matrices)
    _ = try atEveryQuestion(batch: 32, make) { accumulators, outcome in
      #expect(outcome.resumedBlocks > 0, "what was done is not done again")
      let found = try results(accumulators)
      #expect(found == expected)
    }
  }

  @Test("the state of another job is neither used nor touched")
  func foreign() throws {
    let state = try TemporaryFolder()
    func similarity() throws -> SimilarityAnalysis {
      try SimilarityAnalysis(
        try wanted(), of: subjects, images: 21, blockSize: 6, route: .minibatch)
    }
    #expect(throws: AnalysisError.interrupted) {
      try pass(state, after: 4).run([try similarity()])
    }
    let kept = state.names()
    var other = try pass(state)
    other.subjects[0] = try smallSubject("a", seed: 9)
    #expect(try other.run([try similarity()]).resumedBlocks == 0)
    other = try pass(state)
    other.alpha = .drop
    #expect(try other.run([try similarity()]).resumedBlocks == 0)
    #expect(state.names() == kept)
    // Asked not to resume, the job begins anew; otherwise it goes on.
    var fresh = try pass(nil)
    (fresh.stateFolder, fresh.resumes) = (state.url, false)
    fresh.isInterrupted = { true }
    #expect(throws: AnalysisError.interrupted) { try fresh.run([try similarity()]) }
    #expect(try pass(state).run([try similarity()]).resumedBlocks == 1)
  }

  @Test("a damaged state costs time but no numbers, or is refused by name")
  func damaged() throws {
    func similarity() throws -> SimilarityAnalysis {
      try SimilarityAnalysis(
        try wanted(), of: subjects, images: 21, blockSize: 6, route: .minibatch)
    }
    let undisturbed = try similarity()
    _ = try pass(nil).run([undisturbed])
    let state = try TemporaryFolder()
    #expect(throws: AnalysisError.interrupted) {
      try pass(state, after: 7).run([try similarity()])
    }
    let name = try #require(state.names().first)
    let good = try state.bytes(name)
    let length = good.count
    for bad in [
      [], Array(good.prefix(7)), Array(good.prefix(length / 2)), Array(good.dropLast()),
      Array(repeating: 0xff, count: 64), Array("no tensors".utf8),
    ] {
      try state.write(bad, name)
      let again = try similarity()
      #expect(try pass(state).run([again]).resumedBlocks == 0)
      #expect(try again.result() == (try undisturbed.result()))
    }
    // A whole file whose tensors are not those of the analysis.
    let notes = try Safetensors(written(good)).metadata
    try Safetensors.write(
      [(name: "x", tensor: Tensor.ones([2]))], metadata: notes, to: state.file(name))
    let error = #expect(throws: AnalysisError.self) { try pass(state).run([try similarity()]) }
    #expect(error?.description.contains("similarity") == true)
    #expect(error?.description.contains(name) == true)
    #expect(state.names() == [name], "what is refused is left for whoever wants to look")
    // A whole file whose notes are not those of a pass.
    try Safetensors.write([], metadata: ["pass": "{\"blocks\":\"three\"}"], to: state.file(name))
    #expect(try pass(state).run([try similarity()]).resumedBlocks == 0)
    try state.write(good, name)
    let resumed = try similarity()
    #expect(try pass(state).run([resumed]).resumedBlocks == 3)
    #expect(try resumed.result() == (try undisturbed.result()))
  }

  @Test("where results cannot be written, the state stays and the next run has only to write")
  func writing() throws {
    let state = try TemporaryFolder()
    func similarity() throws -> SimilarityAnalysis {
      try SimilarityAnalysis(try wanted(), of: subjects, images: 21, blockSize: 6)
    }
    let undisturbed = try similarity()
    _ = try pass(nil).run([undisturbed])
    let full = TensorError.unwritable(path: "results", problem: "no space left")
    for _ in 0..<2 {
      #expect(throws: full) { try pass(state).run([try similarity()]) { _ in throw full } }
      #expect(state.names().count == 1)
    }
    let resumed = try similarity()
    var samples: [Int] = []
    let outcome = try pass(state).run([resumed]) {
      samples = $0.samples
      #expect(state.names().count == 1, "until everything is written")
    }
    #expect(outcome.resumedBlocks == 4 && outcome.samples == samples && samples.count == 20)
    #expect(outcome.skipped.map(\.path) == ["apes/1008.png"])
    #expect(try resumed.result() == (try undisturbed.result()))
    #expect(state.names().isEmpty)
  }

  @Test("a state that cannot be written is an error with its folder")
  func unwritable() throws {
    let state = try TemporaryFolder()
    try state.write([1], "file")
    var pass = try pass(nil)
    pass.stateFolder = state.url.appending(path: "file/states")
    pass.isInterrupted = { true }
    let error = #expect(throws: TensorError.self) { try pass.run([Recorder(try wanted())]) }
    guard case .unwritable(let path, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(path.hasSuffix("file/states"))
  }

  private let spare = try? TemporaryFolder()

  private func written(_ bytes: [UInt8]) throws -> String {
    let folder = try #require(spare)
    try folder.write(bytes, "state.safetensors")
    return folder.file("state.safetensors")
  }

  @Test("shards that have gone, or that another job has written over, are not gone on with")
  func shards() throws {
    let (folder, state) = (try TemporaryFolder(), try TemporaryFolder())
    let wanted = try wanted()
    func interrupted() throws {
      for name in state.names() { try FileManager.default.removeItem(atPath: state.file(name)) }
      #expect(throws: AnalysisError.interrupted) {
        try pass(state, after: 4).run([try Extraction(wanted, to: folder.url)])
      }
    }
    func resume() throws -> Int {
      try pass(state).run([try Extraction(wanted, to: folder.url)]).resumedBlocks
    }
    try interrupted()
    #expect(try resume() == 2)
    try interrupted()
    try FileManager.default.removeItem(atPath: folder.file("shard-00001.safetensors"))
    #expect(throws: AnalysisError.self) { try resume() }
    try interrupted()
    // The same models' names and sites, other weights, the same folder.
    var other = try pass(nil)
    other.subjects[0] = try smallSubject("a", seed: 9)
    _ = try other.run([try Extraction(wanted, to: folder.url)])
    #expect(throws: AnalysisError.self) { try resume() }
  }
}
