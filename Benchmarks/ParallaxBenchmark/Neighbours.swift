import Foundation
import ParallaxMeasures
import ParallaxTensors

/// Neighbours of the representations in `features`, `[sites, images, width]`. Each line on standard input says what to time:
/// `imbalance` (all ordered pairs), `mutual` (all pairs, neighbours once a site), `again` (all pairs, neighbours once a pair)
/// or `knn` (the neighbours alone). OUTPUT gets what was found.
func neighbours(_ arguments: [String]) throws {
  guard arguments.count == 4 else { return }
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[3]) ?? 2)
  guard let features = try Safetensors(arguments[1])["features"] else { return }
  let sites = features.unbound(0)
  var found: [String: Tensor] = [:]

  func run(_ kind: String) throws {
    switch kind {
    case "imbalance":
      let measure = InformationImbalance()
      let summaries = try sites.map { try measure.summary(of: $0) }
      found[kind] = try table(summaries.count) {
        try measure.similarity(summaries[$0], summaries[$1])
      }
    case "mutual":
      let measure = MutualKNN()
      let summaries = try sites.map { try measure.summary(of: $0) }
      found[kind] = try table(summaries.count) {
        $0 < $1 ? try measure.similarity(summaries[$0], summaries[$1]) : 0
      }
    case "again":
      let measure = MutualKNN()
      found[kind] = try table(sites.count) { $0 < $1 ? try measure(sites[$0], sites[$1]) : 0 }
    default:
      let nearest = try sites.map { try Neighbours(of: $0, count: 10, distance: .euclidean) }
      let lists = nearest[0].images
      let values = (0..<lists).flatMap { nearest[0].nearest(to: $0).map(Int32.init) }
      found["knn"] = Tensor(values, shape: [lists, 10])
    }
  }

  while let kind = readLine() {
    let clock = ContinuousClock()
    let time = try clock.measure { try run(kind) }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
  try Safetensors.write(
    found.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }, to: arguments[2])
}

/// A value for every pair but those of a site with itself.
private func table(_ count: Int, _ value: (Int, Int) throws -> Double) rethrows -> Tensor {
  var values = [Double](repeating: 0, count: count * count)
  for row in 0..<count {
    for column in 0..<count where row != column {
      values[row * count + column] = try value(row, column)
    }
  }
  return Tensor(values, shape: [count, count])
}
