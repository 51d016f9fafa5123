import Parallax
import Testing

@testable import ParallaxAnalyses

@Suite("When values mislead")
struct MisleadingValuesTests {
  private func site(
    _ name: String, model: Int = 0, width: Int = 8, size: Double = 1, share: Double = 0.02,
    half: Int = 30
  ) -> MisleadingValues.Site {
    MisleadingValues.Site(
      address: name, model: model, width: width,
      dominance: MeasuresResult.Dominance(
        address: name, largest: [MeasuresResult.Dominance.Item(id: "cat.png", share: share)],
        holdingHalf: half, firstComponent: 0.5, size: size))
  }

  @Test("wide layers against the number of images, for what grows with the width and for spans")
  func widths() throws {
    let rules = MisleadingValues(
      images: 101, sites: [site("a", width: 5), site("b", width: 11), site("c", width: 101)])
    let biased = try #require(rules.warnings(CKA(estimator: .biased)) { _, _ in 0.25 }.first)
    #expect(biased.measure == "cka-biased" && biased.addresses == ["c"])
    #expect(biased.text.contains("101 features of 101 images"))
    // √(pp′/((N+p)(N+p′))) of p = p′ = N.
    #expect(biased.text.contains("about 0.50, and shuffled images give 0.25 here"))
    #expect(biased.source.contains("2405.01012"))
    // Shuffled images show that it is not so bad; of an angle they do not.
    #expect(rules.warnings(CKA(estimator: .biased)) { _, _ in 0.05 }.isEmpty)
    #expect(rules.warnings(AngularCKA()) { _, _ in 0.05 }.count == 1)
    let span = try #require(rules.warnings(CCA()).first)
    #expect(span.addresses == ["b", "c"] && span.text.contains("11 to 101 features"))
    #expect(!span.text.contains("shuffled"))
    #expect(rules.warnings(CKA()).isEmpty && rules.warnings(Procrustes()).isEmpty)
    #expect(
      MisleadingValues(images: 102, sites: [site("a", width: 10)]).warnings(CCA()).isEmpty)
  }

  @Test("sizes that differ between models, for what follows them")
  func sizes() throws {
    let measure = Procrustes(normalized: false)
    let rules = MisleadingValues(
      images: 50, sites: [site("a", size: 3), site("b", model: 1, size: 12)])
    let warning = try #require(rules.warnings(measure).first)
    #expect(warning.text.contains("4.0-fold between a and b"))
    #expect(rules.warnings(Procrustes()).isEmpty)
    // Within one model, or of about one size, an order means something.
    let one = MisleadingValues(images: 50, sites: [site("a", size: 3), site("b", size: 12)])
    #expect(one.warnings(measure).isEmpty)
    let alike = MisleadingValues(
      images: 50, sites: [site("a", size: 3), site("b", model: 1, size: 5)])
    #expect(alike.warnings(measure).isEmpty)
  }

  @Test("many neighbours of few images, and one neighbour of few")
  func neighbours() throws {
    let rules = MisleadingValues(images: 60, sites: [site("a")])
    let warning = try #require(rules.warnings(MutualKNN()).first)
    #expect(warning.text.contains("10 neighbours of 60 images") && warning.text.contains("0.17"))
    #expect(rules.warnings(MutualKNN(neighbours: 6)).isEmpty)
    #expect(
      rules.warnings(InformationImbalance()).map(\.measure) == ["information-imbalance"])
    #expect(rules.warnings(InformationImbalance(neighbours: 5)).isEmpty)
    let many = MisleadingValues(images: 100, sites: [site("a")])
    #expect(many.warnings(MutualKNN()).isEmpty && many.warnings(InformationImbalance()).isEmpty)
  }

  @Test("images that dominate: ten times an equal share, or few that hold half")
  func dominance() throws {
    func warning(_ sites: [MisleadingValues.Site]) -> MeasuresResult.Warning? {
      MisleadingValues(images: 200, sites: sites).dominated
    }
    #expect(warning([site("a", share: 0.05, half: 11)]) == nil)
    let one = try #require(warning([site("a", share: 0.051), site("b", share: 0.6, half: 1)]))
    #expect(one.addresses == ["a", "b"] && one.measure == nil)
    #expect(one.text.contains("2 of 2 layers: at b cat.png alone holds 0.60 of its square;"))
    let group = try #require(warning([site("a", share: 0.05, half: 10), site("b")]))
    #expect(group.addresses == ["a"] && group.text.contains("10 images more than half"))
    #expect(MisleadingValues(images: 0, sites: []).dominated == nil)
  }
}
