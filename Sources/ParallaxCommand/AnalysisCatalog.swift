import Parallax

/// The analyses that `study` runs in its pass: one line each.
enum AnalysisCatalog {
  /// Makes an analysis from what a job has.
  typealias Maker = @Sendable (Job.Material) throws -> any StudyAnalysis

  /// By name, in the order of the report.
  static let all: [(name: String, make: Maker)] = [
    ("similarity", similarity(route: .automatic, estimator: .debiased)),
    ("structure", structure(StructureAnalysis.Options())),
    ("steps", steps(StepsAnalysis.Options())),
    ("attention", attention(AttentionAnalysis.Options())),
    ("residual", residual(ResidualAnalysis.Options())),
    ("localize", localize(LocalizationAnalysis.Options())),
    ("probe", probe(ofStudy)),
    ("kstar", kStar(kStarOfStudy)),
  ]

  /// Those that a study runs where its file names them: they cost more than a pass.
  static let onDemand: [(name: String, make: Maker)] = [
    ("receptive-field", receptiveField(ReceptiveFieldAnalysis.Options())),
    ("checkpoints", checkpoints(CheckpointsAnalysis.Options())),
    ("inversion", inversion(InversionAnalysis.Options())),
    ("matching", matching(MatchingAnalysis.Options())),
    ("lipschitz", lipschitz(LipschitzAnalysis.Options())),
    ("spectrum", spectrum(SpectrumAnalysis.Options())),
    ("filters", filters),
    ("manifold", manifold(ManifoldAnalysis.Options())),
    ("metamers", metamers(MetamersAnalysis.Options())),
    ("generation", generation(GenerationAnalysis.Options())),
  ]

  /// What the built-in study reconstructs: one image at three layers of each model, which takes some minutes on two cores.
  static var demonstration: Maker {
    var options = InversionAnalysis.Options()
    (options.images, options.layers, options.chosen) = (1, 3, ["birds/tucan.png"])
    return inversion(options)
  }

  /// Of a study nobody said how much memory probes may take: what does not fit is left alone.
  private static var ofStudy: ProbeAnalysis.Options {
    var options = ProbeAnalysis.Options()
    options.adapts = true
    return options
  }

  /// As many spaces a model as a figure shows well; what does not fit is left alone.
  private static var kStarOfStudy: KStarAnalysis.Options {
    var options = KStarAnalysis.Options()
    options.adapts = true
    return options
  }

