/// One sentence that a run supports, or does not.
public struct Finding: Codable, Sendable, Equatable {
  /// What the numbers say about the sentence.
  public enum Verdict: String, Codable, Sendable {
    /// The numbers support the sentence.
    case shows
    /// The numbers speak against the sentence.
    case doesNotShow = "does not show"
    /// The numbers do not decide.
    case cannotTell = "cannot tell"
  }

  /// The sentence.
  public var sentence: String
  /// Its number.
  public var value: Double?
  /// The lower end of its interval.
  public var low: Double?
  /// The upper end.
  public var high: Double?
  /// What `value`, `low` and `high` are, such as `mean difference, 95 % jackknife interval`.
  public var quantity: String
  /// What follows.
  public var verdict: Verdict
  /// The analysis that it comes from.
  public var analysis: String
  /// What a paper says that it bears on; nil for none.
  public var claim: Claim?

  /// A finding from its parts.
  public init(
    sentence: String, value: Double?, low: Double?, high: Double?, quantity: String,
    verdict: Verdict, analysis: String
  ) {
    (self.sentence, self.value, self.low, self.high) = (sentence, value, low, high)
    (self.quantity, self.verdict, self.analysis) = (quantity, verdict, analysis)
  }
}
