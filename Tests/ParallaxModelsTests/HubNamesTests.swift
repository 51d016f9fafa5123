import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Names that people use")
struct HubNamesTests {
  /// What timm and torchvision say of themselves: Oracles/hub.py.
  private struct Names: Decodable {
    var timm: [String: String]
    var torchvision: [String: [Value]]
    enum Value: Decodable {
      case number(Int)
      case text(String)
      case numbers([Double])
      init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if let number = try? container.decode(Int.self) {
          self = .number(number)
        } else if let text = try? container.decode(String.self) {
          self = .text(text)
        } else {
          self = .numbers(try container.decode([Double].self))
        }
      }
    }
  }

  private func names() throws -> Names {
    try JSONDecoder().decode(
      Names.self, from: Data(contentsOf: fixtures.appending(path: "hub/names.json")))
  }

  private func hub(_ text: String) throws -> HubModel {
    guard case .hub(let model) = try ModelReference(parsing: text) else {
      throw ModelError.address(text: text, problem: "no model of the hub")
    }
    return model
  }

  @Test("timm's ARCHITECTURE.TAG is the repository that timm itself takes its weights from")
  func timm() throws {
    let model = try hub("vit_base_patch16_224.augreg2_in21k_ft_in1k")
    #expect(model.id == "timm/vit_base_patch16_224.augreg2_in21k_ft_in1k")
    #expect(model.architecture == "vit_base_patch16_224" && model.layout == .standard)
    var seen = 0
    for (name, place) in try names().timm {
      let architecture = String(name.prefix { $0 != "." })
      guard Catalog.architectures.contains(where: { $0.name == architecture }) else { continue }
      #expect(try hub(name) == HubModel(place, architecture: architecture))
      seen += 1
    }
    #expect(seen >= 5)
    // An architecture that is not known is no model of the hub, and neither is a name without a tag.
    #expect(try ModelReference(parsing: "nonesuch.a1_in1k") == .name("nonesuch.a1_in1k"))
    #expect(try ModelReference(parsing: "resnet50") == .name("resnet50"))
  }

  @Test("open_clip's MODEL,TAG is its repository; OpenAI's weights have QuickGELU")
  func openCLIP() throws {
    let laion = try hub("ViT-B-32,laion2b_s34b_b79k")
    #expect(laion.id == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K")
    #expect(laion.layout == .openCLIP(quickGELU: false))
    let openAI = try hub("ViT-B/16,OpenAI")
    #expect(openAI.id == "timm/vit_base_patch16_clip_224.openai")
    #expect(openAI.layout == .openCLIP(quickGELU: true))
    #expect(try hub("vit-b-32, laion2b-s34b-b79k") == laion)
    let error = #expect(throws: ModelError.self) { try hub("ViT-B-32,laion2b") }
    guard case .unknownModel(_, let candidates)? = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(candidates.first == "ViT-B-32,laion2b_s34b_b79k")
    let keys = OpenCLIP.pairs.map { "\($0.model),\($0.tag)" }
    #expect(Set(keys).count == keys.count)
    for pair in OpenCLIP.pairs {
      #expect(HubModel.isID(pair.id[...]) && pair.tag == pair.tag.lowercased(), "\(pair)")
    }
  }

  @Test("torchvision's names are architectures of timm's, prepared for as torchvision does")
  func torchvision() throws {
    let names = try names().torchvision
    var seen = 0
    for architecture in Catalog.architectures {
      for name in TorchVision.names(of: architecture.name) {
        let entry = try Catalog.entry(named: name)
        #expect(entry.architecture.name == architecture.name)
        let preset = try #require(names[name], "\(name)")
        guard case .number(let resize) = preset[0], case .number(let crop) = preset[1],
          case .text(let filter) = preset[2], case .numbers(let mean) = preset[3],
          case .numbers(let std) = preset[4]
        else { throw ModelError.address(text: name, problem: "the fixture is of another form") }
        let found = try Preprocessing(json: JSONEncoder().encode(entry.preprocessing))
        #expect(found.resize == .shortestEdge(resize) && found.height == crop, "\(name)")
        #expect(found.interpolation.rawValue == filter, "\(name)")
        #expect(found.mean == mean.map { Float($0) } && found.std == std.map { Float($0) })
        seen += 1
      }
    }
    #expect(seen >= 5)
    #expect(try Catalog.entry(named: "vit_b_16").architecture.name == "vit_base_patch16_224")
  }

  @Test("a checkpoint of torchvision's ViT is recognised under its newer and its older names")
  func torchvisionViT() throws {
    let oracle = try ModelOracle("vit-torchvision")
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    for isOld in [false, true] {
      var held: [String: Tensor] = [:]
      for name in oracle.weights.names {
        let own =
          isOld
          ? name.replacing("mlp.0", with: "mlp.linear_1").replacing("mlp.3", with: "mlp.linear_2")
          : name
        held[own] = try oracle.weights.tensor(name)
      }
      let weights = Weights(ViT.recognised(HeldWeights(held, label: "torchvision"), c))
      let model = try ViT(c, weights)
      try weights.finish()
      let gap = ModelOracle.difference(
        model(try oracle.tensor("input"), .off), try oracle.tensor("output"))
      #expect(gap < ModelOracle.tolerance, "\(gap)")
    }
  }

  @Test("ORG/NAME is a model of the hub where no file or folder has that path")
  func bare() throws {
    #expect(try hub("google/vit-base-patch16-224").isBare)
    #expect(try hub("google/vit@v1.0").revision == "v1.0")
    #expect(try hub("hf-hub:google/vit@refs/pr/3").revision == "refs/pr/3")
    for text in ["a/b/c", "a/b.pth", "./b", "../b", "a/", "/b", "a/b.onnx", "Sources/nothing"] {
      // The last only where the tests run in the repository.
      if text == "Sources/nothing", !FileManager.default.fileExists(atPath: "Sources") { continue }
      #expect(throws: ModelError.self, "\(text)") { try ModelReference(parsing: text) }
    }
    for text in [
      "hf-hub:a/b@", "hf-hub:a/b@..", "hf-hub:a/b@x/../y", "hf-hub:a/b@.x", "hf-hub:a b/c",
    ] {
      #expect(throws: ModelError.self, "\(text)") { try ModelReference(parsing: text) }
    }
  }

  @Test("the environment says where the cache is, where requests go and who asks")
  func environment() throws {
    let folder = try TemporaryFolder()
    try folder.write(Array("hf_file\n".utf8), "token")
    let hub = Hub(environment: ["HF_HOME": folder.path])
    #expect(hub.cache.path == folder.file("hub") && hub.token == "hf_file" && !hub.isOffline)
    #expect(hub.endpoint == "https://huggingface.co")
    let other = Hub(environment: [
      "HF_HOME": folder.path, "HF_HUB_CACHE": "/x/y", "HF_TOKEN": " hf_own\n",
      "HF_HUB_OFFLINE": "yes",
      "HF_ENDPOINT": "https://mirror.example/",
    ])
    #expect(other.cache.path == "/x/y" && other.token == "hf_own" && other.isOffline)
    #expect(other.endpoint == "https://mirror.example")
    // A token that would break out of its header is none.
    #expect(Hub(environment: ["HF_TOKEN": "a b", "HF_HOME": "/none"]).token == nil)
    try folder.write(Array("hf_third".utf8), "elsewhere")
    let third = Hub(environment: ["HF_HOME": "/none", "HF_TOKEN_PATH": folder.file("elsewhere")])
    #expect(third.token == "hf_third")
  }
}
