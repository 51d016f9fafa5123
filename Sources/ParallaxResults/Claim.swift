/// What a paper says of models, in our words, and where it says so. A finding that bears on it names it.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810.
public enum Claim: String, Codable, Sendable, CaseIterable {
  /// Section 3.
  case uniform = "raghu2021/uniform"
  /// Section 3.
  case stages = "raghu2021/stages"
  /// Section 3.
  case lowerHalf = "raghu2021/lower-half"
  /// Section 3.
  case lastThird = "raghu2021/last-third"
  /// Section 4.
  case localAndGlobal = "raghu2021/local-and-global"
  /// Section 4.
  case localHeads = "raghu2021/local-heads"
  /// Section 4.
  case receptiveField = "raghu2021/receptive-field"
  /// Section 5.
  case skips = "raghu2021/skips"
  /// Section 5.
  case transition = "raghu2021/transition"
  /// Section 6.
  case localization = "raghu2021/localization"
  /// Section 6.
  case tokens = "raghu2021/tokens"
  /// Section 7.
  case intermediate = "raghu2021/intermediate"
  /// Section 7.
  case scale = "raghu2021/scale"

  /// The paper's sentence in our words.
  public var sentence: String {
    switch self {
    case .uniform:
      "Vision transformers have more uniform representations across all layers than convolutional networks"
    case .stages:
      "Transformers' heat maps show a grid of sub-layers, those of convolutional networks stages"
    case .lowerHalf:
      "The lower half of a ResNet's layers is like the lowest quarter of a ViT's"
    case .lastThird: "The last third of a ViT is unlike every layer of a ResNet"
    case .localAndGlobal:
      "Self-attention aggregates global information early: low layers attend locally and globally, high layers globally"
    case .localHeads:
      "The lower layers of ResNets resemble the local heads of low ViT layers more than the global ones"
    case .receptiveField:
      "ViTs have larger effective receptive fields in low layers, and those of ResNets grow gradually"
    case .skips: "Skip connections carry more in ViTs than in ResNets"
    case .transition:
      "In the first half of a ViT the class token passes through skip connections and spatial tokens are rewritten, in the second half the reverse"
    case .localization:
      "ViTs keep spatial information up to their last layers, less so those that pool their tokens; ResNets keep less"
    case .tokens:
      "Single tokens of a ViT with a class token stay poor for linear probes; those of pooled models become as good as the whole"
    case .intermediate:
      "Intermediate layers of transformers suit linear probes better than those of ResNets at the same depth"
    case .scale: "Low layers change little with more data or fine-tuning, high layers much"
    }
  }

  /// Where the paper says it.
  public var place: String {
    switch self {
    case .uniform: "abstract, Figure 1"
    case .stages: "section 3, Figure 1"
    case .lowerHalf, .lastThird: "section 3, Figure 2"
    case .localAndGlobal: "abstract, Figure 3"
    case .localHeads: "section 4, Figure 5"
    case .receptiveField: "section 4, Figure 6"
    case .skips: "abstract, Figure 7"
    case .transition: "section 5, Figure 7"
    case .localization: "abstract, Figures 9 and 10"
    case .tokens: "section 6, Figure 11"
    case .intermediate: "section 7, Figure 13"
    case .scale: "abstract, Figures 12 and G.1"
    }
  }
}

extension Finding {
  /// The same, as evidence for or against a claim.
  ///
  /// - Parameter claim: what a paper says.
  /// - Returns: the finding with the claim's name.
  public func bearing(on claim: Claim) -> Finding {
    var copy = self
    copy.claim = claim
    return copy
  }
}
