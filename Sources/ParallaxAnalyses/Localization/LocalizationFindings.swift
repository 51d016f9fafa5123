import ParallaxResults

/// What Raghu et al. say of localisation, asked of these models.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 6. The statistics and criteria are ours.
struct LocalizationFindings {
  let result: LocalizationResult
  /// Of each model and layer the numbers, of all images and without each group.
  let scalars: [[LocalizationComputed.Scalars]]

  /// Tokens hold their place where more than this share of them is most like its own patch: our criterion.
  static let half = 0.5

  /// The findings; those that these models cannot answer are not printed.
  func callAsFunction() -> [Finding] {
    holding()
      + [
        edges(), designs()?.bearing(on: .localization), readouts()?.bearing(on: .localization),
        depth()?.bearing(on: .localization), training(),
      ].compactMap(\.self)
  }

  private func finding(
    _ sentence: String, _ numbers: [Double?], _ quantity: String, above level: Double = 0
  ) -> Finding {
    let estimate = LocalizationComputed.estimate(numbers)
    return Finding(
      sentence, estimate, quantity, estimate.verdict(above: level), analysis: "localize")
  }

  private var replicates: Int { result.groups > 0 ? result.groups + 1 : 1 }

  private var trained: [Int] {
    result.models.indices.filter { result.models[$0].twinOf == nil && !scalars[$0].isEmpty }
  }

  private func models(_ design: String) -> [Int] {
    trained.filter { result.models[$0].design == design }
  }

  private func names(_ models: [Int]) -> String {
    models.map { result.models[$0].name }.joined(separator: ", ")
  }

  /// ` (7 × 7)`, the grids of some models' last layers.
  private func grids(_ models: [Int]) -> String {
    let all = models.compactMap { result.models[$0].layers.last }.map {
      "\($0.rows) × \($0.columns)"
    }
    let different = all.reduce(into: [String]()) { if !$0.contains($1) { $0.append($1) } }
    return different.isEmpty ? "" : " (\(different.joined(separator: ", ")))"
  }

  private typealias Number = (LocalizationComputed.Scalars) -> [Double?]

  /// A number of the last layer of each of some models, their mean.
  private func last(_ models: [Int], _ number: Number) -> [Double?] {
    (0..<replicates).map { replicate in
      Statistics.mean(
        models.map { model in scalars[model].last.flatMap { number($0)[replicate] } })
    }
  }

  private func difference(_ a: [Double?], _ b: [Double?]) -> [Double?] {
    zip(a, b).map { a, b in a.flatMap { a in b.map { a - $0 } } }
  }

  /// Tokens of the last layer are most like their own patch.
  private func holding() -> [Finding] {
    trained.map { model in
      let layer = result.models[model].layers.last
      let found = finding(
        "\(result.models[model].name): in \(layer?.site ?? "the last layer") most tokens are most like their own patch of the image",
        last([model], \.hits),
        "share of tokens whose largest CKA is with their own patch, of \((layer?.rows ?? 0) * (layer?.columns ?? 0)) patches; most: above \(Self.half), our criterion",
        above: Self.half)
      return result.models[model].design == "transformer"
        ? found.bearing(on: .localization) : found
    }
  }

  /// Tokens at the edge resemble other patches at the edge.
  private func edges() -> Finding? {
    let own = models("transformer").filter { scalars[$0].last?.edge[0] != nil }
    guard !own.isEmpty else { return nil }
    return finding(
      "In the last layer of transformers tokens at the edge are more like other patches at the edge than like patches inside",
      last(own, \.edge),
      "mean CKA of edge tokens: other edge patches less inner patches, mean of \(names(own))")
  }

  /// Transformers hold places to the end, convolutional networks less so.
  private func designs() -> Finding? {
    let (a, b) = (models("transformer"), models("convolutional"))
    guard !a.isEmpty, !b.isEmpty else { return nil }
    return finding(
      "In the last layer transformers hold places better than convolutional networks",
      difference(last(a, \.above), last(b, \.above)),
      "mean share of the other patches that a token is less like than its own, 1/2 by chance on every grid: \(names(a))\(grids(a)) less \(names(b))\(grids(b))"
    )
  }

