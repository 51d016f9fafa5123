import ParallaxTensors

// What torch's own names mean: storages by persistent id, tensors as strided views of them.

extension Unpickler {
  /// torch's tensors have at most this many dimensions.
  private static let rankLimit = 64

  /// A storage: `("storage", type, key, location, count)`, and in the older format a view
  /// `(key, offset, count)` or None besides.
  mutating func persistent(_ id: PickleValue) throws(PickleProblem) {
    let parts = try items(id)
    guard parts.count >= 5, case .text("storage") = parts[0], case .global(let type) = parts[1]
    else { throw PickleProblem("a persistent id in the pickle is no storage") }
    let key: String
    switch parts[2] {
    case .text(let text): key = text
    case .int(let number): key = String(number)
    case let other: throw PickleProblem("a storage's key is \(other.kind)")
    }
    let dtype: DType?
    switch type {
    case .storage(let known): dtype = known
    case .untypedStorage: dtype = nil
    default: throw PickleProblem("'\(type)' is no type of storage")
    }
    guard case .int(let count) = parts[4], count >= 0 else {
      throw PickleProblem("storage '\(key)' has no valid size")
    }
    var start = 0
    if parts.count > 5, case .tuple(let view) = parts[5] {
      guard sequences[view].count == 3, case .int(let offset) = sequences[view][1], offset >= 0,
        offset <= count
      else { throw PickleProblem("the view of storage '\(key)' is not valid") }
      start = offset
    }
    storage(PickledStorage(key: key, dtype: dtype, count: count, start: start))
  }

  /// Calls one of the allowed names: that is, describes what it would have made.
  mutating func reduce(_ function: PickleValue, _ arguments: PickleValue) throws(PickleProblem) {
    guard case .global(let global) = function else {
      throw PickleProblem("the pickle calls \(function.kind)")
    }
    let given = try items(arguments)
    switch global {
    case .rebuildTensor, .rebuildTensorV2: stack.append(try tensor(given, dtype: nil))
    case .rebuildTensorV3:
      guard given.count > 6, case .global(.dtype(let dtype)) = given[6] else {
        throw PickleProblem("a tensor has an element type that Parallax does not read")
      }
      stack.append(try tensor(given, dtype: dtype))
    case .rebuildParameter:
      guard case .tensor? = given.first else {
        throw PickleProblem("a parameter in the pickle holds no tensor")
      }
      stack.append(given[0])
    case .rebuildFromType:
      // (function, type, arguments, state): the type says how to compute with it, not what is in it.
      guard given.count >= 3, case .global(let inner) = given[0] else {
        throw PickleProblem("a tensor of a type of its own is not valid")
      }
      if case .rebuildFromType = inner {
        throw PickleProblem("a tensor of a type of its own is nested")
      }
      try reduce(given[0], given[2])
    case .dictionary: try makeDictionary(given)
    case .sequence:
      // The same container under another type: copying it would let a small pickle fill the memory.
      switch given.first {
      case nil: stack.append(.list(sequence([])))
      case .list(let place), .tuple(let place): stack.append(.list(place))
      default: throw PickleProblem("the pickle makes a sequence of \(given[0].kind)")
      }
    case .inert: stack.append(.opaque)
    case .storage, .untypedStorage, .dtype:
      throw PickleProblem("the pickle calls '\(global)', which is no function")
    }
  }

  /// An OrderedDict, as Python 2 wrote it: with a list of pairs, each a list or tuple.
  private mutating func makeDictionary(_ given: [PickleValue]) throws(PickleProblem) {
    var pairs: [(key: PickleValue, value: PickleValue)] = []
    if let first = given.first {
      let all = try items(first)
      try charge(all.count)
      for item in all {
        let pair = try items(item)
        guard pair.count == 2 else { throw PickleProblem("a dict's item is no pair") }
        pairs.append((pair[0], pair[1]))
      }
    }
    stack.append(dictionary(pairs))
  }

  /// The items of a tuple or list.
  func items(_ value: PickleValue) throws(PickleProblem) -> [PickleValue] {
    switch value {
    case .tuple(let place), .list(let place): return sequences[place]
    default: throw PickleProblem("expected a tuple in the pickle, found \(value.kind)")
    }
  }

  /// `(storage, offset, shape, strides, …)`; an offset and strides count elements of `dtype`.
  private func tensor(
    _ given: [PickleValue], dtype: DType?
  ) throws(PickleProblem) -> PickleValue {
    guard given.count >= 4, case .storage(let place) = given[0], case .int(let offset) = given[1]
    else { throw PickleProblem("a tensor in the pickle has no storage and offset") }
    guard let dtype = dtype ?? storages[place].dtype else {
      throw PickleProblem("a tensor in the pickle has no element type")
    }
    let shape = try sizes(given[2], "shape")
    let strides = try sizes(given[3], "strides")
    guard offset >= 0, shape.count == strides.count else {
      throw PickleProblem("a tensor of shape \(shape) has strides \(strides), offset \(offset)")
    }
    return .tensor(
      PickledTensor(storage: place, dtype: dtype, offset: offset, shape: shape, strides: strides))
  }

  private func sizes(_ value: PickleValue, _ what: String) throws(PickleProblem) -> [Int] {
    let parts = try items(value)
    guard parts.count <= Self.rankLimit else {
      throw PickleProblem("a tensor's \(what) has \(parts.count) numbers")
    }
    var sizes: [Int] = []
    for part in parts {
      guard case .int(let size) = part, size >= 0 else {
        throw PickleProblem("a tensor's \(what) holds \(part.kind) that is no size")
      }
      sizes.append(size)
    }
    return sizes
  }
}
