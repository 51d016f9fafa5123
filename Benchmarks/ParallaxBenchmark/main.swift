import Foundation

// The side of `forward.py`, `compare.py`, `graphs.py`, `neighbours.py`, `attention.py`, `moments.py`, `probe.py`,
// `jacobian.py`, `kstar.py` and of `Oracles/exports_full.py` that is ours.
//
//     ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off
//     ParallaxBenchmark compare WEIGHTS WEIGHTS INPUT OUTPUT THREADS
//     ParallaxBenchmark neighbours INPUT OUTPUT THREADS
//     ParallaxBenchmark attention MODEL BATCH THREADS
//     ParallaxBenchmark jacobian MODEL BATCH THREADS
//     ParallaxBenchmark probe INPUT OUTPUT THREADS
//     ParallaxBenchmark kstar INPUT OUTPUT THREADS
//     ParallaxBenchmark moments SITES IMAGES WIDTH THREADS features|moments|none MEASURE,MEASURE OUTPUT
//     ParallaxBenchmark sites GRAPH INPUT OUTPUT [--every-node] [--as-shipped] [--no-gradient]
//     ParallaxBenchmark graph GRAPH INPUT OUTPUT THREADS blocks|off
//
// INPUT holds `images` (`features` for `neighbours`); OUTPUT gets `output` and the mean of each block, or the matrix of similarities.

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  let isShort = ["sites", "neighbours", "attention", "moments", "probe", "jacobian", "kstar"]
    .contains(arguments.first)
  guard isShort || arguments.count == 6 else {
    print("usage: ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off")
    print("       ParallaxBenchmark compare WEIGHTS WEIGHTS INPUT OUTPUT THREADS")
    print("       ParallaxBenchmark neighbours INPUT OUTPUT THREADS")
    print("       ParallaxBenchmark attention MODEL BATCH THREADS")
    print("       ParallaxBenchmark jacobian MODEL BATCH THREADS")
    print("       ParallaxBenchmark probe INPUT OUTPUT THREADS")
    print("       ParallaxBenchmark kstar INPUT OUTPUT THREADS")
    print(
      "       ParallaxBenchmark moments SITES IMAGES WIDTH THREADS features|moments|none MEASURE OUTPUT"
    )
    print("       ParallaxBenchmark sites GRAPH INPUT OUTPUT [--every-node] [--as-shipped]")
    print("       ParallaxBenchmark graph GRAPH INPUT OUTPUT THREADS blocks|off")
    exit(64)
  }
  switch arguments[0] {
  case "sites": try sites(arguments)
  case "compare": try compare(arguments)
  case "neighbours": try neighbours(arguments)
  case "attention": try attention(arguments)
  case "probe": try probe(arguments)
  case "jacobian": try jacobian(arguments)
  case "kstar": try kStar(arguments)
  case "moments": try moments(arguments)
  default: try forward(arguments)
  }
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(70)
}
