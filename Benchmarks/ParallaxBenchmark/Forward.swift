import Foundation
import ParallaxModels
import ParallaxTensors

/// A network of the catalog by its name, from a file of weights under any names that the catalog recognises.
func made(_ name: String, from path: String) throws -> any Model {
  let architecture = try Catalog.entry(named: name).architecture
  let weights = Weights(architecture.recognise(try Safetensors(path)))
  let model = try architecture.make(weights)
  try weights.finish { $0.hasSuffix("num_batches_tracked") }
  return model
}

/// One forward pass for each line on standard input; prints how many seconds it took.
func forward(_ arguments: [String]) throws {
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[4]) ?? 2)
  let model =
    arguments[0] == "graph"
    ? try Catalog.load(ModelReference(parsing: arguments[1])).model
    : try made(arguments[0], from: arguments[1])
  guard let images = try Safetensors(arguments[2])["images"] else { return }
  let sites = model.sites(height: images.shape[2], width: images.shape[3])
  let blocks = Set(sites.filter(\.isBlock).map(\.name))
  // The last site is the output; without it a pass would end after the last block.
  let wanted = arguments[5] == "blocks" ? blocks.union(sites.suffix(1).map(\.name)) : nil

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
