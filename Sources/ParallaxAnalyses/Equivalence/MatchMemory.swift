import ParallaxModels
import ParallaxTensors

/// How many pictures can be changed at once.
///
/// An estimate: everything that is shown up to the site counts twice, for what comes between is kept for the way back too, and twice more
/// where products go forwards at the same time; the match itself holds some copies of its pictures, L-BFGS two for each pair of its
/// history besides.
struct MatchMemory {
  /// Pictures at once where nobody says how many.
  static let usual = 8
  /// Bytes that they may take.
  static let limit = 1 << 33

  /// Bytes for one picture.
  let bytes: Int

  init(_ subject: Subject, _ site: Site, _ method: MatchRecipe.Method, width: Int = 4) {
    let last = subject.sites.firstIndex { $0.name == site.name } ?? max(0, subject.sites.count - 1)
    let activations = subject.sites.prefix(last + 1).reduce(0) { $0 + $1.shape.reduce(1, *) }
    let pixels = 3 * subject.imageSize.height * subject.imageSize.width
    let copies = method == .boundedBFGS ? 12 + 4 * BoundedBFGS.history : 12
    bytes = ((method.isSecondOrder ? 4 : 2) * activations + copies * pixels) * width
  }

  /// How many fit.
  ///
  /// - Parameters:
  ///   - asked: how many; nil for the usual number.
  ///   - fixed: a graph's own number.
  ///   - limit: bytes.
  /// - Returns: pictures, at most those that were asked for, at least one.
  func batch(_ asked: Int?, fixed: Int?, limit: Int = limit) -> Int {
    max(1, fixed ?? min(asked ?? Self.usual, limit / max(1, bytes)))
  }
}

extension MatchingAnalysis {
  /// Pictures of a place that are changed at once.
  func batch(_ place: Int) -> Int {
    let own = places[place]
    return MatchMemory(
      subjects[own.subject], own.representation.site, options.recipe.method
    ).batch(options.batchSize, fixed: subjects[own.subject].model.fixedBatch)
  }

  /// Says where fewer pictures are changed at once than were asked for; nil where nowhere.
  public var memoryNote: String? {
    guard let asked = options.batchSize else { return nil }
    let less = places.indices.filter {
      subjects[places[$0].subject].model.fixedBatch == nil && batch($0) < asked
    }
    guard let place = less.min(by: { batch($0) < batch($1) }) else { return nil }
    return
      "\(places[place].representation.address): \(batch(place)) pairs at once instead of \(asked), for they take about \(MatchMemory.limit >> 30) GB"
  }
}
