import Foundation
import ParallaxMeasures
import ParallaxTensors

/// Few-shot probes of the representations in `train`, `[sites, images, width]`, scored on `test`, with `labels` of the training
/// images. Each line on standard input fits all sites with all penalties once; OUTPUT gets the classes found,
/// `[sites, test images, penalties]`.
func probe(_ arguments: [String]) throws {
  guard arguments.count == 4 else { return }
  HostMemory.keepForReuse()
  Threads.use(Int(arguments[3]) ?? 2)
  let file = try Safetensors(arguments[1])
  guard let train = file["train"], let test = file["test"],
    let labels = file["labels"]?.scalars(Int64.self).map(Int.init),
    let penalties = file["penalties"]?.scalars(Double.self)
  else { return }
  let classes = (labels.max() ?? 0) + 1
  let probe = FewShotProbe(penalties: penalties)
  var found: [Tensor] = []
  while readLine() != nil {
    let time = try ContinuousClock().measure {
      found = try zip(train.unbound(0), test.unbound(0)).map { train, test in
        try probe.fit(train, labels: labels, classes: classes).classes(of: test).squeezed(2)
      }
    }
    print(Double(time.components.seconds) + Double(time.components.attoseconds) * 1e-18)
    fflush(nil)
  }
  try Safetensors.write([(name: "classes", tensor: Tensor.stacked(found))], to: arguments[2])
}
