import ParallaxMeasures

/// Where the values of measures come from.
public enum MeasureRoute: String, Sendable, Codable, CaseIterable {
  /// What takes less memory.
  case automatic = "auto"
  /// The features of all images, gathered by the pass.
  case features
  /// Second moments, accumulated by the pass; measures that need the images keep the features.
  case moments
}

/// Which measures are computed from gathered features and which from second moments, and why.
struct MeasureRoutes {
  /// What is asked for.
  struct Question {
    var measures: [any Measure]
    var widths: [Int]
    var images: Int
    var route: MeasureRoute
    /// How much is to be resampled.
    var options: MeasureMatrix.Options
    /// Whether fewer orders and groups will do where moments of so many do not fit.
    var isFlexible: Bool
    var preprocessing: FeaturePreprocessing
    var memoryLimit: Int
  }

  /// Of each measure whether it is computed from moments.
  let fromMoments: [Bool]
  /// How much is resampled.
  let options: MeasureMatrix.Options
  /// Why, in a sentence without a full stop.
  let reason: String

  /// - Throws: `AnalysisError.nothingAsked` where moments are asked for and cannot be had, `MeasureError.memory`.
  init(_ question: Question) throws {
    let known = question.measures.map(\.streams)
    let obstacle = Self.obstacle(question.preprocessing)
    switch question.route {
    case .features:
      self.init(known.map { _ in false }, question.options, "asked for")
      try check(question)
    case .moments:
      if let obstacle {
        throw AnalysisError.nothingAsked("the route by moments was asked for, but \(obstacle)")
      }
      guard known.contains(true) else {
        throw AnalysisError.nothingAsked(
          "the route by moments was asked for, but \(Self.names(question.measures)) "
            + "need\(question.measures.count == 1 ? "s" : "") the images themselves; `parallax measures` tells which stream"
        )
      }
      let widest = question.widths.max() ?? 0
      self = try Self.fitted(
        known, question,
        widest > question.images
          ? "asked for; with \(widest) features of \(question.images) images the route by features is faster, for products are of images then"
          : "asked for")
    case .automatic:
      let rows = question.measures.filter { !$0.streams }
      if !rows.isEmpty {
        self.init(
          known.map { _ in false }, question.options,
          "\(Self.names(rows)) need\(rows.count == 1 ? "s" : "") the images themselves")
        try check(question)
        return
      }
      if let obstacle {
        self.init(known.map { _ in false }, question.options, obstacle)
        try check(question)
        return
      }
      let (features, moments) = (
        Self.features(question.measures, question),
        Self.moments(question.measures, question, question.options)
      )
      let limit = question.memoryLimit
      if features <= limit, features <= moments || moments > limit {
        self.init(
          known.map { _ in false }, question.options,
          "the features of all images take \(Self.text(features)), their second moments \(Self.text(moments))"
        )
      } else {
        self = try Self.fitted(
          known, question, "the features of all images would take \(Self.text(features))")
      }
    }
  }

  private init(_ fromMoments: [Bool], _ options: MeasureMatrix.Options, _ reason: String) {
    (self.fromMoments, self.options, self.reason) = (fromMoments, options, reason)
  }

  /// What keeps moments from being accumulated row by row; nil where nothing does.
  static func obstacle(_ preprocessing: FeaturePreprocessing) -> String? {
    if preprocessing.clip != nil {
      return "clipping at quantiles needs all images at once"
    }
    return preprocessing.isCentred && preprocessing.isNormalized
      ? "rows are scaled after their columns are centred, which needs all images first" : nil
  }

  /// What the sums of a measure's moments depend on.
  static func sums(
    _ measures: [any Measure], _ options: MeasureMatrix.Options, images: Int
  ) -> MomentSums.Options {
    var sums = MomentSums.Options()
    sums.groups = options.groups > 1 && images >= 2 * options.groups ? options.groups : 0
    sums.orders = measures.contains(where: \.needsPairing) ? options.permutations : 0
    sums.hasLengths = measures.contains {
      $0.streams && ($0 as? any MomentMeasure)?.needsLengths == true
    }
    sums.seed = options.seed
    return sums
  }

