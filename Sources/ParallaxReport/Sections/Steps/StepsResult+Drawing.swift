import ParallaxResults

/// What all figures of the processing steps share.
extension StepsResult {
  /// The same with names that figures can bear.
  var drawable: StepsResult {
    var copy = self
    copy.quantity = Text.label(quantity)
    for index in models.indices {
      copy.models[index].sites.name = Text.label(models[index].name)
      copy.models[index].design = Text.label(models[index].design)
      copy.models[index].objective = Text.label(models[index].objective)
    }
    copy.rescaled?.quantity = Text.label(rescaled?.quantity ?? "")
    for (index, profile) in smoothness.enumerated() {
      for (place, statistic) in profile.statistics.enumerated() {
        copy.smoothness[index].statistics[place].name = Text.label(statistic.name)
      }
    }
    for (index, level) in lowLevel.enumerated() {
      for (place, space) in level.spaces.enumerated() {
        copy.lowLevel[index].spaces[place].name = Text.label(space.name)
      }
      for (place, space) in level.statistics.enumerated() {
        copy.lowLevel[index].statistics[place].name = Text.label(space.name)
      }
      for (place, probe) in level.probes.enumerated() {
        copy.lowLevel[index].probes[place].statistic = Text.label(probe.statistic)
      }
    }
    for index in untrained?.models.indices ?? 0..<0 {
      copy.untrained?.models[index].sites.name = Text.label(
        untrained?.models[index].name ?? "untrained")
    }
    for (index, level) in (untrained?.lowLevel ?? []).enumerated() {
      for (place, space) in level.spaces.enumerated() {
        copy.untrained?.lowLevel[index].spaces[place].name = Text.label(space.name)
      }
    }
    for (index, geometry) in geometry.enumerated() {
      for (place, curve) in geometry.curves.enumerated() {
        copy.geometry[index].curves[place].name = Text.label(curve.name)
      }
    }
    return copy
  }

  /// Models as curves and dots want them, where these are of another analysis: nothing else of it is drawn.
  static func drawing(
    _ models: [(sites: ModelSites, design: String)], images: Int, dtype: String, seed: UInt64,
    groups: Int
  ) -> StepsResult {
    StepsResult(
      measure: "", quantity: "", isSymmetric: true, floor: nil, source: "", images: images,
      dtype: dtype, seed: seed, groups: groups, permutations: 0,
      models: models.map {
        StepsResult.Model(sites: $0.sites, design: $0.design, objective: "", leading: 0)
      })
  }

  /// Whether there are orders enough for a p-value of 0.05.
  var canTell: Bool { permutations >= 19 }

  /// The two of each pair of models, the earlier first.
  var pairs: [(a: Int, b: Int)] {
    models.indices.flatMap { a in models.indices.filter { $0 > a }.map { (a, $0) } }
  }

  /// Whether a model learnt to tell classes apart.
  func isClassifier(_ model: Int) -> Bool { models[model].objective == "classification" }

  /// The models' colours, by the name in a field.
  func colour(_ field: String, legend: String? = nil) -> Chart.Channel {
    channel(field, legend) { Palette.colour($0) }
  }

  /// The models' markers, by the name in a field.
  func marker(_ field: String, legend: String? = nil) -> Chart.Channel {
    channel(field, legend) { Palette.marker($0) }
  }

  private func channel(
    _ field: String, _ legend: String?, _ value: (Int) -> String
  ) -> Chart.Channel {
    var channel = Chart.Channel.name(field)
    channel.scale = Chart.Scale(names: models.map(\.name), range: models.indices.map(value))
    channel.legend =
      legend.map {
        .value(
          Chart.Legend(
            title: $0.isEmpty ? "model" : $0, orient: "top", direction: "horizontal",
            columns: min(4, models.count)))
      } ?? .null
    return channel
  }

  /// A site's place in curves: leading ones stand before depth 0.
  func place(_ model: Int, _ site: Int) -> Double { Self.place(models[model], site) }

  /// The same of any model.
  static func place(_ model: Model, _ site: Int) -> Double {
    let leading = model.leading
    guard site < leading else { return model.sites.sites[site].depth }
    return -0.16 * Double(leading - site) / Double(max(2, leading))
  }

  /// Depths at which a model's stages begin, halfway from the block before; without the first.
  func stageDepths(_ model: Int) -> [(depth: Double, stage: String)] {
    let (sites, blocks) = (models[model].sites.sites, models[model].blocks)
    return blocks.dropFirst().compactMap { site in
      sites[site].stage == sites[site - 1].stage
        ? nil : ((sites[site].depth + sites[site - 1].depth) / 2, sites[site].stage)
    }
  }

  /// The models by what they are, those of a kind together in the order asked for.
  func groups(by kind: (Model) -> String) -> [(name: String, models: [Int])] {
    var groups: [(name: String, models: [Int])] = []
    for (index, model) in models.enumerated() {
      let name = kind(model)
      if let place = groups.firstIndex(where: { $0.name == name }) {
        groups[place].models.append(index)
      } else {
        groups.append((name, [index]))
      }
    }
    return groups
  }

  /// Images, type and seed in a sentence.
  var basis: String { "\(Text.plural(images, "image")), \(dtype), seed \(seed)." }

  /// How intervals came about.
  var intervals: String {
    groups > 1
      ? "Intervals are of 95 %, by a jackknife over \(groups) groups of images."
      : "No intervals: no groups of images were left out."
  }
}

extension StepsResult.Estimate {
  /// `0.012 to 0.034`.
  var interval: String { Text.interval(low, high) ?? "not estimated" }
  /// `0.023`.
  var shown: String { Text.number(value) }
}
