import Foundation
import ParallaxAnalyses
import ParallaxModels
import ParallaxTensors

/// The whole Jacobian of a network's output for each line on standard input, which names how: `whole`, the library's, or `bare`, the
/// backward passes alone; prints how many seconds it took.
func jacobian(_ arguments: [String]) throws {
  HostMemory.keepForReuse()
  guard arguments.count == 4, let batch = Int(arguments[2]), let threads = Int(arguments[3]) else {
    return
  }
  Threads.use(threads)
  let model = try Catalog.load(.name(arguments[1]), randomWeights: 1).model
  let side = model.fixedImageSize?.height ?? 224
  let image = RandomSource(seed: 2).normal([1, 3, side, side])

  func whole() throws {
    let jacobian = try LayerJacobian(arguments[1], at: image, batchSize: batch) {
      try model.run($0, .off)
    }
    _ = try jacobian.matrix().sum().item(Double.self)
  }

  func bare() throws {
    let copies = image.expanded(batch, 3, side, side).contiguous()
    let back = Tensor.pullback(at: [copies]) { [model($0[0], .off)] }
    let features = back.values[0].shape[1]
    let units = Tensor.identity(features)
    for first in stride(from: 0, to: features - batch + 1, by: batch) {
      let seed = units.sliced(0, first, first + batch)
      _ = try back.products(of: 0, with: seed)
    }
  }

  while let mode = readLine() {
    var problem: (any Error)?
    let time = ContinuousClock().measure {
      do { try mode == "whole" ? whole() : bare() } catch { problem = error }
    }
    if let problem { throw problem }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
}
