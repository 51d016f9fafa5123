import Foundation
import Parallax

/// Processing steps of made-up models: even ones are transformers, odd ones convolutional; the first two are classifiers.
struct MadeUpSteps {
  /// How many blocks each model has.
  var blocks: [Int]
  var name: (Int) -> String = { "model-\($0)" }
  var isSymmetric = false
  var permutations = 19
  var hasIntervals = true
  var hasUntrained = false

  var result: StepsResult {
    var result = StepsResult(
      measure: isSymmetric ? "cka" : "information-imbalance",
      quantity: isSymmetric ? "1 − cka" : "information-imbalance", isSymmetric: isSymmetric,
      floor: isSymmetric ? 0 : 0.002, source: "Glielmo et al., 2022", images: 1000,
      dtype: "float32", seed: 7, groups: hasIntervals ? 10 : 0, permutations: permutations,
      models: blocks.indices.map(model))
    result.switches = [
      Switch("relative depth", "(block − 1) / (blocks − 1)", origin: "paper"),
      Switch("distance", "euclidean"), Switch("neighbours", "1"),
    ]
    result.depths = (0...20).map { Double($0) / 20 }
    for a in blocks.indices { for b in blocks.indices { result.grids.append(grid(a, b, result)) } }
    for a in blocks.indices {
      for b in blocks.indices where b > a { result.evolutions.append(evolution(a, b, result)) }
      for b in blocks.indices where b != a { result.positions.append(position(a, b, result)) }
    }
    result.aggregates = aggregates(result)
    result.smoothness = blocks.indices.map { smoothness($0, result) }
    result.lowLevel = blocks.indices.map { lowLevel($0, result) }
    result.geometry = blocks.indices.map { geometry($0, result) }
    if !isSymmetric {
      result.rescaled = StepsResult.Rescaling(
        quantity: "information-imbalance-zero-based", scale: 1000.0 / 998, shift: -2.0 / 998)
    }
    if hasUntrained { result.untrained = untrained(result) }
    result.refusals = [
      SimilarityResult.Refusal(address: "\(name(0))@input#flat", reason: "it is constant")
    ]
    result.findings = findings
    result.alternatives = [
      StepsResult.Alternative(quantity: "1 − cka", findings: findings.map(Self.undecided))
    ]
    return result
  }

  private func model(_ index: Int) -> StepsResult.Model {
    let count = blocks[index]
    let isTransformer = index % 2 == 0
    let stages = [3, 4, 6, 3].reduce(into: [0]) { $0.append($0[$0.count - 1] + $1) }
    func stage(_ place: Int) -> Int {
      (stages.lastIndex { $0 * count <= place * 16 } ?? 0) + 1
    }
    let leading = [
      ModelSites.Site(name: "input", tokens: "flat", stage: "input", depth: 0, features: 3072),
      ModelSites.Site(
        name: isTransformer ? "patch_embed" : "stem", tokens: "avg", stage: "stem", depth: 0,
        features: 64),
    ]
    return StepsResult.Model(
      sites: ModelSites(
        name: name(index), family: isTransformer ? "ViT" : "ResNet",
        sites: leading
          + (0..<count).map { place in
            ModelSites.Site(
              name: isTransformer
                ? "blocks.\(place)" : "layer\(stage(place)).\(place - stages[stage(place) - 1])",
              tokens: isTransformer ? "cls" : "avg",
              stage: isTransformer ? "blocks" : "layer\(stage(place))",
              depth: Double(place) / Double(max(1, count - 1)), features: 384)
          }), design: isTransformer ? "transformer" : "convolutional",
      objective: index < 2
        ? "classification" : index % 3 == 0 ? "self-supervised" : "language–image", leading: 2)
  }

  /// A number in −1…1 that looks drawn, the same for the same seeds.
  private func noise(_ seeds: Int...) -> Double {
    let value =
      sin(
        seeds.enumerated().reduce(0) {
          $0 + Double($1.element + 1) * [12.9, 78.2, 37.7][$1.offset]
        })
      * 437.58
    return 2 * (value - value.rounded(.down)) - 1
  }

  private func estimate(_ value: Double, _ margin: Double) -> StepsResult.Estimate {
    hasIntervals
      ? StepsResult.Estimate(value, low: value - margin, high: value + margin)
      : StepsResult.Estimate(value)
  }

