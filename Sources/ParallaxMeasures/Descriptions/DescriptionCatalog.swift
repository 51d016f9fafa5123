/// The descriptions of one representation that are known by name.
public enum DescriptionCatalog {
  /// One line a description.
  public static let descriptions: [any Description] = [
    TwoNN(),
    TwoNN(.fit(kept: 0.9)),
    GRIDE(2),
    GRIDE(4),
    GRIDE(8),
    GRIDE(16),
    GRIDE(32),
    LevinaBickel(),
    ParticipationRatio(),
    EffectiveRank(),
    EffectiveRank(.eigenvalues),
    SpectralDecay(),
  ]

  /// The description of that name; nil where there is none.
  public static subscript(name: String) -> (any Description)? {
    descriptions.first { $0.name == name }
  }
}