  /// Moments, and features where a measure needs them, with as much resampling as was asked for or as fits.
  private static func fitted(
    _ known: [Bool], _ question: Question, _ reason: String
  ) throws -> MeasureRoutes {
    let asked = question.options
    let plain = MeasureRoutes(known, asked, reason)
    let needed = plain.bytes(question)
    if needed <= question.memoryLimit || !question.isFlexible {
      try plain.check(question)
      return MeasureRoutes(
        known, asked, "\(reason); second moments take \(text(plain.momentBytes(question)))")
    }
    for groups in [asked.groups, 5, 0] where groups <= asked.groups {
      var options = asked
      (options.groups, options.permutations) = (groups, 0)
      let least = MeasureRoutes(known, options, reason).bytes(question)
      guard least <= question.memoryLimit else { continue }
      options.permutations = 1
      let order = max(1, MeasureRoutes(known, options, reason).bytes(question) - least)
      options.permutations = min(asked.permutations, (question.memoryLimit - least) / order)
      let found = MeasureRoutes(known, options, reason)
      return MeasureRoutes(
        known, options,
        "\(reason); second moments with \(groups) groups of images and \(options.permutations) orders take "
          + "\(text(found.momentBytes(question))), each more order \(text(order))")
    }
    var options = asked
    (options.groups, options.permutations) = (0, 0)
    try MeasureRoutes(known, options, reason).check(question)
    return plain
  }

  /// - Throws: `MeasureError.memory`.
  private func check(_ question: Question) throws {
    let needed = bytes(question)
    guard needed > question.memoryLimit else { return }
    let names = question.measures.map(\.name)
    let peak = MeasureMatrix.peak(
      rows(question), images: question.images, widths: question.widths, options: options)
    let isGathered = peak.bytes > needed / 2
    throw MeasureError.memory(
      measure: isGathered ? peak.measures.joined(separator: ", ") : names[0], needed: needed,
      limit: question.memoryLimit)
  }

  private func rows(_ question: Question) -> [any Measure] {
    zip(question.measures, fromMoments).filter { !$1 }.map(\.0)
  }

  /// What both routes take together.
  private func bytes(_ question: Question) -> Int {
    var all = momentBytes(question)
    let rows = rows(question)
    if !rows.isEmpty { all += Self.features(rows, question, options) }
    return all
  }

  private func momentBytes(_ question: Question) -> Int {
    let streaming = zip(question.measures, fromMoments).filter(\.1).map(\.0)
    return streaming.isEmpty ? 0 : Self.moments(streaming, question, options)
  }

  /// The features, those of one order of shuffled images beside them, and the summaries.
  private static func features(
    _ measures: [any Measure], _ question: Question, _ options: MeasureMatrix.Options? = nil
  ) -> Int {
    8 * question.images * question.widths.reduce(0, +)
      + MeasureMatrix.peak(
        measures, images: question.images, widths: question.widths,
        options: options ?? question.options
      ).bytes
  }

  private static func moments(
    _ measures: [any Measure], _ question: Question, _ options: MeasureMatrix.Options
  ) -> Int {
    MomentSums.memory(
      widths: question.widths, images: question.images,
      options: sums(measures, options, images: question.images))
      + MeasureMatrix.momentPeak(measures, widths: question.widths, groups: options.groups)
  }

  private static func names(_ measures: [any Measure]) -> String {
    let names = measures.map(\.name)
    return names.count < 4
      ? names.joined(separator: ", ")
      : names.prefix(2).joined(separator: ", ") + " and \(names.count - 2) more"
  }

  /// Bytes in a unit that people read.
  static func text(_ bytes: Int) -> String {
    bytes >= 1 << 30
      ? "\((Double(bytes) / Double(1 << 30) * 10).rounded() / 10) GiB"
      : "\(max(1, (bytes + (1 << 20) - 1) >> 20)) MiB"
  }
}
