/// The pairs of model and tag that open_clip has published image towers under.
enum OpenCLIP {
  /// A pair: `ViT-B-32,laion2b_s34b_b79k`.
  struct Pair: Sendable {
    var model: String
    var tag: String
    var id: String
    /// Whether its weights were trained with QuickGELU, whatever the model's own configuration has.
    var quickGELU = false
  }

  /// The model that a pair means; capitals and dashes of a tag do not matter, as in open_clip.
  ///
  /// - Throws: `ModelError.unknownModel` with the nearest pairs.
  static func model(_ text: String) throws(ModelError) -> HubModel {
    let parts = text.split(separator: ",", omittingEmptySubsequences: false)
    let name = (parts.first ?? "").replacing("/", with: "-").lowercased()
    let tag = parts.dropFirst().joined(separator: ",").lowercased().replacing("-", with: "_")
    let tagName = tag.trimmingPrefix { $0 == " " }
    if let pair = pairs.first(where: { $0.model.lowercased() == name && $0.tag == tagName }) {
      return HubModel(pair.id, layout: .openCLIP(quickGELU: pair.quickGELU))
    }
    let own = pairs.filter { $0.model.lowercased() == name }.map { "\($0.model),\($0.tag)" }
    let near = Spelling.nearest(
      to: "\(name),\(tagName)",
      among: own.isEmpty ? pairs.map { "\($0.model),\($0.tag)" } : own)
    throw .unknownModel(name: text, candidates: near.isEmpty ? Array(own.prefix(3)) : near)
  }

  /// open_clip's table, as far as the image tower is one that there is an architecture for and the weights are on the
  /// hub.
  static let pairs: [Pair] =
    [
      laion("ViT-B-32", "laion2b_s34b_b79k", "ViT-B-32-laion2B-s34B-b79K"),
      laion("ViT-B-32", "datacomp_xl_s13b_b90k", "ViT-B-32-DataComp.XL-s13B-b90K"),
      laion("ViT-B-32", "datacomp_m_s128m_b4k", "ViT-B-32-DataComp.M-s128M-b4K"),
      laion("ViT-B-32", "datacomp_s_s13m_b4k", "ViT-B-32-DataComp.S-s13M-b4K"),
      laion("ViT-B-32-256", "datacomp_s34b_b86k", "ViT-B-32-256x256-DataComp-s34B-b86K"),
      laion("ViT-B-16", "laion2b_s34b_b88k", "ViT-B-16-laion2B-s34B-b88K"),
      laion("ViT-B-16", "datacomp_xl_s13b_b90k", "ViT-B-16-DataComp.XL-s13B-b90K"),
      laion("ViT-B-16", "datacomp_l_s1b_b8k", "ViT-B-16-DataComp.L-s1B-b8K"),
      laion("ViT-L-14", "laion2b_s32b_b82k", "ViT-L-14-laion2B-s32B-b82K"),
      laion("ViT-L-14", "datacomp_xl_s13b_b90k", "ViT-L-14-DataComp.XL-s13B-b90K"),
      laion("ViT-H-14", "laion2b_s32b_b79k", "ViT-H-14-laion2B-s32B-b79K"),
      laion("ViT-g-14", "laion2b_s12b_b42k", "ViT-g-14-laion2B-s12B-b42K"),
      laion("ViT-g-14", "laion2b_s34b_b88k", "ViT-g-14-laion2B-s34B-b88K"),
      laion("ViT-bigG-14", "laion2b_s39b_b160k", "ViT-bigG-14-laion2B-39B-b160k"),
    ]
    + [
      // OpenAI's weights and MetaCLIP's stand beside timm's copies of them.
      ("ViT-B-32", "vit_base_patch32_clip_224"), ("ViT-B-16", "vit_base_patch16_clip_224"),
      ("ViT-L-14", "vit_large_patch14_clip_224"), ("ViT-L-14-336", "vit_large_patch14_clip_336"),
    ].flatMap { model, place in
      // open_clip has them under the plain name and, meaning the same, under that of the QuickGELU model.
      ["", "-quickgelu"].map {
        Pair(model: model + $0, tag: "openai", id: "timm/\(place).openai", quickGELU: true)
      }
    }
    + [
      ("ViT-B-32-quickgelu", "metaclip_400m", "vit_base_patch32_clip_224.metaclip_400m"),
      ("ViT-B-32-quickgelu", "metaclip_fullcc", "vit_base_patch32_clip_224.metaclip_2pt5b"),
      ("ViT-B-32-quickgelu", "laion400m_e32", "vit_base_patch32_clip_224.laion400m_e32"),
      ("ViT-B-16-quickgelu", "metaclip_400m", "vit_base_patch16_clip_224.metaclip_400m"),
      ("ViT-B-16-quickgelu", "metaclip_fullcc", "vit_base_patch16_clip_224.metaclip_2pt5b"),
      ("ViT-L-14-quickgelu", "metaclip_400m", "vit_large_patch14_clip_224.metaclip_400m"),
      ("ViT-L-14-quickgelu", "metaclip_fullcc", "vit_large_patch14_clip_224.metaclip_2pt5b"),
    ].map { Pair(model: $0, tag: $1, id: "timm/\($2)", quickGELU: true) }
    + [
      "ViT-B-16-SigLIP", "ViT-B-16-SigLIP-256", "ViT-B-16-SigLIP-384", "ViT-B-16-SigLIP-512",
      "ViT-L-16-SigLIP-256", "ViT-L-16-SigLIP-384", "ViT-SO400M-14-SigLIP",
      "ViT-SO400M-14-SigLIP-384",
    ].map { Pair(model: $0, tag: "webli", id: "timm/\($0)") }

  private static func laion(_ model: String, _ tag: String, _ name: String) -> Pair {
    Pair(model: model, tag: tag, id: "laion/CLIP-\(name)")
  }
}
