import Foundation
import ParallaxMeasures
import ParallaxResults
import ParallaxTensors

/// What stands downstream of a representation: the nearest neighbour, the nearest prototype, a probe, principal coordinates.
struct Readers {
  let bank: Bank
  let place: Int
  /// Places in the set.
  let pairs: [(source: Int, target: Int)]
  /// Whether targets are images; else the second of a pair says nothing.
  var hasTargets = true

  /// Principal coordinates that are kept.
  static let coordinates = 6
  /// Columns of the matrix of scores, at most.
  static let columns = 12
  /// What cosines are multiplied with before the softmax: CLIP's largest.
  static let temperature = 100.0

  private var sources: [Int] { pairs.map(\.source) }
  private var before: Tensor { bank.of(sources, place) }

  private func label(_ sample: Int) -> Int? { bank.label(sample) }

  /// What classes targets have: their own or, of those without one, what a reader reads off their embeddings.
  private func targets(_ reader: (Tensor) throws -> [Int?]?) rethrows -> [Int?] {
    guard hasTargets else { return pairs.map { _ in nil } }
    let own = pairs.map { label($0.target) }
    guard own.contains(nil), let read = try reader(bank.of(pairs.map(\.target), place)) else {
      return own
    }
    return zip(own, read).map { $0 ?? $1 }
  }

  /// Classes read off queries, one a pair: by the nearest prototype.
  func prototypes(_ queries: Tensor) -> [Int]? {
    guard bank.hasClasses else { return nil }
    let classes = Set(bank.labels.compactMap(\.self)).sorted()
    return bank.prototypes(queries, place, classes, excluding: sources).argmax(1)
      .scalars(Int64.self).map { classes[Int($0)] }
  }

  /// What readers say of the sources before and after; empty where no source has a class.
  func readouts(_ after: Tensor) throws -> [MatchingResult.Readout] {
    let known = pairs.indices.filter { label(pairs[$0].source) != nil }
    guard bank.hasClasses, !known.isEmpty else { return [] }
    guard known.count == pairs.count else {
      var some = Readers(bank: bank, place: place, pairs: known.map { pairs[$0] })
      some.hasTargets = hasTargets
      return try some.readouts(after.gathered(0, known))
    }
    let sources = pairs.map { label($0.source) }
    func readout(_ name: String, _ found: [[Int?]], _ targets: [Int?]) -> MatchingResult.Readout {
      let own = zip(sources, targets).map { (source: $0, target: $1) }
      let count = Double(pairs.count)
      func share(_ list: [Int?], _ wanted: [Int?]) -> Double {
        Double(zip(list, wanted).count { $0 != nil && $0 == $1 }) / count
      }
      var readout = MatchingResult.Readout(
        name: name, before: share(found[0], own.map(\.source)),
        after: share(found[1], own.map(\.source)), fooled: share(found[1], own.map(\.target)),
        count: pairs.count)
      func isRight(_ list: [Int?], _ row: Int) -> Bool {
        list[row] != nil && list[row] == own[row].source
      }
      readout.lost = pairs.indices.count { isRight(found[0], $0) && !isRight(found[1], $0) }
      readout.won = pairs.indices.count { !isRight(found[0], $0) && isRight(found[1], $0) }
      return readout
    }
    let queries = [before, after.to(.cpu).to(.float64)]
    guard queries.allSatisfy({ $0.isFinite() }) else { return [] }
    let excluded = self.sources
    func nearest(_ queries: Tensor) -> [Int?] {
      bank.nearest(queries, place, excluding: excluded).map(label)
    }
    func prototype(_ queries: Tensor) -> [Int?]? { prototypes(queries)?.map { Optional($0) } }
    var list = [
      readout("nearest neighbour", queries.map(nearest), targets(nearest)),
      readout("prototype", queries.compactMap(prototype), targets(prototype)),
    ]
    if let probed = try bank.probed(queries, place, excluding: excluded) {
      list.append(
        readout(
          "probe", probed.map { $0.map { Optional($0) } },
          try targets { try bank.probed([$0], place, excluding: excluded)?[0].map { Optional($0) } }
        ))
    }
    return list
  }

  /// Softmax of 100 times the cosines with the prototypes of the classes that take part.
  func scores(_ after: Tensor) -> MatchingResult.Scores? {
    // What has no class stands under the one that the nearest prototype gives it.
    func prototype(_ queries: Tensor) -> [Int?]? { prototypes(queries)?.map { Optional($0) } }
    var own = sources.map(label)
    if own.contains(nil), let read = prototype(before) { own = zip(own, read).map { $0 ?? $1 } }
    let names = zip(own, targets(prototype)).flatMap { [$0, $1] }.compactMap(\.self)
    var seen: Set<Int> = []
    let classes = names.filter { seen.insert($0).inserted }.prefix(Self.columns)
    guard bank.hasClasses, classes.count > 1, after.isFinite() else { return nil }
    let rows = pairs.indices.filter { own[$0].map(classes.contains) ?? false }
    func table(_ queries: Tensor) -> [[Double]] {
      let cosines = bank.prototypes(queries, place, Array(classes), excluding: sources)
      let shares = (cosines * Self.temperature).softmax(1).scalars(Double.self)
      return rows.map { Array(shares[($0 * classes.count)..<(($0 + 1) * classes.count)]) }
    }
    return MatchingResult.Scores(
      classes: classes.map { bank.names[$0] ?? "\($0)" }, pairs: rows, before: table(before),
      after: table(after))
  }

  /// Principal coordinates, fitted to the whole set's representations; nil where there are too few.
  ///
  /// - Parameters:
  ///   - after: embeddings of the matched pictures.
  ///   - targets: what they were matched to; nil for the embeddings of the targets' images.
  /// - Returns: coordinates of sources, targets and matched pictures.
  /// - Throws: `MeasureError` of the fit.
  func coordinates(_ after: Tensor, targets: Tensor? = nil) throws -> MatchingResult.Coordinates? {
    let all = bank.all(place)
    guard all.shape[0] > Self.coordinates, all.isFinite(), after.isFinite() else { return nil }
    let fit = try PrincipalCoordinates(of: all, components: Self.coordinates)
    func table(_ queries: Tensor) -> [[Double]] {
      let found = fit(queries.to(.cpu))
      let (values, width) = (found.scalars(Double.self), found.shape[1])
      return (0..<found.shape[0]).map { Array(values[($0 * width)..<(($0 + 1) * width)]) }
    }
    return MatchingResult.Coordinates(
      variances: fit.shares, sources: table(before),
      targets: table(targets ?? bank.of(pairs.map(\.target), place)), matched: table(after))
  }
}
