import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on k* distributions")
struct KStarSectionTests {
  private func result(
    models: Int = 2, spaces: Int = 3, classes: Int = 3, name: String = "model"
  ) -> KStarResult {
    MadeUpConcepts.result(models: models, spaces: spaces, classes: classes, name: name)
  }

  private func page(_ result: KStarResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "kstar")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it shows violins, shares, curves, models, breakers and a map, and says what was chosen")
  func contents() throws {
    let page = try page(result())
    for text in [
      "Kotyan et al. (2023)", "2 switches, 1 of them reconstruction",
      "data-figure=\"kstar-violins-0\"", "data-figure=\"kstar-violins-1\"",
      "data-figure=\"kstar-shares\"", "data-figure=\"kstar-gamma\"",
      "data-figure=\"kstar-models\"", "Skew = 0.90", "A ★ fractured", "B ♣ overlapped?",
      "id=\"kstar-content\"", "data-kstar=\"plane\"", "data-picture=\"photo-0.png\"",
      "principal components with 50.0 % and 20.0 % of the variance", "All spaces in numbers: 6",
      "Too few models for a correlation",
      "Images of different classes that coincide: 2 pairs in 2 groups",
      "For 2 images the order of equally far ones decides",
      "From the least fractured, by Γ: model-0 0.00 (−0.20 to 0.90) over 3 concepts; model-1",
      "From the most clustered, by mean k*/n over all concepts: model-0 0.50",
      "fewer than 95 % of the resamples have the pattern", "features in float32",
      "broken by class-1 (6 of 6)", "data-kstar=\"layout\"",
      "perplexity 5.7, for 18 images are too few for 30, 1\u{202F}000 steps from the principal components",
      "Of 2 images more neighbours than that lie at the least distance", "trustworthiness 0.97",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test("names from outside are escaped; one space, one model, many concepts are drawn")
  func edges() throws {
    let hostile = try page(
      result(models: 1, spaces: 1, name: "<script>alert(1)</script>"))
    #expect(!hostile.contains("<script>alert"))
    #expect(!hostile.contains("data-figure=\"kstar-shares\""))
    #expect(!hostile.contains("data-figure=\"kstar-models\""))
    let many = try page(result(models: 1, spaces: 2, classes: 30))
    #expect(many.contains("The 12 most fractured and the 12 most clustered of 30 concepts"))
    var none = result()
    none.models = []
    none.refusals = [SimilarityResult.Refusal(address: "a", reason: "NaN in all of it")]
    #expect(try page(none).contains("NaN in all of it"))
  }

  @Test("a density is at most 1, ends where the data ends, and has no shape where nothing varies")
  func densities() throws {
    let curve = try #require(KStarViolins.density([0.1, 0.2, 0.2, 0.9]))
    #expect(curve.first?.x == 0.1 && abs((curve.last?.x ?? 0) - 0.9) < 1e-12)
    #expect(curve.map(\.y).max() == 1)
    // SciPy: gaussian_kde([.1, .2, .2, .9]) with Scott's factor, at 0.5 over its value at 0.1.
    let ratio = (curve[20].y) / (curve[0].y)
    #expect(abs(ratio - 0.63905058986) < 1e-9, "\(ratio)")
    #expect(KStarViolins.density([0.5, 0.5, 0.5]) == nil)
    #expect(KStarViolins.density([]) == nil)
  }

  @Test(
    "maps of several spaces are to be chosen from, the last of each model first; what is left out is listed"
  )
  func severalMaps() throws {
    var several = result(models: 2)
    several.models[0].spaces[1].map = several.models[0].spaces[2].map
    several.models[0].spaces[1].map?.tsne = nil
    several.models[0].spaces[1].map?.tsneNote = "of a reason"
    let text = try page(several)
    #expect(
      text.contains(
        "<option value=\"0\">model-0 · blocks.2</option><option value=\"1\">model-0 · blocks.1</option><option value=\"2\">model-1 · blocks.2</option>"
      ))
    #expect(text.contains("There is no t-SNE: of a reason."))
    #expect(!text.contains("Images left out"))
    for model in several.models.indices { several.models[model].spaces[2].map?.tsne = nil }
    several.outside = [
      KStarResult.Outside(image: "<b>.png", className: "cats"),
      KStarResult.Outside(image: "c.png", className: "cats"),
    ]
    let bare = try page(several)
    #expect(!bare.contains("data-kstar=\"layout\""))
    #expect(
      bare.contains("2 images are left out, for the bank has none of their class: cats (2)."))
    #expect(bare.contains("Images left out: 2") && bare.contains("&lt;b&gt;.png"))
  }

