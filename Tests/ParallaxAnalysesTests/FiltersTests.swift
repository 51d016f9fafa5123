import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

/// The weights are those of `Tests/Fixtures/models`, which timm's networks were made with.
@Suite("Filters of first layers")
struct FiltersTests {
  private func analysis(_ subject: Subject, _ site: String? = nil) throws -> FiltersAnalysis {
    let named = try site.map {
      try subject.representations(at: SitePattern(parsing: $0))
    }
    return try FiltersAnalysis(of: [subject], among: named ?? [])
  }

  private func subject(_ model: any Model, _ side: Int, family: String = "CNN") throws -> Subject {
    try Subject(
      name: "model", family: family, model: model,
      preprocessing: .letterbox(side, mean: [0.5, 0.4, 0.3], std: [0.2, 0.3, 0.4]),
      fingerprint: "model")
  }

  @Test("of a convolution and of a patch embedding they are the weights")
  func weights() throws {
    let oracle = try ModelOracle("resnet-bottleneck").weights
    var c = ResNet.Configuration(.bottleneck, [1, 2, 1, 1])
    (c.channels, c.stem, c.classes) = ([4, 5, 6, 7], 8, 10)
    let resnet = try analysis(subject(ResNet(c, Weights(oracle)), 64)).computed()
    let stem = try #require(try oracle.tensor("conv1.weight"))
    #expect(resnet.result.models[0].isLinear && resnet.result.models[0].site == "conv1")
    #expect(resnet.filters[0].shape == stem.shape && gap(resnet.filters[0], stem) < 1e-6)
    // A family whose raw pixels are shifted and scaled first.
    let other = try subject(ResNet(c, Weights(oracle)), 64, family: "Inception")
    #expect(gap(other.raw(.ones([1, 3, 2, 2])), .ones([1, 3, 2, 2])) > 0.1)
    #expect(gap(try analysis(other).computed().filters[0], stem) < 1e-6)
    let timm = try ModelOracle("vit-timm").weights
    var v = ViT.Configuration()
    (v.imageSize, v.patch, v.width, v.depth, v.heads, v.classes) = (24, 8, 24, 2, 3, 10)
    let vit = try subject(ViT(v, Weights(timm)), 24)
    let patches = try #require(try timm.tensor("patch_embed.proj.weight"))
    for site in [nil, "patch_embed"] {
      let found = try analysis(vit, site).computed()
      #expect(gap(found.filters[0], patches) < 1e-6)
      #expect(found.result.models[0].channels == 24 && found.result.models[0].rows == 8)
    }
    let late = try analysis(vit, "blocks.1").result()
    #expect(!late.models[0].isLinear)
    let error = #expect(throws: AnalysisError.self) { try analysis(vit, "head") }
    #expect(error?.description.contains("filters are of maps or tokens") == true)
  }

  @Test("smoothness is 1 where a filter is flat, −1 of a chequerboard, and what is written by hand")
  func smoothness() {
    let flat = Tensor.ones([1, 3, 4, 5])
    let board = Tensor(
      (0..<20).map { ($0 / 5 + $0 % 5).isMultiple(of: 2) ? 1.0 : -1 }, shape: [1, 1, 4, 5])
    let zero = Tensor.zeros([1, 3, 4, 5])
    #expect(FiltersAnalysis.smoothness(flat) == [1] && FiltersAnalysis.smoothness(zero) == [nil])
    #expect(FiltersAnalysis.smoothness(board) == [-1])
    #expect(FiltersAnalysis.smoothness(Tensor.ones([2, 3, 1, 1])) == [nil, nil])
    // 1 2 / 3 5: products 2, 15, 3, 10; half sums of squares 2.5, 17, 5, 14.5.
    let small = Tensor([1.0, 2, 3, 5], shape: [1, 1, 2, 2])
    #expect(abs((FiltersAnalysis.smoothness(small)[0] ?? 0) - 30.0 / 39) < 1e-12)
  }

  @Test("a sheet shows each filter from black to white")
  func sheet() {
    let filters = Tensor((0..<36).map { Double($0) }, shape: [3, 3, 2, 2])
    let image = FilterSheet(filters, inRow: 2).image()
    // Squares of 14 pixels, a rim of one.
    #expect(image.width == 60 && image.height == 60)
    func pixel(_ x: Int, _ y: Int) -> [UInt8] {
      Array(image.pixels[(y * 60 + x) * 3..<(y * 60 + x) * 3 + 3])
    }
    #expect(pixel(0, 0) == [255, 255, 255] && pixel(1, 1) == [0, 93, 185])
    #expect(pixel(28, 28) == [70, 162, 255] && pixel(31, 1) == pixel(1, 1))
    #expect(pixel(45, 45) == [255, 255, 255])
  }

  @Test("pictures of few pixels are enlarged for the page, larger ones made small")
  func small() throws {
    func size(_ side: Int) throws -> Int {
      let data = try PictureShelf.small(RandomSource(seed: 1).uniform([3, side, side]))
      return try ImageBuffer(decoding: Array(data)).width
    }
    #expect(try size(8) == 56 && size(20) == 40)
    #expect(try size(56) == 56 && size(112) == 112 && size(224) == 112)
  }
}
