import ParallaxImages
import ParallaxMeasures
import ParallaxResults

/// Every choice that changes the numbers of the processing steps, and whether the paper makes it.
enum StepsSwitches {
  /// - Parameters:
  ///   - options: what was asked for.
  ///   - models: with their sites.
  ///   - untrained: the same architectures with made-up weights.
  ///   - groups: of images that were left out in turn.
  ///   - orders: of shuffled images.
  /// - Returns: them in the order of the report.
  static func list(
    _ options: StepsAnalysis.Options, _ models: [StepsResult.Model],
    untrained: [StepsResult.Model], groups: Int, orders: Int
  ) -> [Switch] {
    var list = [Switch("questions and findings", "the abstract's", origin: "paper")]
    func add(_ name: String, _ value: String) { list.append(Switch(name, value)) }
    add("measure", "\(options.measure.name) (\(options.measure.source))")
    if options.measure is InformationImbalance {
      add("normalisation", "the measure's own; every value by the other one in results.csv")
    }
    add(
      "ties",
      options.measure.allowingTies.name == options.measure.name
        ? "as the measure treats them"
        : "of equally far images every order is as likely, values are expected ones; a layer with equal rows has none"
    )
    add("features", options.preprocessing.description)
    for model in models {
      let sites = model.sites.sites
      func tokens(_ part: Range<Int>) -> String {
        part.reduce(into: [String]()) { found, site in
          if !found.contains(sites[site].tokens) { found.append(sites[site].tokens) }
        }.joined(separator: ", ")
      }
      let before = sites[..<model.blocks.lowerBound].map { "\($0.name)#\($0.tokens)" }
      add(
        "stages of \(model.name)",
        "\(model.blocks.count) sites from \(sites[model.blocks.lowerBound].name) on, tokens \(tokens(model.blocks))"
          + (before.isEmpty ? "" : "; before them \(before.joined(separator: ", "))"))
      add("kind of \(model.name)", "\(model.design); trained for \(model.objective)")
    }
    add("copies", "of pictures that a model sees as the same the first in the pass' order stays")
    add(
      "untrained models",
      untrained.isEmpty
        ? "none; --untrained SEED makes them"
        : "\(untrained.map(\.name).joined(separator: ", ")): baselines, in no pair and no finding")
    add(
      "seeds",
      "models of one family, with the same sites and objective, stand for two seeds of one training"
    )
    add("relative depth", "l / (L − 1) over the L stages")
    add("both directions", "their mean; the symmetrised score of Glielmo et al. is √2 times it")
    add(
      "curves",
      "\(PairsOfModels.grid.count) relative depths, linear on the triangles between stages")
    add("matches", "the nearest stage by the mean of both directions, leading sites left out")
    add(
      "chance of matches",
      "p among the matches and their reversal, each shifted by every number of stages")
    add("diagonal", "cells at most \(PairsOfModels.near) of relative depth apart")
    add(
      "intervals",
      groups == 0
        ? "none: fewer than two images a group"
        : "jackknife over \(groups) groups of images, none drawn twice")
    add("chance", orders == 0 ? "not computed" : "\(orders) orders of shuffled images")
    add("strong differences", "more than \(StepsFindings.strong) of the way from itself to chance")
    add(
      "low-level statistics",
      "\(LowLevelStatistics.names.count) of each picture (shorter side to 224, centre square), standardised over the images; all, by group, each by itself"
    )
    if options.measure is InformationImbalance {
      add(
        "strict ranks",
        "distances to statistics once more with the lowest rank for all that are equally far, as the definition stands; expected ranks elsewhere"
      )
    }
    add(
      "discarding",
      "the last fifth of the stages against the middle three fifths, by the measure to all statistics"
    )
    add("probe", options.probes ? "ridge regression, 5 folds, R² out of fold" : "none")
    add(
      "clipping",
      options.clips
        ? "findings and distances to statistics once more with each layer clipped at its \(StepsAnalysis.Options.clip) quantile of magnitude"
        : "none")
    add(
      "smoothness",
      "the mean step less the floor, per unit of relative depth; seven more statistics beside it")
    return list
  }
}
