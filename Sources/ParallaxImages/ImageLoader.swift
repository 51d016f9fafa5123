import Dispatch
import Foundation
import Synchronization

/// Some consecutive images of a data set, decoded and preprocessed.
///
/// Blocks are cut by index over the *listed* samples: block `i` of size `n` covers the samples
/// `i * n ..< (i + 1) * n`. An image that cannot be decoded is missing from its block, which is then
/// smaller (or empty), and moves no other image into another block.
public struct ImageBlock: Sendable {
  /// Which block this is.
  public let index: Int
  /// The samples whose pixels are here, in order.
  public let samples: [Sample]
  /// Where each of them stands in the listed samples.
  public let positions: [Int]
  /// The images of this block that could not be decoded.
  public let skipped: [SkippedImage]
  /// The inputs, one array a preprocessing, each `[samples.count, 3, height, width]` flat.
  public let inputs: [[Float]]
  /// The shape of each array of `inputs`.
  public let shapes: [[Int]]
}

/// Decodes images on threads of its own, ahead of whoever computes with them.
///
/// A file is read and decoded once and then goes through every preprocessing. What comes out does not
/// depend on the number of workers.
public struct ImageLoader: Sendable {
  /// What becomes of transparency.
  public var alpha: ImageBuffer.Alpha
  /// How many threads decode.
  public var workers: Int
  /// How many blocks are under way or ready, besides the one handed out.
  public var ahead: Int
  /// Whether an image that cannot be decoded is an error instead of skipped.
  public var strict: Bool

  /// A loader.
  ///
  /// - Parameters:
  ///   - alpha: what becomes of transparency.
  ///   - workers: how many threads decode; as many as there are cores where nil.
  ///   - ahead: how many blocks are kept under way; bounds the memory.
  ///   - strict: whether an image that cannot be decoded is an error.
  public init(
    alpha: ImageBuffer.Alpha = .overWhite, workers: Int? = nil, ahead: Int = 2, strict: Bool = false
  ) {
    self.alpha = alpha
    self.workers = max(1, workers ?? ProcessInfo.processInfo.activeProcessorCount)
    self.ahead = max(1, ahead)
    self.strict = strict
  }

  /// Begins to decode blocks of samples.
  ///
  ///     let blocks = loader.blocks(of: 64, from: set.samples, for: [preprocessing])
  ///     while let block = try blocks.next() { … }
  ///
  /// - Parameters:
  ///   - size: how many samples a block covers.
  ///   - samples: the listed samples.
  ///   - preprocessings: what each image goes through.
  ///   - indices: which blocks to make, in this order; all where nil. Those that lie beyond the samples
  ///     are left out.
  /// - Returns: the blocks, one by one.
  /// - Precondition: `size` is positive.
  public func blocks(
    of size: Int, from samples: [Sample], for preprocessings: [Preprocessing],
    indices: [Int]? = nil
  ) -> ImageBlocks {
    precondition(size > 0, "ImageLoader: blocks of \(size)")
    let all = 0..<(samples.count + size - 1) / size
    return ImageBlocks(
      BlockQueue(
        samples: samples, size: size, preprocessings: preprocessings,
        indices: indices?.filter(all.contains) ?? Array(all), alpha: alpha, ahead: ahead),
      workers: workers, strict: strict)
  }
}

/// The blocks of a loader, one by one, in the order that was asked for.
///
/// Decoding stops when this is released or cancelled. One thread at a time calls `next()`.
public final class ImageBlocks {
  private let queue: BlockQueue
  private let strict: Bool

  init(_ queue: BlockQueue, workers: Int, strict: Bool) {
    self.queue = queue
    self.strict = strict
    for _ in 0..<workers { Thread.detachNewThread { queue.work() } }
  }

  deinit { queue.cancel() }

  /// How many blocks there are in all.
  public var count: Int { queue.indices.count }

  /// Waits for the next block.
  ///
  /// - Returns: nil after the last block, and after `cancel()`.
  /// - Throws: `ImageError.image` for the first image that cannot be decoded, where the loader is strict.
  public func next() throws(ImageError) -> ImageBlock? {
    guard let block = queue.next() else { return nil }
    if strict, let first = block.skipped.first {
      queue.cancel()
      throw .image(image: first.path, problem: first.reason)
    }
    return block
  }

  /// Stops decoding; images that a worker is at are finished first.
  public func cancel() { queue.cancel() }
}
