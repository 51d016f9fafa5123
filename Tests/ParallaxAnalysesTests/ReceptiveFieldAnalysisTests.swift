import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// Convolutions whose first weight is NaN where an image is brighter than a threshold.
private struct Brittle: Model {
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    var x = tap("input", images, as: .map)
    // √ of a negative number where an image's mean is below −100.
    let shift = (images.mean(over: [1, 2, 3], keeping: true) + 100.0).squareRoot()
    for layer in 0..<3 {
      x =
        x.convolution(Tensor.ones([3, 3, 3, 3]) / 27, nil, stride: [1, 1], padding: [1, 1]) * shift
      x = tap.block("layers.\(layer)", x)
    }
    return tap("logits", x.mean(over: [2, 3]))
  }
}

private final class Counter {
  var count = 0
}

@Suite("The analysis of receptive fields")
struct ReceptiveFieldAnalysisTests {
  private func run(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: ReceptiveFieldAnalysis.Options,
    at pattern: String? = nil
  ) throws -> (ReceptiveFieldAnalysis, ReceptiveFieldResult) {
    let (analysis, pass) = try prepared(folder, subjects, options, at: pattern)
    try pass.run([analysis])
    return (analysis, try analysis.result())
  }

  private func prepared(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: ReceptiveFieldAnalysis.Options,
    at pattern: String? = nil
  ) throws -> (ReceptiveFieldAnalysis, Pass) {
    let images = try ImageSet(folder.path)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    let pattern = try pattern.map { try SitePattern(parsing: $0) }
    let analysis = try ReceptiveFieldAnalysis(
      subjects.flatMap { try $0.representations(at: pattern) }, of: subjects,
      images: images.samples.count, options: options)
    return (analysis, pass)
  }

  private func options(_ images: Int) -> ReceptiveFieldAnalysis.Options {
    var options = ReceptiveFieldAnalysis.Options()
    (options.images, options.batchSize) = (images, 2)
    return options
  }

  @Test("fields before and after the residual connection, with intervals and pictures")
  func fields() throws {
    let folder = try imageFolder(10)
    var options = options(6)
    options.beforeResidual = true
    let (_, result) = try run(folder, [try smallSubject("small")], options)
    #expect(result.images == 6 && result.groups == 6 && result.channels == "2 channels an image")
    let fields = result.models[0].fields
    let parts = [ReceptiveFieldResult.Part.attention, .mlp, .output]
    #expect(fields.map(\.part) == parts + parts + parts)
    #expect(fields.map(\.site).prefix(3) == ["blocks.0.attn", "blocks.0.mlp", "blocks.0"])
    #expect(fields.map(\.depth) == [0, 0, 0, 0.5, 0.5, 0.5, 1, 1, 1])
    for field in fields {
      #expect(field.rows == 2 && field.columns == 2 && field.channels == 12 && field.passes == 2)
      #expect(field.images == 6 && field.skipped == 0 && field.peak > 0)
      let radius = field.radius
      #expect(try #require(radius.low) <= #require(radius.value))
      #expect(try #require(radius.value) <= #require(radius.high))
      let decoded = try ImageBuffer(decoding: [UInt8](field.picture))
      #expect(decoded.width == 16 && decoded.height == 16)
    }
    #expect(result.switches.contains { $0.name == "channels" && $0.origin == "reconstruction" })
    #expect(result.tidyRows().count == 9 * 10)
    let again = try JSONDecoder().decode(
      ReceptiveFieldResult.self, from: JSONEncoder().encode(result))
    #expect(again == result)
  }

