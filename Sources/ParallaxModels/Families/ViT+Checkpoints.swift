import ParallaxTensors

extension ViT {
  /// A checkpoint under timm's names, whatever names it has: timm's own, DINOv2's as its authors wrote it,
  /// transformers' ViT, DeiT, MAE, CLIP, DINOv2 and SigLIP, open_clip's and OpenAI's CLIP, torchvision's ViT, MAE and DINO with what they were
  /// trained with, and ONNX files of any of these.
  ///
  /// Known to be of no use, and dropped: the text tower of CLIP, transformers' pooler behind a
  /// class token, the decoder of MAE, the projection head of DINO, the saliency decoder behind
  /// `backbone.` in ONNX files.
  /// A checkpoint under no names known here comes back as it is.
  public static func recognised(
    _ source: any WeightSource, _ c: Configuration
  ) -> any WeightSource {
    let names = Set(source.names)
    for dialect in Dialect.all {
      for prefix in dialect.prefixes where names.contains(prefix + dialect.mark) {
        return dialect.renamed(source, names, prefix, c)
      }
    }
    return source
  }
}

/// The names that one implementation gives to the parameters of a Vision Transformer.
private struct Dialect: Sendable {
  /// What may stand before every name, the longest first.
  var prefixes: [String]
  /// A parameter by which the dialect is known.
  var mark: String
  /// timm's modules and theirs, outside the blocks.
  var stem: [(timm: String, theirs: String)]
  /// The class token; empty for none.
  var classToken = ""
  /// The position embeddings, the class token's first.
  var positions: String
  /// The registers.
  var registers = ""
  /// The pooling by attention, whose query and whose keys and values lie in one parameter.
  var pool = ""
  /// Matrices that are stored `[in, out]`: timm's parameter and theirs.
  var transposed: [(timm: String, theirs: String)] = []
  /// What stands before a block's number.
  var blocks: String
  /// timm's modules and theirs, inside a block.
  var block: [(timm: String, theirs: String)]
  /// Queries, keys and values: one parameter each, or all in one. `*` stands for weight and bias.
  var qkv: [String]
  /// The beginnings of names that are of no use, without the prefix and with it.
  var useless: [String] = []

  static let all = [
    hubDeiT, hubViT, hubSigLIP, hubDINO, hubCLIP, openCLIP, torchVision, dino, mae, teacher,
  ]

  private static let hubAttention = [
    "attention.attention.query.*", "attention.attention.key.*", "attention.attention.value.*",
  ]

  /// transformers' `DeiTModel`, `DeiTForImageClassificationWithTeacher`: the ViT with one more token.
  static let hubDeiT: Dialect = {
    var dialect = hubViT
    (dialect.prefixes, dialect.mark) = (["deit.", ""], "embeddings.distillation_token")
    dialect.stem += [
      ("dist_token", "embeddings.distillation_token"), ("head", "/cls_classifier"),
      ("head_dist", "/distillation_classifier"),
    ]
    return dialect
  }()

  /// transformers' `ViTModel`, `ViTForImageClassification`, and the encoder of `ViTMAEForPreTraining`.
  static let hubViT = Dialect(
    prefixes: ["vit.", ""], mark: "encoder.layer.0.layernorm_before.weight",
    stem: [
      ("patch_embed.proj", "embeddings.patch_embeddings.projection"), ("norm", "layernorm"),
      ("head", "/classifier"),
    ], classToken: "embeddings.cls_token", positions: "embeddings.position_embeddings",
    blocks: "encoder.layer.",
    block: [
      ("norm1", "layernorm_before"), ("attn.proj", "attention.output.dense"),
      ("norm2", "layernorm_after"), ("mlp.fc1", "intermediate.dense"), ("mlp.fc2", "output.dense"),
    ], qkv: hubAttention, useless: ["pooler.", "/decoder."])

  /// transformers' `Dinov2Model`, `Dinov2WithRegistersModel`, and what is built on them.
  static let hubDINO = Dialect(
    prefixes: ["dinov2_with_registers.", "dinov2.", "backbone.", ""],
    mark: "encoder.layer.0.layer_scale1.lambda1",
    stem: [
      ("patch_embed.proj", "embeddings.patch_embeddings.projection"), ("norm", "layernorm"),
    ], classToken: "embeddings.cls_token", positions: "embeddings.position_embeddings",
    registers: "embeddings.register_tokens", blocks: "encoder.layer.",
    block: [
      ("norm1", "norm1"), ("attn.proj", "attention.output.dense"),
      ("ls1.gamma", "layer_scale1.lambda1"), ("norm2", "norm2"), ("mlp.fc1", "mlp.fc1"),
      ("mlp.fc2", "mlp.fc2"), ("ls2.gamma", "layer_scale2.lambda1"),
    ], qkv: hubAttention)

