import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

private let untrained = ["mobilenetv2_100", "--random-weights", "1"]

@Suite("How the command fails")
struct FailureTests {
  /// A command line that must fail, with the exit code and what standard error must hold.
  struct Case: CustomTestStringConvertible, Sendable {
    var arguments: [String]
    var code: Int32
    var parts: [String]

    init(_ arguments: [String], _ code: Int32, _ parts: String...) {
      (self.arguments, self.code, self.parts) = (arguments, code, parts)
    }

    var testDescription: String { arguments.joined(separator: " ") }
  }

  private func check(_ expected: Case, in parallax: CommandRunner) throws {
    let outcome = try parallax.run(expected.arguments)
    outcome.expectFailure(expected.code)
    for part in expected.parts { #expect(outcome.errors.contains(part), "\(outcome.errors)") }
  }

  @Test(
    "what is typed wrongly is refused with 64 and the usage",
    arguments: [
      Case(["nonsense"], 64, "'nonsense'", "expected one of models, layers", "usage: parallax"),
      Case(
        ["stpes", "--quiet"], 64, "error: no subcommand is called 'stpes'; did you mean steps?"),
      Case(["Compare", "x"], 64, "did you mean compare?"),
      Case(["--nonsense"], 64, "'--nonsense'", "usage: parallax"),
      Case(["models", "--nonsense"], 64, "'--nonsense'", "usage: parallax models"),
      Case(["models", "a", "b"], 64, "'b'"),
      Case(["models", "--format", "xml"], 64, "'xml'", "'csv' and 'json'"),
      Case(["layers"], 64, "<model>", "usage: parallax layers"),
      Case(["extract"], 64, "<model>", "usage: parallax extract"),
      Case(["compare"], 64, "<model>", "usage: parallax compare"),
      Case(["compare"] + untrained + ["--nonsense"], 64, "'--nonsense'"),
      Case(["report"], 64, "<run>", "usage: parallax report"),
      Case(["study", "a.yaml", "b.yaml"], 64, "'b.yaml'"),
      Case(
        ["generate", "x", "--class", "1", "--class", "1"], 64, "--class 1: expected each class"),
      Case(["generate", "x", "--layer", "a", "--layer", "a"], 64, "a feature is asked for twice"),
      Case(["invert", "x", "--begin", "0.5"], 64, "expected uniform, or MEAN:DEVIATION"),
      Case(["invert", "x", "--blur", "2.4:0"], 64, "expected none, or START:END"),
      Case(["invert", "x", "--last-rate", "nan"], 64, "expected a number from 0"),
      Case(["invert", "x", "--shifts", "0"], 64, "--shifts 0"),
      Case(["layers", "resnet18", "--random-weights", "-1"], 64, "--random-weights"),
      Case(["layers", "resnet18", "--random-weights", "many"], 64, "'many'"),
      Case(["compare"] + untrained + ["--limit", "0"], 64, "--limit 0"),
      Case(["compare"] + untrained + ["--limit"], 64, "--limit"),
      Case(["compare"] + untrained + ["--minimum-class-size", "0"], 64, "--minimum-class-size 0"),
      Case(
        ["compare"] + untrained + ["--batch-size", "0"], 64, "--batch-size 0", "from 1 to 65536"),
      Case(["compare"] + untrained + ["-b", "1000000"], 64, "--batch-size 1000000"),
      Case(["compare"] + untrained + ["--block-size", "3"], 64, "--block-size 3", "from 4"),
      Case(["compare"] + untrained + ["-j", "0"], 64, "--workers 0"),
      Case(["compare"] + untrained + ["--dtype", "float16"], 64, "--dtype float16", "float32"),
      Case(["compare"] + untrained + ["--seed", "-3"], 64, "--seed"),
      Case(["compare"] + untrained + ["--alpha", "green"], 64, "'green'"),
      Case(["compare"] + untrained + ["--route", "long"], 64, "'long'"),
      Case(["compare"] + untrained + ["--estimator", "best"], 64, "'best'"),
    ])
  func usage(expected: Case) throws { try check(expected, in: CommandRunner()) }

  @Test(
    "a model that is not there is refused, with the nearest names or the way to have it",
    arguments: [
      Case(
        ["layers", "mobilenetv5"], 64, "no model is called 'mobilenetv5'",
        "did you mean mobilenetv2", "`parallax models` lists them all"),
      Case(["layers", "ressnet50"], 64, "did you mean resnet50"),
      Case(["models", "efficient-lite0"], 64, "did you mean efficientnet-lite0"),
      Case(["layers", "zzzzzzzzzzzz"], 64, "no model is called 'zzzzzzzzzzzz'"),
      Case(
        ["layers", "resnet"], 64, "fits several models", "resnet18, resnet34, resnet50, resnet101"),
      Case(["models", "vit_base"], 64, "fits several models", "vit_base_patch8_224"),
      Case(["layers", "resnet50"], 64, "resnet50=PATH", "--random-weights SEED"),
      Case(["layers", "resnet50=absent.pth"], 66, "absent.pth"),
      Case(["layers", "resnet50="], 64, "expected NAME=PATH"),
      Case(["layers", "absent.onnx"], 66, "absent.onnx: no such file"),
      Case(
        ["layers", "absent/folder"], 66,
        "absent/folder: no such file or folder; and as a model of the hub",
        "HF_HUB_OFFLINE"),
      Case(["layers", "absent/folder/deep"], 66, "absent/folder/deep: no such file or folder"),
      Case(["layers", "absent/weights.pth"], 66, "absent/weights.pth: no such file or folder"),
      Case(["layers", "ViT-B-32,laion2b"], 64, "did you mean ViT-B-32,laion2b_s34b_b79k"),
      Case(["models", "ViT-B-32,laion2b"], 64, "did you mean ViT-B-32,laion2b_s34b_b79k"),
      Case(["models", "hf-hub:nobody"], 64, "expected hf-hub:ORG/NAME"),
      Case(["layers", "resnet50.a1_in1k"], 69, "hf-hub:timm/resnet50.a1_in1k", "HF_HUB_OFFLINE"),
      Case(["layers", "hf-hub:a/b@../../x@"], 64, "expected hf-hub:ORG/NAME"),
      Case(["layers", "hf-hub:nobody"], 64, "expected hf-hub:ORG/NAME"),
      Case(["layers", "hf-hub:nobody/nothing"], 69, "`hf download nobody/nothing`"),
      Case(["layers", "@blocks.0"], 64, "expected MODEL"),
      Case(["models", "absent/file"], 66, "absent/file"),
    ])
  func models(expected: Case) throws {
    let hub = try TemporaryFolder()
    try check(expected, in: CommandRunner(environment: ["HF_HUB_CACHE": hub.path]))
  }

  @Test("a folder without a checkpoint, and a file that is none, are refused as what they are")
  func checkpoints() throws {
    let parallax = try CommandRunner()
    try parallax.folder.write(Array("hello".utf8), "folder/readme.txt")
    try parallax.folder.write(Array("hello".utf8), "weights.pth")
    try parallax("layers", "folder").expectFailure(66, "folder/config.json: is missing")
    try parallax("layers", "weights.pth").expectFailure(65, "NAME=weights.pth")
    try parallax("layers", "resnet18=weights.pth").expectFailure(65, "a text file")
    try parallax("layers", "resnet18=folder").expectFailure(65, "a folder without a checkpoint")
    try parallax("models", "weights.pth").expectFailure(65, "a text file")
    // A good checkpoint of something else.
    try Safetensors.write(
      [(name: "conv1.weight", tensor: .ones([64, 3, 7, 7]))],
      to: parallax.folder.file("other.safetensors"))
    try parallax("layers", "resnet18=other.safetensors").expectFailure(
      65, "other.safetensors: parameter 'bn1.weight' is missing",
      "`parallax models FILE` lists what a checkpoint holds and fits")
  }

  @Test("weights that the set-up has not fetched are unavailable, 69, with the way to have them")
  func notFetched() throws {
    let parallax = try CommandRunner(cached: [])
    try parallax("layers", "clip-vit-base-patch16").expectFailure(69, "`make setup` fetches them")
    try parallax.folder.pictures(8)
    try parallax.run(["compare"] + untrained + ["--images", "photos"]).expectFailure(
      69, "JavaScript", "`make setup` fetches it")
    try parallax.run(["extract"] + untrained).expectFailure(
      69, "the built-in images", "`make setup` fetches them, or name your own with --images")
  }

  @Test(
    "a site or tokens that fit nothing are refused, with the nearest sites",
    arguments: [
      Case(["layers"] + untrained + ["--sites", "blokcs.0"], 64, "no site 'blokcs.0'", "blocks.0"),
      Case(
        ["layers", "mobilenetv2_100@clasifier", "--random-weights", "1"], 64, "mean classifier"),
      Case(["layers"] + untrained + ["--sites", "blocks..0"], 64, "an empty part between dots"),
      Case(["layers"] + untrained + ["--sites", ""], 64, "an empty site"),
      Case(
        ["extract"] + untrained + ["--images", "photos", "--tokens", "some"], 64, "'some'",
        "expected cls, avg"),
      Case(["layers"] + untrained + ["--tokens", "cls"], 64, "'--tokens'"),
      Case(["layers", "resnet18#avg", "--random-weights", "1"], 64, "without tokens such as #avg"),
      Case(
        ["extract", "mobilenetv2_100#cls", "--random-weights", "1", "--images", "photos"], 64,
        "'cls'", "a feature map without tokens"),
      Case(
        ["extract", "mobilenetv2_100#token:3", "--random-weights", "1", "--images", "photos"], 64,
        "'token:3'"),
    ])
  func sites(expected: Case) throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    try check(expected, in: parallax)
  }