  @Test("the mean over images is that of the images' own maps, whatever the batch")
  func mean() throws {
    let folder = try imageFolder(7)
    let subject = try smallSubject("small")
    var options = options(5)
    options.channels = .all
    let (analysis, _) = try run(folder, [subject], options)
    let computed = try analysis.computed()
    options.batchSize = 5
    let (whole, _) = try run(folder, [subject], options)
    let other = try whole.computed()
    for (a, b) in zip(computed.fields, other.fields) {
      #expect(a.address == b.address && ModelOracle.difference(a.map, b.map) < 1e-5)
    }
    // By hand, from the pixels that the pass hands on.
    let recorder = Recorder(analysis.wanted)
    var pass = Pass(subjects: [subject], images: try ImageSet(folder.path))
    (pass.blockSize, pass.order) = (4, .shuffled)
    try pass.run([recorder])
    let pixels = recorder.all(0).sliced(0, 0, 5).reshaped(5, 3, 16, 16)
    let site = try #require(subject.sites.first { $0.name == "blocks.2" })
    let location = try CentreLocation(
      site, subject.model.tokenLayout, imageSize: (16, 16), model: "small")
    try ReceptiveField(subject.model, at: [location]).maps(of: pixels, channels: .all) { _, maps in
      let found = computed.fields[computed.fields.count - 1].map
      #expect(ModelOracle.difference(maps.to(.float64).mean(over: [0]), found) < 1e-5)
    }
  }

  @Test("a run that was stopped goes on with the next batch, to the same result")
  func resumes() throws {
    let (folder, states) = (try imageFolder(8), try TemporaryFolder())
    let subjects = [try smallSubject("a"), try smallSubject("b", seed: 2)]
    func go(_ interrupter: Interrupter?) throws -> (ReceptiveFieldAnalysis, Int) {
      let (analysis, made) = try prepared(folder, subjects, options(8))
      var pass = made
      pass.stateFolder = states.url.appending(path: "states")
      if let interrupter { analysis.isInterrupted = { interrupter.isInterrupted() } }
      let told = Counter()
      analysis.progress = { _, _ in told.count += 1 }
      try pass.run([analysis]) { _ in _ = try analysis.result() }
      return (analysis, told.count)
    }
    let (_, whole) = try run(folder, subjects, options(8))
    // Eight batches of three sites; the sixth batch is stopped in its middle.
    #expect(throws: AnalysisError.interrupted) { try go(Interrupter(after: 16)) }
    #expect(states.names("states").count == 1)
    let (analysis, calls) = try go(nil)
    #expect(try analysis.result() == whole)
    #expect(calls == 3 * 3 + 2, "what was done is not done again")
    #expect(states.names("states").isEmpty)
  }

  @Test("a state that does not fit is refused, and changes nothing")
  func states() throws {
    let folder = try imageFolder(6)
    let subject = try smallSubject("a")
    let (analysis, result) = try run(folder, [subject], options(4))
    let state = Dictionary(uniqueKeysWithValues: analysis.state().map { ($0.name, $0.tensor) })
    let (fresh, _) = try prepared(folder, [subject], options(4))
    for (name, tensor) in [
      ("sums.0.maps", Tensor.zeros([3, 4, 8, 8], .float64)),
      ("sums.0.counts", Tensor(Int64(3)).reshaped(1, 1)),
      ("sums.0.done", Tensor([Int64(9)], shape: [1])),
      ("features.0", Tensor.zeros([4, 5])),
    ] {
      var damaged = state
      damaged[name] = tensor
      #expect(!fresh.restore(damaged), "\(name)")
      #expect(fresh.state().isEmpty)
    }
    #expect(fresh.restore(state))
    #expect(try fresh.result() == result)
  }

