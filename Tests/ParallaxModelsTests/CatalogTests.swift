import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("The catalog")
struct CatalogTests {
  @Test("every architecture is held against an oracle that is there and that some test uses")
  func oracles() throws {
    let folder = URL(filePath: #filePath).deletingLastPathComponent()
    let tests = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      .filter { $0.hasSuffix("Tests.swift") && !$0.hasPrefix("Catalog") }
      .map { try String(contentsOf: folder.appending(path: $0), encoding: .utf8) }.joined()
    for architecture in Catalog.architectures {
      #expect(!architecture.oracles.isEmpty, "\(architecture.name)")
      for name in architecture.oracles {
        let oracle = try ModelOracle(name)
        #expect(!oracle.weights.names.isEmpty && oracle.file["output"] != nil, "\(name)")
        #expect(tests.contains("\"\(name)\""), "no test uses \(name)")
      }
    }
    for entry in Catalog.entries { #expect(!entry.architecture.oracles.isEmpty, "\(entry.name)") }
  }

  @Test("every oracle of a model in the fixtures belongs to something that can be loaded")
  func noOrphans() throws {
    let used = Set(Catalog.architectures.flatMap(\.oracles)).union(["vit-hf"])
    let folder = fixtures.appending(path: "models").path
    let files = try FileManager.default.contentsOfDirectory(atPath: folder)
      .filter { $0.hasSuffix(".safetensors") }.map { String($0.dropLast(12)) }
    #expect(Set(files) == used)
  }

  @Test("names and aliases are taken once, and every entry is found by each of its own")
  func names() throws {
    let aliases = Catalog.architectures.flatMap(\.aliases)
    let all = Catalog.entries.map(\.name) + aliases
    #expect(Set(all.map { $0.lowercased() }).count == all.count)
    for entry in Catalog.entries {
      #expect(try Catalog.entry(named: entry.name).name == entry.name)
      #expect(try Catalog.entry(named: entry.name.uppercased()).name == entry.name)
      for alias in entry.architecture.aliases {
        #expect(try Catalog.entry(named: alias).name == entry.architecture.name)
      }
      #expect(!entry.summary.isEmpty && !entry.family.isEmpty)
      _ = try ModelReference(parsing: entry.name)
      _ = try Address(parsing: "\(entry.name)@blocks.0#avg")
    }
  }

  @Test("the beginning of one name is enough; that of several is refused with all of them")
  func beginnings() throws {
    #expect(try Catalog.entry(named: "clip").name == "clip-vit-base-patch16")
    #expect(try Catalog.entry(named: "mobilenetv2").name == "mobilenetv2")
    #expect(
      throws: ModelError.ambiguousModel(
        name: "ResNet",
        candidates: ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152"])
    ) { try Catalog.entry(named: "ResNet") }
    #expect(
      throws: ModelError.ambiguousModel(
        name: "efficientnet-", candidates: ["efficientnet-lite0", "efficientnet-lite2"])
    ) { try Catalog.entry(named: "efficientnet-") }
  }

  @Test(
    "a misspelt name is refused with the nearest",
    arguments: [
      ("ressnet50", "resnet50"), ("efficientnet-lite1", "efficientnet-lite0"),
      ("clip-vit-base-patch32", "clip-vit-base-patch16"),
      ("dino-small-saliency", "dinov2-small-saliency"),
      ("vit_base_patch16_225", "vit_base_patch16_224"), ("MobileNet-v2", "mobilenetv2"),
      ("quickgelu", "vit_base_patch16_clip_quickgelu_224"),
    ])
  func misspelt(name: String, nearest: String) throws {
    let error = #expect(throws: ModelError.self) { try Catalog.entry(named: name) }
    guard case .unknownModel(let asked, let candidates)? = error else {
      Issue.record("\(name): \(String(describing: error))")
      return
    }
    #expect(asked == name)
    #expect(candidates.contains(nearest), "\(candidates)")
    #expect(candidates.count <= 3)
  }

  @Test(
    "what resembles nothing is refused without a guess", arguments: ["", "zzzzzzzzzzzzzz", "ü"])
  func unlike(name: String) {
    #expect(throws: ModelError.unknownModel(name: name, candidates: [])) {
      try Catalog.entry(named: name)
    }
  }

  @Test("weights that the set-up fetches come with origin, licence and training")
  func packaged() {
    for entry in Catalog.entries {
      guard let weights = entry.weights else {
        #expect(entry.weightsURL == nil && !entry.weightsAreInstalled)
        continue
      }
      for text in [weights.file, weights.origin, weights.licence, weights.training] {
        #expect(!text.isEmpty, "\(entry.name)")
      }
      #expect(weights.file.hasPrefix("models/\(entry.name)/"))
    }
    #expect(Catalog.entries.filter { $0.weights != nil }.count == 5)
  }

  @Test("what a user types is a name, a file, a folder or a hub's model, or is refused")
  func references() throws {
    let folder = try TemporaryFolder()
    try folder.write([0], "weights.pth")
    #expect(try ModelReference(parsing: "resnet18") == .name("resnet18"))
    #expect(
      try ModelReference(parsing: "resnet18=a=b/c.pth")
        == .file(name: "resnet18", path: "a=b/c.pth"))
    #expect(try ModelReference(parsing: folder.path) == .folder(folder.path))
    #expect(try ModelReference(parsing: "hf-hub:timm/vit") == .hub(HubModel("timm/vit")))
    for text in ["=a", "resnet18=", "=", "hf-hub:", "hf-hub:a", "hf-hub:a/b/c", "hf-hub:../b"] {
      let error = #expect(throws: ModelError.self) { try ModelReference(parsing: text) }
      guard case .address(text, _)? = error else {
        Issue.record("\(text): \(String(describing: error))")
        continue
      }
    }
    for text in [folder.file("weights.pth"), folder.file("none"), "none.onnx", "none.pt2"] {
      let error = #expect(throws: ModelError.self) { try ModelReference(parsing: text) }
      guard case .checkpoint(text, _)? = error else {
        Issue.record("\(text): \(String(describing: error))")
        continue
      }
    }
  }

  @Test("a name without weights, and weights that were not fetched, are told apart")
  func withoutWeights() {
    #expect(throws: ModelError.noWeights(name: "resnet18")) {
      try Catalog.load(.name("resnet18"))
    }
    for entry in Catalog.entries where entry.weights != nil && !entry.weightsAreInstalled {
      #expect(
        throws: ModelError.notInstalled(
          name: entry.name, file: entry.weightsURL?.path ?? "")
      ) { try Catalog.load(.name(entry.name)) }
    }
  }
}
