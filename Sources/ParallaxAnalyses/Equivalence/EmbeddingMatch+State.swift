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
    return list
  }

  /// The same on another device.
  func moved(to device: Device) -> EmbeddingMatch.State {
    var copy = self
    copy.pictures = pictures.to(device)
    (copy.first, copy.second) = (first?.to(device), second?.to(device))
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
    (self.pictures, self.numbers) = (pictures, numbers)
    (first, second) = (tensors["first"], tensors["second"])
    self.step = Int(step.item(Int64.self))
  }
}
