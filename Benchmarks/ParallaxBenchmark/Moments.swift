import Foundation
import ParallaxMeasures
import ParallaxTensors

/// Measures of made-up representations that come in blocks of 64 images: `[sites, images, width]`, the same numbers as in
/// `moments.py`. By `features` they are gathered, by `moments` accumulated, by `none` only made. OUTPUT gets the tables;
/// printed are the seconds of the pass and those of the measures.
func moments(_ arguments: [String]) throws {
  guard arguments.count == 8, let sites = Int(arguments[1]), let images = Int(arguments[2]),
    let width = Int(arguments[3]), let threads = Int(arguments[4])
  else { return }
  let measures = arguments[6].split(separator: ",").compactMap { MeasureCatalog[String($0)] }
  HostMemory.keepForReuse()
  Threads.use(threads)
  let source = RandomSource(seed: 7)
  let maps = (0..<sites).map { _ in source.normal([24, width]) }
  var options = MomentSums.Options()
  options.hasLengths = true
  let sums =
    arguments[5] == "moments"
    ? try MomentSums(
      widths: Array(repeating: width, count: sites), images: images, options: options) : nil
  var gathered: [[Tensor]] = (0..<sites).map { _ in [] }
  let clock = ContinuousClock()
  let pass = try clock.measure {
    for (block, start) in stride(from: 0, to: images, by: 64).enumerated() {
      let count = min(64, images - start)
      let random = RandomSource(seed: UInt64(100 + block))
      let latent = random.normal([count, 24])
      try sums?.begin(block: block, images: count)
      for site in 0..<sites {
        let features =
          latent.times(maps[site]) + random.normal([count, width]) * (0.5 + 0.1 * Double(site))
        try sums?.add(site, features)
        if arguments[5] == "features" { gathered[site].append(features) }
      }
      try sums?.finish()
    }
    sums?.close()
  }
  var resampling = MeasureMatrix.Options()
  (resampling.groups, resampling.permutations) = (0, 0)
  var tables: [MeasureMatrix] = []
  let rest = try clock.measure {
    if let sums { tables = try MeasureMatrix.all(measures, of: sums) }
    guard arguments[5] == "features" else { return }
    var whole: [Tensor] = []
    for site in 0..<sites {
      whole.append(Tensor.concatenated(gathered[site], 0))
      gathered[site] = []
    }
    tables = try MeasureMatrix.all(measures, of: whole, options: resampling)
  }
  for time in [pass, rest] {
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
  }
  try Safetensors.write(
    tables.map { (name: $0.measure, tensor: Tensor($0.values, shape: [$0.size, $0.size])) },
    to: arguments[7])
}
