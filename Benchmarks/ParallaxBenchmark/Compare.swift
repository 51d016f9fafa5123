import Foundation
import ParallaxMeasures
import ParallaxModels
import ParallaxTensors

/// A network with its blocks and what is taken of each.
private struct Contestant {
  var model: any Model
  var blocks: [Site]
}

/// Similarity of all blocks of a ViT-S/16 and a ResNet-50 on one block of images. Each line on standard input says what to
/// time: `forward` (no taps, which is what similarity is charged against), `compare` (class tokens and means, as
/// `parallax compare` takes them) or `flat` (every number of an activation, as the Python packages do).
func compare(_ arguments: [String]) throws {
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[5]) ?? 2)
  guard let images = try Safetensors(arguments[3])["images"] else { return }
  let size = (height: images.shape[2], width: images.shape[3])
  let contestants = try [("vit_small_patch16_224", 1), ("resnet50", 2)].map { name, place in
    let model = try made(name, from: arguments[place])
    return Contestant(
      model: model,
      blocks: model.sites(height: size.height, width: size.width).filter(\.isBlock))
  }
  let count = contestants.reduce(0) { $0 + $1.blocks.count }

  func pass(_ kind: String) throws -> CKAMatrix? {
    let sums = MinibatchCKA(count: count, options: MinibatchCKA.Options())
    try sums.begin(block: 0, images: images.shape[0])
    var first = 0
    for contestant in contestants {
      let places = Dictionary(
        uniqueKeysWithValues: contestant.blocks.enumerated().map { ($1.name, $0) })
      let layout = contestant.model.tokenLayout
      var parts = [[Tensor]](repeating: [], count: contestant.blocks.count)
      for start in stride(from: 0, to: images.shape[0], by: 32) {
        let batch = images.sliced(0, start, min(start + 32, images.shape[0]))
        if kind == "forward" {
          _ = contestant.model(batch, .off)
          continue
        }
        var failure: (any Error)?
        _ = contestant.model(
          batch,
          Tap(Set(places.keys)) { visit in
            guard let place = places[visit.site] else { return nil }
            let site = contestant.blocks[place]
            let tokens = kind == "flat" ? Tokens.flat : Tokens.byDefault(at: site, layout)
            do {
              parts[place].append(try tokens(visit.value, at: site, layout, imageSize: size))
            } catch { failure = error }
            return nil
          })
        if let failure { throw failure }
      }
      if kind != "forward" {
        for (place, features) in parts.enumerated() {
          try sums.add(
            first + place, features.count == 1 ? features[0] : Tensor.concatenated(features, 0))
        }
      }
      first += contestant.blocks.count
    }
    if kind == "forward" { return nil }
    try sums.finish()
    return try sums.result()
  }

  while let kind = readLine() {
    let clock = ContinuousClock()
    let time = try clock.measure { _ = try pass(kind) }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
  var found: [(name: String, tensor: Tensor)] = []
  for kind in ["compare", "flat"] {
    guard let matrix = try pass(kind) else { continue }
    let values = (0..<count).flatMap { row in (0..<count).map { matrix[row, $0] ?? .nan } }
    found.append((kind, Tensor(values, shape: [count, count])))
  }
  try Safetensors.write(found, to: arguments[4])
}