  /// transformers' `CLIPModel` and `CLIPVisionModelWithProjection`.
  static let hubCLIP = Dialect(
    prefixes: ["vision_model.", ""], mark: "pre_layrnorm.weight",
    stem: [
      ("patch_embed.proj", "embeddings.patch_embedding"), ("norm_pre", "pre_layrnorm"),
      ("norm", "post_layernorm"), ("head", "/visual_projection"),
    ], classToken: "embeddings.class_embedding", positions: "embeddings.position_embedding.weight",
    blocks: "encoder.layers.",
    block: [
      ("norm1", "layer_norm1"), ("attn.proj", "self_attn.out_proj"), ("norm2", "layer_norm2"),
      ("mlp.fc1", "mlp.fc1"), ("mlp.fc2", "mlp.fc2"),
    ], qkv: ["self_attn.q_proj.*", "self_attn.k_proj.*", "self_attn.v_proj.*"],
    useless: ["text_model.", "text_projection.", "logit_scale"])

  /// transformers' `SiglipModel` and `SiglipVisionModel`.
  static let hubSigLIP = Dialect(
    prefixes: ["vision_model.", ""], mark: "head.probe",
    stem: [
      ("patch_embed.proj", "embeddings.patch_embedding"), ("norm", "post_layernorm"),
      ("attn_pool.latent", "head.probe"), ("attn_pool.proj", "head.attention.out_proj"),
      ("attn_pool.norm", "head.layernorm"), ("attn_pool.mlp.fc1", "head.mlp.fc1"),
      ("attn_pool.mlp.fc2", "head.mlp.fc2"),
    ], positions: "embeddings.position_embedding.weight", pool: "head.attention.in_proj_",
    blocks: "encoder.layers.", block: hubCLIP.block, qkv: hubCLIP.qkv,
    useless: ["text_model.", "/text_model.", "/logit_scale", "/logit_bias"])

  /// open_clip's names, which are OpenAI's.
  static let openCLIP = Dialect(
    prefixes: ["visual.", ""], mark: "transformer.resblocks.0.attn.in_proj_weight",
    stem: [("patch_embed.proj", "conv1"), ("norm_pre", "ln_pre"), ("norm", "ln_post")],
    classToken: "class_embedding", positions: "positional_embedding",
    transposed: [("head.weight", "proj")], blocks: "transformer.resblocks.",
    block: [
      ("norm1", "ln_1"), ("attn.proj", "attn.out_proj"), ("norm2", "ln_2"),
      ("mlp.fc1", "mlp.c_fc"), ("mlp.fc2", "mlp.c_proj"),
    ], qkv: ["attn.in_proj_*"],
    useless: [
      "/transformer.", "/token_embedding.", "/positional_embedding", "/ln_final.",
      "/text_projection", "/text.", "/logit_scale", "/logit_bias", "/input_resolution",
      "/context_length",
      "/vocab_size",
    ])

  /// torchvision's `VisionTransformer`; its older files have other names for the layers of the MLP.
  static let torchVision = Dialect(
    prefixes: [""], mark: "encoder.layers.encoder_layer_0.ln_1.weight",
    stem: [("patch_embed.proj", "conv_proj"), ("norm", "encoder.ln"), ("head", "heads.head")],
    classToken: "class_token", positions: "encoder.pos_embedding",
    blocks: "encoder.layers.encoder_layer_",
    block: [
      ("norm1", "ln_1"), ("attn.proj", "self_attention.out_proj"), ("norm2", "ln_2"),
      ("mlp.fc1", "mlp.linear_1"), ("mlp.fc2", "mlp.linear_2"), ("mlp.fc1", "mlp.0"),
      ("mlp.fc2", "mlp.3"),
    ], qkv: ["self_attention.in_proj_*"])

