import Foundation
import ParallaxMeasures
import ParallaxTensors

/// k* of `features`, `[images, width]`, with `labels`. Each line on standard input says what to time: `kstar`, `pessimistic`, or `all`
/// (ten neighbours and silhouettes from the same distances). OUTPUT gets the ranks, and how many were computed again.
func kStar(_ arguments: [String]) throws {
  guard arguments.count == 4 else { return }
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[3]) ?? 2)
  let file = try Safetensors(arguments[1])
  guard let features = file["features"], let labels = file["labels"] else { return }
  let classes = labels.scalars(Int64.self).map(Int.init)
  var found: [String: Tensor] = [:]
  while let kind = readLine() {
    let measure =
      switch kind {
      case "pessimistic": KStar(ties: .pessimistic)
      case "all": KStar(neighbours: 10, hasSilhouettes: true)
      default: KStar()
      }
    let clock = ContinuousClock()
    let time = try clock.measure {
      let values = try measure(features, labels: classes)
      found[kind] = Tensor(values.ranks.map(Int64.init), shape: [values.ranks.count])
      found["\(kind)-recomputed"] = Tensor([Int64(values.recomputed)], shape: [1])
    }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
  try Safetensors.write(
    found.sorted { $0.key < $1.key }.map { (name: $0.key, tensor: $0.value) }, to: arguments[2])
}
