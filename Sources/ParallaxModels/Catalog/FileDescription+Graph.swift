import Foundation
import ParallaxTensors

extension FileDescription {
  /// A graph: its parameters as a checkpoint's, and what it takes and shows.
  ///
  /// It runs once. A graph that cannot be run is described as a checkpoint, with the reason.
  static func graph(_ path: String) throws -> FileDescription {
    var result = try checkpoint(path)
    // Sizes that the exporter has numbered are no parameters.
    result.parameters.removeAll { $0.dtype == "int64" && ONNXWeight.isMadeUp($0.name) }
    do {
      let found = try GraphImport.ready(path, .cpu, GraphOptions())
      let (model, sites) = (found.graph, found.graph.places)
      result.architecture = found.family
      result.preprocessing = Preparation(
        file: found.preparation.origin, keys: text(found.preparation.keys))
      result.graph = Graph(
        writer: found.writer, nodes: model.nodeCount, images: model.images,
        tokens: model.tokenLayout.map(\.sentence), sites: sites.map(\.name),
        blocks: sites.filter(\.isBlock).map(\.name), caveat: found.caveat)
    } catch let error as ModelError {
      result.problem = "cannot be run: \(error)"
    }
    return result
  }
}

extension TokenLayout {
  /// How tokens stand in a row, in words.
  var sentence: String {
    let first = hasClassToken ? ["a class token"] : []
    let others =
      registers > 0
      ? ["\(registers) register or distillation token\(registers == 1 ? "" : "s")"] : []
    return (first + others + ["patches of \(patch) pixels"]).joined(separator: ", ")
  }
}
