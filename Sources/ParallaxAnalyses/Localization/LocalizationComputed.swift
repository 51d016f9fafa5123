import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the sums: numbers with intervals, pictures, findings.
struct LocalizationComputed {
  /// The numbers of one layer of all images, then without each group of blocks.
  struct Scalars {
    var hits: [Double?] = []
    var inner: [Double?] = []
    var rank: [Double?] = []
    /// Mean share of the other patches that a token is less like than its own: 1/2 by chance on every grid.
    var above: [Double?] = []
    var own: [Double?] = []
    var contrast: [Double?] = []
    var edge: [Double?] = []
  }

  private(set) var result: LocalizationResult
  /// CKA of all tokens with all patches under each layer's address.
  private(set) var maps: [(address: String, map: Tensor)] = []
  private static let greater = Operator("aten::gt.Tensor")
  private static let equal = Operator("aten::eq.Scalar")

  init(
    _ analysis: LocalizationAnalysis, _ products: [PatchProducts],
    _ decoded: [Int: [[[Double?]]]], decodedImages: Int,
    counts: (images: Int, skipped: Int, blocks: Int)
  ) throws {
    let groups = min(analysis.options.groups, counts.blocks)
    let used = groups > 3 ? Array(0..<groups) : []
    result = LocalizationResult(
      images: counts.images, imagesLeftOut: counts.skipped, blocks: counts.blocks,
      groups: used.count, seed: analysis.options.seed, dtype: "float32",
      models: analysis.subjects.map { subject in
        LocalizationResult.Model(
          name: subject.name, family: subject.family, design: subject.design.rawValue,
          readout: subject.readout, height: subject.imageSize.height,
          width: subject.imageSize.width,
          twinOf: subject.objective != .untrained
            ? nil : analysis.subjects.first { "\($0.name)-random" == subject.name }?.name,
          layers: [])
      })
    result.refusals = analysis.leftOut
    var scalars: [[Scalars]] = analysis.subjects.map { _ in [] }
    for (index, layer) in analysis.layers.enumerated() {
      let address = "\(analysis.subjects[layer.subject].name)@\(layer.site.name)"
      let cka = products[index].cka(leavingOut: used)
      let all = cka.selected(0, 0)
      let known = Self.known(all, layer.grid.count)
      guard known.tokens.count > 1 else {
        result.refusals.append(
          SimilarityResult.Refusal(
            address: address,
            reason:
              "its tokens do not vary over the images, or are not finite, so that CKA is undefined"
          ))
        continue
      }
      if known.tokens.count < layer.grid.count {
        result.refusals.append(
          SimilarityResult.Refusal(
            address: address,
            reason:
              "\(layer.grid.count - known.tokens.count) of \(layer.grid.count) places are left out: there the pixels or the token do not vary over the images"
          ))
      }
      maps.append((address, all))
      let found = Self.scalars(cka, layer.grid, known)
      scalars[layer.subject].append(found)
      result.models[layer.subject].layers.append(
        try Self.layer(layer, all, found, decoded[index], decodedImages, cka))
    }
    guard result.models.contains(where: { !$0.layers.isEmpty }) else {
      throw AnalysisError.site(
        result.refusals.last?.address ?? "localize", problem: result.refusals.last?.reason ?? "")
    }
    result.switches = LocalizationSwitches.list(
      analysis.options, result, decodedImages: decodedImages)
    result.findings = LocalizationFindings(result: result, scalars: scalars)()
    // Models without a layer are among the refusals.
    result.models.removeAll { $0.layers.isEmpty }
  }

  /// The patches that vary over images, and of these the ones whose token does.
  static func known(_ map: Tensor, _ count: Int) -> (tokens: [Int], patches: [Int]) {
    let values = map.contiguous().scalars(Double.self)
    let patches = (0..<count).filter { patch in
      (0..<count).contains { values[$0 * count + patch].isFinite }
    }
    let tokens = patches.filter { token in
      (0..<count).contains { values[token * count + $0].isFinite }
    }
    return (tokens, patches)
  }