  /// k* distributions of concepts.
  ///
  /// - Parameters:
  ///   - options: how.
  ///   - bank: images in which those of the job are counted; nil to count them among themselves.
  ///   - configure: settles the pass over the bank.
  /// - Returns: what makes the analysis.
  static func kStar(
    _ options: KStarAnalysis.Options, bank: ImageSet? = nil,
    configure: @escaping @Sendable (inout Pass, ProgressLine) -> Void = { _, _ in }
  ) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      let held = try bank.map { images in
        let made = try KStarBank(
          KStarAnalysis.chosen(
            material.representations, material.subjects, among: material.named, options.spaces),
          of: material.subjects, images: images, queries: material.images, options: options
        ) { pass in
          material.progress.note("the bank: \(images.samples.count) images")
          configure(&pass, material.progress)
          pass.alpha = material.alpha
        }
        Skipped.tell(
          made.source.skipped.map { SkippedImage(path: $0.path, reason: $0.reason) },
          material.progress)
        if let note = KStarResult.leftOut(made.outside) { material.progress.note("k*: \(note)") }
        return made
      }
      return try KStarAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, bank: held, options: options)
    }
  }

  /// How well classes can be read off each layer.
  static func probe(_ options: ProbeAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      return try ProbeAnalysis(
        material.representations, of: material.subjects, images: material.images, options: options)
    }
  }

  /// Effective receptive fields.
  static func receptiveField(_ options: ReceptiveFieldAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      return try ReceptiveFieldAnalysis(
        material.representations, of: material.subjects, images: material.images.samples.count,
        options: options)
    }
  }

  /// Pictures reconstructed from what layers hold of them.
  static func inversion(_ options: InversionAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.precise) = (material.seed, material.precise)
      let analysis = try InversionAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
      if let note = analysis.memoryNote { material.progress.note(note) }
      return analysis
    }
  }

  /// Singular values of the layers' Jacobians.
  static func spectrum(_ options: SpectrumAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.precise) = (material.seed, material.precise)
      return try SpectrumAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
    }
  }

  /// The filters of first layers.
  static var filters: Maker {
    { try FiltersAnalysis(of: $0.subjects, among: $0.named) }
  }

  /// What any input becomes when a late layer is matched.
  static func manifold(_ options: ManifoldAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.alpha) = (material.seed, material.alpha)
      return try ManifoldAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
    }
  }

  /// What one model takes for an image, seen by the others.
  static func metamers(_ options: MetamersAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      return try MetamersAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
    }
  }

  /// Class images, features, dreams.
  static func generation(_ options: GenerationAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.alpha) = (material.seed, material.alpha)
      return try GenerationAnalysis(
        of: material.subjects, images: material.images, options: options)
    }
  }

  /// Pictures matched to the embeddings of others.
  static func matching(_ options: MatchingAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.alpha) = (material.seed, material.alpha)
      let analysis = try MatchingAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
      if let note = analysis.memoryNote { material.progress.note(note) }
      return analysis
    }
  }

  /// How steep embeddings are.
  static func lipschitz(_ options: LipschitzAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.precise) = (material.seed, material.precise)
      options.alpha = material.alpha
      return try LipschitzAnalysis(
        material.representations, of: material.subjects, images: material.images,
        among: material.named, options: options)
    }
  }

  /// Measures of the catalog between all pairs of sites, over the whole set.
  static func measures(
    _ measures: [any Measure], route: MeasureRoute = .automatic, permutations: Int? = nil,
    groups: Int? = nil,
    preprocessing: FeaturePreprocessing = FeaturePreprocessing(), memoryLimit: Int = 1 << 33
  ) -> Maker {
    { material in
      var options = MeasureMatrix.Options()
      options.seed = material.seed
      if let permutations { options.permutations = permutations }
      if let groups { options.groups = groups }
      let analysis = try MeasuresAnalysis(
        measures, material.representations, of: material.subjects,
        images: material.images.samples.count, route: route, options: options,
        isFlexible: permutations == nil && groups == nil,
        preprocessing: preprocessing, ids: material.images.samples.map(\.id),
        memoryLimit: memoryLimit)
      if analysis.streams { material.progress.note("by second moments: \(analysis.routeReason)") }
      analysis.warned = { warnings in
        for one in warnings.prefix(3) {
          material.progress.note("warning: \(one.measure.map { "\($0): " } ?? "")\(one.text)")
        }
        if warnings.count > 3 {
          material.progress.note("… and \(warnings.count - 3) more warnings, in the report")
        }
      }
      return analysis
    }
  }

  /// CKA between all sub-layers, and numbers of structure.
  static func structure(_ options: StructureAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      return try StructureAnalysis(
        of: material.subjects, images: material.images.samples.count,
        blockSize: material.blockSize, options: options)
    }
  }

  /// Checkpoints of one architecture on one axis.
  static func checkpoints(_ options: CheckpointsAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      return try CheckpointsAnalysis(
        material.representations, of: material.subjects,
        images: material.images.samples.count, blockSize: material.blockSize, options: options)
    }
  }

  /// How models process images step by step.
  static func steps(_ options: StepsAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.resampling.seed = material.seed
      return try StepsAnalysis(
        material.representations, beginnings: material.beginnings, of: material.subjects,
        images: material.images, options: options)
    }
  }

  /// How far the heads of transformers look.
  static func attention(_ options: AttentionAnalysis.Options) -> Maker {
    { material in
      var options = options
      (options.seed, options.maps.alpha) = (material.seed, material.alpha)
      let analysis = try AttentionAnalysis(
        of: material.subjects, images: material.images, among: material.named, options: options)
      for refusal in analysis.leftOut {
        material.progress.note(
          "\(refusal.address) is left out of the attention analysis: \(refusal.reason)")
      }
      return analysis
    }
  }

  /// How much goes past each branch, and how much it adds.
  static func residual(_ options: ResidualAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      let analysis = try ResidualAnalysis(
        of: material.subjects, among: material.named, options: options)
      for refusal in analysis.leftOut {
        material.progress.note(
          "\(refusal.address) is left out of the residual analysis: \(refusal.reason)")
      }
      return analysis
    }
  }

  /// How much of its own place in the image each token still holds.
  static func localize(_ options: LocalizationAnalysis.Options) -> Maker {
    { material in
      var options = options
      options.seed = material.seed
      let analysis = try LocalizationAnalysis(
        of: material.subjects, images: material.images.samples.count, among: material.named,
        options: options)
      for refusal in analysis.leftOut {
        material.progress.note("\(refusal.address) is left out of localisation: \(refusal.reason)")
      }
      return analysis
    }
  }

  /// CKA of all pairs of sites.
  static func similarity(route: SimilarityAnalysis.Route, estimator: Estimator) -> Maker {
    { material in
      try SimilarityAnalysis(
        material.representations, of: material.subjects, images: material.images.samples.count,
        blockSize: material.blockSize, route: route, estimator: estimator, seed: material.seed)
    }
  }
}
