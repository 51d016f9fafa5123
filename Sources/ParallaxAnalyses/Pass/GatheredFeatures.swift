import ParallaxMeasures
import ParallaxTensors

/// The features of a pass, kept whole for analyses that need all images at once.
struct GatheredFeatures {
  private let name: String
  private let widths: [Int]
  private let limit: Int
  private let places: Set<Int>?
  /// The places of the images in the data set, in the order of the rows.
  private(set) var samples: [Int] = []
  private var blocks: [[Tensor]]
  private var open: (samples: [Int], rows: [Int], features: [Tensor?]) = ([], [], [])

  /// Nothing yet.
  ///
  /// - Parameters:
  ///   - name: of the analysis, for errors.
  ///   - widths: of the representations, in the order in which they are counted.
  ///   - limit: images, at most; of those beyond nothing is kept.
  ///   - places: of the images in the data set that may be kept; nil for all.
  init(_ name: String, widths: [Int], limit: Int = .max, among places: Set<Int>? = nil) {
    (self.name, self.widths, self.limit, self.places) = (name, widths, limit, places)
    blocks = widths.map { _ in [] }
  }

  /// Opens a block.
  mutating func begin(_ block: BlockHeading) {
    let wanted = block.samples.indices.filter { places?.contains(block.samples[$0]) ?? true }
    let rows = Array(wanted.prefix(max(0, limit - samples.count)))
    open = (rows.map { block.samples[$0] }, rows, widths.map { _ in nil })
  }

  /// Keeps features `[images, width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or features come twice.
  mutating func add(_ index: Int, _ features: Tensor) throws {
    guard open.features.indices.contains(index), open.features[index] == nil else {
      throw MeasureError.blockOrder(
        measure: name, problem: "features of representation \(index) come out of turn")
    }
    let own =
      places == nil ? features.sliced(0, 0, open.rows.count) : features.gathered(0, open.rows)
    open.features[index] =
      own.to(.cpu).to(features.dtype == .float64 ? .float64 : .float32).cloned()
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a representation is missing.
  mutating func finish() throws {
    let block = open.features.compactMap(\.self)
    guard block.count == widths.count else {
      throw MeasureError.blockOrder(measure: name, problem: "representations are missing")
    }
    for (index, part) in block.enumerated() { blocks[index].append(part) }
    samples += open.samples
    open = ([], [], [])
  }

  /// The features of all finished blocks.
  func state() -> [(name: String, tensor: Tensor)] {
    guard !samples.isEmpty else { return [] }
    return [("samples", Tensor(samples.map(Int64.init), shape: [samples.count]))]
      + blocks.enumerated().map { ("features.\($0)", Tensor.concatenated($1, 0)) }
  }

  /// Goes on from the features of an interrupted run.
  ///
  /// - Returns: false where they are of other widths; nothing has changed then.
  mutating func restore(_ state: [String: Tensor]) -> Bool {
    let found = widths.indices.compactMap { state["features.\($0)"] }
    guard found.count == widths.count || state.isEmpty else { return false }
    let places = state["samples"]?.scalars(Int64.self).map(Int.init) ?? []
    guard zip(found, widths).allSatisfy({ $0.shape == [places.count, $1] }) else { return false }
    samples = places
    blocks = state.isEmpty ? widths.map { _ in [] } : found.map { [$0] }
    return true
  }

  /// Keeps only some of the images.
  ///
  /// - Parameter rows: places among the rows, in ascending order.
  mutating func keep(_ rows: [Int]) {
    guard rows.count < samples.count else { return }
    let places = Tensor(rows.map(Int64.init), shape: [rows.count])
    for index in widths.indices { blocks[index] = [whole(index).gathered(0, places)] }
    samples = rows.map { samples[$0] }
  }

  /// How many representations there are.
  var count: Int { widths.count }

  /// All images' features of one representation, `[images, width]`.
  func whole(_ index: Int) -> Tensor {
    blocks[index].isEmpty
      ? Tensor.zeros([0, widths[index]], .float32) : Tensor.concatenated(blocks[index], 0)
  }
}
