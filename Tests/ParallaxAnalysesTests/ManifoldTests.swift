import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Manifold mapping")
struct ManifoldTests {
  private static func fixture() throws -> Safetensors {
    try Safetensors(fixtures.appending(path: "inversion/manifold.safetensors").path)
  }

  @Test("distances of neighbours and residuals to their PCA are scikit-learn's")
  func neighbours() throws {
    let fixture = try Self.fixture()
    for (name, k, d) in [("wide", 10, 5), ("narrow", 6, 3), ("few", 10, 9)] {
      func tensor(_ key: String) throws -> Tensor { try #require(fixture["near/\(name)/\(key)"]) }
      let hood = Neighbourhood(try tensor("points"), neighbours: k, components: d)
      let (queries, distances) = (try tensor("queries"), try tensor("distances"))
      let (rows, residuals) = (try tensor("rows"), try tensor("residuals").scalars(Double.self))
      for query in 0..<queries.shape[0] {
        let place = hood(queries.selected(0, query))
        #expect(place.rows == rows.selected(0, query).scalars(Int64.self).map(Int.init))
        for (a, b) in zip(place.distances, distances.selected(0, query).scalars(Double.self)) {
          #expect(abs(a / b - 1) < 1e-12)
        }
        let residual = try #require(place.residual)
        #expect(abs(residual - residuals[query]) < 1e-10, "\(name) \(residual) \(residuals[query])")
      }
    }
  }

  @Test("a point of the set can be left out; equal neighbours have no axes")
  func edges() throws {
    let points = Tensor([0, 0, 1, 0, 0, 2, 5, 5] as [Double], shape: [4, 2])
    let hood = Neighbourhood(points, neighbours: 2, components: 1)
    #expect(hood(points.selected(0, 0)).distances == [0, 1])
    let place = hood(points.selected(0, 0), without: 0)
    #expect(place.rows == [1, 2] && place.mean == 1.5)
    // The line through (1, 0) and (0, 2) is 2/√5 from the origin.
    #expect(abs(try #require(place.residual) - 2 / 5.0.squareRoot()) < 1e-12)
    let equal = Neighbourhood(Tensor.ones([4, 3], .float64), neighbours: 3, components: 2)
    #expect(equal(Tensor.zeros([3], .float64)).residual == nil)
    let few = Neighbourhood(points.sliced(0, 0, 1), neighbours: 3, components: 2)
    #expect(few(points.selected(0, 1)).residual == nil)
  }

  @Test("slopes of spectra are NumPy's, histograms too, and their distance is SciPy's")
  func pictures() throws {
    let fixture = try Self.fixture()
    let reference = try #require(fixture["histogram/reference"])
    for name in ["white", "pink", "brown", "outside"] {
      let picture = try #require(fixture["picture/\(name)"])
      let values = try #require(fixture["picture/\(name)/values"]).scalars(Double.self)
      let slope = SpectralSlope(height: picture.shape[1], width: picture.shape[2])(picture)
      #expect(abs(try #require(slope) - values[0]) < 1e-9)
      let counts = try #require(fixture["picture/\(name)/counts"])
      let own = PixelHistogram(picture)
      for (channel, row) in own.counts.enumerated() {
        #expect(row == counts.selected(0, channel).scalars(Double.self))
      }
      let other = PixelHistogram(
        counts: (0..<3).map {
          reference.selected(0, $0).scalars(Double.self)
        })
      #expect(abs(try #require(own.distance(other)) - values[1]) < 1e-12)
      #expect(own.distance(own) == 0)
      #expect((own + other) - other == own)
    }
    #expect(SpectralSlope(height: 16, width: 16)(Tensor.ones([3, 16, 16])) == nil)
    #expect(SpectralSlope(height: 6, width: 16)(Tensor.ones([3, 6, 16])) == nil)
  }

  private func options() -> ManifoldAnalysis.Options {
    var options = ManifoldAnalysis.Options()
    (options.steps, options.neighbours, options.components) = (10, 3, 2)
    return options
  }

  private func made(
    _ folder: TemporaryFolder, _ subjects: [Subject], _ options: ManifoldAnalysis.Options
  ) throws -> (ManifoldAnalysis, Pass) {
    let images = try ImageSet(folder.path)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.order) = (4, .shuffled)
    let analysis = try ManifoldAnalysis(
      try subjects.flatMap { try $0.representations() }, of: subjects, images: images,
      options: options)
    return (analysis, pass)
  }