  /// A site's place along its own way: jumps of convolutional networks between stages are long.
  private func way(_ model: StepsResult.Model, _ site: Int) -> Double {
    guard site >= model.leading else { return Double(site - model.leading) * 0.12 }
    guard model.design == "convolutional" else { return model.sites.sites[site].depth }
    let stages = Set(model.sites.sites[model.leading...site].map(\.stage)).count
    return 0.45 * model.sites.sites[site].depth + 0.18 * Double(stages - 1)
  }

  private func distance(_ a: Int, _ i: Int, _ b: Int, _ j: Int, _ result: StepsResult) -> Double {
    let (x, y) = (way(result.models[a], i), way(result.models[b], j))
    guard a != b || i != j else { return result.floor ?? 0 }
    let own = a == b ? 0.02 : 0.16 + 0.22 * max(0, x + y - 1.1) + (a % 2 == b % 2 ? 0 : 0.07)
    let gap = 1 - exp(-1.9 * abs(x - y))
    let lost = isSymmetric ? 0 : 0.10 * (y - x)
    return max(0.004, own + 0.8 * gap * (1 - own) - lost * (a == b ? 1 : 0.7))
      + (isSymmetric ? 0 : 0.008 * noise(a * 7 + b, i, j)) + 0.004
  }

  private func grid(_ a: Int, _ b: Int, _ result: StepsResult) -> StepsResult.Grid {
    let rows = result.models[a].sites.sites.indices
    let columns = result.models[b].sites.sites.indices
    let values = rows.map { i in columns.map { j in distance(a, i, b, j, result) as Double? } }
    return StepsResult.Grid(
      a: a, b: b, values: values,
      pValues: permutations == 0
        ? nil : values.map { $0.map { $0.map { $0 > 0.8 ? 0.35 : 0.05 } } })
  }

  private func evolution(_ a: Int, _ b: Int, _ result: StepsResult) -> StepsResult.Evolution {
    func mean(_ depth: Double, _ from: Int, _ to: Int) -> Double {
      let i = result.models[from].leading + Int((depth * Double(blocks[from] - 1)).rounded())
      let j = result.models[to].leading + Int((depth * Double(blocks[to] - 1)).rounded())
      return distance(from, i, to, j, result)
    }
    let forward = result.depths.map { mean($0, a, b) }
    let backward = result.depths.map { mean($0, b, a) }
    let both = zip(forward, backward).map { ($0 + $1) / 2 }
    let steps = result.depths.indices.dropLast().map { index in
      func sites(_ model: Int) -> [String] {
        [index, index + 1].map { point in
          let place = Int((result.depths[point] * Double(blocks[model] - 1)).rounded())
          return result.models[model].sites.sites[result.models[model].leading + place].name
        }
      }
      return StepsResult.Step(
        from: result.depths[index], to: result.depths[index + 1],
        change: estimate(both[index + 1] - both[index], 0.015), sitesA: sites(a), sitesB: sites(b))
    }
    return StepsResult.Evolution(
      a: a, b: b, mean: both.map { estimate($0, 0.018) }, forward: forward, backward: backward,
      chance: permutations == 0 ? nil : 0.998, steps: Array(steps))
  }

  private func aggregates(_ result: StepsResult) -> [StepsResult.Aggregate] {
    let types: [(String, (StepsResult.Model, StepsResult.Model) -> Bool)] = [
      ("all pairs", { _, _ in true }), ("same design", { $0.design == $1.design }),
      ("different design", { $0.design != $1.design }),
      ("same objective", { $0.objective == $1.objective }),
      ("different objective", { $0.objective != $1.objective }),
    ]
    return types.compactMap { name, isOf in
      let pairs = result.evolutions.filter { isOf(result.models[$0.a], result.models[$0.b]) }
      guard !pairs.isEmpty else { return nil }
      let mean = result.depths.indices.map { index in
        pairs.compactMap { $0.mean[index].value }.reduce(0, +) / Double(pairs.count)
      }
      return StepsResult.Aggregate(
        name: name, pairs: pairs.count, mean: mean.map { estimate($0, 0.012) },
        changes: zip(mean.dropFirst(), mean).map { estimate($0 - $1, 0.012) })
    }
  }

  private func position(_ a: Int, _ b: Int, _ result: StepsResult) -> StepsResult.Position {
    let values = result.grid(a, b)?.values ?? []
    let matches = result.models[a].blocks.map { row -> Int? in
      values[row].indices.min { (values[row][$0] ?? 9) < (values[row][$1] ?? 9) }
    }
    return StepsResult.Position(
      a: a, b: b, matches: matches, correlation: estimate(0.93 + 0.05 * noise(a, b), 0.03),
      gap: estimate(0.09 + 0.03 * noise(b, a), 0.01), gapByChance: 0.35,
      pValue: permutations == 0 ? nil : 0.001, ratio: estimate(0.6, 0.02),
      residual: estimate(0.24 + 0.08 * noise(a + b), 0.02),
      aboveSeeds: hasUntrained ? estimate(0.12 + 0.05 * noise(a + b), 0.02) : nil)
  }

