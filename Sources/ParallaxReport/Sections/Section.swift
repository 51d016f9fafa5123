import ParallaxResults

/// A run as the sections see it.
struct Material {
  let run: RunFolder
  let provenance: Provenance
  let samples: SampleTable
}

/// One part of the page: an analysis, or what comes before and after them.
struct Section {
  /// The anchor.
  var id: String
  /// In the list of contents.
  var name: String
  /// What is seen, as a sentence.
  var title: String
  var body: [HTML]
  var findings: [Finding] = []
  var figures: [Figure] = []
  var data: [String: Dataset] = [:]
  /// What the section's own drawings need, after the page's script.
  var scripts: [StaticString] = []
}

/// The analyses' sections, in the order of the page. A new analysis adds one line.
enum SectionCatalog {
  /// Makes a section; nil where the run has no such result.
  typealias Maker = @Sendable (Material) throws -> Section?

  static let all: [Maker] = [
    SimilaritySection.make, StructureSection.make, StepsSection.make, AttentionSection.make,
    ReceptiveFieldSection.make, FiltersSection.make, ResidualSection.make, LocalizationSection.make,
    ProbeSection.make,
    CheckpointsSection.make, InversionSection.make, SpectrumSection.make, ManifoldSection.make,
    MetamersSection.make, GenerationSection.make, MatchingSection.make, LipschitzSection.make,
    KStarSection.make,
    MeasuresSection.make,
  ]
}
