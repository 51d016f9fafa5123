import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxAnalyses

@Suite("Attention distance")
struct AttentionDistanceTests {
  /// Attention `[1, 1, tokens, tokens]` whose rows are proportional to `weight`.
  private func pattern(
    _ places: AttentionPlaces, _ weight: (AttentionPlaces.Place, AttentionPlaces.Place) -> Double,
    other: Double = 0
  ) -> Tensor {
    let tokens = places.windows[0]
    let rows = tokens.flatMap { from -> [Double] in
      let row = tokens.map { to in from.flatMap { from in to.map { weight(from, $0) } } ?? 0 }
      let sum = row.reduce(0, +)
      guard sum > 0 else { return row }
      let others = Double(tokens.count { $0 == nil })
      return zip(tokens, row).map { $0 == nil ? other / others : $1 / sum * (1 - other) }
    }
    return Tensor(rows, shape: [1, 1, tokens.count, tokens.count])
  }

  private func expect(
    _ found: Double, _ expected: Double, within tolerance: Double = 1e-12,
    _ here: SourceLocation = #_sourceLocation
  ) {
    #expect(
      abs(found - expected) <= tolerance * max(1, abs(expected)), "\(found), \(expected)",
      sourceLocation: here)
  }

  @Test(
    "uniform attention has the reference distances, with a class token and without",
    arguments: [
      (7, 32, 115.502894136816, 113.19283625408), (14, 16, 116.492227091766, 115.900895989778),
      (16, 14, 116.565053367243, 116.111492848305), (24, 16, 200.047982757653, 199.701279148021),
    ])
  func uniform(side: Int, patch: Int, alone: Double, dropped: Double) {
    func distance(_ prefix: Int, _ others: AttentionDistance.Others) -> AttentionDistance {
      AttentionDistance(
        AttentionPlaces(prefix: prefix, rows: side, columns: side, step: patch), others)
    }
    expect(distance(0, .dropped).uniformDistance, alone, within: 1e-13)
    expect(distance(1, .dropped).uniformDistance, dropped, within: 1e-13)
    expect(distance(1, .renormalised).uniformDistance, alone, within: 1e-13)
    let n = side * side + 1
    let same = Tensor.ones([2, 3, n, n], .float64) / Double(n)
    let numbers = distance(1, .dropped)(same).scalars(Double.self)
    for index in 0..<3 { expect(numbers[index], dropped) }
    for index in 3..<6 { expect(numbers[index], log(Double(n))) }
    expect(numbers[6], dropped)
    expect(
      Double(distance(1, .dropped)(same.to(.float32)).scalars(Double.self)[0]), dropped,
      within: 1e-6)
  }

  @Test("a token that attends to itself alone has distance 0 and entropy 0")
  func identity() {
    let places = AttentionPlaces(prefix: 1, rows: 3, columns: 4, step: 16)
    let eye = Tensor.identity(13, .float32).reshaped(1, 1, 13, 13)
    for others in AttentionDistance.Others.allCases {
      let numbers = AttentionDistance(places, others)(eye).scalars(Float.self)
      #expect(numbers == [0, 0])
    }
  }

  @Test(
    "weights that fall with distance have the reference value, and 10 % on a class token takes 10 %"
  )
  func toy() {
    func places(_ prefix: Int) -> AttentionPlaces {
      AttentionPlaces(prefix: prefix, rows: 3, columns: 3, step: 16)
    }
    func weight(_ a: AttentionPlaces.Place, _ b: AttentionPlaces.Place) -> Double {
      let (y, x) = (Double(a.row - b.row), Double(a.column - b.column))
      return exp(-(y * y + x * x).squareRoot())
    }
    let alone = AttentionDistance(places(0))(pattern(places(0), weight)).scalars(Double.self)
    expect(alone[0], 14.0035390007616, within: 1e-13)
    let with = pattern(places(1), weight, other: 0.1)
    expect(
      AttentionDistance(places(1))(with).scalars(Double.self)[0], 12.6031851006854, within: 1e-13)
    expect(
      AttentionDistance(places(1), .renormalised)(with).scalars(Double.self)[0], 14.0035390007616,
      within: 1e-13)
  }

  @Test("without entropies half the numbers remain, the same")
  func withoutEntropy() {
    let places = AttentionPlaces(prefix: 1, rows: 2, columns: 3, step: 8)
    let x = RandomSource(seed: 3).normal([2, 4, 7, 7]).softmax(-1)
    let both = AttentionDistance(places)(x)
    let one = AttentionDistance(places, hasEntropy: false)
    #expect(one.width(heads: 4) == 4 && one(x).shape == [2, 4])
    #expect(gap(one(x), both.sliced(1, 0, 4)) == 0)
  }

  /// Of a fixture's model: every pattern's numbers beside those of timm and NumPy.
  private func check(_ name: String, _ model: any Model, rollout: Bool) throws {
    let oracle = try ModelOracle(name)
    let file = try Safetensors(fixtures.appending(path: "attention/attention.safetensors").path)
    let images = try oracle.tensor("input")
    let (height, width) = (images.shape[2], images.shape[3])
    let sites = model.sites(height: height, width: width).filter {
      $0.name.hasSuffix(".attn.pattern")
    }
    #expect(sites.count == file.names.count { $0.hasPrefix("\(name)/") && $0.hasSuffix("/drop") })
    var seen: [String: Tensor] = [:]
    _ = model(
      images,
      Tap(Set(sites.map(\.name))) { visit in
        seen[visit.site] = visit.value
        return nil
      })
    var rolled = AttentionRollout()
    for site in sites {
      let places = try #require(model.attentionPlaces(at: site, height: height, width: width))
      let pattern = try #require(seen[site.name])
      let theirs = try oracle.tensor("site/\(site.name)")
      if rollout { rolled.add(theirs.to(.float64)) }
      for others in AttentionDistance.Others.allCases {
        let distance = AttentionDistance(places, others)
        let heads = pattern.shape[1]
        func tensor(_ kind: String) throws -> Tensor {
          try #require(file["\(name)/\(site.name)/\(kind)"], "\(site.name)/\(kind)")
        }
        // Timm's own pattern in float64 tells the formula, ours in float32 the whole way.
        for (weights, tolerance) in [(theirs.to(.float64), 1e-10), (pattern, 1e-5)] {
          let numbers = distance(weights)
          let (near, wide) = (numbers.sliced(1, 0, heads), numbers.sliced(1, heads))
          #expect(
            ModelOracle.difference(near, try tensor(others.rawValue)) < tolerance, "\(site.name)")
          #expect(ModelOracle.difference(wide, try tensor("entropy")) < tolerance, "\(site.name)")
        }
        if others == .dropped {
          let uniform = try tensor("uniform").scalars(Double.self)
          expect(distance.uniformDistance, uniform[0])
          expect(distance.uniformEntropy, uniform[1])
        }
      }
    }
    guard rollout else { return }
    let expected = try #require(file["\(name)/rollout"])
    #expect(ModelOracle.difference(try #require(rolled.rolled), expected) < 1e-10)
  }

  @Test(
    "plain, with registers on 2×3 patches, with a distillation token: as NumPy has it of timm's patterns"
  )
  func vits() throws {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (24, 8, 24, 2, 3, 10)
    try check("vit-timm", try ViT(c, Weights(ModelOracle("vit-timm").weights)), rollout: true)
    c.distilled = true
    try check(
      "deit-distilled-timm", try ViT(c, Weights(ModelOracle("deit-distilled-timm").weights)),
      rollout: true)
    var d = ViT.Configuration()
    (d.imageSize, d.patch, d.width, d.depth, d.heads, d.classes) = (35, 7, 24, 2, 3, 0)
    (d.layerScale, d.registers) = (true, 2)
    try check(
      "vit-registers-timm", try ViT(d, Weights(ModelOracle("vit-registers-timm").weights)),
      rollout: true)
  }

  @Test(
    "rotated queries and keys with registers (DINOv3, EVA-02): as NumPy has it of timm's patterns")
  func rotated() throws {
    for name in ["dinov3-timm", "dinov3-swiglu-timm"] {
      let isGated = name.contains("swiglu")
      var c = Eva.Configuration(RotaryPositions(.centred, temperature: 100))
      (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (21, 7, 24, 2, 3, 0)
      (c.epsilon, c.registers, c.qkvBias, c.layerScale) = (1e-5, 2, isGated, true)
      (c.embedsPositions, c.normalisesMean) = (false, false)
      (c.inner, c.mlp) = isGated ? (72, .split) : (96, .plain)
      try check(name, try Eva(c, Weights(ModelOracle(name).weights)), rollout: true)
    }
  }

  @Test(
    "windows that shift, with padding and masks: as NumPy has it of timm's positions and masks",
    arguments: ["swin-timm", "swinv2-timm"])
  func windows(name: String) throws {
    var c = Swin.Configuration()
    (c.imageSize, c.width, c.depths, c.heads, c.window) = (28, 4, [2, 2, 1], [1, 2, 2], 3)
    (c.mlpRatio, c.classes, c.isSecond) = (1.5, 10, name == "swinv2-timm")
    if c.isSecond { (c.depths, c.pretrainedWindows) = ([2, 1, 1], [0, 2, 0]) }
    try check(name, try Swin(c, Weights(ModelOracle(name).weights)), rollout: false)
  }
}
