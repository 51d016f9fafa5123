import Foundation
import ParallaxResults

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct StepsCheck {
  let result: StepsResult

  /// Numbers that no measure gives, and that drawing would lift beyond all numbers.
  static func hugeNumber(in file: URL) -> String? {
    func search(_ value: Any) -> Double? {
      switch value {
      case let list as [Any]: list.lazy.compactMap(search).first
      case let table as [String: Any]: table.values.lazy.compactMap(search).first
      case let number as NSNumber: abs(number.doubleValue) > 1e100 ? number.doubleValue : nil
      default: nil
      }
    }
    guard let data = try? Data(contentsOf: file),
      let content = try? JSONSerialization.jsonObject(with: data), let found = search(content)
    else { return nil }
    return "it holds the number \(found), expected none above 1e100"
  }

  /// What is wrong; nil where nothing is.
  var problem: String? {
    models ?? grids ?? curves ?? positions ?? smoothness ?? lowLevel ?? geometry ?? untrained
  }

  private var models: String? {
    guard !result.models.isEmpty else { return "it names no model" }
    for (index, model) in result.models.enumerated() {
      guard model.leading >= 0, model.leading < model.sites.sites.count else {
        return
          "model \(index) has \(model.sites.sites.count) sites, \(model.leading) of them leading"
      }
    }
    return nil
  }

  private func count(_ model: Int) -> Int { result.models[model].sites.sites.count }
  private func isModel(_ index: Int) -> Bool { result.models.indices.contains(index) }

  private var grids: String? {
    for grid in result.grids where !isModel(grid.a) || !isModel(grid.b) {
      return "a grid is of models \(grid.a) and \(grid.b), of \(result.models.count)"
    }
    for a in result.models.indices {
      for b in result.models.indices {
        let found = result.grids.filter { $0.a == a && $0.b == b }
        guard found.count == 1 else {
          return "there are \(found.count) grids of models \(a) and \(b), not one"
        }
        for cells in [found[0].values, found[0].pValues ?? found[0].values] {
          guard cells.count == count(a), cells.allSatisfy({ $0.count == count(b) }) else {
            return "the grid of models \(a) and \(b) is not \(count(a)) by \(count(b))"
          }
        }
      }
    }
    return nil
  }

  private var curves: String? {
    let points = result.depths.count
    for evolution in result.evolutions {
      guard isModel(evolution.a), isModel(evolution.b), evolution.a != evolution.b else {
        return "a curve is of models \(evolution.a) and \(evolution.b), of \(result.models.count)"
      }
      guard
        [evolution.mean.count, evolution.forward.count, evolution.backward.count]
          .allSatisfy({ $0 == points })
      else {
        return "the curve of models \(evolution.a) and \(evolution.b) has not \(points) points"
      }
    }
    for aggregate in result.aggregates where aggregate.mean.count != points {
      return "the mean curve of \(aggregate.name) has not \(points) points"
    }
    return nil
  }

  private var positions: String? {
    for position in result.positions {
      guard isModel(position.a), isModel(position.b), position.a != position.b else {
        return "matches are of models \(position.a) and \(position.b), of \(result.models.count)"
      }
      let blocks = result.models[position.a].blocks.count
      guard position.matches.count == blocks,
        position.matches.allSatisfy({ $0.map { (0..<count(position.b)).contains($0) } ?? true })
      else {
        return
          "the matches of models \(position.a) and \(position.b) are not \(blocks) of \(count(position.b)) sites"
      }
    }
    return nil
  }

  private var smoothness: String? {
    for profile in result.smoothness {
      guard isModel(profile.model) else { return "a profile is of model \(profile.model)" }
      let sites = 0..<count(profile.model)
      guard profile.changes.allSatisfy({ sites.contains($0.from) && sites.contains($0.to) }) else {
        return "a step of model \(profile.model) lies outside its \(sites.count) sites"
      }
    }
    return isOnce(result.smoothness.map(\.model), "profile")
  }

  private var lowLevel: String? {
    for level in result.lowLevel {
      guard isModel(level.model) else { return "low-level curves are of model \(level.model)" }
      let sites = count(level.model)
      let counts =
        (level.spaces + level.statistics).flatMap {
          [$0.known.count, $0.back.count] + ($0.clipped.isEmpty ? [] : [$0.clipped.count])
            + ($0.strict.isEmpty ? [] : [$0.strict.count])
        } + level.probes.map(\.scores.count) + [level.meanScore.count]
      guard counts.allSatisfy({ $0 == sites }) else {
        return "a low-level curve of model \(level.model) has not \(sites) points"
      }
    }
    return isOnce(result.lowLevel.map(\.model), "set of low-level curves")
  }

  private var untrained: String? {
    guard let untrained = result.untrained else { return nil }
    guard untrained.twinOf.count == untrained.models.count,
      untrained.twinOf.allSatisfy({ $0.map(isModel) ?? true })
    else { return "untrained models are twins of none of the \(result.models.count) models" }
    // The same parts, of models of their own.
    var other = StepsResult(
      measure: result.measure, quantity: result.quantity, isSymmetric: result.isSymmetric,
      floor: result.floor, source: result.source, images: result.images, dtype: result.dtype,
      seed: result.seed, groups: result.groups, permutations: result.permutations,
      models: untrained.models)
    (other.depths, other.evolutions) = (result.depths, untrained.evolutions)
    (other.smoothness, other.lowLevel) = (untrained.smoothness, untrained.lowLevel)
    let check = StepsCheck(result: other)
    return (check.models ?? check.curves ?? check.smoothness ?? check.lowLevel).map {
      "of the untrained models: \($0)"
    }
  }

  private var geometry: String? {
    for geometry in result.geometry {
      guard isModel(geometry.model) else { return "a companion is of model \(geometry.model)" }
      guard geometry.curves.allSatisfy({ $0.values.count == count(geometry.model) }) else {
        return "a companion of model \(geometry.model) has not \(count(geometry.model)) points"
      }
    }
    return isOnce(result.geometry.map(\.model), "set of companions")
  }

  private func isOnce(_ models: [Int], _ what: String) -> String? {
    Set(models).count == models.count ? nil : "a model has more than one \(what)"
  }
}
