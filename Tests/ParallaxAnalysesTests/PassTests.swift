import Foundation
import Parallax
import ParallaxTestSupport
import Synchronization
import Testing

@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("The pass over the images")
struct PassTests {
  @Test(
    "a watch makes numbers of several sites at once, whatever blocks and batches",
    arguments: [(4, 4), (6, 4), (12, 5)])
  func watches(block: Int, batch: Int) throws {
    let images = try imageFolder(12, broken: [5])
    let set = try ImageSet(images.path)
    let subject = try smallSubject("a")
    @Sendable func reduce(_ values: [Tensor]) -> Tensor {
      (values[0] * values[1]).sum(over: [2]).sliced(1, 0, 3)
    }
    let first = try #require(subject.sites.first { $0.name == "blocks.0" })
    let last = try #require(subject.sites.first { $0.name == "blocks.2" })
    let wanted = [first, last].map { Representation(model: "a", site: $0, tokens: .flat) }
    let recorder = Recorder(wanted)
    recorder.watched = [
      Watch(model: "a", sites: ["blocks.2", "blocks.0"], width: 3) { reduce($0) }
    ]
    var pass = Pass(subjects: [subject], images: set)
    (pass.blockSize, pass.batchSize) = (block, batch)
    _ = try pass.run([recorder])
    let shape = [11, first.shape[0], first.shape[1]]
    let expected = reduce([recorder.all(1).reshaped(shape), recorder.all(0).reshaped(shape)])
    #expect(recorder.all(2).shape == [11, 3])
    #expect(gap(recorder.all(2), expected) < 1e-5)
    recorder.watched = [Watch(model: "a", sites: ["nowhere"], width: 1) { $0[0] }]
    #expect(throws: AnalysisError.self) { _ = try pass.run([recorder]) }
  }

  private func pass(
    _ subjects: [Subject], _ folder: TemporaryFolder, block: Int = 6, batch: Int = 32
  ) throws -> Pass {
    var pass = Pass(subjects: subjects, images: try ImageSet(folder.path))
    (pass.blockSize, pass.batchSize) = (block, batch)
    return pass
  }

