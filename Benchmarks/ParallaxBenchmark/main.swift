import Foundation

// The side of `forward.py` and of `compare.py` that is ours.
//
//     ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off
//     ParallaxBenchmark compare WEIGHTS WEIGHTS INPUT OUTPUT THREADS
//
// INPUT holds `images`; OUTPUT gets `output` and the mean of each block, or the matrix of similarities.

do {
  let arguments = Array(CommandLine.arguments.dropFirst())
  guard arguments.count == 6 else {
    print("usage: ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off")
    print("       ParallaxBenchmark compare WEIGHTS WEIGHTS INPUT OUTPUT THREADS")
    exit(64)
  }
  if arguments[0] == "compare" { try compare(arguments) } else { try forward(arguments) }
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(70)
}
