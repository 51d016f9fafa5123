import Foundation
import Parallax
import ParallaxTestSupport
import Synchronization
import Testing

@testable import ParallaxCommand
@testable import ParallaxModels

@Suite(
  "parallax invert",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct InvertCommandTests {
  private static let base = [
    "invert", "resnet18@layer1.0,layer4.1", "--random-weights", "1", "--images", "photos",
    "--output", "run", "--pictures", "1", "--steps", "2",
  ]

  @Test("writes a run folder with the section, the pictures and the twin, and says the verdicts")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(Self.base + ["--untrained", "7"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("resnet18-random@layer1.0: RMSE 0."))
    #expect(outcome.output.contains("Training sharpens"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.images.count == 1 && result.preset == "quick")
    #expect(result.models.map(\.twinOf) == [nil, "resnet18-random"])
    #expect(result.models[0].layers.map(\.site) == ["layer1.0", "layer4.1"])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"inversion\"") && page.contains("data:image/png;base64,"))
    #expect(parallax.folder.names("run/tensors/inversion").count == 7)
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("inversion,m_g/m_r,resnet18-random@layer1.0,"))
  }

  /// A checkpoint of `vit_tiny_patch16_224` with made-up parameters, at half precision.
  private func checkpoint(_ seed: UInt64, _ name: String, in folder: TemporaryFolder) throws {
    let shapes = ShapeNotes()
    _ = try #require(
      Catalog.architectures.first { $0.name == "vit_tiny_patch16_224" }
    ).make(Weights(shapes))
    let drawn = RandomWeights(seed: seed)
    let tensors = shapes.shapes.sorted { $0.key < $1.key }.compactMap { name, shape in
      drawn.tensor(name, shape, groups: 1).map { (name, $0.to(.float16)) }
    }
    try Safetensors.write(tensors, to: folder.url.appending(path: name).path)
  }

  @Test("the next picture stands in for one that is unreadable; those are listed")
  func unreadable() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8, broken: [0, 4, 5])
    let outcome = try parallax.run([
      "invert", "resnet18@layer1.0", "--random-weights", "1", "--images", "photos", "--output",
      "run", "--pictures", "3", "--steps", "1",
    ])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    // Class by class in turn, as without broken files.
    #expect(
      Set(result.images) == ["ants/101.png", "ants/102.png", "bees/102.png"], "\(result.images)")
    for name in ["ants/100.png", "bees/100.png", "bees/101.png"] {
      #expect(outcome.errors.contains("left out \(name)"), "\(outcome.errors)")
    }
    #expect(try run.provenance().skipped.count == 3)
    let strict = try parallax.run([
      "invert", "resnet18@layer1.0", "--random-weights", "1", "--images", "photos", "--output",
      "other", "--pictures", "3", "--steps", "1", "--strict",
    ])
    strict.expectFailure(65, "ants/100.png")
  }

  @Test("changed forms, trained and untrained, stand beside each model with findings and a figure")
  func surgery() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(2)
    try checkpoint(3, "w.safetensors", in: parallax.folder)
    let outcome = try parallax.run([
      "invert", "vit_tiny_patch16_224=w.safetensors@blocks.0", "--images", "photos",
      "--output", "run", "--pictures", "1", "--steps", "2", "--untrained", "5", "--remove", "norm",
      "--remove", "mlp+residual", "--swap", "stem",
    ])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    let name = result.models[0].name
    let forms =
      ["", "-random"]
      + ["", "-random"].flatMap {
        ["\($0)-without-norm", "\($0)-without-mlp-residual"]
      } + ["-untrained-stem", "-random-trained-stem"]
    #expect(result.models.map(\.name) == forms.map { name + $0 })
    #expect(result.models[4].derivedFrom == "\(name)-random")
    #expect(result.models[4].twinOf == "\(name)-without-norm")
    #expect(result.models[6].change == "untrained stem" && result.models[6].twinOf == nil)
    let sentences = result.findings.map(\.sentence)
    #expect(sentences.contains { $0.hasPrefix("\(name) without norm: ") })
    #expect(sentences.contains { $0.hasPrefix("\(name)-random with trained stem: ") })
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("data-figure=\"inversion-surgery\""))
  }

  @Test("checkpoints of one architecture stand on an axis, under their files' names")
  func checkpoints() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(2)
    try checkpoint(3, "step10.safetensors", in: parallax.folder)
    try checkpoint(4, "step500.safetensors", in: parallax.folder)
    let outcome = try parallax.run([
      "invert", "vit_tiny_patch16_224@blocks.0", "--images", "photos", "--output", "run",
      "--pictures", "1", "--steps", "2", "--at", "10,500", "--axis", "training step",
      "--checkpoints", "step10.safetensors", "step500.safetensors",
    ])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.models.map(\.name) == ["step10", "step500"])
    #expect(result.models.map(\.place) == [10, 500] && result.axis == "training step")
    #expect(result.findings.contains { $0.sentence.contains("clearer along training step") })
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("Clarity along training step"))
  }

  @Test("embeddings that were extracted are matched in float64, and the page says both")
  func target() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let model = ["resnet18@layer3.0", "--random-weights", "1", "--images", "photos"]
    try parallax.run(["extract"] + model + ["--tokens", "flat", "--output", "e"]).expectSuccess()
    let shard = try #require(parallax.folder.names("e").first { $0.hasSuffix(".safetensors") })
    let invert =
      ["invert"] + model + [
        "--output", "run", "--pictures", "1", "--steps", "2", "--preset", "fourier", "--target",
      ]
    let outcome = try parallax.run(invert + ["e/\(shard)", "--dtype", "float64"])
    outcome.expectSuccess()
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: InversionResult = try #require(try run.result(analysis: "inversion"))
    #expect(result.dtype == "float64" && result.target == "e/\(shard)")
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("float64") && page.contains(shard))
    var other = invert + ["e/\(shard)"]
    other[1] = "resnet18@layer4.0"
    try parallax.run(other).expectFailure(65, "expected a tensor 'resnet18-random@layer4.0'")
    try parallax.run(invert + ["nothing.safetensors"]).expectFailure(66, "nothing.safetensors")
  }

  @Test("wrong options and sites: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      let outcome = try parallax.run(arguments)
      outcome.expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(Self.base + ["--pictures", "0"], "a whole number from 1 to 4096")
    try refused(Self.base + ["--steps", "0"], "a whole number from 1")
    try refused(Self.base + ["--shift", "0"], "a number above 0")
    try refused(Self.base + ["--preset", "best"], "badger2022")
    try refused(
      Self.base + ["--remove", "head"], "expected norm, mlp, attention, residual, pooling")
    try refused(Self.base + ["--remove", "attention"], "no branch that mixes tokens")
    try refused(Self.base + ["--remove", "norm", "--remove", "norm"], "each part and module once")
    try refused(
      Self.base + ["--swap", "stem"], "expected --untrained SEED and no --random-weights")
    try refused(Self.base + ["--at", "1,2"], "expected 1 number, one for each model, found 2")
    try refused(Self.base + ["--at", "5"], "expected models at two different places at least")
    try refused(
      ["invert", "resnet18", "resnet34", "--random-weights", "1", "--at", "5,5"],
      "--at 5,5: expected models at two different places at least")
    try refused(
      ["invert", "resnet18", "--checkpoints", "a.pth", "b.pth", "a.pth"],
      "--checkpoints a.pth: expected each file once")
    try refused(Self.base + ["--axis", "step"], "expected --at")
    try refused(
      ["invert", "resnet18", "mobilenetv2", "--checkpoints", "a.pth"],
      "expected the name of one architecture before it")
    try refused(Self.base + ["--rate", "0"], "a number above 0")
    try refused(Self.base + ["--preset", "lbfgs", "--jitter", "2"], "the same function")
    try refused(Self.base + ["--memory-limit", "0"], "a whole number from 1")
    try refused(Self.base + ["--dtype", "float16"], "expected float32")
    try refused(
      ["compare"] + Self.base.dropFirst().prefix(7) + ["--dtype", "float64"],
      "only invert and lipschitz have float64")
    try refused(Self.base + ["--tokens", "avg"], "there are no tokens to choose")
    var other = Self.base
    other[1] = "resnet18@layer9"
    try refused(other, "layer9")
  }
}

/// Zeros of whatever shape is asked for, and what was asked for.
private final class ShapeNotes: ShapeFollowing {
  private let asked = Mutex<[String: [Int]]>([:])

  var shapes: [String: [Int]] { asked.withLock { $0 } }
  var label: String { "shapes" }
  var names: [String] { [] }
  func shape(_ name: String) -> [Int]? { nil }
  func tensor(_ name: String) -> Tensor? { nil }
  func shape(_ name: String, _ asked: [Int]) -> [Int]? { asked }

  func tensor(_ name: String, _ shape: [Int]) -> Tensor? {
    asked.withLock { $0[name] = shape }
    return Tensor.zeros(shape)
  }
}
