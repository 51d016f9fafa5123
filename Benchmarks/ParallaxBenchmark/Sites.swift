import Foundation
import ParallaxModels
import ParallaxTensors

/// Every site of an imported graph, for scripts that compare them with another implementation's.
///
/// INPUT holds `images`; OUTPUT gets `site/NAME`, `output`, and `grad/input`, the gradient of the output's mean square.
func sites(_ arguments: [String]) throws {
  let options = GraphOptions(
    everyNode: arguments.contains("--every-node"), asShipped: arguments.contains("--as-shipped"))
  let plain = arguments.filter { !$0.hasPrefix("--") }
  guard plain.count == 4, let images = try Safetensors(plain[2])["images"] else {
    throw ModelError.address(
      text: plain.joined(separator: " "), problem: "expected MODEL INPUT OUTPUT")
  }
  let clock = ContinuousClock()
  var found: LoadedModel?
  let time = try clock.measure {
    found = try Catalog.load(ModelReference(parsing: plain[1]), graphs: options)
  }
  guard let model = found?.model else { return }
  var written: [(name: String, tensor: Tensor)] = []
  let output = model(
    images,
    Tap(nil) { visit in
      written.append(("site/\(visit.site)", visit.value))
      return nil
    })
  written.append(("output", output))
  if !arguments.contains("--no-gradient") {
    let (_, gradients) = Tensor.valueWithGradient(at: [images]) {
      model($0[0], .off).squared().mean()
    }
    written.append(("grad/input", gradients[0]))
  }
  try Safetensors.write(written, to: plain[3])
  print(
    Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18,
    model.sites(height: images.shape[2], width: images.shape[3]).filter(\.isBlock).count)
}
