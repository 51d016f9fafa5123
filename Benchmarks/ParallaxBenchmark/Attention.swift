import Foundation
import ParallaxAnalyses
import ParallaxModels
import ParallaxTensors

/// One forward pass for each line on standard input, which names what looks on; prints how many seconds it took.
func attention(_ arguments: [String]) throws {
  HostMemory.keepForReuse()
  guard arguments.count == 4, let batch = Int(arguments[2]), let threads = Int(arguments[3]) else {
    return
  }
  Threads.use(threads)
  let model = try Catalog.load(.name(arguments[1]), randomWeights: 1).model
  let side = model.fixedImageSize?.height ?? 224
  let images = RandomSource(seed: 2).normal([batch, 3, side, side])
  let sites = model.sites(height: side, width: side)
  let patterns = sites.filter { $0.name.hasSuffix(".pattern") }
  let distances = Dictionary(
    uniqueKeysWithValues: patterns.compactMap { site in
      model.attentionPlaces(at: site, height: side, width: side).map { places in
        (
          site.name,
          (near: AttentionDistance(places, hasEntropy: false), both: AttentionDistance(places))
        )
      }
    })
  let blocks = Set(sites.filter(\.isBlock).map(\.name))

  func pass(_ mode: String) {
    guard mode != "off" else {
      _ = model(images, .off)
      return
    }
    let wanted = mode == "blocks" ? blocks : Set(distances.keys)
    _ = model(
      images,
      Tap(wanted) { visit in
        switch mode {
        case "distance": _ = distances[visit.site]?.near(visit.value).sum().item(Double.self)
        case "entropy": _ = distances[visit.site]?.both(visit.value).sum().item(Double.self)
        default: break
        }
        return nil
      })
  }

  while let mode = readLine() {
    let time = ContinuousClock().measure { pass(mode) }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
}
