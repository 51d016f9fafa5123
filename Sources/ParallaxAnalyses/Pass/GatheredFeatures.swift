import ParallaxMeasures
import ParallaxTensors

/// The features of a pass, kept whole for analyses that need all images at once.
struct GatheredFeatures {
  private let name: String
  private let widths: [Int]
  private var blocks: [[Tensor]]
  private var open: [Tensor?] = []

  /// Nothing yet.
  ///
  /// - Parameters:
  ///   - name: of the analysis, for errors.
  ///   - widths: of the representations, in the order in which they are counted.
  init(_ name: String, widths: [Int]) {
    (self.name, self.widths) = (name, widths)
    blocks = widths.map { _ in [] }
  }

  /// Opens a block.
  mutating func begin() { open = widths.map { _ in nil } }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  mutating func add(_ index: Int, _ features: Tensor) throws {
    guard open.indices.contains(index), open[index] == nil else {
      throw MeasureError.blockOrder(
        measure: name, problem: "features of representation \(index) come out of turn")
    }
    open[index] = features.to(.cpu).to(features.dtype == .float64 ? .float64 : .float32).cloned()
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  mutating func finish() throws {
    let block = open.compactMap(\.self)
    guard block.count == widths.count else {
      throw MeasureError.blockOrder(measure: name, problem: "representations are missing")
    }
    for (index, part) in block.enumerated() { blocks[index].append(part) }
    open = []
  }

  /// The features of all finished blocks.
  func state() -> [(name: String, tensor: Tensor)] {
    blocks.enumerated().compactMap { index, parts in
      parts.isEmpty ? nil : ("features.\(index)", Tensor.concatenated(parts, 0))
    }
  }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  mutating func restore(_ state: [String: Tensor]) -> Bool {
    let found = widths.indices.compactMap { state["features.\($0)"] }
    guard found.count == widths.count || state.isEmpty else { return false }
    let rows = found.first?.shape.first ?? 0
    guard zip(found, widths).allSatisfy({ $0.shape == [rows, $1] }) else { return false }
    blocks = state.isEmpty ? widths.map { _ in [] } : found.map { [$0] }
    return true
  }

  /// All images' features of each representation, `[images, width]`; nil where there are no images.
  func whole() -> [Tensor]? {
    guard blocks.allSatisfy({ !$0.isEmpty }) else { return nil }
    return blocks.map { Tensor.concatenated($0, 0) }
  }
}
