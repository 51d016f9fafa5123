import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("The analysis of attention")
struct AttentionAnalysisTests {
  /// A Vision Transformer of `depth` small blocks for images of 32 × 32 pixels in patches of 8.
  private func subject(_ name: String, depth: Int = 4, heads: Int = 3, seed: UInt64 = 1) throws
    -> Subject
  {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (32, 8, 12, depth, heads, 5)
    return try Subject(
      name: name, family: "ViT", model: try ViT(c, Weights(RandomWeights(seed: seed))),
      preprocessing: .letterbox(32, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "attention \(depth) seed \(seed)")
  }

  private func swin() throws -> Subject {
    var c = Swin.Configuration()
    (c.imageSize, c.width, c.depths, c.heads, c.window) = (28, 4, [2, 2, 1], [1, 2, 2], 3)
    c.classes = 5
    return try Subject(
      name: "swin", family: "Swin", model: try Swin(c, Weights(RandomWeights(seed: 5))),
      preprocessing: .letterbox(28, mean: [0.5, 0.5, 0.5], std: [0.25, 0.25, 0.25]),
      fingerprint: "small swin")
  }

  private func convolutional() throws -> Subject {
    try Subject(
      Catalog.load(.name("resnet18"), randomWeights: 1))
  }

  private func options(_ change: (inout AttentionAnalysis.Options) -> Void = { _ in })
    -> AttentionAnalysis.Options
  {
    var options = AttentionAnalysis.Options()
    (options.groups, options.maps.images) = (4, 0)
    change(&options)
    return options
  }

  private func run(
    _ subjects: [Subject], _ images: ImageSet, blockSize: Int = 8, batchSize: Int = 8,
    _ options: AttentionAnalysis.Options
  ) throws -> AttentionResult {
    let analysis = try AttentionAnalysis(of: subjects, images: images, options: options)
    var pass = Pass(subjects: subjects, images: images)
    (pass.blockSize, pass.batchSize) = (blockSize, batchSize)
    try pass.run([analysis])
    return try analysis.result()
  }

  @Test(
    "heads have the mean, deviation and interval over images of what each image's pattern gives")
  func numbers() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    let vit = try subject("vit")
    let result = try run([vit], images, options())
    #expect(result.images == 12 && result.models.map(\.layers.count) == [4])
    let layer = result.models[0].layers[1]
    #expect(layer.site == "blocks.1.attn.pattern" && layer.block == "blocks.1")
    #expect(layer.heads.count == 3 && [layer.rows, layer.columns, layer.step] == [4, 4, 8])
    #expect(result.models[0].otherTokens == 1)
    // By hand: one image after another, in float64.
    let site = try #require(vit.sites.first { $0.name == layer.site })
    let places = try #require(vit.model.attentionPlaces(at: site, height: 32, width: 32))
    let distance = AttentionDistance(places)
    var rows: [[Double]] = []
    for sample in images.samples {
      let pixels = try vit.preprocessing(ImageBuffer(decoding: URL(filePath: sample.path)))
      _ = vit.model(
        Tensor(pixels, shape: [1, 3, 32, 32]),
        Tap([layer.site]) { visit in
          rows.append(distance(visit.value.to(.float64)).scalars(Double.self))
          return nil
        })
    }
    for (head, found) in layer.heads.enumerated() {
      for (column, estimate, deviation) in [
        (head, found.distance, found.distanceDeviation),
        (head + 3, found.entropy, found.entropyDeviation),
      ] {
        let values = rows.map { $0[column] }
        let mean = values.reduce(0, +) / 12
        let sd = (values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / 11).squareRoot()
        let margin = 2.201 * sd / 12.0.squareRoot()
        #expect(abs((estimate.value ?? .nan) - mean) < 1e-5 * mean)
        #expect(abs((deviation ?? .nan) - sd) < 1e-4 * mean)
        #expect(abs((estimate.low ?? .nan) - (mean - margin)) < 1e-4 * mean)
        #expect(abs((estimate.high ?? .nan) - (mean + margin)) < 1e-4 * mean)
      }
    }
    let sorted = layer.sorted.compactMap { layer.heads[$0].distance.value }
    #expect(sorted == sorted.sorted() && sorted.count == 3)
  }

  @Test("no number depends on blocks or batches, and a saved state goes on")
  func blocks() throws {
    let folder = try imageFolder(10)
    let images = try ImageSet(folder.path)
    let subjects = [try subject("vit"), try swin()]
    let whole = try run(subjects, images, options())
    let parts = try run(subjects, images, blockSize: 4, batchSize: 3, options())
    for (a, b) in zip(whole.models, parts.models) {
      for (x, y) in zip(a.layers, b.layers) {
        for (p, q) in zip(x.heads, y.heads) {
          #expect(abs((p.distance.value ?? .nan) - (q.distance.value ?? 0)) < 1e-4)
          #expect(abs((p.entropy.value ?? .nan) - (q.entropy.value ?? 0)) < 1e-5)
        }
      }
    }
    let first = try AttentionAnalysis(of: subjects, images: images, options: options())
    var pass = Pass(subjects: subjects, images: images)
    pass.blockSize = 8
    try pass.run([first])
    let second = try AttentionAnalysis(of: subjects, images: images, options: options())
    let state = Dictionary(uniqueKeysWithValues: first.state().map { ($0.name, $0.tensor) })
    #expect(second.restore(state))
    #expect(try second.result() == first.result())
    let other = try AttentionAnalysis(
      of: subjects, images: images, options: options { $0.entropy = false })
    #expect(!other.restore(state) && other.fingerprint != first.fingerprint)
  }