  private func smoothness(_ index: Int, _ result: StepsResult) -> StepsResult.Smoothness {
    let model = result.models[index]
    let changes = model.blocks.dropLast().map { from in
      let forward = distance(index, from, index, from + 1, result)
      let backward = distance(index, from + 1, index, from, result) + (isSymmetric ? 0 : 0.02)
      return StepsResult.Smoothness.Change(
        from: from, to: from + 1, forward: estimate(forward, 0.01),
        backward: estimate(backward, 0.01), mean: estimate((forward + backward) / 2, 0.008),
        isBoundary: model.sites.sites[from].stage != model.sites.sites[from + 1].stage,
        cka: forward * 0.8, jaccard: min(1, forward * 2.2 + 0.1))
    }
    let steps = changes.compactMap(\.mean.value)
    let count = Double(max(1, steps.count))
    let mean = steps.reduce(0, +) / count
    let spread = (steps.reduce(0) { $0 + ($1 - mean) * ($1 - mean) } / count).squareRoot()
    func statistic(_ name: String, _ value: Double, _ margin: Double, scaled: Bool = true)
      -> StepsResult.Smoothness.Statistic
    {
      StepsResult.Smoothness.Statistic(
        name: name, value: estimate(value, margin), cka: scaled ? value * 0.8 : value * 1.1,
        jaccard: scaled ? value * 2.1 : value * 0.7)
    }
    var statistics = [
      statistic("mean step", mean, 0.004), statistic("largest step", steps.max() ?? 0, 0.012),
      statistic("coefficient of variation", spread / max(mean, 1e-9), 0.06, scaled: false),
      statistic(
        "jumps", Double(steps.count { $0 > mean + 2 * spread }), 0.4, scaled: false),
      statistic(
        "total variation", zip(steps.dropFirst(), steps).reduce(0) { $0 + abs($1.0 - $1.1) }, 0.03),
      statistic("mean step per depth", mean * count, 0.08),
      statistic("largest step per depth", (steps.max() ?? 0) * count, 0.2),
      statistic("total variation per depth", mean * count * 1.7, 0.3),
    ]
    if !isSymmetric {
      statistics.append(
        StepsResult.Smoothness.Statistic(
          name: "mean asymmetry", value: estimate(0.02 + 0.01 * noise(index), 0.004), cka: nil,
          jaccard: nil))
    }
    return StepsResult.Smoothness(
      model: index, changes: Array(changes), statistics: statistics,
      chance: permutations == 0 ? nil : 1.003)
  }

  private func lowLevel(_ index: Int, _ result: StepsResult) -> StepsResult.LowLevel {
    let model = result.models[index]
    let isClassifier = model.objective == "classification"
    let spaces = [
      ("all statistics", 28), ("luminance", 2), ("contrast", 1), ("colour", 8),
      ("colourfulness", 1), ("entropy", 1), ("edges", 10), ("spectrum", 5), ("pixels", 3072),
    ]
    func known(_ space: Int, _ site: Int) -> Double {
      let depth = model.sites.sites[site].depth
      let late = max(0, depth - 0.72)
      let base = 0.28 + 0.05 * noise(space) + 0.1 * depth + 0.02 * noise(index, space, site)
      guard site >= model.leading else { return space == 8 && site == 0 ? 0.002 : base - 0.04 }
      return base + (isClassifier ? 4.2 * late * late : 0.3 * late * late) + 0.02 * Double(index)
    }
    let sites = Array(model.sites.sites.indices)
    let statistics = spaces[1...7].flatMap { name, width in
      (0..<min(2, width)).map { "\(name).\($0 == 0 ? "mean" : "sd")" }
    }
    func score(_ statistic: Int, _ site: Int) -> Double {
      0.95 - 0.9 * known(statistic % 8, site) + 0.02 * noise(statistic, site)
    }
    return StepsResult.LowLevel(
      model: index,
      spaces: spaces.enumerated().map { place, space in
        StepsResult.LowLevel.Space(
          name: space.0, width: space.1, equalImages: place % 3 == 2 ? 120 : 0,
          known: sites.map { estimate(known(place, $0), 0.02) },
          back: sites.map { known(place, $0) + 0.2 },
          clipped: place == 0 ? sites.map { known(place, $0) + 0.01 } : [],
          chance: permutations == 0 ? nil : 0.997)
      },
      statistics: statistics.enumerated().map { place, name in
        StepsResult.LowLevel.Space(
          name: name, width: 1, equalImages: place == 2 ? 640 : 0,
          known: sites.map { estimate(known(place % 8, $0) + 0.03 * Double(place % 4), 0.02) },
          back: sites.map { known(place % 8, $0) + 0.3 },
          clipped: sites.map { known(place % 8, $0) + 0.04 },
          strict: sites.map { known(place % 8, $0) - 0.02 },
          chance: permutations == 0 ? nil : 1)
      },
      probes: statistics.enumerated().map { place, name in
        StepsResult.LowLevel.Probe(
          statistic: name, scores: sites.map { name == "entropy.mean" ? nil : score(place, $0) })
      }, meanScore: sites.map { score(0, $0) - 0.05 },
      rise: estimate(isClassifier ? 0.21 + 0.03 * noise(index) : 0.02 * noise(index), 0.03),
      riseClipped: isClassifier ? 0.19 : 0.01, fall: isClassifier ? 0.18 : 0.03)
  }

