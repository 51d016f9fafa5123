import ParallaxTensors

/// The tensors of a torch checkpoint: strided views of storages that lie in a mapped file.
struct TorchTensors: Sendable {
  /// Every tensor's name, in the checkpoint's order.
  let names: [String]
  private let file: MappedFile
  private let entries: [String: Entry]

  private struct Entry: Sendable {
    var dtype: DType
    var shape: [Int]
    var strides: [Int]
    /// Where the bytes of the first element lie in the file.
    var start: Int
    /// The number of elements from the first to behind the last.
    var extent: Int
  }

  /// A tensor that repeats elements of its storage may have this many, however small the storage is.
  private static let repeatLimit = 1 << 24

  private static let asStrided = Operator("aten::as_strided")

  /// Checks that every tensor lies within its storage, whose place in the file `bytes` tells.
  ///
  /// - Throws: `PickleProblem` where one does not.
  init(
    _ state: StateDict, storages: [PickledStorage], file: MappedFile,
    bytes: (PickledStorage) throws(PickleProblem) -> Range<Int>
  ) throws(PickleProblem) {
    self.file = file
    names = state.tensors.map(\.name)
    var entries: [String: Entry] = [:]
    for (name, tensor) in state.tensors {
      let storage = storages[tensor.storage]
      let range = try bytes(storage)
      func outside() -> PickleProblem {
        PickleProblem(
          "'\(name)' of shape \(tensor.shape), strides \(tensor.strides) and offset \(tensor.offset) does not lie within its storage '\(storage.key)' of \(storage.count) elements"
        )
      }
      let size = tensor.dtype.byteCount
      guard let wanted = tensor.dtype.byteCount(of: tensor.shape), let extent = Self.extent(tensor),
        let start = Self.product(storage.start, storage.elementSize, plus: 0),
        let first = Self.product(tensor.offset, size, plus: start),
        let end = Self.product(extent, size, plus: first), end <= range.count
      else { throw outside() }
      guard wanted <= max(range.count, Self.repeatLimit * size) else {
        throw PickleProblem(
          "'\(name)' of shape \(tensor.shape) repeats the elements of a much smaller storage")
      }
      entries[name] = Entry(
        dtype: tensor.dtype, shape: tensor.shape, strides: tensor.strides,
        start: range.lowerBound + first, extent: extent)
    }
    self.entries = entries
  }

  /// The number of elements from the first to behind the last; nil where that overflows.
  private static func extent(_ tensor: PickledTensor) -> Int? {
    if tensor.shape.contains(0) { return 0 }
    var last = 0
    for (size, stride) in zip(tensor.shape, tensor.strides) {
      guard let next = product(size - 1, stride, plus: last) else { return nil }
      last = next
    }
    return last == .max ? nil : last + 1
  }

  private static func product(_ a: Int, _ b: Int, plus c: Int) -> Int? {
    let (product, overflow) = a.multipliedReportingOverflow(by: b)
    let (sum, carry) = product.addingReportingOverflow(c)
    return overflow || carry ? nil : sum
  }

  func shape(_ name: String) -> [Int]? { entries[name]?.shape }
  func dtype(_ name: String) -> DType? { entries[name]?.dtype }

  /// The tensor over the file's own memory, where its bytes are aligned there.
  func tensor(_ name: String) throws(TensorError) -> Tensor? {
    guard let entry = entries[name] else { return nil }
    if entry.shape.contains(0) { return Tensor.zeros(entry.shape, entry.dtype) }
    var contiguous: [Int] = []
    var step = 1
    for size in entry.shape.reversed() {
      contiguous.insert(step, at: 0)
      step *= size
    }
    // A stride over a single element is never taken.
    let plain = zip(entry.shape, zip(entry.strides, contiguous)).allSatisfy {
      $0 == 1 || $1.0 == $1.1
    }
    if plain { return file.tensor(at: entry.start, dtype: entry.dtype, shape: entry.shape) }
    let run = file.tensor(at: entry.start, dtype: entry.dtype, shape: [entry.extent])
    return try Self.asStrided.attempt([run, entry.shape, entry.strides, 0]).first?.tensor?
      .contiguous()
  }
}