  @Test("an image with NaN in its gradients is left out at the site and counted")
  func notANumber() throws {
    var sums = FieldSums(sites: 1, groups: 2, height: 2, width: 2)
    sums.add(0, Tensor([Float](repeating: 1, count: 8), shape: [2, 2, 2]), first: 0)
    sums.add(0, Tensor([1, 1, 1, .nan, 3, 3, 3, 3] as [Float], shape: [2, 2, 2]), first: 2)
    #expect(sums.skipped == [1] && sums.counts == [[1, 2]])
    let means = sums.means(0)
    #expect(means.scalars(Double.self).prefix(4).allSatisfy { abs($0 - 5.0 / 3) < 1e-12 })
    // Without the first group: 1 and 3.
    #expect(means.selected(0, 1).scalars(Double.self) == [2, 2, 2, 2])
    let folder = try imageFolder(5)
    let brittle = try Subject(
      name: "brittle", family: "CNN", model: Brittle(),
      preprocessing: .letterbox(16, mean: [200, 200, 200], std: [1, 1, 1]), fingerprint: "b")
    let error = #expect(throws: AnalysisError.self) {
      try run(folder, [brittle], options(4), at: "layers.*")
    }
    #expect(
      error?.description
        == "brittle@layers.2: NaN or infinity in the gradients of all images")
  }

  @Test("what a convolutional network and a transformer show becomes findings")
  func findings() throws {
    let folder = try imageFolder(6)
    let network = try Subject(
      name: "network", family: "CNN", model: Brittle(),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "n")
    var twin = try smallSubject("small-random", seed: 3)
    twin.objective = .untrained
    let subjects = [network, try smallSubject("small"), twin]
    let (_, result) = try run(folder, subjects, options(6))
    #expect(result.models.map(\.twinOf) == [nil, nil, "small"])
    #expect(result.models.map(\.design) == ["convolutional", "transformer", "transformer"])
    let findings = result.findings
    #expect(findings.count == 3)
    #expect(findings[0].sentence.contains("grow gradually") && findings[0].verdict == .shows)
    #expect(findings[0].value == 1)
    #expect(findings[1].sentence.contains("lowest layers") && findings[1].verdict == .shows)
    #expect(findings[2].sentence.contains("Training") && findings[2].value != nil)
    let (_, alone) = try run(folder, [subjects[1]], options(6))
    #expect(alone.findings.map(\.verdict) == [.cannotTell])
    #expect(alone.findings[0].quantity == "no convolutional network here")
  }

  @Test("the run folder holds every field as a PNG and all in one file")
  func writes() throws {
    let folder = try imageFolder(4)
    let (analysis, pass) = try prepared(folder, [try smallSubject("a/b")], options(4))
    let scratch = try TemporaryFolder()
    let run = RunFolder(scratch.url)
    try run.create()
    var rows: [TidyRow] = []
    try pass.run([analysis]) { _ in rows = try analysis.write(into: run) }
    #expect(rows.count == 30)
    #expect(
      scratch.names("tensors/receptive-field")
        == [
          "001-a-b@blocks.0.png", "002-a-b@blocks.1.png", "003-a-b@blocks.2.png",
          "fields.safetensors",
        ])
    let file = try Safetensors(scratch.file("tensors/receptive-field/fields.safetensors"))
    #expect(file.shape("a/b@blocks.1") == [16, 16])
    let picture = try ImageBuffer(
      decoding: try scratch.bytes("tensors/receptive-field/002-a-b@blocks.1.png"))
    #expect(picture.width == 16)
    let result: ReceptiveFieldResult? = try run.result(analysis: "receptive-field")
    #expect(result?.models.count == 1)
  }

  @Test("what cannot be looked at is refused before any image is read")
  func refusals() throws {
    let folder = try imageFolder(4)
    func refused(
      _ pattern: String, _ text: String, _ options: ReceptiveFieldAnalysis.Options? = nil
    ) {
      let error = #expect(throws: AnalysisError.self) {
        try prepared(
          folder, [try smallSubject("small")], options ?? self.options(4), at: pattern)
      }
      #expect(error?.description.contains(text) == true, "\(String(describing: error))")
    }
    refused("head", "small@head: it is one vector an image")
    refused("blocks.0.attn.pattern", "of kind 'pattern', which has no location")
    var before = options(4)
    before.beforeResidual = true
    refused("norm", "no site of its blocks is known as a branch", before)
    refused("blocks.*", "expected at least 2 images", options(1))
  }
}
