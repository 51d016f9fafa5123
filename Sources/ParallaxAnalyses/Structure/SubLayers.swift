import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// One row of a structure's heat maps: a site, or a sum inside a block that has no site of its own.
struct SubLayer {
  /// Where its numbers come from.
  enum Source {
    /// An activation.
    case site(Site)
    /// A sum inside a block.
    case sum(ResidualSum)
  }

  let name: String
  let source: Source
  let kind: StructureResult.Kind
  /// The block, from 0; −1 before the first.
  let unit: Int
  let stage: String
  /// Numbers an image.
  let width: Int
}

/// Which sub-layers of a model are looked at.
public enum SubLayers: String, Sendable, Codable, CaseIterable {
  /// Of a transformer's block six: norm, attention, sum, norm, hidden activations, output; of a convolutional block every
  /// convolution and norm, the sum, and the output; and what comes before the first block.
  case full
  /// Of a transformer's block four: attention, sum, perceptron, output; of a convolutional block the convolutions and the
  /// output.
  case sparse

  private var kinds: Set<StructureResult.Kind> {
    switch self {
    case .full: [.stem, .norm, .attention, .hidden, .convolution, .sum, .block]
    case .sparse: [.stem, .attention, .mlp, .convolution, .sum, .block]
    }
  }

  /// The sub-layers of a model in execution order.
  func callAsFunction(of subject: Subject) -> [SubLayer] {
    let blocks = subject.sites.filter(\.isBlock)
    guard let first = blocks.first else { return [] }
    let start =
      subject.sites.firstIndex { $0.name == first.name || $0.name.hasPrefix(first.name + ".") } ?? 0
    var found: [SubLayer] = []
    func add(_ name: String, _ source: SubLayer.Source, _ kind: StructureResult.Kind, _ unit: Int) {
      let shape =
        switch source {
        case .site(let site): site.shape
        case .sum(let sum): sum.shape
        }
      found.append(
        SubLayer(
          name: name, source: source, kind: kind, unit: unit,
          stage: unit < 0 ? "stem" : blocks[unit].stage, width: shape.reduce(1, *)))
    }
    for site in subject.sites[..<start] where site.name != "input" && Self.isSeen(site) {
      add(site.name, .site(site), .stem, -1)
    }
    let sums = Dictionary(
      ResidualSum.all(of: subject).map { ($0.after, $0) }, uniquingKeysWith: { first, _ in first })
    for (unit, block) in blocks.enumerated() {
      let own = subject.sites.filter { $0.name.hasPrefix(block.name + ".") && Self.isSeen($0) }
      for site in own {
        if let kind = Self.kind(of: site, in: block, among: own), kinds.contains(kind) {
          add(site.name, .site(site), kind, unit)
        }
        if kinds.contains(.sum), let sum = sums[site.name] {
          add(sum.name, .sum(sum), .sum, unit)
        }
      }
      add(block.name, .site(block), .block, unit)
    }
    return found
  }

  private static func isSeen(_ site: Site) -> Bool {
    [.map, .tokens, .patches, .positions].contains(site.kind)
  }

  /// What a site inside a block is, by timm's names; nil for what is left out, such as a projection that is nearly the
  /// branch's output, and what a shortcut computes.
  private static func kind(
    of site: Site, in block: Site, among own: [Site]
  ) -> StructureResult.Kind? {
    let path = site.name.dropFirst(block.name.count + 1)
    let last = path.split(separator: ".").last.map(String.init) ?? ""
    guard !path.hasPrefix("downsample"), !path.hasPrefix("shortcut") else { return nil }
    func has(_ name: String) -> Bool { own.contains { $0.name == "\(block.name).\(name)" } }
    switch String(path) {
    case "ls1": return .attention
    case "attn", "attention", "self_attn", "self_attention": return has("ls1") ? nil : .attention
    case "ls2": return .mlp
    case "mlp", "mlp_channels", "mlp_tokens", "output": return has("ls2") ? nil : .mlp
    // transformers' name for what its perceptron hides.
    case "intermediate": return .hidden
    default: break
    }
    if ["attn.", "attention.", "self_att", "intermediate."].contains(where: path.hasPrefix) {
      return nil
    }
    if path.hasPrefix("mlp") { return last.hasPrefix("act") ? .hidden : nil }
    if ["norm", "bn", "ln", "layernorm", "layer_norm"].contains(where: last.hasPrefix) {
      return .norm
    }
    return last.hasPrefix("conv") || last == "0" && path.contains("conv") ? .convolution : nil
  }
}