  @Test("the advice for an unknown site names no model that the catalog lacks")
  func advice() throws {
    let outcome = try CommandRunner().run(["layers"] + untrained + ["--sites", "blokcs"])
    outcome.expectFailure(64, "`parallax layers MODEL` lists")
  }

  @Test(
    "what no image and no model brings about is a defect of ours, 70, and what they do is not",
    arguments: [
      (MeasureError.blockOrder(measure: "CKA", problem: "block 2 follows block 0"), 70),
      (.shape(measure: "CKA", expected: "[images, width]", found: [3]), 70),
      (.merge(measure: "CKA", problem: "they hold the same block"), 70),
      (.notFinite(measure: "CKA"), 65), (.tooFew(measure: "CKA", images: 1, needed: 4), 65),
      (.memory(measure: "CKA", needed: 2, limit: 1), 64),
    ] as [(MeasureError, Int32)])
  func measures(error: MeasureError, code: Int32) {
    let failure = Failure(error)
    #expect(failure.code == code)
    #expect(failure.lines[0] == "error: \(error)")
  }

  @Test(
    "a device that is not there is unavailable, 69, and what to do is said",
    .enabled(if: (try? Device("cuda:7")) == nil, "this machine has eight graphics processors"),
    arguments: ["cuda:7", "pancake", ""])
  func devices(name: String) throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(4)
    let outcome = try parallax.run(
      ["extract"] + untrained + ["--images", "photos", "--device", name])
    outcome.expectFailure(69, "device '\(name)'", "without --device the processor is used")
  }

  @Test("what cannot be written to is refused with 73 before a model runs")
  func unwritable() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    try parallax.folder.write(Array("mine".utf8), "file")
    let tail = untrained + ["--images", "photos", "--output"]
    for output in ["file", "file/below", "/dev/null/run"] {
      try parallax.run(["extract"] + tail + [output]).expectFailure(73, output, "cannot be written")
      guard CommandRunner.hasJavaScript else { continue }
      try parallax.run(["compare"] + tail + [output]).expectFailure(73, output, "cannot be written")
    }
    #expect(try parallax.folder.bytes("file") == Array("mine".utf8))
    #expect(parallax.folder.names() == ["file", "photos"])
    #expect(parallax.states.isEmpty)
  }

  @Test(
    "a folder of somebody else's files is no place for a run",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func foreign() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(8)
    let outcome = try parallax.run(
      ["compare"] + untrained + ["--images", "photos", "--output", "photos"])
    outcome.expectFailure(73, "holds other files and no run", "--output")
    #expect(parallax.folder.names("photos") == ["ants", "bees"])
  }

  @Test(
    "a folder that is no run has no report, and none is written",
    .enabled(if: CommandRunner.hasJavaScript, "the JavaScript is not in the cache; run make setup"))
  func noRun() throws {
    let parallax = try CommandRunner()
    try parallax.folder.pictures(2)
    try parallax("report", "photos").expectFailure(66, "photos", "no run")
    try parallax("report", "absent").expectFailure(66, "absent", "no run")
    #expect(parallax.folder.names() == ["photos"])
    #expect(parallax.folder.names("photos") == ["ants", "bees"])
    try parallax.folder.write(Array("[]".utf8), "broken/run.json")
    try parallax("report", "broken").expectFailure(65, "run.json")
  }
}
