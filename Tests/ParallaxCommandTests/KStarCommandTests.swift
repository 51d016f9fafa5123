import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite(
  "parallax kstar",
  .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
struct KStarCommandTests {
  private static let base = [
    "kstar", "vit_tiny_patch16_224@blocks.0,blocks.1", "--random-weights", "1", "--images",
    "photos",
    "--output", "run",
  ]

  @Test("writes a run folder with the section and the table, and ranks the sites")
  func writes() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10)
    let outcome = try parallax.run(
      Self.base + [
        "--neighbours", "3", "--ties", "pessimistic", "--anchor", "--distance", "cosine",
        "--map-layers", "all", "--perplexity", "2.5",
      ])
    outcome.expectSuccess()
    #expect(outcome.output.contains("gamma") && outcome.output.contains("blocks.1"))
    #expect(outcome.output.contains("too few models: 1"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: KStarResult = try #require(try run.result(analysis: "kstar"))
    #expect(result.distance == "cosine" && result.ties == "pessimistic")
    #expect(result.anchoring == "unitInterval" && result.images.count == 10)
    #expect(result.models[0].spaces.map(\.site) == ["blocks.0", "blocks.1"])
    #expect(result.models[0].spaces[0].neighbourhood.neighbours == 3)
    #expect(result.models[0].spaces.allSatisfy { $0.map?.tsne?.perplexity == 2.5 })
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"kstar\"") && page.contains("kstar-violins-0"))
    let table = String(decoding: try parallax.folder.bytes("run/results.csv"), as: UTF8.self)
    #expect(table.contains("kstar,gamma macroMean,vit_tiny_patch16_224-random@blocks.0#cls,"))
  }

  @Test("what extract wrote gives the same numbers as the models; a bank counts others")
  func featuresAndBank() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(10)
    try parallax.run(Self.base).expectSuccess()
    try parallax.run(
      ["extract"] + Self.base[1..<6] + ["--output", "features", "--quiet"]
    ).expectSuccess()
    let outcome = try parallax.run(["kstar", "--features", "features", "--output", "again"])
    outcome.expectSuccess()
    func result(_ name: String) throws -> KStarResult {
      let run = RunFolder(parallax.folder.url.appending(path: name))
      return try #require(try run.result(analysis: "kstar"))
    }
    let (first, second) = (try result("run"), try result("again"))
    #expect(first.images == second.images)
    #expect(first.models[0].spaces.map(\.ranks) == second.models[0].spaces.map(\.ranks))
    #expect(first.models[0].name == second.models[0].name)
    let page = String(decoding: try parallax.folder.bytes("again/report.html"), as: UTF8.self)
    #expect(page.contains("id=\"kstar\"") && page.contains("Features of 10 images of 2 classes"))
    #expect(page.contains("data:image/jpeg;base64,"))
    try parallax.folder.pictures(14, in: "bank")
    try parallax.run(Self.base + ["--bank", "bank"]).expectSuccess()
    #expect(try result("run").bank == 14)
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let sources = try #require(try run.provenance().sources)
    #expect(sources.map(\.role) == ["bank"] && sources[0].count == 14)
    let features = RunFolder(parallax.folder.url.appending(path: "again"))
    #expect(try features.provenance().imagesHash.count == 64)
    try parallax.folder.write(try picture(3), "photos/cats/1.png")
    let lone = try parallax.run(Self.base + ["--bank", "bank"])
    lone.expectSuccess()
    #expect(
      lone.output.contains("1 image is left out, for the bank has none of its class: cats (1)"))
    #expect(try result("run").outside?.map(\.image) == ["cats/1.png"])
    #expect(try result("run").images.count == 10)
    try FileManager.default.removeItem(
      at: parallax.folder.url.appending(path: "photos/cats"))
    try parallax.folder.write([1, 2, 3], "bank/ants/broken.png")
    try parallax.run(Self.base + ["--bank", "bank", "--strict", "--quiet"]).expectFailure(
      65, "broken.png")
    let told = try parallax.run(Self.base + ["--bank", "bank"])
    told.expectSuccess()
    #expect(try run.provenance().sources?[0].skipped.map(\.path) == ["ants/broken.png"])
  }

  @Test("accuracies and corruptions stand beside the skewness")
  func accuraciesAndCorruptions() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let model = "vit_tiny_patch16_224-random"
    try parallax.folder.write(Array("model,top-1\n\(model),70\n".utf8), "known.csv")
    let outcome = try parallax.run(
      Self.base + ["--accuracy", "known.csv", "--corruption", "blur:2", "--noise", "0.2"])
    outcome.expectSuccess()
    #expect(outcome.output.contains("With blur 2.0 on its images, vit_tiny"))
    let run = RunFolder(parallax.folder.url.appending(path: "run"))
    let result: KStarResult = try #require(try run.result(analysis: "kstar"))
    #expect(result.accuracyName == "top-1" && result.accuracies == [model: 70])
    #expect(result.changes.compactMap(\.corruption) == ["noise 0.2", "blur 2.0"])
    #expect(try run.provenance().sources?.map(\.role) == ["accuracy"])
    let page = String(decoding: try parallax.folder.bytes("run/report.html"), as: UTF8.self)
    #expect(page.contains("Γ, mean skewness, blur 2.0 dashed"))
  }

  @Test("wrong options, classes and files: one line that says what was expected")
  func options() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    func refused(_ arguments: [String], _ text: String, code: Int32 = 64) throws {
      try parallax.run(arguments).expectFailure(code, text)
      #expect(parallax.folder.names("run").isEmpty)
    }
    try refused(Self.base + ["--neighbours", "0"], "--neighbours 0: expected a whole number")
    try refused(Self.base + ["--features", "x.npy"], "models or --features, not both")
    try refused(["kstar"], "expected a model at least, or --features")
    try refused(Self.base + ["--labels", "y"], "--labels belongs to --features")
    try refused(Self.base + ["--distance", "far"], "far")
    try refused(Self.base + ["--distance", "precomputed"], "no matrix of distances")
    try refused(Self.base + ["--label-map", "none.csv"], "there is no such label map", code: 66)
    try refused(
      Self.base + ["--label-map", "photos"], "is a folder, expected a label map", code: 65)
    try refused(Self.base + ["--accuracy", "none.csv"], "there is no such file of acc", code: 66)
    for (texts, told) in [
      (["fog:1"], "--corruption fog:1: expected noise:"),
      (["blur:2", "blur:2.0"], "asked for twice"),
      (["contrast:1"], "below 1"), (["blur"], "expected noise:"),
    ] {
      do {
        _ = try ParallaxCommand.parseAsRoot(Self.base + texts.flatMap { ["--corruption", $0] })
        Issue.record("expected a refusal of \(texts)")
      } catch { #expect(ParallaxCommand.message(for: error).contains(told)) }
    }
    try refused(Self.base + ["--memory-limit", "1e-7"], "memory", code: 64)
    try refused(Self.base + ["--perplexity", "1"], "--perplexity 1.0: expected a number above 1")
    try refused(
      Self.base + ["--map", "pca", "--perplexity", "5"], "with --map pca there is none")
    try refused(Self.base + ["--map", "umap"], "umap")
    try refused(Self.base + ["--map-layers", "a..b"], "--map-layers 'a..b': an empty part")
    try refused(
      Self.base + ["--map-layers", "stem"], "no site that is looked at is 'stem'", code: 64)
    for option in [
      ["--images", "photos"], ["--limit", "3"], ["--device", "cuda:0"], ["--dtype", "float64"],
      ["--minimum-class-size", "9"], ["--memory-limit", "1"], ["--corruption", "blur:1"],
      ["--spaces", "2"], ["--sites", "x"], ["--batch-size", "4"],
    ] {
      do {
        _ = try ParallaxCommand.parseAsRoot(["kstar", "--features", "x.npy"] + option)
        Issue.record("expected a refusal of \(option)")
      } catch {
        #expect(ParallaxCommand.message(for: error).contains("\(option[0]) is for models"))
      }
    }
    try parallax.folder.write([1], "x.npy")
    try refused(
      ["kstar", "--features", "x.npy", "--labels", "missing.txt", "--output", "run"], "x.npy",
      code: 65)
    try parallax.folder.write(Array("ants,x\nbees,x\n".utf8), "map.csv")
    try refused(
      Self.base + ["--label-map", "map.csv"], "all images are of one class, 'x'", code: 65)
    try refused(
      ["kstar", "--features", "none.npy", "--output", "run"], "there is no such file", code: 66)
    let bad = Tensor([Float](repeating: .nan, count: 8), shape: [8, 1])
    let labels = Tensor((0..<8).map { Int64($0 % 2) }, shape: [8])
    try Safetensors.write(
      [("x", bad), ("labels", labels)],
      to: parallax.folder.url.appending(path: "nan.safetensors").path)
    try refused(
      ["kstar", "--features", "nan.safetensors", "--output", "run"],
      "x: NaN or infinity in the features of row 0, row 1, row 2 and 5 more", code: 65)
    let flat = try CommandRunner()
    try flat.folder.write(try picture(1), "photos/1.png")
    try flat.run(Self.base).expectFailure(65, "has no class; expected a folder a class")
  }
}