  /// With a class token places are held better than with pooling.
  private func readouts() -> Finding? {
    let own = models("transformer")
    let (a, b) = (
      own.filter { result.models[$0].readout == "class token" },
      own.filter { result.models[$0].readout == "pooled" }
    )
    guard !a.isEmpty, !b.isEmpty else { return nil }
    return finding(
      "In the last layer transformers with a class token hold places better than those that pool",
      difference(last(a, \.above), last(b, \.above)),
      "mean share of the other patches that a token is less like than its own, 1/2 by chance on every grid: \(names(a))\(grids(a)) less \(names(b))\(grids(b)); the models differ in more than this"
    )
  }

  /// Convolutional networks lose places towards the end.
  private func depth() -> Finding? {
    let own = models("convolutional").filter { scalars[$0].count > 2 }
    guard !own.isEmpty else { return nil }
    let middle = (0..<replicates).map { replicate in
      Statistics.mean(
        own.map {
          scalars[$0][scalars[$0].count / 2 - (scalars[$0].count > 3 ? 1 : 0)].contrast[replicate]
        })
    }
    return finding(
      "Convolutional networks hold places better in their middle layers than in their last",
      difference(middle, last(own, \.contrast)),
      "CKA of tokens with their own patch over the mean with all patches, middle layer less last, mean of \(names(own))"
    )
  }

  /// Against untrained twins.
  private func training() -> Finding? {
    let pairs = result.models.indices.compactMap { twin in
      result.models.firstIndex { $0.name == result.models[twin].twinOf }.map { ($0, twin) }
    }.filter { !scalars[$0.0].isEmpty && !scalars[$0.1].isEmpty }
    guard !pairs.isEmpty else { return nil }
    return finding(
      "In the last layer trained models hold places less than untrained ones",
      difference(last(pairs.map(\.1), \.contrast), last(pairs.map(\.0), \.contrast)),
      "CKA of tokens with their own patch over the mean with all patches: untrained less trained, mean of \(names(pairs.map(\.0)))"
    )
  }
}

/// Every choice that changes the numbers, and whether the paper makes it.
enum LocalizationSwitches {
  static func list(
    _ options: LocalizationAnalysis.Options, _ result: LocalizationResult, decodedImages: Int
  ) -> [Switch] {
    var list = [
      Switch(
        "quantity",
        "CKA over images between the vector of one token and the flattened pixels of one patch, for all patches",
        origin: "paper"),
      Switch("tokens", "class, register and distillation tokens left out", origin: "paper"),
      Switch(
        "convolutional networks",
        "a token is all channels at one position; the image is cut into the same grid as the map",
        origin: "paper"),
    ]
    func add(_ name: String, _ value: String) { list.append(Switch(name, value)) }
    add("CKA", "linear, unbiased HSIC summed over blocks of images")
    add("pixels", "as the model's preprocessing makes them")
    add(
      "layers",
      "the last block, the one before it, the middle and the first, or those that were named (the paper: the last two of ViT, three units of ResNet)"
    )
    if result.models.contains(where: {
      $0.layers.contains { $0.mapRows != $0.rows || $0.mapColumns != $0.columns }
    }) {
      add(
        "maps finer than \(LocalizationGrid.most) × \(LocalizationGrid.most)",
        "cut into a coarser grid; of each cell the position in its middle is the token, all its pixels the patch"
      )
    }
    add("drawn tokens", "the paper's four of a 7 × 7 grid, and those that lie alike in others")
    add("rank", "1 + the number of patches with a larger CKA")
    add(
      "models on different grids",
      "compared by the share of the other patches that a token is less like than its own; shares of tokens most like their own patch depend on how many patches there are"
    )
    add("own patch over mean", "mean CKA of tokens with their own patch over mean CKA of all pairs")
    add("edge", "the first and last row and column of the grid")
    add(
      "what the head reads",
      "known of the architectures in Swift; an imported graph with a class token is taken to read it"
    )
    add(
      "intervals",
      result.groups == 0
        ? "none: fewer than four blocks of images"
        : "jackknife over \(result.groups) groups of blocks of images")
    guard decodedImages > 0 else { return list }
    add(
      "linear decoding",
      "ridge from each drawn token to every patch, \(decodedImages) images, \(PatchDecoding.folds) folds; R² over all pixels of a patch together; λ by leave-one-out for each fold and patch"
    )
    add("intervals of R²", "jackknife over the \(PatchDecoding.folds) folds")
    return list
  }
}