  @Test("features do not depend on how many images go through the model at once, or on the workers")
  func batches() throws {
    let folder = try imageFolder(14, broken: [4])
    let subject = try smallSubject("a")
    let wanted = try subject.representations(at: SitePattern(parsing: "**"), tokens: .flat)
    #expect(wanted.count > 20)
    func run(batch: Int, workers: Int) throws -> Recorder {
      let recorder = Recorder(wanted)
      var pass = try pass([subject], folder, batch: batch)
      pass.workers = workers
      _ = try pass.run([recorder])
      return recorder
    }
    let reference = try run(batch: 32, workers: 1)
    for (batch, workers) in [(32, 5), (1, 1), (2, 3), (5, 2), (6, 2)] {
      let found = try run(batch: batch, workers: workers)
      #expect(found.blocks == reference.blocks)
      for index in wanted.indices {
        let tolerance = batch >= 6 ? 0 : 1e-5
        let size = reference.all(index).absolute().maximum().item(Double.self)
        #expect(
          gap(found.all(index), reference.all(index)) <= tolerance * max(1, size),
          "\(wanted[index].address) in batches of \(batch)")
      }
    }
  }

  @Test("what an accumulator gets is what the model computes of the prepared images")
  func byHand() throws {
    let folder = try imageFolder(8)
    let (a, b) = (try smallSubject("a"), try smallSubject("b", seed: 2, side: 32))
    let wanted = try [a, b].flatMap { try $0.representations() }
    let recorder = Recorder(wanted)
    let outcome = try pass([a, b], folder).run([recorder])
    #expect(outcome.samples == Array(0..<8) && outcome.resumedBlocks == 0)
    #expect(Set(outcome.seconds.keys) == ["a", "b"])
    let samples = try ImageSet(folder.path).samples
    for (subject, first) in [(a, 0), (b, 3)] {
      let images = try samples.map {
        try subject.preprocessing.tensor(try ImageBuffer(decoding: URL(filePath: $0.path)))
      }
      var expected: [Tensor] = []
      let tap = Tap(["blocks.0", "blocks.1", "blocks.2"]) { visit in
        expected.append(visit.value.selected(1, 0))
        return nil
      }
      _ = subject.model(Tensor.concatenated(images, 0), tap)
      for block in 0..<3 { #expect(gap(recorder.all(first + block), expected[block]) < 1e-5) }
    }
    #expect(wanted[0].address == "a@blocks.0#cls" && wanted[5].address == "b@blocks.2#cls")
    #expect(gap(recorder.all(0), recorder.all(3)) > 1e-3)
  }

  @Test("a model is not given images that are smaller than it takes")
  func tooSmall() throws {
    var c = VGG.Configuration([[4], [4], [4], [4]])
    (c.hidden, c.side, c.classes) = (4, 2, 3)
    let model = try VGG(c, Weights(RandomWeights(seed: 1)))
    func subject(_ side: Int) throws -> Subject {
      try Subject(
        name: "vgg", family: "VGG", model: model, preprocessing: .letterbox(side),
        fingerprint: "\(side)")
    }
    #expect(try subject(16).sites.last?.shape == [3])
    let error = #expect(throws: AnalysisError.self) { try subject(15) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("at least 16×16 pixels, found 15×15"))
  }

  @Test("each block begins, gets every representation once, and finishes, for every accumulator")
  func order() throws {
    let folder = try imageFolder(14, broken: [6, 7, 8, 9, 10, 11])
    let subject = try smallSubject("a")
    let blocks = try subject.representations()
    let grids = try subject.representations(at: SitePattern(parsing: "blocks.1"), tokens: .grid(1))
    let (first, second) = (Recorder(blocks), Recorder(grids + [blocks[2]], name: "second"))
    let outcome = try pass([subject], folder, batch: 4).run([first, second])
    for recorder in [first, second] {
      // The middle block has no image that can be read, so nobody hears of it.
      #expect(recorder.blocks.map(\.index) == [0, 2])
      #expect(recorder.blocks.map(\.samples) == [[0, 1, 2, 3, 4, 5], [12, 13]])
      let size = recorder.wanted.count + 2
      for part in [recorder.calls.prefix(size), recorder.calls.suffix(size)] {
        #expect(part.first?.hasPrefix("begin") == true && part.last == "finish")
        #expect(
          part.dropFirst().dropLast().sorted() == recorder.wanted.indices.map { "add \($0)" })
      }
      #expect(recorder.calls.count == 2 * size)
    }
    #expect(gap(first.all(2), second.all(1)) == 0)
    #expect(outcome.samples == [0, 1, 2, 3, 4, 5, 12, 13] && outcome.skipped.count == 6)
  }

  @Test("unreadable and empty images are skipped, counted and named; strict makes them an error")
  func unreadable() throws {
    let folder = try imageFolder(12, broken: [2, 9], empty: [5])
    let subject = try smallSubject("a")
    let images = try ImageSet(folder.path)
    #expect(images.skipped.map(\.path) == ["apes/1005.png"])
    #expect(images.samples.count == 11)
    let recorder = Recorder(try subject.representations())
    var pass = try pass([subject], folder, block: 4)
    let outcome = try pass.run([recorder])
    #expect(outcome.skipped.map(\.path) == ["apes/1002.png", "bees/1003.png"])
    #expect(outcome.skipped.allSatisfy { $0.reason.contains("neither JPEG, PNG nor WebP") })
    #expect(outcome.samples == [0, 1, 3, 4, 5, 6, 7, 9, 10])
    #expect(recorder.all(0).shape == [9, 12])
    pass.strict = true
    let error = #expect(throws: ImageError.self) { try pass.run([Recorder(recorder.wanted)]) }
    #expect(error?.description.contains("apes/1002.png") == true)
  }

  @Test(
    "two models of one name, and a model that is not there, are refused before an image is read")
  func names() throws {
    let folder = try imageFolder(4)
    let (a, b) = (try smallSubject("a"), try smallSubject("b"))
    let wanted = try a.representations()
    #expect(throws: AnalysisError.duplicateModel(name: "a")) {
      try pass([a, b, try smallSubject("a", seed: 3)], folder).run([Recorder(wanted)])
    }
    let recorder = Recorder(wanted)
    let error = #expect(throws: AnalysisError.self) { try pass([b], folder).run([recorder]) }
    #expect(error?.description.contains("a@blocks.0#cls") == true)
    #expect(recorder.calls.isEmpty)
    var far = Recorder([Representation(model: "b", site: wanted[0].site, tokens: .token(99))])
    #expect(throws: ModelError.self) { try pass([b], folder).run([far]) }
    let other = try smallSubject("b", side: 32).sites.last
    let site = try #require(other)
    let unknown = Site(name: "blocks.9", kind: site.kind, shape: site.shape, isBlock: true)
    far = Recorder([Representation(model: "b", site: unknown, tokens: .flat)])
    #expect(throws: AnalysisError.self) { try pass([b], folder).run([far]) }
  }

  @Test("what an accumulator throws ends the pass as it is")
  func failure() throws {
    struct Full: Error {}
    let folder = try imageFolder(8)
    let subject = try smallSubject("a")
    for batch in [32, 2] {
      let (good, bad) = (
        Recorder(try subject.representations(), name: "good"),
        Recorder(try subject.representations())
      )
      bad.problem = Full()
      #expect(throws: Full.self) { try pass([subject], folder, batch: batch).run([bad, good]) }
      #expect(!good.calls.contains("finish"))
    }
  }

  @Test("progress goes forward only, from nothing to all images")
  func progress() throws {
    let folder = try imageFolder(14, broken: [13])
    let seen = Mutex<[Pass.Progress]>([])
    var pass = try pass([try smallSubject("a"), try smallSubject("b", seed: 5)], folder)
    pass.progress = { step in seen.withLock { $0.append(step) } }
    let recorder = Recorder(try pass.subjects.flatMap { try $0.representations() })
    _ = try pass.run([recorder])
    let steps = seen.withLock { $0 }
    let done = steps.map(\.done)
    #expect(done == done.sorted() && done.first == 0 && steps.allSatisfy { $0.total == 14 })
    #expect(steps.map(\.model).filter { $0 == "b" }.count == 3)
  }

  @Test("a model whose input does not suit it is refused when it is made ready")
  func imageSize() throws {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads) = (16, 8, 12, 1, 2)
    let model = try ViT(c, Weights(RandomWeights(seed: 1)))
    #expect(throws: AnalysisError.self) {
      try Subject(
        name: "a", family: "ViT", model: model, preprocessing: .letterbox(7), fingerprint: "")
    }
    // A patch more or less is resized to; a part of one would be cut off.
    for side in [8, 16, 24] {
      _ = try Subject(
        name: "a", family: "ViT", model: model, preprocessing: .letterbox(side), fingerprint: "")
    }
    for side in [17, 23] {
      let error = #expect(throws: AnalysisError.self) {
        try Subject(
          name: "a", family: "ViT", model: model, preprocessing: .letterbox(side), fingerprint: "")
      }
      #expect(error?.description.contains("multiples of 8 pixels, found \(side)×\(side)") == true)
    }
    // A network of feature maps takes any size.
    let net = try MobileNetV2(.headless, Weights(RandomWeights(seed: 1)))
    _ = try Subject(
      name: "b", family: "MobileNet", model: net, preprocessing: .letterbox(37), fingerprint: "")
  }
}
