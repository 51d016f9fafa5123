import Foundation
import Parallax
import Testing

@Suite("The measures' section")
struct MeasuresSectionTests {
  @Test("findings, warnings and dominant images have their places, and names are escaped")
  func page() throws {
    let made = try MadeUpRun([3])
    let address = "\(MadeUpRun.hostile)@s0#avg"
    let table: [[Double?]] = [[1, 0.5], [0.5, 1]]
    let result = MeasuresResult(
      images: 40, dtype: "float32", seed: 3, groups: 0, permutations: 5,
      models: [
        ModelSites(
          name: MadeUpRun.hostile, family: "ViT",
          sites: (0..<2).map {
            ModelSites.Site(
              name: "s\($0)", tokens: "avg", stage: "s", depth: Double($0), features: 3)
          })
      ],
      measures: [
        MeasuresResult.Entry(
          name: "cka-biased", direction: "similarity", isSymmetric: true, invariances: "T S P O",
          dependsOnImages: true, source: "a paper", agreesWith: "a package", values: table,
          errors: nil, pValues: table, bounds: table, refusals: [])
      ],
      dominance: [
        MeasuresResult.Dominance(
          address: address,
          largest: [MeasuresResult.Dominance.Item(id: MadeUpRun.hostile, share: 0.625)],
          holdingHalf: 1, firstComponent: 0.75, size: 2)
      ],
      warnings: [
        MeasuresResult.Warning(
          measure: nil, addresses: [address], text: "a general warning", source: "one"),
        MeasuresResult.Warning(
          measure: "cka-biased", addresses: [address], text: "a warning of a measure",
          source: "two"),
      ],
      findings: [
        Finding(
          sentence: "Something is so", value: 0.5, low: nil, high: nil, quantity: "a number",
          verdict: .cannotTell, analysis: "measures")
      ])
    try made.run.write(result, analysis: "measures")
    let page = try Report.html(of: made.run, javaScript: "")
    for text in [
      "Something is so.", "a general warning (one).", "a warning of a measure (two).",
      "Layers that it concerns: 1", "The images that dominate each layer", "0.625", "0.750",
      "an equal share is 0.0250", "compare at equal numbers only",
    ] { #expect(page.contains(text), "\(text)") }
    #expect(page.ranges(of: "<script").count == 4 && page.ranges(of: "</script").count == 4)
    let read: MeasuresResult? = try made.run.result(analysis: "measures")
    #expect(read == result)
  }
}