  @Test("noise, images of the set and others are matched at the last block, and measured")
  func analysis() throws {
    let (folder, others) = (try imageFolder(8), try TemporaryFolder())
    try others.write(try noisyPNG(99), "elsewhere.png")
    // One of the set itself: nearest is its own image.
    try others.write(try noisyPNG(0), "known.png")
    var options = options()
    (options.inputs, options.members) = (others.path, 2)
    let (analysis, pass) = try made(folder, [try smallSubject("small")], options)
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(
      result.inputs.map(\.kind) == [.uniform, .normal, .member, .member, .outside, .outside])
    #expect(Set(result.inputs[2...3].map(\.className)) == ["apes", "bees"])
    let model = result.models[0]
    #expect(model.layers.map(\.site) == ["blocks.2"] && model.layers[0].depth == 1)
    #expect(model.inputs.count == 6 && model.layers[0].entries.map(\.input) == Array(0..<6))
    let known = try #require(result.inputs.firstIndex { $0.name.hasPrefix("known") })
    #expect(model.inputs[known].pixels.nearest < 1e-6)
    let entry = model.layers[0].entries[known]
    #expect(entry.latent.distance > 0 && entry.latent.image == model.inputs[known].pixels.image)
    // An image of the set is no neighbour of its own.
    #expect(model.inputs[2].pixels.nearest > 0.01)
    for entry in model.layers[0].entries {
      #expect(entry.reconstructions.count == 2 && entry.pairwise != nil)
      for one in entry.reconstructions {
        #expect(one.embedding.isFinite && one.pixels.nearest > 0 && !one.file.isEmpty)
        #expect(model.neighbours.contains { $0.image == one.pixels.image })
      }
    }
    #expect(result.findings.count == 3 && result.switches.allSatisfy { !$0.value.isEmpty })
    #expect(
      try JSONDecoder().decode(ManifoldResult.self, from: JSONEncoder().encode(result)) == result)
    #expect(!result.tidyRows().contains { $0.analysis != "manifold" })
  }

  @Test("a held-out class is matched and is none of the set that distances are taken to")
  func heldOut() throws {
    let folder = try imageFolder(12)
    var options = options()
    (options.heldOut, options.inputLimit, options.steps) = ("bees", 2, 3)
    let subject = try smallSubject("small")
    let (analysis, pass) = try made(folder, [subject], options)
    try pass.run([analysis])
    let result = try analysis.result()
    #expect(result.images.count == 6 && result.heldOut == "bees")
    #expect(result.images.allSatisfy { $0.hasPrefix("apes/") } && Set(result.classes) == ["apes"])
    #expect(result.inputs.map(\.kind) == [.uniform, .normal, .member, .heldOut, .heldOut])
    #expect(result.inputs[3...].allSatisfy { $0.className == "bees" && $0.name.hasPrefix("bees/") })
    #expect(result.switches.contains { $0.value.contains("not of class 'bees'") })
    // The same set without that class, and its two images from elsewhere, measured by themselves.
    let (apes, bees) = (try TemporaryFolder(), try TemporaryFolder())
    for number in 0..<6 { try apes.write(try noisyPNG(number), "apes/\(1000 + number).png") }
    for input in result.inputs[3...] {
      let name = String(input.name.dropFirst(5))
      try bees.write(try folder.bytes("bees/\(name)"), name)
    }
    (options.heldOut, options.inputs) = (nil, bees.path)
    let (other, alone) = try made(apes, [subject], options)
    try alone.run([other])
    let expected = try other.result()
    #expect(expected.images == result.images && expected.inputs.count == 5)
    let (found, wanted) = (result.models[0], expected.models[0])
    #expect(found.typical == wanted.typical)
    // Batches of another composition round otherwise.
    let (here, there) = (found.layers[0].typicalDistance, wanted.layers[0].typicalDistance)
    #expect(abs(here / there - 1) < 1e-6)
    for place in 3..<5 {
      let same = try #require(
        expected.inputs.firstIndex { "bees/\($0.name)" == result.inputs[place].name })
      #expect(found.inputs[place].pixels.image == wanted.inputs[same].pixels.image)
      #expect(
        abs(found.inputs[place].pixels.nearest - wanted.inputs[same].pixels.nearest) < 1e-6)
      let (a, b) = (found.layers[0].entries[place].latent, wanted.layers[0].entries[same].latent)
      #expect(abs(a.distance / b.distance - 1) < 1e-4 && a.image == b.image)
    }
  }

  @Test("where a layer keeps all of the pixels, every start comes back to the input")
  func faithful() throws {
    let folder = try imageFolder(6)
    let subject = try Subject(
      name: "plain", family: "CNN", model: Plain(),
      preprocessing: .letterbox(16, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "plain")
    var options = options()
    options.steps = 200
    let (analysis, pass) = try made(folder, [subject], options)
    try pass.run([analysis])
    let result = try analysis.result()
    for entry in result.models[0].layers[0].entries {
      for one in entry.reconstructions { #expect(one.rmse < 0.03, "\(one.rmse)") }
      let before = result.models[0].inputs[entry.input].pixels
      let after = entry.reconstructions[0].pixels
      #expect(abs(after.nearest - before.nearest) < 0.03)
      #expect(abs(entry.latent.distance - entry.reconstructions[0].latent.distance) < 0.3)
    }
  }

  @Test("a run that was stopped goes on with the next step, to the same result")
  func resumes() throws {
    let (folder, states) = (try imageFolder(6), try TemporaryFolder())
    let subjects = [try smallSubject("a")]
    var options = options()
    (options.steps, options.batchSize) = (8, 4)
    func go(_ interrupter: Interrupter?) throws -> ManifoldAnalysis {
      let (analysis, made) = try made(folder, subjects, options)
      var pass = made
      pass.stateFolder = states.url.appending(path: "states")
      if let interrupter { analysis.isInterrupted = { interrupter.isInterrupted() } }
      try pass.run([analysis]) { _ in _ = try analysis.result() }
      return analysis
    }
    let whole = try go(nil).result()
    // Two batches of eight steps: in the middle of the second.
    #expect(throws: AnalysisError.interrupted) { try go(Interrupter(after: 11)) }
    #expect(states.names("states").count == 1)
    #expect(try go(Interrupter(after: 5)).result() == whole, "what was done is not done again")
  }

  @Test("what is killed within a piece goes on from a step of it")
  func kept() throws {
    let (folder, states) = (try imageFolder(6), try TemporaryFolder())
    let copy = states.url.appending(path: "copy")
    func go(_ steps: inout Int) throws -> ManifoldResult {
      var options = options()
      (options.steps, options.batchSize) = (20, 8)
      let (analysis, made) = try made(folder, [try smallSubject("a")], options)
      var pass = made
      (pass.stateFolder, pass.savingInterval) = (states.url.appending(path: "states"), 0)
      var (count, isCopied) = (0, false)
      analysis.progress = { _, share in
        count += 1
        guard share >= 0.5, !isCopied else { return }
        isCopied = true
        // As a kill would leave it.
        try? FileManager.default.copyItem(at: states.url.appending(path: "states"), to: copy)
      }
      var result: ManifoldResult?
      try pass.run([analysis]) { _ in result = try analysis.result() }
      steps = count
      return try #require(result)
    }
    var (all, rest) = (0, 0)
    let whole = try go(&all)
    try FileManager.default.removeItem(at: states.url.appending(path: "states"))
    try FileManager.default.copyItem(at: copy, to: states.url.appending(path: "states"))
    #expect(states.names("states").count == 1)
    #expect(try go(&rest) == whole)
    // One piece of twenty steps, of which ten had been kept.
    #expect(rest <= all - 10, "\(rest) of \(all)")
  }

  @Test("too few images, too much memory, images that cannot be read: one line each")
  func refusals() throws {
    let folder = try imageFolder(8)
    func refused(_ text: String, _ change: (inout ManifoldAnalysis.Options) -> Void) throws {
      var options = options()
      change(&options)
      do {
        _ = try made(folder, [try smallSubject("a")], options)
        Issue.record("expected a refusal: \(text)")
      } catch { #expect("\(error)".contains(text), "\(error)") }
    }
    try refused("expected at least 9 images") { $0.neighbours = 8 }
    try refused("take fewer images with --limit") { $0.memoryLimit = 1000 }
    try refused("no class 'cats' to hold out; expected one of apes, bees") { $0.heldOut = "cats" }
    try refused("at least 5 images that can be read, found 4") {
      ($0.heldOut, $0.neighbours) = ("bees", 4)
    }
    try refused("/nowhere") { $0.inputs = "/nowhere" }
    let broken = try TemporaryFolder()
    try broken.write(Array("no image".utf8), "a.png")
    try refused("a.png") { $0.inputs = broken.path }
  }
}

/// A block that keeps its input.
private struct Plain: Model {
  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    tap.block("layers.0", tap("input", images, as: .map))
  }
}
