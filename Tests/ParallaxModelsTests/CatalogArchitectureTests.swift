import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

/// What timm says of an architecture: `Tests/Fixtures/models/architectures.json`.
private struct Reference: Decodable {
  var parameters, parametersAndStatistics, keys, numClasses: Int
  var inputSize: [Int]
  var mean, std: [Double]
  var cropPct: Double
  var interpolation, cropMode: String
  // Vision Transformers.
  var width, depth, heads, patch, mlp: Int?
  var grid: [Int]?
  var normEps: Double?
  var preNorm, layerScale: Bool?
  var act, pool: String?
  var depths, stageHeads, windows, pretrainedWindows: [Int]?
  var tokenMlp: Int?
  var ropeTemperature: Double?
  var ropeGrid: [Int]?
  // Convolutional networks.
  var block: String?
  var layers, channels, pools: [Int]?
  var bnEps: Double?
  var stem, head, growth, middle, groups: Int?
  var strides, outputs, groupWidths: [Int]?
  var stageNames: [String]?
  var stages: [[Block]]?
  var stemSame: Bool?

  struct Block: Decodable {
    var out, kernel, stride: Int
    var middle: Int
    var squeeze: Int?
    var act: String
    var expansion: Double
  }

  static let all: [String: Reference] = {
    struct File: Decodable { var timm, torchvisionAlone: [String: Reference] }
    let data = try? Data(contentsOf: fixtures.appending(path: "models/architectures.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    guard let file = data.flatMap({ try? decoder.decode(File.self, from: $0) }) else { return [:] }
    return file.timm.merging(file.torchvisionAlone) { timm, _ in timm }
  }()
}

@Suite("The catalog's architectures and timm's")
struct CatalogArchitectureTests {
  private static let names = Catalog.architectures.map(\.name)

  private func reference(_ name: String) throws -> Reference {
    try #require(Reference.all[name], "architectures.json lacks \(name)")
  }

  private func architecture(_ name: String) throws -> Architecture {
    try #require(Catalog.architectures.first { $0.name == name })
  }

  @Test("the catalog has the architectures of the fixture and no others")
  func same() {
    #expect(Set(Reference.all.keys) == Set(Self.names))
  }

  @Test("every architecture has timm's parameters, by number and by name", arguments: names)
  func parameters(name: String) throws {
    var expected = try reference(name)
    if name.contains("clip") {
      // timm's copy of the projection has a bias of zeros, CLIP's own has none.
      expected.parameters -= expected.numClasses
      expected.parametersAndStatistics -= expected.numClasses
      expected.keys -= 1
    }
    if expected.numClasses == 0, name.hasPrefix("vit_"), name.hasSuffix("_224"),
      !name.contains("siglip")
    {
      // timm has no published classifier of this size.
      let head = 1000 * ((expected.width ?? 0) + 1)
      expected.parameters += head
      expected.parametersAndStatistics += head
      expected.keys += 2
    }
    let weights = Weights(ShapeRecorder())
    _ = try architecture(name).make(weights)
    let statistics = weights.asked.filter { $0.key.contains(".running_") }
    let all = weights.asked.values.reduce(0, +)
    #expect(weights.asked.count == expected.keys)
    #expect(all == expected.parametersAndStatistics)
    #expect(all - statistics.values.reduce(0, +) == expected.parameters)
  }

  @Test("images are prepared as timm prepares them", arguments: names)
  func preprocessing(name: String) throws {
    let (found, expected) = (try architecture(name).preprocessing, try reference(name))
    #expect(found.inputSize == expected.inputSize)
    #expect(found.mean == expected.mean)
    #expect(found.std == expected.std)
    #expect(found.interpolation == expected.interpolation)
    #expect(found.cropMode == expected.cropMode)
    if name == "vit_base_patch32_clip_quickgelu_224" {
      // OpenAI's own transform cuts nothing off; timm has 0.9 here, but 1 for B/16 and L/14.
      #expect(expected.cropPct == 0.9 && found.cropFraction == 1)
    } else {
      #expect(found.cropFraction == expected.cropPct)
    }
  }

  @Test("the images module understands the preprocessing of every entry")
  func understood() throws {
    for entry in Catalog.entries {
      let made = try Preprocessing(json: JSONEncoder().encode(entry.preprocessing))
      #expect([3, made.height, made.width] == entry.preprocessing.inputSize, "\(entry.name)")
      #expect(made.mean == entry.preprocessing.mean.map { Float($0) }, "\(entry.name)")
      #expect(made.std == entry.preprocessing.std.map { Float($0) }, "\(entry.name)")
    }
  }

  @Test("what no parameter shows is timm's too: heads, strides, epsilons", arguments: names)
  func configuration(name: String) throws {
    let expected = try reference(name)
    switch try architecture(name).make(Weights(ShapeRecorder())) {
    case let model as ViT:
      let c = model.configuration
      #expect(c.heads == expected.heads && c.width == expected.width && c.depth == expected.depth)
      #expect(c.patch == expected.patch && c.epsilon == expected.normEps)
      #expect([c.imageSize / c.patch, c.imageSize / c.patch] == expected.grid)
      #expect(c.preNorm == expected.preNorm && c.layerScale == expected.layerScale)
      #expect(c.activation == (expected.act == "QuickGELU" ? .quickGELU : .gelu))
      #expect(Int(c.mlpRatio * Double(c.width)) == expected.mlp)
      #expect(c.pool.rawValue == expected.pool)
    case let model as Beit:
      let c = model.configuration
      #expect(c.heads == expected.heads && c.width == expected.width && c.depth == expected.depth)
      #expect(c.patch == expected.patch && c.epsilon == expected.normEps)
      #expect([c.grid, c.grid] == expected.grid && c.inner == expected.mlp)
      #expect(expected.layerScale == true && expected.pool == "avg")
    case let model as Swin:
      let c = model.configuration
      #expect(c.depths == expected.depths && c.heads == expected.stageHeads)
      #expect(c.width == expected.width && c.patch == expected.patch)
      #expect(c.epsilon == expected.normEps && c.pretrainedWindows == expected.pretrainedWindows)
      #expect(model.stages.compactMap { $0.blocks.first?.windows.side } == expected.windows)
      #expect([c.imageSize / c.patch, c.imageSize / c.patch] == expected.grid)
    case let model as Mixer:
      let c = model.configuration
      #expect(c.width == expected.width && c.depth == expected.depth && c.patch == expected.patch)
      #expect(c.inner == expected.mlp && c.patchInner == expected.tokenMlp)
      #expect(c.epsilon == expected.normEps)
    case let model as Eva:
      let c = model.configuration
      #expect(c.heads == expected.heads && c.width == expected.width && c.depth == expected.depth)
      #expect(c.patch == expected.patch && c.epsilon == expected.normEps)
      #expect([c.imageSize / c.patch, c.imageSize / c.patch] == expected.grid)
      #expect(c.inner == expected.mlp && c.layerScale == expected.layerScale)
      #expect(c.rotation.temperature == expected.ropeTemperature && expected.pool == "avg")
      #expect(
        c.rotation.form == .centred || [c.rotation.grid, c.rotation.grid] == expected.ropeGrid)
    case let model as ResNet:
      let c = model.configuration
      #expect(c.layers == expected.layers && c.groups == expected.groups)
      let widths = model.stages.compactMap(\.first?.inner.first?.weight.shape[0])
      #expect(widths == expected.channels)
      #expect(c.channels.map { $0 * c.block.expansion } == expected.outputs)
      #expect(c.block == (expected.block == "BasicBlock" ? .basic : .bottleneck))
      #expect(c.epsilon == expected.bnEps)
    case let model as EfficientNet:
      let c = model.configuration
      #expect(c.stem == expected.stem && c.head == expected.head && c.epsilon == expected.bnEps)
      #expect(c.samePadding == expected.stemSame && c.isLite == (expected.act == "ReLU6"))
      check(c.stages, try #require(expected.stages))
      let squeezes = model.network.stages.map { $0.map { $0.squeeze?.reduce.weight.shape[0] } }
      #expect(squeezes == expected.stages?.map { $0.map(\.squeeze) })
    case let model as MobileNetV2:
      let c = model.configuration
      #expect(c.stem == expected.stem && c.head == expected.head && c.epsilon == expected.bnEps)
      check(c.stages, try #require(expected.stages))
    case let model as MobileNetV3:
      let c = model.configuration
      #expect(c.stem == expected.stem && c.head == expected.head && c.epsilon == expected.bnEps)
      let rows = try #require(expected.stages).filter { !$0.isEmpty }.map { stage in
        stage.map {
          MobileNetV3.Row(
            $0.kernel, $0.middle, $0.out, squeeze: $0.squeeze != nil,
            hardSwish: $0.act == "Hardswish", stride: $0.stride)
        }
      }
      #expect(c.stages == rows)
      let squeezes = model.stages.joined().map { $0.squeeze?.reduce.weight.shape[0] }
      #expect(squeezes == expected.stages?.joined().map(\.squeeze))
    case let model as ConvNeXt:
      let c = model.configuration
      #expect(c.depths == expected.layers && c.widths == expected.channels)
      #expect(c.epsilon == expected.normEps && expected.act == "GELU")
      #expect(c.widths.first.map { 4 * $0 } == expected.mlp)
    case let model as VGG:
      let c = model.configuration
      #expect(c.groups.flatMap(\.self) == expected.channels && c.hidden == expected.head)
      let pools = model.steps.enumerated().compactMap { _, step in
        if case .pool(let site) = step { Int(site.dropFirst(9)) } else { nil }
      }
      #expect(pools == expected.pools)
    case let model as RegNet:
      let c = model.configuration
      #expect(c.depths == expected.layers && c.widths == expected.channels)
      #expect(c.groupWidths == expected.groupWidths && c.stem == expected.stem)
      #expect(c.epsilon == expected.bnEps)
      #expect(model.stages.joined().map(\.second.stride) == expected.strides)
    case let model as InceptionV3:
      let c = model.configuration
      #expect(c.epsilon == expected.bnEps && c.stages.map(\.name) == expected.stageNames)
    case let model as GoogLeNet:
      let c = model.configuration
      #expect(c.epsilon == expected.bnEps)
      #expect(c.stages.map { "inception\($0.name)" } == expected.stageNames)
    case let model as DenseNet:
      let c = model.configuration
      #expect(c.layers == expected.layers && c.growth == expected.growth)
      #expect(c.epsilon == expected.bnEps && c.bottleneck * c.growth == expected.middle)
    case let other: Issue.record("no check for \(type(of: other))")
    }
  }

  private func check(_ found: [InvertedStage], _ expected: [[Reference.Block]]) {
    #expect(found.map(\.repeats) == expected.map(\.count))
    for (stage, blocks) in zip(found, expected) {
      #expect(blocks.allSatisfy { $0.kernel == stage.kernel && $0.out == stage.channels })
      #expect(blocks.allSatisfy { $0.expansion == Double(stage.expansion) })
      #expect(blocks.first?.stride == stage.stride)
      #expect(blocks.dropFirst().allSatisfy { $0.stride == 1 })
    }
  }
}
