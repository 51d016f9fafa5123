import Foundation
import ParallaxModels
import ParallaxTensors

// The side of `forward.py` that is ours. Makes one model from a safetensors file, then runs one forward pass for
// each line on standard input and prints how many seconds it took.
//
//     ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off
//
// INPUT holds `images`; OUTPUT gets `output` and the mean of each block.

func made(_ name: String, _ w: Weights) throws -> any Model {
  switch name {
  case "vit_base_patch16_224": try ViT(ViT.Configuration(), w)
  case "resnet50": try ResNet(.resnet50, w)
  case "tf_efficientnet_lite0": try EfficientNet(.lite0, w)
  case "mobilenetv2_100": try MobileNetV2(.standard, w)
  default: throw ModelError.unknownModel(name: name, candidates: [])
  }
}

func run(_ arguments: [String]) throws {
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[4]) ?? 2)
  let weights = Weights(try Safetensors(arguments[1]))
  let model = try made(arguments[0], weights)
  try weights.finish { $0.hasSuffix("num_batches_tracked") }
  guard let images = try Safetensors(arguments[2])["images"] else { return }
  let blocks = Set(
    model.sites(height: images.shape[2], width: images.shape[3]).filter(\.isBlock).map(\.name))
  let wanted = arguments[5] == "blocks" ? blocks.union(["fc", "head", "classifier"]) : nil

  func pass(_ see: @escaping (Tap.Visit) -> Void) -> Tensor {
    guard let wanted else { return model(images, .off) }
    return model(
      images,
      Tap(wanted) { visit in
        see(visit)
        return nil
      })
  }

  while readLine() != nil {
    var seen = 0
    let clock = ContinuousClock()
    let time = clock.measure { _ = pass { _ in seen += 1 } }
    let seconds = Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18
    print("\(seconds) \(seen)")
    fflush(nil)
  }
  var found: [(name: String, tensor: Tensor)] = []
  let output = pass { visit in
    if visit.isBlock { found.append(("mean/\(visit.site)", visit.value.mean())) }
  }
  found.append(("output", output))
  try Safetensors.write(found, to: arguments[3])
}

do {
  guard CommandLine.arguments.count == 7 else {
    print("usage: ParallaxBenchmark MODEL WEIGHTS INPUT OUTPUT THREADS blocks|off")
    exit(64)
  }
  try run(Array(CommandLine.arguments.dropFirst()))
} catch {
  FileHandle.standardError.write(Data("error: \(error)\n".utf8))
  exit(70)
}
