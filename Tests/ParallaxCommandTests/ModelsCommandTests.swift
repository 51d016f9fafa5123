import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("parallax models and parallax layers")
struct ModelsCommandTests {
  private struct Entry: Decodable {
    var name, family, summary: String
    var installed: Bool?
    var imageSize: [Int]
  }

  private struct Row: Decodable, Equatable {
    var site, kind, tokens: String
    var shape: [Int]
    var parameters: Int
    var isBlock: Bool
  }

  private struct Outline: Decodable {
    var fits: [String]
    var values: Int
    var parameters: [Parameter]
    struct Parameter: Decodable {
      var name: String
      var shape: [Int]
    }
  }

  @Test("models lists the whole catalog, for people, as csv and as json")
  func catalog() throws {
    let parallax = try CommandRunner()
    let names = Catalog.entries.map(\.name)
    let text = try parallax("models")
    text.expectSuccess()
    let lines = text.output.split(separator: "\n")
    #expect(
      lines.dropFirst().prefix(names.count).map { String($0.split(separator: " ")[0]) } == names)
    let table = try parallax("models", "--format", "csv")
    let rows = try #require(cells(table.output))
    #expect(rows.dropFirst().map { $0[0] } == names)
    #expect(Set(rows.map(\.count)) == [5])
    for arguments in [["--json"], ["--format", "json"]] {
      let entries = try parallax.run(["models"] + arguments).json([Entry].self)
      #expect(entries.map(\.name) == names)
      #expect(entries.map(\.imageSize) == Catalog.entries.map(\.preprocessing.inputSize))
    }
  }

  @Test("models says of weights whether they have been fetched")
  func fetched() throws {
    let entries = try CommandRunner(cached: [])("models", "--json").json([Entry].self)
    #expect(entries.first { $0.name == "clip-vit-base-patch16" }?.installed == false)
    #expect(entries.contains { $0.name == "resnet18" && $0.installed == nil })
  }

  @Test("models NAME says what one model is, by its name, its alias or the beginning of its name")
  func one() throws {
    let parallax = try CommandRunner()
    for name in ["dinov2-small-saliency", "DINOv2-small", "dinov2-s"] {
      let outcome = try parallax("models", name)
      outcome.expectSuccess()
      #expect(outcome.output.contains("not to be quoted as DINOv2"))
      #expect(outcome.output.contains("Apache-2.0"))
    }
    #expect(
      try parallax("models", "mobilenet_v2", "--json").json(Entry.self).name == "mobilenetv2_100")
    let table = try #require(cells(parallax("models", "resnet18", "--format", "csv").output))
    #expect(table.first == ["key", "value"])
    #expect(table.contains(["images", "224×224"]))
  }

  @Test("models FILE lists what a checkpoint holds, and what it fits")
  func file() throws {
    let parallax = try CommandRunner()
    try Safetensors.write(
      [(name: "a", tensor: .ones([2, 3])), (name: "b.c", tensor: .ones([4]))],
      to: parallax.folder.file("own.safetensors"))
    let text = try parallax("models", "own.safetensors")
    text.expectSuccess()
    #expect(text.output.contains("2×3") && text.output.contains("size: 2 tensors, 10 values"))
    #expect(text.output.contains("fits: no architecture of the catalog"))
    #expect(text.output.contains("format: safetensors"))
    #expect(text.output.contains("stored as: float32 (2 tensors, 10 values)"))
    let outline = try parallax("models", "own.safetensors", "--json").json(Outline.self)
    #expect(outline.fits.isEmpty && outline.values == 10)
    #expect(outline.parameters.map(\.name) == ["a", "b.c"])
    #expect(outline.parameters.map(\.shape) == [[2, 3], [4]])
  }

  @Test(
    "models FILE finds the architecture that a checkpoint under foreign names fits",
    .enabled(
      if: (try? Catalog.entry(named: "mobilenetv2"))?.weightsAreInstalled == true,
      "the weights of mobilenetv2 are not in the cache; run make setup"))
  func fits() throws {
    let parallax = try CommandRunner()
    let path = try #require(Catalog.entry(named: "mobilenetv2").weightsURL).path
    #expect(try parallax("models", path, "--json").json(Outline.self).fits == ["mobilenetv2_100"])
    let text = try parallax("models", path)
    text.expectSuccess()
    #expect(text.output.contains("use it as mobilenetv2_100=\(path)"))
    let layers = try parallax("layers", "mobilenetv2_100=\(path)", "--json").json([Row].self)
    #expect(layers.last?.site == "global_pool")
  }

  @Test("layers lists sites in execution order with shapes and parameters that add up")
  func layers() throws {
    let parallax = try CommandRunner()
    let base = ["layers", "resnet18", "--random-weights", "1"]
    let outcome = try parallax.run(base + ["--json"])
    outcome.expectSuccess()
    #expect(outcome.errors == "")
    let rows = try outcome.json([Row].self)
    #expect(rows.first?.site == "input" && rows.last?.site == "fc")
    #expect(rows.count(where: \.isBlock) == 8)
    func row(_ site: String) throws -> Row {
      try #require(rows.first { $0.site == site }, "\(site)")
    }
    #expect(try row("layer1.0").shape == [64, 56, 56])
    #expect(try row("layer4.1").shape == [512, 7, 7])
    #expect(try row("fc").shape == [1000])
    #expect(try row("fc").parameters == 513_000)
    #expect(try row("layer1.0").parameters == 73_984)
    let stages = try ["conv1", "bn1", "layer1", "layer2", "layer3", "layer4", "fc"].map {
      try row($0).parameters
    }
    #expect(stages.reduce(0, +) == 11_689_512)
    let text = try parallax.run(base)
    #expect(text.output.contains("11689512 parameters, images of 224×224"))
    let table = try #require(cells(parallax.run(base + ["--format", "csv"]).output))
    #expect(table.dropFirst().map { $0[0] } == rows.map(\.site))
  }

  @Test("layers shows the sites that a pattern names, wherever the pattern stands")
  func pattern() throws {
    let parallax = try CommandRunner()
    let tail = ["--random-weights", "1", "--json"]
    let sites = try parallax.run(["layers", "resnet18", "--sites", "layer2.*,fc"] + tail)
      .json([Row].self)
    #expect(sites.map(\.site) == ["layer2.0", "layer2.1", "fc"])
    #expect(try parallax.run(["layers", "resnet18@layer2.*,fc"] + tail).json([Row].self) == sites)
    let last = try parallax.run(["layers", "vit_tiny_patch16_224@blocks.-1"] + tail).json(
      [Row].self)
    #expect(last.map(\.site) == ["blocks.11"])
    #expect(last.map(\.tokens) == ["cls"])
    #expect(last.map(\.shape) == [[197, 192]])
  }

  @Test("a model of the hub is read from where its client keeps it, and named after it")
  func hub() throws {
    let hub = try TemporaryFolder()
    let model = "models--someone--small-vit"
    let config = """
      {"model_type": "vit", "hidden_size": 24, "num_hidden_layers": 2, "num_attention_heads": 3,
       "intermediate_size": 96, "image_size": 32, "patch_size": 8}
      """
    try hub.write(Array(config.utf8), "\(model)/snapshots/abc123/config.json")
    try hub.write(Array("abc123\n".utf8), "\(model)/refs/main")
    let parallax = try CommandRunner(environment: ["HF_HUB_CACHE": hub.path])
    let outcome = try parallax("layers", "hf-hub:someone/small-vit", "--random-weights", "1")
    outcome.expectSuccess()
    #expect(outcome.output.contains("small-vit-random: "), "\(outcome.output)")
    #expect(outcome.output.contains("2 blocks") && outcome.output.contains("images of 32×32"))
    try parallax("layers", "hf-hub:someone/small-vit").expectFailure(69, "HF_HUB_OFFLINE forbids")
    try hub.write(Array("gone".utf8), "\(model)/refs/main")
    try parallax("layers", "hf-hub:someone/small-vit").expectFailure(69, "has not been downloaded")
  }
}