  @Test("findings have numbers and verdicts; windows and few layers cannot tell, and say why")
  func findings() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    let result = try run(
      [try subject("deep", depth: 8), try subject("shallow", depth: 2), try swin()], images,
      options())
    #expect(result.groups == 4 && result.findings.count == 9)
    for finding in result.findings.prefix(3) {
      #expect(finding.value != nil && finding.low != nil, "\(finding)")
    }
    // Untrained attention is nearly uniform: no head of the first layer is local.
    #expect(result.findings[1].verdict == .doesNotShow)
    #expect(result.findings[2].verdict == .shows)
    #expect(result.findings[3].quantity == "expected at least 4 layers with attention, found 2")
    #expect(result.findings[6].quantity.contains("inside windows"))
    #expect(result.findings.suffix(6).allSatisfy { $0.verdict == .cannotTell })
    // Too few images for groups: numbers, but no verdict.
    let few = try run(
      [try subject("deep", depth: 8)], try ImageSet(folder.path, limit: 4), options())
    #expect(few.groups == 0 && few.findings[1].value != nil)
    #expect(few.findings.allSatisfy { $0.verdict == .cannotTell })
  }

  @Test(
    "models without attention are left out beside others and refused alone; so are chosen sites without a pattern"
  )
  func without() throws {
    let folder = try imageFolder(4)
    let images = try ImageSet(folder.path)
    let (vit, resnet) = (try subject("vit"), try convolutional())
    let result = try run([resnet, vit], images, options())
    #expect(result.models.map(\.name) == ["vit"])
    #expect(result.refusals.map(\.reason) == ["the model has no attention"])
    let error = #expect(throws: AnalysisError.self) {
      try AttentionAnalysis(of: [resnet], images: images)
    }
    #expect(error?.description == "\(resnet.name): the model has no attention")
    let site = try #require(vit.sites.first { $0.name == "blocks.2" })
    let chosen = [Representation(model: "vit", site: site, tokens: .cls)]
    let analysis = try AttentionAnalysis(of: [vit], images: images, among: chosen)
    #expect(analysis.watched.map(\.sites) == [["blocks.2.attn.pattern"]])
    let stem = Representation(model: "vit", site: vit.sites[1], tokens: .avg)
    #expect(throws: AnalysisError.self) {
      try AttentionAnalysis(of: [vit], images: images, among: [stem])
    }
  }

  @Test("maps are pictures in the run folder: the image, the rollout, and layers with their heads")
  func maps() throws {
    let folder = try imageFolder(6)
    let images = try ImageSet(folder.path)
    let subjects = [try subject("vit"), try swin()]
    let analysis = try AttentionAnalysis(
      of: subjects, images: images, options: options { $0.maps.images = 2 })
    var pass = Pass(subjects: subjects, images: images)
    pass.blockSize = 8
    try pass.run([analysis])
    let place = try TemporaryFolder()
    let run = RunFolder(place.url)
    try run.create()
    let rows = try analysis.write(into: run)
    #expect(rows.count == (4 * (3 * 3 + 2)) + (2 * 5 + 2 * 8 + 8))
    let result: AttentionResult = try #require(try run.result(analysis: "attention"))
    // Four layers with a mean and two heads each; where there is one head, the mean alone. Windows have no rollout.
    #expect(result.maps.count { $0.model == 0 } == 2 * (2 + 4 * 3))
    let windowed = result.maps.filter { $0.model == 1 }
    #expect(
      windowed.count == 2 * (1 + 1 + 1 + 3 + 3)
        && !windowed.contains { $0.file.contains("rollout") })
    for map in result.maps {
      #expect(try Data(contentsOf: place.url.appending(path: map.file)) == map.picture)
      let picture = try ImageBuffer(decoding: map.picture)
      #expect(picture.width == 128 && picture.height == 128)
      if let mass = map.mass { #expect(mass > 0 && mass < (map.model == 0 ? 1 : 1.0001)) }
    }
    #expect(result.maps.prefix(2).map(\.token) == ["image", "class token"])
    func refused(_ change: (inout AttentionAnalysis.Options) -> Void) throws -> String? {
      let error = #expect(throws: AnalysisError.self) {
        try AttentionAnalysis(of: subjects, images: images, options: options(change))
      }
      return error?.description
    }
    let patch = try refused { ($0.maps.images, $0.maps.patch) = (1, .init(row: 4, column: 0)) }
    #expect(patch == "vit: expected a patch within 4×4, found (4, 0)")
    let wide = try refused { ($0.maps.images, $0.maps.patch) = (1, .init(row: 3, column: 7)) }
    #expect(wide == "vit: expected a patch within 4×4, found (3, 7)")
    let head = try refused { ($0.maps.images, $0.maps.head) = (1, 3) }
    #expect(head == "vit: expected a head from 0 to 2, found 3")
  }

  @Test("a patch's map inside a window lies where the window was before the shift")
  func windowMaps() throws {
    let folder = try imageFolder(1)
    let images = try ImageSet(folder.path)
    let subject = try swin()
    let analysis = try AttentionAnalysis(
      of: [subject], images: images,
      options: options {
        ($0.maps.images, $0.maps.side, $0.maps.patch) = (1, 28, .init(row: 6, column: 1))
      })
    var pass = Pass(subjects: [subject], images: images)
    pass.blockSize = 1
    try pass.run([analysis])
    let maps = try AttentionMaps(analysis, analysis.result(), [0]).maps()
    #expect(maps.map(\.layer) == [nil, 0, 1, 3, 3, 3, 4, 4, 4])
    // The second block is shifted by 1: what patch (6, 1) sees, by the model's own mask of zeros and −100.
    let block = try #require(maps.first { $0.layer == 1 && $0.head == nil })
    #expect(block.token == "patch (6, 1)")
    let picture = try ImageBuffer(decoding: block.picture)
    let places = analysis.layers[1].distance.places
    var seen: Set<AttentionPlaces.Place> = []
    for (window, tokens) in places.windows.enumerated() {
      guard let token = tokens.firstIndex(of: .init(row: 6, column: 1)) else { continue }
      for (other, place) in tokens.enumerated() where places.sees(window, token, other) {
        if let place { seen.insert(place) }
      }
    }
    #expect(!seen.isEmpty && seen.count <= 9)
    // Grey where it does not see, coloured where it does; a patch is four pixels wide.
    for row in 0..<7 {
      for column in 0..<7 {
        let place = 3 * ((4 * row + 2) * picture.width + 4 * column + 2)
        let (r, g, b) = (
          Int(picture.pixels[place]), Int(picture.pixels[place + 1]), Int(picture.pixels[place + 2])
        )
        let isGrey = abs(r - g) <= 1 && abs(g - b) <= 1
        #expect(isGrey != seen.contains(.init(row: row, column: column)), "\(row) \(column)")
      }
    }
    #expect((block.mass ?? 0) > 0.5 && (block.mass ?? 2) <= 1.0001)
    // In the last stage one position covers sixteen pixels.
    #expect(maps.last?.token == "patch (1, 0)")
  }

  @Test(
    "subsets of heads: CKA of their outputs side by side, as the measure has it of one block, and over blocks as sums"
  )
  func subsets() throws {
    let folder = try imageFolder(12)
    let images = try ImageSet(folder.path)
    let (vit, resnet) = (try subject("vit", heads: 4), try convolutional())
    let analysis = try AttentionAnalysis(of: [vit, resnet], images: images, options: options())
    #expect(analysis.wanted.map(\.site.name).count == 5 && analysis.watched.count == 5)
    let recorder = Recorder(analysis.wanted, name: "recorder")
    recorder.watched = [analysis.watched[4]]
    var pass = Pass(subjects: [vit, resnet], images: images)
    pass.blockSize = 12
    try pass.run([analysis, recorder])
    let result = try analysis.result()
    let found = try #require(result.subsets.first)
    #expect(result.subsets.count == 1 && found.other == resnet.name && found.points.count == 4)
    #expect(found.points.map(\.heads) == result.models[0].layers[0].sorted.map { [$0] })
    let heads = recorder.all(5).reshaped(12, 4, -1)
    let cka = try #require(MeasureCatalog["cka"])
    for point in found.points {
      let own = Tensor.concatenated(point.heads.map { heads.selected(1, $0) }, 1)
      for (layer, value) in point.values.enumerated() {
        let expected = try cka(own, recorder.all(layer))
        #expect(abs((value.value ?? .nan) - expected) < 1e-5, "\(point.heads) \(layer)")
      }
    }
    #expect(result.findings.last?.sentence.contains("are more like the first layers of") == true)
    #expect(result.findings.last?.verdict == .cannotTell)
    let other = try AttentionAnalysis(of: [vit, resnet], images: images, options: options())
    let state = Dictionary(uniqueKeysWithValues: analysis.state().map { ($0.name, $0.tensor) })
    #expect(other.restore(state))
    #expect(try other.result() == result)
    let without = try AttentionAnalysis(
      of: [vit, resnet], images: images, options: options { $0.subsets = false })
    #expect(without.wanted.isEmpty && without.watched.count == 4)
  }
}
