import ParallaxTensors

/// An analysis that reads images: what it wants to see, what it adds for one block of images, and what
/// it must remember to go on after a stop.
///
/// The pass calls `begin`, then `add` once for each wanted representation, then `finish`, block after
/// block in index order. What `add` gets is gone after the call.
public protocol Accumulator: AnyObject {
  /// The analysis' name: letters and hyphens; names its part of a saved state.
  var name: String { get }
  /// The representations it wants; `add` counts in this order.
  var wanted: [Representation] { get }
  /// Numbers that it wants made of activations while a model runs, such as distances of attention; `add` counts them after
  /// the wanted representations.
  var watched: [Watch] { get }
  /// Whether what it wants is too large for two batches to be held at once: then a forward pass takes a whole block.
  var wantsWholeBlocks: Bool { get }
  /// Everything besides images and models that its numbers depend on.
  var fingerprint: String { get }

  /// A block of images begins.
  func begin(_ block: BlockHeading) throws
  /// The features `[images of the block, width]` of one wanted representation.
  func add(_ index: Int, _ features: Tensor) throws
  /// All representations of the block have been added.
  func finish() throws

  /// What must be kept to go on after the last finished block; nothing of an open one.
  func state() -> [(name: String, tensor: Tensor)]
  /// Goes on from a state that `state` gave.
  ///
  /// - Returns: whether the state could be used; if not, nothing has changed.
  func restore(_ state: [String: Tensor]) -> Bool
}

extension Accumulator {
  /// None.
  public var watched: [Watch] { [] }
  /// No.
  public var wantsWholeBlocks: Bool { false }
}

/// Numbers made of activations on the spot, so that these need not be kept: distances of attention, ratios of norms.
public struct Watch: Sendable {
  /// The subject's name.
  public let model: String
  /// The sites that it sees, each once.
  public let sites: [String]
  /// The number of numbers an image.
  public let width: Int
  /// From the activations at these sites, in their order, the batch first, to `[batch, width]`; called once a batch, when the
  /// last of them has been visited.
  public let reduce: @Sendable ([Tensor]) throws -> Tensor

  /// Numbers of some sites of a subject.
  public init(
    model: String, sites: [String], width: Int,
    reduce: @escaping @Sendable ([Tensor]) throws -> Tensor
  ) {
    (self.model, self.sites, self.width, self.reduce) = (model, sites, width, reduce)
  }
}

/// Which images a block holds.
public struct BlockHeading: Sendable, Equatable {
  /// The block's number, from 0.
  public let index: Int
  /// The images' places in the data set, in order; unreadable ones are missing.
  public let samples: [Int]
}