  /// DINOv2 with registers under its authors' names; without registers these are timm's.
  static let dino = Dialect(
    prefixes: [""], mark: "register_tokens", stem: [("patch_embed.proj", "patch_embed.proj")],
    classToken: "cls_token", positions: "pos_embed", registers: "register_tokens",
    blocks: "blocks.", block: [], qkv: [])

  /// MAE with its decoder; the encoder's names are timm's.
  static let mae = Dialect(
    prefixes: [""], mark: "decoder_pos_embed", stem: [], classToken: "cls_token",
    positions: "pos_embed", blocks: "blocks.", block: [], qkv: [],
    useless: ["decoder_", "mask_token"])

  /// DINO's teacher or student as it was trained: timm's names behind a prefix, beside a projection head.
  static let teacher = Dialect(
    prefixes: ["module.backbone.", "backbone."], mark: "blocks.0.attn.qkv.weight",
    stem: [("patch_embed.proj", "patch_embed.proj"), ("norm", "norm")], classToken: "cls_token",
    positions: "pos_embed", blocks: "blocks.",
    block: ["norm1", "attn.proj", "norm2", "mlp.fc1", "mlp.fc2"].map { ($0, $0) },
    qkv: ["attn.qkv.*"], useless: ["/head.", "/module.head."])

  /// The checkpoint with a recipe for each of timm's names that it has the parts of.
  func renamed(
    _ source: any WeightSource, _ names: Set<String>, _ prefix: String, _ c: ViT.Configuration
  ) -> RenamedWeights {
    var book = RecipeBook(names: names, prefix: prefix)
    for (timm, theirs) in stem { book.addModule(timm, theirs) }
    for (timm, theirs) in transposed { book.add(timm, .transposed(book.full(theirs))) }
    for index in 0..<max(0, c.depth) {
      for (timm, theirs) in block {
        book.addModule("blocks.\(index).\(timm)", "\(blocks)\(index).\(theirs)")
      }
      book.addJoined("blocks.\(index).attn.qkv", qkv.map { "\(blocks)\(index).\($0)" })
    }
    var positions = book.full(positions)
    if let (cls, patches) = Self.unnamedPositions(source, names, c), !names.contains(positions) {
      positions = cls
      book.add("pos_embed", .stacked([cls, patches]))
    } else if c.registers > 0 {
      // timm adds the class token's position to the token itself, and has none for the registers.
      book.add("pos_embed", .rows(from: 1, of: positions))
    } else {
      book.add("pos_embed", .batched(positions))
    }
    if !classToken.isEmpty {
      let token = book.full(classToken)
      let grid = c.patch > 0 ? c.imageSize / c.patch : 0
      book.add(
        "cls_token",
        c.registers > 0 ? .sum(token, rowOf: positions, grid * grid + 1) : .token(token))
    }
    if !pool.isEmpty {
      for kind in ["weight", "bias"] {
        let joint = book.full(pool + kind)
        book.add("attn_pool.q.\(kind)", .thirds(0..<1, of: joint))
        book.add("attn_pool.kv.\(kind)", .thirds(1..<3, of: joint))
      }
    }
    if !registers.isEmpty { book.add("reg_token", .same(book.full(registers))) }
    let isGraph = names.contains { $0.hasPrefix("/") || $0.hasPrefix("onnx::") }
    let absent = book.absent
    return RenamedWeights(source, book.recipes, absent: { absent[$0] }) { name in
      useless.contains {
        $0.hasPrefix("/")
          ? !prefix.isEmpty && name.hasPrefix($0.dropFirst())
          : name.hasPrefix($0)
            || !prefix.isEmpty && name.hasPrefix(prefix + $0)
      }
        || isGraph && prefix == "backbone."
          && (name.hasPrefix("decoder.") || name.hasPrefix("/decoder/"))
    }
  }

  /// The position embeddings of an ONNX file that was folded: the class token's and the patches', both
  /// without names of their own, so known by their shapes.
  private static func unnamedPositions(
    _ source: any WeightSource, _ names: Set<String>, _ c: ViT.Configuration
  ) -> (String, String)? {
    guard c.patch > 0 else { return nil }
    let grid = c.imageSize / c.patch
    func only(_ shape: [Int]) -> String? {
      let found = names.filter { $0.hasPrefix("onnx::") && source.shape($0) == shape }
      return found.count == 1 ? found.first : nil
    }
    guard let cls = only([1, 1, c.width]), let patches = only([1, grid * grid, c.width]) else {
      return nil
    }
    return (cls, patches)
  }
}