  /// Half of the models with made-up weights.
  private func untrained(_ result: StepsResult) -> StepsResult.Untrained {
    let own = blocks.indices.filter { $0 % 2 == 0 }
    var models = own.map { result.models[$0] }
    for index in models.indices { models[index].sites.name += "-random" }
    var evolutions = [StepsResult.Evolution]()
    for a in own.indices {
      for b in own.indices where b > a {
        var curve = evolution(own[a], own[b], result)
        (curve.a, curve.b) = (a, b)
        evolutions.append(curve)
      }
    }
    return StepsResult.Untrained(
      models: models, twinOf: own.map { $0 }, evolutions: evolutions,
      smoothness: own.enumerated().map { place, index in
        var profile = smoothness(index, result)
        profile.model = place
        for change in profile.changes.indices {
          profile.changes[change].mean = estimate(0.02, 0.01)
        }
        return profile
      },
      lowLevel: own.enumerated().map { place, index in
        var curves = lowLevel(index, result)
        (curves.model, curves.probes, curves.meanScore) = (
          place, [], curves.meanScore.map { _ in nil }
        )
        return curves
      })
  }

  private func geometry(_ index: Int, _ result: StepsResult) -> StepsResult.Geometry {
    let model = result.models[index]
    let sites = Array(model.sites.sites.indices)
    func depth(_ site: Int) -> Double { model.sites.sites[site].depth }
    return StepsResult.Geometry(
      model: index,
      curves: [
        StepsResult.Geometry.Curve(
          name: "intrinsic dimension (TwoNN)",
          values: sites.map {
            12 + 14 * sin(.pi * depth($0)) + Double(index) + 0.6 * noise(index, $0)
          }),
        StepsResult.Geometry.Curve(
          name: "intrinsic dimension (GRIDE)",
          values: sites.map {
            10 + 11 * sin(.pi * depth($0)) + Double(index) + 0.6 * noise(index, $0)
          }),
        StepsResult.Geometry.Curve(
          name: "label overlap",
          values: sites.map { 0.15 + 0.6 * depth($0) * depth($0) + 0.02 * noise(index, $0) }),
        StepsResult.Geometry.Curve(
          name: "overlap with the next block",
          values: sites.map { site in
            site < model.leading || site == sites.count - 1
              ? nil : 0.75 - 2 * distance(index, site, index, site + 1, result)
          }),
      ])
  }

  private static func undecided(_ finding: Finding) -> Finding {
    var finding = finding
    (finding.low, finding.verdict) = (-0.1, .cannotTell)
    return finding
  }

  private var findings: [Finding] {
    [
      Finding(
        sentence: "Layers at similar relative depth are the nearest, but strong differences remain",
        value: 0.24, low: 0.22, high: 0.26, quantity: "smallest residual over ordered pairs",
        verdict: .shows, analysis: "steps"),
      Finding(
        sentence:
          "Classifiers discard low-level image statistics in their last layers, the others do not",
        value: 0.19, low: 0.13, high: 0.25, quantity: "difference of the mean rise",
        verdict: .shows, analysis: "steps"),
      Finding(
        sentence:
          "Transformers change their representations more smoothly than convolutional networks",
        value: 0.61, low: 0.5, high: 0.72,
        quantity: "difference of the mean coefficient of variation", verdict: .shows,
        analysis: "steps"),
    ]
  }
}
