import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Imported graphs as models")
struct ImportedGraphTests {
  private func loaded(_ name: String, everyNode: Bool = false) throws -> (ExportOracle, LoadedModel)
  {
    let oracle = try ExportOracle(name)
    let model = try Catalog.load(.graph(oracle.path), graphs: GraphOptions(everyNode: everyNode))
    return (oracle, model)
  }

  private func input(_ oracle: ExportOracle) throws -> Tensor {
    try oracle.tensor("input").to(.float32)
  }

  @Test(
    "an archive as torch writes it, stack traces and samples in it, gives what the thinned one gives"
  )
  func whole() throws {
    let (oracle, thin) = try loaded("vit-timm")
    let whole = try Catalog.load(
      .graph(fixtures.appending(path: "exports/vit-timm-whole.pt2").path))
    let images = try input(oracle)
    #expect(whole.model(images, .off).scalars() == thin.model(images, .off).scalars() as [Float])
    #expect(whole.model.sites(height: 32, width: 32) == thin.model.sites(height: 32, width: 32))
    #expect(whole.parameters == thin.parameters)
  }

  @Test(
    "float16 and bfloat16 archives give PyTorch's numbers and take float32 images",
    arguments: [
      ("vit-timm", "float16"), ("vit-timm", "bfloat16"), ("resnet-timm", "bfloat16"),
    ])
  func halves(name: String, dtype: String) throws {
    let oracle = try ExportOracle(name)
    let model = try Catalog.load(
      .graph(fixtures.appending(path: "exports/\(name)-\(dtype).pt2").path)
    ).model
    let output = model(try input(oracle), .off)
    #expect(output.dtype.description == dtype)
    // Kernels may add in another order, which shows in the last bits of so few.
    let gap = ModelOracle.difference(output, try oracle.tensor("output/\(dtype)"))
    #expect(gap < (dtype == "float16" ? 5e-3 : 4e-2))
  }

  @Test(
    "any number of images goes through, and each comes out as if it were alone",
    arguments: [
      "vit-timm", "swin-timm", "resnet-timm", "own",
    ])
  func batches(name: String) throws {
    let (oracle, loaded) = try loaded(name)
    let images = try input(oracle)
    let five = Tensor.concatenated([images, images, images.sliced(0, 0, 1)], 0)
    let together = loaded.model(five, .off)
    #expect(together.shape[0] == 5)
    let alone = loaded.model(images.sliced(0, 1, 2), .off)
    #expect(ModelOracle.difference(together.sliced(0, 3, 4), alone) < 1e-5)
  }

  @Test("a graph that was exported for many sizes takes them; one for a single size says so")
  func sizes() throws {
    let (_, resnet) = try loaded("resnet-timm")
    #expect(resnet.model.fixedImageSize == nil)
    let images = RandomSource(seed: 3).normal([2, 3, 96, 128])
    #expect(resnet.model(images, .off).shape == [2, 5])
    try resnet.model.check(height: 96, width: 128, device: .cpu)
    let (_, vit) = try loaded("vit-timm")
    #expect(try #require(vit.model.fixedImageSize) == (32, 32))
  }