  /// The numbers of each of some maps `[maps, tokens, patches]`, over what has a value in the first.
  static func scalars(
    _ cka: Tensor, _ grid: LocalizationGrid, _ known: (tokens: [Int], patches: [Int])
  ) -> Scalars {
    var found = Scalars()
    let (tokens, patches) = known
    // Places among the tokens that are used.
    let edges = tokens.indices.filter { grid.isEdge(tokens[$0]) }
    let inner = tokens.indices.filter { !grid.isEdge(tokens[$0]) }
    for replicate in 0..<cka.shape[0] {
      let whole = cka.selected(0, replicate)
      let map = whole.gathered(0, tokens).gathered(1, patches)
      let own = whole.diagonal().gathered(0, tokens)
      let ranks = greater(map, own.unsqueezed(1)).to(.float64).sum(over: [1]) + 1
      let hits = equal(ranks, 1.0).to(.float64)
      let mean = map.mean().item(Double.self)
      let level = own.mean().item(Double.self)
      let isKnown = map.isFinite()
      func value(_ number: Double) -> Double? { isKnown ? number : nil }
      found.hits.append(value(hits.mean().item(Double.self)))
      found.inner.append(
        inner.isEmpty ? nil : value(hits.gathered(0, inner).mean().item(Double.self)))
      found.rank.append(value(ranks.mean().item(Double.self)))
      let rest = Double(patches.count - 1)
      found.above.append(
        rest > 0 ? value(1 - (ranks.mean().item(Double.self) - 1) / rest) : nil)
      found.own.append(value(level))
      found.contrast.append(mean > 0 ? value(level / mean) : nil)
      guard !inner.isEmpty, edges.count > 1 else {
        found.edge.append(nil)
        continue
      }
      let rows = whole.gathered(0, edges.map { tokens[$0] })
      let alike = rows.gathered(1, edges.map { tokens[$0] })
      let others =
        (alike.sum().item(Double.self) - own.gathered(0, edges).sum().item(Double.self))
        / Double(edges.count * (edges.count - 1))
      found.edge.append(
        value(others - rows.gathered(1, inner.map { tokens[$0] }).mean().item(Double.self)))
    }
    return found
  }

  /// The first of all images, the others without a group each.
  static func estimate(_ numbers: [Double?]) -> IntervalEstimate {
    IntervalEstimate(numbers.first ?? nil, leavingOut: Array(numbers.dropFirst()))
  }

  private static func layer(
    _ layer: LocalizationAnalysis.Layer, _ map: Tensor, _ found: Scalars,
    _ decoded: [[[Double?]]]?, _ decodedImages: Int, _ replicates: Tensor
  ) throws -> LocalizationResult.Layer {
    let grid = layer.grid
    var one = LocalizationResult.Layer(
      site: layer.site.name, depth: layer.depth, rows: grid.rows, columns: grid.columns,
      mapRows: grid.map.rows, mapColumns: grid.map.columns, channels: grid.map.channels)
    one.hits = estimate(found.hits)
    one.innerHits = estimate(found.inner)
    one.rank = estimate(found.rank)
    one.own = estimate(found.own)
    one.contrast = estimate(found.contrast)
    one.edge = estimate(found.edge)
    let values = map.contiguous().scalars(Double.self)
    let own = replicates.diagonal()  // [replicates, tokens]
    for (place, token) in grid.shown.enumerated() {
      let row = values[token * grid.count..<(token + 1) * grid.count].map {
        $0.isFinite ? Optional($0) : nil
      }
      var drawn = LocalizationResult.Token(
        row: token / grid.columns, column: token % grid.columns,
        own: estimate(
          own.selected(1, token).contiguous().scalars(Double.self).map { $0.isFinite ? $0 : nil }),
        rank: row[token].map { own in Double(1 + row.count { ($0 ?? own) > own }) }, values: row)
      if let decoded { drawn.decoded = decoded[place][0] }
      one.tokens.append(drawn)
    }
    let shown = one.tokens.flatMap { $0.values.compactMap(\.self) }
    (one.low, one.high) = (min(0, shown.min() ?? 0), max(shown.max() ?? 1, 1e-3))
    let scores = one.tokens.flatMap { $0.decoded.compactMap(\.self) }
    one.decodedHigh = max(0.05, scores.max() ?? 0)
    for (place, token) in grid.shown.enumerated() {
      one.tokens[place].picture = try GridPicture(
        values: one.tokens[place].values, rows: grid.rows, columns: grid.columns,
        range: one.low...one.high, colours: .sequential, framed: token
      ).png()
      guard !one.tokens[place].decoded.isEmpty else { continue }
      one.tokens[place].decodedPicture = try GridPicture(
        values: one.tokens[place].decoded, rows: grid.rows, columns: grid.columns,
        range: 0...one.decodedHigh, colours: .sequential, framed: token
      ).png()
    }
    guard let decoded, let folds = decoded.first?.count else { return one }
    one.decodedImages = decodedImages
    one.decodedOwn = estimate(
      (0..<folds).map { fold in
        Statistics.mean(zip(decoded, grid.shown).map { $0[fold][$1] })
      })
    one.decodedAll = estimate(
      (0..<folds).map { fold in Statistics.mean(decoded.flatMap { $0[fold] }) })
    return one
  }
}