  @Test("where the page is narrow, skewness and pattern stand one above the other")
  func narrow() throws {
    let one = result(models: 1)
    let violins = KStarViolins(
      result: one, model: one.models[0], space: one.models[0].spaces[2], id: "v")
    let entry = violins.figure().entry
    let (wide, narrow) = (entry.chart, try #require(entry.narrow))
    #expect(wide.width == 520 && narrow.width == 230 && entry.narrowBelow == 920)
    #expect(wide.layer?.count == narrow.layer?.count)
    #expect(narrow.layer?.suffix(2).compactMap { $0.mark?.dy } == [-7, 7])
  }

  @Test("a damaged result is refused")
  func damaged() throws {
    func refused(_ change: (inout KStarResult) -> Void) throws {
      var bad = result()
      change(&bad)
      #expect(throws: ResultsError.self) { try page(bad) }
    }
    try refused { $0.labels[0] = 9 }
    try refused { $0.labels.removeLast() }
    try refused { $0.models[0].spaces[0].ranks.removeLast() }
    try refused { $0.models[0].spaces[0].depth = 3 }
    try refused { $0.models[0].spaces[0].concepts[0].label = 7 }
    try refused { $0.models[0].spaces[0].concepts[0].size = 0 }
    try refused { $0.models[0].spaces[0].concepts[0].label = 1 }
    try refused { $0.models[0].spaces[2].map?.chains[0] = [99] }
    try refused { $0.models[0].spaces[2].map?.points[0] = [1] }
    try refused { $0.models[0].spaces[2].map?.tsne?.points[0] = [1] }
    try refused { $0.models[0].spaces[2].map?.tsne?.points.removeLast() }
    try refused {
      $0.models[0].spaces[2].coincident = [KStarResult.Coincidence(images: [99], pairs: 1)]
    }
    try refused { $0.models[0].spaces[2].breakers = [1] }
    try refused { $0.models[0].spaces[2].breakers?[0] = 99 }
    try refused { $0.models[1].spaces = [] }
  }

  @Test("where the list of neighbours ends before it, who breaks the concept is shown all the same")
  func breakers() throws {
    var long = result(models: 1, spaces: 1)
    // Two of the class, then nobody: the first of another stands after the dots.
    long.models[0].spaces[0].map?.chains[6] = [0, 3]
    long.models[0].spaces[0].breakers?[6] = 17
    let text = try page(long)
    let dots = try #require(text.range(of: ">…</span>"))
    #expect(text[dots.upperBound...].prefix(300).contains("photo-17.png"))
    #expect(text.contains("\"breakers\":[1,2,3,4,5,6,17,8"))
  }

  @Test(
    "models without a skewness are named; resamples that were not taken leave no question marks")
  func lacking() throws {
    var bare = result(models: 3)
    bare.resamples = 0
    for place in bare.models[2].spaces.indices {
      bare.models[2].spaces[place].aggregates.macroMean = IntervalEstimate(nil)
      bare.models[2].spaces[place].aggregates.withoutSkewness = 3
      for label in 0..<3 {
        bare.models[2].spaces[place].concepts[label].skewness = IntervalEstimate(nil)
        bare.models[2].spaces[place].concepts[label].pattern = .clustered
      }
    }
    bare.accuracyName = "robust accuracy"
    bare.accuracies = ["model-0": 50, "model-1": 40]
    let text = try page(bare)
    #expect(
      text.contains("Without Γ, for no concept has a skewness: model-2 (3 clustered of 3)"))
    #expect(text.contains("Not shown, for no concept has a skewness: model-2"))
    #expect(text.contains("data-figure=\"kstar-accuracy\""))
    #expect(text.contains("robust accuracy: as given, not measured here"))
    #expect(!text.contains("overlapped?") && !text.contains("(undecided)"))
    bare.models[0].spaces[2].map = nil
    bare.models[0].spaces[2].mapNote = "There is no map: for a reason."
    #expect(try page(bare).contains("There is no map: for a reason."))
  }

  @Test("names of concepts keep their signs on the axes")
  func quoted() {
    #expect(KStarViolins.quoted("it's \"a\" [b] c\\d") == "\"it's \\\"a\\\" [b] c\\\\d\"")
  }
}
