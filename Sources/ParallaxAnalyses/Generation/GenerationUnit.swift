import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Pictures that descend at once: for the same site of the same models.
struct GenerationUnit {
  /// Names it in a state.
  var key: String
  /// One, or two for pictures that both shall recognise.
  var models: [Int]
  /// The site that is looked at, one a model.
  var sites: [Site]
  /// What each is asked to be, and its start.
  var rows: [(item: GenerationWishes.Item, start: Int)]

  /// What a descent came to, for one picture.
  struct Numbers: Codable, Equatable {
    var before: [GenerationResult.Score]
    var after: [GenerationResult.Score]
    var best: [GenerationResult.Score]
    var trace: [GenerationResult.Point]
    var diverged: Int?
  }

  struct Found {
    /// `[batch, 3, height, width]`.
    var pictures: Tensor
    var numbers: [Numbers]
  }

  /// What errors and progress call it.
  func name(_ subjects: [Subject]) -> String {
    zip(models, sites).map { "\(subjects[$0].name)@\($1.name)" }.joined(separator: " + ")
  }

  /// The pictures, those for the same models and site together.
  ///
  /// - Throws: `AnalysisError.site` where a model does not have the site.
  static func list(
    _ items: [GenerationWishes.Item], _ subjects: [Subject], starts: Int, _ batchSize: Int
  ) throws -> [GenerationUnit] {
    var groups: [(models: [Int], sites: [Site], items: [GenerationWishes.Item])] = []
    for item in items {
      let sites = try item.models.map { model -> Site in
        let wanted = item.objective.site
        let site =
          wanted.map { name in subjects[model].sites.first { $0.name == name } }
          ?? subjects[model].logitsSite
        guard let site else {
          throw AnalysisError.site(
            "\(subjects[model].name)@\(wanted ?? "")", problem: "the model has no such site")
        }
        return site
      }
      if let place = groups.firstIndex(where: { $0.models == item.models && $0.sites == sites }) {
        groups[place].items.append(item)
      } else {
        groups.append((item.models, sites, [item]))
      }
    }
    return groups.enumerated().flatMap { number, group -> [GenerationUnit] in
      let rows = group.items.flatMap { item in (0..<starts).map { (item: item, start: $0) } }
      let size = max(
        1, group.models.compactMap { subjects[$0].model.fixedBatch }.min() ?? batchSize)
      return stride(from: 0, to: rows.count, by: size).enumerated().map { part, first in
        GenerationUnit(
          key: "\(number).\(part)", models: group.models, sites: group.sites,
          rows: Array(rows[first..<min(first + size, rows.count)]))
      }
    }
  }

  func views(_ subjects: [Subject], _ recipe: GenerationRecipe) -> [GenerationView] {
    zip(models, sites).map { GenerationView(subject: subjects[$0], site: $1, recipe: recipe) }
  }

  /// The descent of these pictures.
  ///
  /// - Parameters:
  ///   - views: one a model.
  ///   - recipe: how.
  ///   - seed: of what is done to the pictures in each step.
  ///   - name: what errors call it.
  /// - Returns: the descent.
  func descent(
    _ views: [GenerationView], _ recipe: GenerationRecipe, seed: UInt64, name: String
  ) -> Descent {
    let rows = rows.map(\.item.objective)
    return Descent(name, recipe.descent) { seen, moment in
      let own =
        (seed &* 1_000_003 &+ UInt64(moment.octave)) &* 1_000_003 &+ UInt64(moment.step)
      let picture = GenerationView.disturbed(seen, recipe, seed: own)
      var losses = try Self.losses(rows, views, recipe.targets) { try $0(picture) }
      if recipe.magnitude > 0 {
        losses = losses + seen.absolute().sum(over: [1, 2, 3]) * recipe.magnitude
      }
      return Descent.Losses(losses)
    }
  }

  /// The losses of objectives, one a picture.
  static func losses(
    _ objectives: [GenerationObjective], _ views: [GenerationView], _ targets: [Double],
    _ activation: (GenerationView) throws -> Tensor
  ) throws -> Tensor {
    let seen = try views.map(activation)
    return Tensor.concatenated(
      try objectives.enumerated().map { row, objective in
        let own = seen.map { $0.sliced(0, row, row + 1) }
        guard objective.site != nil else { return objective.loss(logits: own, targets: targets) }
        return try objective.loss(
          activation: own[0], views[0].site.kind, target: targets[0], prefix: views[0].prefix,
          name: views[0].name)
      }, 0)
  }

  /// What pictures have of what was asked, as each model sees them at its own size; and the classes that the first model sees.
  func scores(
    _ pictures: Tensor, _ views: [GenerationView]
  ) throws -> [(own: [GenerationResult.Score], best: [GenerationResult.Score])] {
    let seen = try views.map { try $0(pictures, isFitted: true).detached() }
    return try rows.enumerated().map { row, one in
      let objective = one.item.objective
      guard objective.site == nil else {
        let score = try objective.score(
          activation: seen[0].sliced(0, row, row + 1), views[0].site.kind, prefix: views[0].prefix,
          name: views[0].name)
        return (
          [
            GenerationResult.Score(
              model: models[0], label: one.item.title,
              value: try finite(score.to(.float64).scalars(Double.self)[0], views[0]),
              probability: nil, rank: nil)
          ], []
        )
      }
      var own: [GenerationResult.Score] = []
      var best: [GenerationResult.Score] = []
      for (place, view) in views.enumerated() {
        let logits = seen[place].selected(0, row).to(.float64)
        let (values, shares) = (logits.scalars(Double.self), logits.softmax(0).scalars(Double.self))
        let names = GenerationWishes(subjects: [view.subject], frames: 1)
        func score(_ index: Int) throws -> GenerationResult.Score {
          GenerationResult.Score(
            model: models[place], label: names.label(index, of: view.subject),
            value: try finite(values[index], view), probability: shares[index],
            rank: 1 + values.count { $0 > values[index] })
        }
        own += try objective.classes.map(score)
        if place == 0 {
          let order = values.indices.sorted { (-values[$0], $0) < (-values[$1], $1) }
          best = try order.prefix(3).map(score)
        }
      }
      return (own, best)
    }
  }

  private func finite(_ value: Double, _ view: GenerationView) throws -> Double {
    guard value.isFinite else {
      throw AnalysisError.site(view.name, problem: "NaN or infinity at a picture")
    }
    return value
  }
}
