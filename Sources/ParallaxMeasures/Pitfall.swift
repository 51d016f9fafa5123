/// Circumstances under which a measure is known to say less than it seems to.
///
/// A measure only names those that it is known for; whether they are there, and what is then said, is the analysis'
/// affair.
public enum Pitfall: Sendable, Hashable {
  /// Unrelated sides come near the value of equal ones as their widths near the number of images.
  case width
  /// The same, since only the spans of the columns are compared: of N images, N − 1 directions tell everything apart.
  case span
  /// Values follow the size of the features.
  case size
  /// Among N images the k nearest are near only where k is small against N; values depend on k/N.
  case neighbourhood(Int)
  /// The mean over the ranks of k neighbours an image, which is noisy for few images and k = 1; values depend on N.
  case ranks(Int)

  /// Whether values are to be compared at equal numbers of images only.
  public var dependsOnImages: Bool { self != .size }
}

extension Measure {
  /// What follows from the invariances: the span alone counts where any linear map is ignored, the size counts where
  /// scaling is not.
  public var pitfalls: [Pitfall] {
    invariances.contains(.linear) ? [.span] : invariances.contains(.scaling) ? [] : [.size]
  }
}
