import Foundation
import ParallaxTensors

extension EmbeddingMatch.State.Numbers {
  /// Numbers from bytes; nil where they are none of so many pictures.
  init?(_ bytes: Tensor?, batch: Int) {
    guard let numbers = StateNotes.value(Self.self, bytes), numbers.fits(batch) else { return nil }
    self = numbers
  }

  /// Whether all lists are of so many pictures.
  private func fits(_ batch: Int) -> Bool {
    [
      loss.count, distance.count, cosine.count, ended.count, endedAt.count, damping.count,
      trace.count,
    ].allSatisfy { $0 == batch }
  }
}

extension EmbeddingMatch.State {
  /// The state as tensors, to be kept in a file.
  func tensors() throws -> [(name: String, tensor: Tensor)] {
    var list: [(name: String, tensor: Tensor)] = [
      ("pictures", pictures), ("step", Tensor([Int64(step)], shape: [1])),
      ("numbers", try StateNotes.tensor(numbers)),
    ]
    if let first { list.append(("first", first)) }
    if let second { list.append(("second", second)) }
    list += memory.sorted { $0.key < $1.key }.map { ("memory.\($0.key)", $0.value) }
    return list
  }

  /// The same on another device.
  func moved(to device: Device) -> EmbeddingMatch.State {
    var copy = self
    copy.pictures = pictures.to(device)
    (copy.first, copy.second) = (first?.to(device), second?.to(device))
    copy.memory = memory.mapValues { $0.to(device) }
    return copy
  }

  /// A state from tensors; nil where they do not belong together.
  ///
  /// - Parameters:
  ///   - tensors: by name.
  ///   - shape: of the pictures.
  init?(_ tensors: [String: Tensor], shape: [Int]) {
    guard let pictures = tensors["pictures"], let step = tensors["step"],
      step.count == 1, step.dtype == .int64,
      let numbers = Numbers(tensors["numbers"], batch: shape[0])
    else { return nil }
    let all = [pictures, tensors["first"], tensors["second"]].compactMap(\.self)
    guard all.allSatisfy({ $0.shape == shape && $0.dtype == pictures.dtype }),
      step.item(Int64.self) >= 0
    else { return nil }
    let kept = tensors.filter { $0.key.hasPrefix("memory.") }.map {
      (String($0.key.dropFirst("memory.".count)), $0.value)
    }
    memory = Dictionary(kept) { first, _ in first }
    guard memory.isEmpty || BoundedBFGS.fits(memory, shape: shape, dtype: pictures.dtype) else {
      return nil
    }
    (self.pictures, self.numbers) = (pictures, numbers)
    (first, second) = (tensors["first"], tensors["second"])
    self.step = Int(step.item(Int64.self))
  }
}

extension EmbeddingMatch.State {
  /// Some of the pictures, at the same step.
  ///
  /// - Parameter rows: their places.
  /// - Returns: a state of these.
  func selected(_ rows: [Int]) -> EmbeddingMatch.State {
    var some = EmbeddingMatch.State(pictures.gathered(0, rows).cloned())
    some.step = step
    (some.first, some.second) = (first?.gathered(0, rows), second?.gathered(0, rows))
    some.memory = memory.mapValues { $0.gathered(0, rows) }
    let n = numbers
    some.numbers = Numbers(
      loss: rows.map { n.loss[$0] }, distance: rows.map { n.distance[$0] },
      cosine: rows.map { n.cosine[$0] }, ended: rows.map { n.ended[$0] },
      endedAt: rows.map { n.endedAt[$0] }, damping: rows.map { n.damping[$0] },
      trace: rows.map { n.trace[$0] })
    return some
  }

  /// The pictures of several states, one after the other.
  ///
  /// - Parameter states: at least one, all at one step of one recipe.
  init(joining states: [EmbeddingMatch.State]) {
    self.init(Tensor.concatenated(states.map(\.pictures), 0))
    step = states[0].step
    func joined(_ parts: [Tensor?]) -> Tensor? {
      let all = parts.compactMap(\.self)
      return all.count == states.count ? Tensor.concatenated(all, 0) : nil
    }
    (first, second) = (joined(states.map(\.first)), joined(states.map(\.second)))
    for name in states[0].memory.keys {
      memory[name] = joined(states.map { $0.memory[name] })
    }
    let all = states.map(\.numbers)
    numbers = Numbers(
      loss: all.flatMap(\.loss), distance: all.flatMap(\.distance),
      cosine: all.flatMap(\.cosine), ended: all.flatMap(\.ended),
      endedAt: all.flatMap(\.endedAt), damping: all.flatMap(\.damping),
      trace: all.flatMap(\.trace))
  }
}
