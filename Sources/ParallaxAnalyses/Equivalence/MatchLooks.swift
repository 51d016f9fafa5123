import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Sources, targets and matched pictures as every place of every model sees them.
///
/// A picture that was matched for one model is resized to another's input where sizes differ (bicubic, antialiased); so are its
/// source and target, so that what is compared differs by the match alone.
struct MatchLooks {
  private struct Look {
    var sources: Tensor
    var targets: Tensor
    var matched: Tensor
  }

  private let places: [ChosenSites.Place]
  /// Of each place the pairs that were alike before.
  private let already: [[Bool]]
  /// Row: where pictures were matched; column: where they are looked at.
  private var looks: [[Look]] = []

  init(
    _ analysis: MatchingAnalysis, _ originals: [Tensor], pairs: [(source: Int, target: Int)],
    saved: [Tensor], already: [[Bool]]
  ) throws {
    self.already = already
    places = analysis.places
    // Of each pair of models sources and targets, in all places of the second.
    var seen: [[Int]: [[Tensor]]] = [:]
    for (row, place) in places.enumerated() {
      let own = originals[place.subject]
      let batch = analysis.batch(row)
      analysis.progress("matched pictures, looked at", Double(row) / Double(places.count))
      var line: [Look?] = places.map { _ in nil }
      for (index, subject) in analysis.subjects.enumerated() {
        let columns = places.indices.filter { places[$0].subject == index }
        let wanted = columns.map { places[$0].representation }
        func embedded(_ pictures: Tensor) throws -> [Tensor] {
          let fitting = Self.fitted(pictures, subject)
          let parts = try stride(from: 0, to: fitting.shape[0], by: batch).map { first in
            if analysis.isInterrupted() { throw AnalysisError.interrupted }
            return try RepresentationEmbedding.of(
              fitting.sliced(0, first, min(first + batch, fitting.shape[0])).to(subject.device),
              subject, wanted, .pixels
            ).map { $0.detached().to(.cpu) }
          }
          return wanted.indices.map { place in Tensor.concatenated(parts.map { $0[place] }, 0) }
        }
        let key = [place.subject, index]
        if seen[key] == nil {
          seen[key] = [
            try embedded(own.gathered(0, pairs.map(\.source))),
            try embedded(own.gathered(0, pairs.map(\.target))),
          ].transposed()
        }
        let matched = try embedded(saved[row])
        for (number, column) in columns.enumerated() {
          guard let ends = seen[key]?[number] else { continue }
          line[column] = Look(sources: ends[0], targets: ends[1], matched: matched[number])
        }
      }
      looks.append(line.compactMap(\.self))
    }
  }

  /// Pictures as large as a model's input.
  static func fitted(_ pictures: Tensor, _ subject: Subject) -> Tensor {
    let size = subject.imageSize
    guard pictures.shape[2] != size.height || pictures.shape[3] != size.width else {
      return pictures
    }
    return pictures.bicubic(to: [size.height, size.width], antialias: true).clamped(0, 1)
  }

  /// Embeddings of pictures that were matched at one place.
  func matched(_ row: Int, at column: Int) -> Tensor { looks[row][column].matched }

  /// Embeddings of the sources at the place where they are matched.
  func sources(_ place: Int) -> Tensor { looks[place][place].sources }

  /// Targets' embeddings where they are matched.
  func targets(_ place: Int) -> Tensor { looks[place][place].targets }

  /// The matrices, without pairs that were alike before; nil for a single place.
  func transfer(_ bank: Bank, _ pairs: [(source: Int, target: Int)]) -> MatchingResult.Transfer? {
    guard places.count > 1 else { return nil }
    var (way, nearest): ([[Double?]], [[Double?]]) = ([], [])
    for (place, row) in looks.enumerated() {
      let changed = pairs.indices.filter { !already[place][$0] }
      way.append(
        row.map { look in
          func distances(_ found: Tensor) -> [Double] {
            (found.to(.float64) - look.targets.to(.float64)).norm(over: [1]).scalars(Double.self)
          }
          let (after, before) = (distances(look.matched), distances(look.sources))
          let shares = changed.compactMap {
            before[$0] > 0 && after[$0].isFinite ? 1 - after[$0] / before[$0] : nil
          }
          return shares.isEmpty ? nil : shares.reduce(0, +) / Double(shares.count)
        })
      nearest.append(
        row.enumerated().map { column, look in
          // What lies outside the set is nobody's neighbour.
          let inside = changed.filter { bank.samples.contains(pairs[$0].target) }
          guard look.matched.isFinite(), !inside.isEmpty else { return nil }
          let found = bank.nearest(look.matched, column, excluding: pairs.map(\.source))
          let hits = inside.count { found[$0] == pairs[$0].target }
          return Double(hits) / Double(inside.count)
        })
    }
    return MatchingResult.Transfer(way: way, nearest: nearest)
  }
}

extension [[Tensor]] {
  /// Rows as columns.
  fileprivate func transposed() -> [[Tensor]] {
    guard let first else { return [] }
    return first.indices.map { place in map { $0[place] } }
  }
}
