/// A model and the sites of it that an analysis looked at, in execution order.
public struct ModelSites: Codable, Sendable, Equatable {
  /// One site as an analysis saw it.
  public struct Site: Codable, Sendable, Equatable {
    /// The dotted path: `blocks.5`.
    public var name: String
    /// What of the activation was used: `cls`, `avg`, `flat`, ….
    public var tokens: String
    /// The stage it belongs to: `layer2` of `layer2.0`; boundaries are drawn between stages.
    public var stage: String
    /// Where it stands, from 0 (the first site of the model) to 1 (the last): i / (count − 1).
    public var depth: Double
    /// The number of features compared.
    public var features: Int

    /// A site from its parts.
    public init(name: String, tokens: String, stage: String, depth: Double, features: Int) {
      (self.name, self.tokens, self.stage) = (name, tokens, stage)
      (self.depth, self.features) = (depth, features)
    }
  }

  /// What figures call the model.
  public var name: String
  /// The kind of network: `ViT`, `ResNet`, ….
  public var family: String
  /// The sites, in execution order.
  public var sites: [Site]

  /// A model from its parts.
  public init(name: String, family: String, sites: [Site]) {
    (self.name, self.family, self.sites) = (name, family, sites)
  }

  /// A site's name, with its tokens where another site of the list bears the same name.
  public func label(_ index: Int) -> String {
    let site = sites[index]
    let repeats = sites.count { $0.name == site.name } > 1
    return repeats ? "\(site.name)#\(site.tokens)" : site.name
  }

  /// `model@site#tokens` of one site.
  public func address(_ index: Int) -> String {
    "\(name)@\(sites[index].name)#\(sites[index].tokens)"
  }
}
