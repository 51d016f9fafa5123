import ParallaxTensors

extension Catalog {
  /// The architectures that a checkpoint fits, every name and shape of it.
  ///
  /// - Parameter source: the checkpoint; nothing but names and shapes is read of it.
  /// - Returns: them, in the catalog's order.
  public static func architectures(fitting source: any WeightSource) -> [Architecture] {
    architectures.filter { architecture in
      let outline = Outline(source: architecture.recognise(source))
      let weights = Weights(outline)
      guard (try? architecture.make(weights)) != nil else { return false }
      return (try? weights.finish(harmless: Architecture.isHarmless)) != nil
    }
  }

  /// A checkpoint's names and shapes, with one zero for all values.
  private struct Outline: WeightSource {
    let source: any WeightSource
    var label: String { source.label }
    var names: [String] { source.names }
    func shape(_ name: String) -> [Int]? { source.shape(name) }
    func tensor(_ name: String) -> Tensor? {
      source.shape(name).map { shape in
        Tensor(Float(0)).reshaped(Array(repeating: 1, count: shape.count)).expanded(shape)
      }
    }
  }
}
