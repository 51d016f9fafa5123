import Foundation
import Parallax
import ParallaxTestSupport

/// A run of made-up numbers: similarity falls with the distance in depth.
struct MadeUpRun {
  /// A name that would end a script or open a tag, were it not escaped.
  static let hostile = "</script><script>alert('x')</script><b>&\"\u{2028}"

  let folder: TemporaryFolder
  var run: RunFolder { RunFolder(folder.url) }

  // One number of sites for each model; even models are transformers.
  init(_ sites: [Int], name: (Int) -> String = { "model-\($0)" }) throws {
    folder = try TemporaryFolder()
    try run.create()
    try run.write(Self.provenance(sites.indices.map(name)))
    try run.write(
      SampleTable(rows: [
        SampleTable.Row(
          id: "cats/\(Self.hostile).png", className: "cats", sha256: "00", thumbnail: Self.pixel),
        SampleTable.Row(id: "dogs/2.png", className: "dogs", sha256: "01", thumbnail: Self.pixel),
      ]))
    var result = Self.similarity(sites, name: name)
    result.findings = result.conclusions(
      leavingOut: (0..<8).map { Self.shifted(result, $0 % 2 == 0 ? 0.01 : -0.01) },
      shuffled: [Self.shifted(result, -2)])
    try run.write(result, analysis: "similarity")
  }

  /// e^(−2 |x − y|) within a model, 0.8 of it between models; the first column between models is undefined.
  static func similarity(
    _ counts: [Int], name: (Int) -> String = { "model-\($0)" }, error: Double? = 0.01
  ) -> SimilarityResult {
    let models = counts.enumerated().map { index, count in
      ModelSites(
        name: name(index), family: index % 2 == 0 ? "ViT" : "ResNet",
        sites: (0..<count).map { place in
          ModelSites.Site(
            name: index % 2 == 0 ? "blocks.\(place)" : "layer\(1 + place / 50).\(place % 50)",
            tokens: "avg", stage: index % 2 == 0 ? "blocks" : "layer\(1 + place / 50)",
            depth: Double(place) / Double(max(1, count - 1)), features: 8)
        })
    }
    var matrices: [SimilarityResult.Matrix] = []
    for a in counts.indices {
      for b in a..<counts.count {
        let values = models[a].sites.map { row in
          models[b].sites.enumerated().map { place, column -> Double? in
            if a != b, place == 0, counts[b] > 2 { return nil }
            return (a == b ? 1 : 0.8) * exp(-2 * abs(row.depth - column.depth))
          }
        }
        matrices.append(
          SimilarityResult.Matrix(
            a: a, b: b, values: values,
            errors: error.map { error in values.map { $0.map { $0.map { _ in error } } } },
            shuffled: a == b
              ? nil : SimilarityResult.Baseline(mean: 0, quantile95: 0.04, shuffles: 1)))
      }
    }
    return SimilarityResult(
      measure: "CKA", estimator: "debiased", route: "minibatch", routeReason: "made up",
      blockSize: 64, images: 500, blocks: 8, imagesLeftOut: 0, dtype: "float32", seed: 7,
      errorMethod: error == nil ? nil : "delete-group jackknife over 8 groups of blocks",
      errorGroups: error == nil ? 0 : 8, models: models, matrices: matrices,
      refusals: [
        SimilarityResult.Refusal(address: "\(hostile)@x#avg", reason: "it is constant")
      ])
  }

  /// All similarities of different layers moved by so much.
  static func shifted(_ result: SimilarityResult, _ shift: Double) -> SimilarityResult {
    var copy = result
    for index in copy.matrices.indices {
      copy.matrices[index].values = copy.matrices[index].values.map {
        $0.map { $0.map { $0 + shift } }
      }
    }
    return copy
  }

  private static func provenance(_ names: [String]) -> Provenance {
    Provenance(
      title: "A made-up run \(hostile)", command: "parallax compare '\(hostile)'",
      versions: ["parallax": "0"],
      models: names.map {
        Provenance.Model(
          name: $0, family: "ViT", summary: "a network \(hostile)", fingerprint: "f",
          preprocessing: "p", origin: hostile, licence: nil, caveat: "made up", parameters: 1234,
          seconds: 2)
      }, images: "images", imagesHash: "abc", imageCount: 2, classes: ["cats": 1, "dogs": 1],
      skipped: [Provenance.Skipped(path: "broken \(hostile).png", reason: "it is empty")], seed: 7,
      device: "cpu", dtype: "float32", batchSize: 32, threads: 2, date: "2026-01-02T03:04:05Z",
      seconds: ["pass": 61])
  }

  /// A JPEG of one grey pixel.
  private static let pixel = Data(
    base64Encoded:
      "/9j/4AAQSkZJRgABAQEASABIAAD/2wBDAP//////////////////////////////////////////////////////////////////////////////////////wgALCAABAAEBAREA/8QAFBABAAAAAAAAAAAAAAAAAAAAAP/aAAgBAQABPxA="
  )
}
