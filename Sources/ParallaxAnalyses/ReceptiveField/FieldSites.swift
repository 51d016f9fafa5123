import ParallaxModels
import ParallaxResults

/// One field that is computed: of a site, or of a branch before a block's residual connection.
struct FieldSite {
  let location: CentreLocation
  let part: ReceptiveFieldResult.Part
  let stage: String
  let depth: Double

  /// The fields of a model.
  ///
  /// - Parameters:
  ///   - wanted: the sites that were asked for, in execution order.
  ///   - subject: the model.
  ///   - beforeResidual: whether the branches of those that are blocks are looked at too.
  /// - Returns: them in execution order, a block's branches before its output.
  /// - Throws: `AnalysisError.site` where a site has no positions, `AnalysisError.nothingAsked` where no branch is known.
  static func all(
    _ wanted: [Site], of subject: Subject, beforeResidual: Bool
  ) throws(AnalysisError) -> [FieldSite] {
    var found: [FieldSite] = []
    for (index, site) in wanted.enumerated() {
      let depth = Depths.relative(index, of: wanted.count)
      func field(
        _ site: Site, _ part: ReceptiveFieldResult.Part, _ stage: String
      ) throws(AnalysisError) -> FieldSite {
        FieldSite(
          location: try CentreLocation(
            site, subject.model.tokenLayout, imageSize: subject.imageSize, model: subject.name),
          part: part, stage: stage, depth: depth)
      }
      if beforeResidual, site.isBlock {
        for (branch, part) in branches(of: site, subject) {
          found.append(try field(branch, part, site.stage))
        }
      }
      found.append(try field(site, .output, site.stage))
    }
    if beforeResidual, !found.contains(where: { $0.part != .output }) {
      throw .nothingAsked(
        "\(subject.name): no site of its blocks is known as a branch before the residual connection; expected attn, mlp, ls1, ls2, bn2 or bn3"
      )
    }
    return found
  }

  /// What a block adds to what goes past it, by timm's names: `ls1` or `attn`, `ls2` or `mlp`; of a block without attention
  /// `bn3`, else `bn2`, the norm after its last convolution.
  ///
  /// BEiT scales its branches without a site for it; there they are seen before that. What lies in windows is left out.
  private static func branches(
    of block: Site, _ subject: Subject
  ) -> [(site: Site, part: ReceptiveFieldResult.Part)] {
    func site(_ names: String...) -> Site? {
      names.compactMap { name in
        subject.sites.first {
          $0.name == "\(block.name).\(name)"
            && ![.windows, .mixed, .vector, .pattern].contains($0.kind)
        }
      }.first
    }
    let attention = site("ls1", "attn")
    let perceptron = site("ls2", "mlp", "mlp_channels")
    if attention != nil || perceptron != nil {
      return [(attention, ReceptiveFieldResult.Part.attention), (perceptron, .mlp)]
        .compactMap { found in found.0.map { ($0, found.1) } }
    }
    return [site("bn3", "bn2")].compactMap { $0.map { ($0, .branch) } }
  }
}