  @Test("a size that the graph cannot take is an error with the node, no trap")
  func badSize() throws {
    let (_, resnet) = try loaded("convnext-timm")
    let error = #expect(throws: ModelError.self) {
      try resnet.model.check(height: 3, width: 3, device: .cpu)
    }
    guard case .graph(_, let node, _, _) = error else {
      Issue.record("\(String(describing: error))")
      return
    }
    #expect(node == "conv2d")
  }

  @Test("a replaced activation changes what follows and nothing else")
  func replacement() throws {
    let (oracle, loaded) = try loaded("vit-timm")
    let images = try input(oracle)
    let before = loaded.model(images, .off)
    var last: Tensor?
    let changed = loaded.model(
      images,
      Tap(["blocks.0.attn", "blocks.0", "head"]) { visit in
        if visit.site == "blocks.0.attn" { return visit.value * 0 }
        if visit.site == "blocks.0" { last = visit.value }
        return nil
      })
    #expect(ModelOracle.difference(changed, before) > 1e-3)
    // Without its attention a block is its MLP over the residual stream.
    #expect(try oracle.difference(#require(last), at: "blocks.0") > 1e-3)
    let same = loaded.model(images, Tap(["blocks.0.attn", "head"]) { _ in nil })
    #expect(same.scalars() == before.scalars() as [Float])
  }

  @Test(
    "an activation that a later node overwrites in place is seen as it was, and replacing it holds")
  func inPlace() throws {
    let (oracle, loaded) = try loaded("resnet-torchvision")
    let images = try input(oracle)
    var seen: [String: Tensor] = [:]
    _ = loaded.model(
      images,
      Tap(nil) { visit in
        seen[visit.site] = visit.value; return nil
      })
    for site in ["bn1", "layer1.0.bn1", "layer1.0.bn2"] {
      let value = try #require(seen[site])
      #expect(value.minimum().item(Double.self) < 0, "\(site) has been through the ReLU")
      #expect(oracle.difference(value, at: site) < ModelOracle.tolerance)
    }
    let kept = images.scalars() as [Float]
    let own = RandomSource(seed: 1).normal([2, 64, 8, 8])
    let values = own.scalars() as [Float]
    _ = loaded.model(images, Tap(["bn1", "fc"]) { $0.site == "bn1" ? own : nil })
    #expect(own.scalars() == values, "the replacement was written to")
    #expect(images.scalars() == kept, "the images were written to")
  }

  @Test("the gradient reaches the pixels from every site, and flows on from an inner one")
  func gradients() throws {
    let (oracle, loaded) = try loaded("resnet-torchvision")
    let images = try input(oracle)
    for site in loaded.model.sites(height: 32, width: 32) {
      let (_, gradients) = Tensor.valueWithGradient(at: [images]) { leaves in
        var value = Tensor(Float(0))
        let tap = Tap([site.name]) { visit in
          value = visit.value.squared().mean()
          return nil
        }
        _ = loaded.model(leaves[0], tap)
        return value
      }
      #expect(gradients[0].isFinite(), "\(site.name)")
      #expect(gradients[0].absolute().maximum().item(Double.self) > 0, "\(site.name)")
    }
    var inner = Tensor(Float(0))
    _ = loaded.model(
      images,
      Tap(["bn1"]) {
        inner = $0.value; return nil
      })
    let (_, gradients) = Tensor.valueWithGradient(at: [inner]) { leaves in
      loaded.model(images, Tap(["bn1", "fc"]) { $0.site == "bn1" ? leaves[0] : nil })
        .squared().mean()
    }
    #expect(gradients[0].absolute().maximum().item(Double.self) > 0)
  }

  @Test("it stops after the last site that is wanted")
  func stops() throws {
    let (oracle, loaded) = try loaded("vit-timm")
    let value = loaded.model(try input(oracle), Tap(["blocks.0"]) { _ in nil })
    #expect(value.shape == [2, 17, 24])
  }

  @Test("every node is a site on request, under its module")
  func everyNode() throws {
    let (oracle, loaded) = try loaded("vit-timm", everyNode: true)
    let sites = loaded.model.sites(height: 32, width: 32)
    let names = sites.map(\.name)
    #expect(names.contains("blocks.1.attn.scaled_dot_product_attention_1"))
    #expect(names.contains("blocks.0.add_2") && names.contains("blocks.0"))
    #expect(Set(names).count == names.count)
    let modules = try self.loaded("vit-timm").1.model.sites(height: 32, width: 32).map(\.name)
    #expect(names.filter(Set(modules).contains) == modules)
    var attention: Tensor?
    let tap = Tap(["blocks.0.attn.scaled_dot_product_attention"]) { visit in
      attention = visit.value
      return nil
    }
    _ = loaded.model(try input(oracle), tap)
    #expect(attention?.shape == [2, 3, 17, 8])
  }

  @Test(
    "blocks are the units that depth is counted in",
    arguments: [
      ("vit-timm", ["blocks.0", "blocks.1"]),
      ("vit-hf", ["model.vit.layers.0", "model.vit.layers.1"]),
      ("vit-torchvision", ["encoder.layers.encoder_layer_0", "encoder.layers.encoder_layer_1"]),
      ("swin-timm", ["layers.0.blocks.0", "layers.0.blocks.1", "layers.1.blocks.0"]),
      ("resnet-timm", ["layer1.0", "layer2.0", "layer3.0", "layer4.0"]),
      (
        "convnext-timm",
        [
          "stages.0.blocks.0", "stages.1.blocks.0", "stages.2.blocks.0", "stages.2.blocks.1",
          "stages.3.blocks.0",
        ]
      ),
      ("efficientnet-timm", ["blocks.0.0", "blocks.1.0", "blocks.1.1"]),
      ("mixer-timm", ["blocks.0", "blocks.1"]),
    ])
  func blocks(name: String, expected: [String]) throws {
    let (_, loaded) = try loaded(name)
    #expect(loaded.model.sites(height: 32, width: 32).filter(\.isBlock).map(\.name) == expected)
  }

  @Test(
    "tokens' layout comes from the parameters' names",
    arguments: [
      ("vit-timm", TokenLayout(hasClassToken: true, patch: 8)),
      ("deit-distilled-timm", TokenLayout(hasClassToken: true, registers: 1, patch: 8)),
      ("siglip-timm", TokenLayout(hasClassToken: false, patch: 8)),
      ("vit-hf", TokenLayout(hasClassToken: true, patch: 8)),
      ("clip-hf", TokenLayout(hasClassToken: true, patch: 8)),
    ])
  func layout(name: String, expected: TokenLayout) throws {
    #expect(try loaded(name).1.model.tokenLayout == expected)
  }

  @Test("maps with channels last are told from ordinary ones")
  func channelsLast() throws {
    let swin = try loaded("swin-timm").1.model.sites(height: 32, width: 32)
    let kinds = Dictionary(uniqueKeysWithValues: swin.map { ($0.name, $0.kind) })
    #expect(kinds["layers.0.blocks.1"] == .positions && kinds["patch_embed"] == .positions)
    #expect(kinds["patch_embed.proj"] == .map)
    let convnext = try loaded("convnext-timm").1.model.sites(height: 64, width: 64)
    let places = Dictionary(uniqueKeysWithValues: convnext.map { ($0.name, $0.kind) })
    #expect(places["stages.0.blocks.0"] == .map && places["stages.0.blocks.0.norm"] == .positions)
  }

  @Test("a network of maps has no tokens")
  func noLayout() throws {
    #expect(try loaded("resnet-timm").1.model.tokenLayout == nil)
    #expect(try loaded("swin-timm").1.model.tokenLayout == nil)
  }

  @Test("a module that runs again gets _1, and tied parameters count once")
  func own() throws {
    let (_, loaded) = try loaded("own")
    let names = loaded.model.sites(height: 16, width: 16).map(\.name)
    #expect(
      names == [
        "input", "conv", "relu", "relu_1", "twice.lin", "twice.act", "twice", "twice.lin_1",
        "twice.act_1", "twice_1", "tied", "output",
      ])
    #expect(loaded.parameterCount == 8 * 27 + 8 + 64 + 8 + 8)
  }

  @Test(
    "the preprocessing in the archive is the model's, else the file beside it, else a caveat says what was assumed"
  )
  func preprocessing() throws {
    let (oracle, found) = try loaded("vit-timm")
    let keys = try JSONDecoder().decode(PreprocessingKeys.Partial.self, from: found.preprocessing)
    #expect(keys.mean == [0.5, 0.5, 0.5] && keys.inputSize == [3, 32, 32])
    #expect(found.caveat == nil)
    let folder = try TemporaryFolder()
    let bare = folder.url.appending(path: "bare.pt2").path
    try Archives.without("extra/preprocessing.json", oracle.path, at: bare)
    let assumed = try Catalog.load(.graph(bare))
    #expect(assumed.caveat?.contains("ImageNet") == true)
    try Data(#"{"input_size": [3, 32, 32], "mean": [0.1, 0.2, 0.3]}"#.utf8).write(
      to: folder.url.appending(path: "bare.preprocessing.json"))
    let beside = try Catalog.load(.graph(bare))
    #expect(beside.caveat == nil)
    #expect(
      try JSONDecoder().decode(PreprocessingKeys.Partial.self, from: beside.preprocessing).mean
        == [0.1, 0.2, 0.3])
  }
}

extension PreprocessingKeys {
  struct Partial: Decodable {
    var inputSize: [Int]
    var mean: [Double]

    enum CodingKeys: String, CodingKey {
      case mean
      case inputSize = "input_size"
    }
  }
}
