import Dispatch
import Foundation
import Synchronization

/// The work of a loader, shared by the threads that decode and the one that takes blocks.
///
/// Workers take images one by one, in order, as long as their block is at most `ahead` blocks beyond the
/// last that was taken; so memory is bounded and the block that is waited for is worked at first.
final class BlockQueue: Sendable {
  let samples: [Sample]
  let size: Int
  let preprocessings: [Preprocessing]
  let indices: [Int]
  let alpha: ImageBuffer.Alpha
  let ahead: Int

  private typealias Image = Result<[[Float]], ImageError>

  private struct State {
    var cancelled = false
    /// The next image to decode: an entry of `indices`, and an offset within that block.
    var block = 0
    var offset = 0
    /// How many blocks were taken.
    var taken = 0
    var images: [Int: [Int: Image]] = [:]
    var finished: [Int: ImageBlock] = [:]
    var idle = 0
  }

  private let state = Mutex(State())
  private let room = DispatchSemaphore(value: 0)
  private let ready = DispatchSemaphore(value: 0)

  init(
    samples: [Sample], size: Int, preprocessings: [Preprocessing], indices: [Int],
    alpha: ImageBuffer.Alpha, ahead: Int
  ) {
    self.samples = samples
    self.size = size
    self.preprocessings = preprocessings
    self.indices = indices
    self.alpha = alpha
    self.ahead = ahead
  }

  /// The listed samples of the n-th block.
  private func range(_ block: Int) -> Range<Int> {
    let start = indices[block] * size
    return start..<min(start + size, samples.count)
  }

  // MARK: The consumer

  /// Waits for the next block; nil after the last one or when cancelled.
  func next() -> ImageBlock? {
    while true {
      enum Answer {
        case block(ImageBlock, waiting: Int)
        case end
        case wait
      }
      let answer = state.withLock { state -> Answer in
        if state.cancelled || state.taken == indices.count { return .end }
        guard let block = state.finished.removeValue(forKey: state.taken) else { return .wait }
        state.taken += 1
        let waiting = state.idle
        state.idle = 0
        return .block(block, waiting: waiting)
      }
      switch answer {
      case .end: return nil
      case .wait: ready.wait()
      case .block(let block, let waiting):
        for _ in 0..<waiting { room.signal() }
        return block
      }
    }
  }

  /// Ends the work; safe to call more than once and from any thread.
  func cancel() {
    let waiting = state.withLock { state in
      state.cancelled = true
      state.images = [:]
      state.finished = [:]
      let waiting = state.idle
      state.idle = 0
      return waiting
    }
    for _ in 0..<waiting { room.signal() }
    ready.signal()
  }

  // MARK: The workers

  private enum Job {
    case image(block: Int, position: Int)
    case wait
    case end
  }

  /// Decodes until there is nothing left to do: the body of a thread.
  func work() {
    while true {
      switch takeJob() {
      case .end: return
      case .wait: room.wait()
      case .image(let block, let position):
        let image = load(samples[position])
        finish(image, block: block, position: position)
      }
    }
  }

  private func takeJob() -> Job {
    state.withLock { state in
      if state.cancelled || state.block == indices.count { return .end }
      // The block at `taken` is waited for; `ahead` more may be under way.
      if state.block >= state.taken + ahead {
        state.idle += 1
        return .wait
      }
      let range = range(state.block)
      let job = Job.image(block: state.block, position: range.lowerBound + state.offset)
      state.offset += 1
      if state.offset == range.count {
        state.offset = 0
        state.block += 1
      }
      return job
    }
  }

  private func load(_ sample: Sample) -> Image {
    do throws(ImageError) {
      let bytes = try ImageBuffer.bytes(ofFile: sample.path)
      let image = try ImageBuffer(decoding: bytes, alpha: alpha)
      var inputs: [[Float]] = []
      for preprocessing in preprocessings { inputs.append(try preprocessing(image)) }
      return .success(inputs)
    } catch {
      return .failure(error)
    }
  }

  private func finish(_ image: Image, block: Int, position: Int) {
    let complete = state.withLock { state -> [Int: Image]? in
      if state.cancelled { return nil }
      state.images[block, default: [:]][position] = image
      guard state.images[block]?.count == range(block).count else { return nil }
      return state.images.removeValue(forKey: block)
    }
    guard let complete else { return }
    let assembled = assemble(complete, block: block)
    state.withLock { state in
      if !state.cancelled { state.finished[block] = assembled }
    }
    ready.signal()
  }

  private func assemble(_ images: [Int: Image], block: Int) -> ImageBlock {
    var positions: [Int] = []
    var skipped: [SkippedImage] = []
    var decoded: [[[Float]]] = []
    for position in range(block) {
      switch images[position] {
      case .success(let inputs):
        positions.append(position)
        decoded.append(inputs)
      case .failure(let error):
        skipped.append(SkippedImage(path: samples[position].id, reason: error.problem))
      case nil: break
      }
    }
    let inputs = preprocessings.indices.map { index in
      var values: [Float] = []
      values.reserveCapacity(decoded.count * preprocessings[index].shape.reduce(1, *))
      for image in decoded { values.append(contentsOf: image[index]) }
      return values
    }
    return ImageBlock(
      index: indices[block], samples: positions.map { samples[$0] }, positions: positions,
      skipped: skipped, inputs: inputs,
      shapes: preprocessings.map { [positions.count] + $0.shape })
  }
}
