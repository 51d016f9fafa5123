import ParallaxTensors

/// The parameters that `torch.save` wrote, in its zip format or the one before 1.6.
///
/// The pickle inside is read as plain data and nothing in it is run; a name that a checkpoint has no
/// business with is refused. Tensors are views of the mapped file (copied where the file leaves them
/// unaligned or strided).
///
/// Which tensors count: the saved dict itself where it holds a tensor directly; else the first of
/// `state_dict`, `model_state_dict`, `model`, `module`, `net`, `network`, `weights`, `state_dict_ema`,
/// `model_ema`, `ema` that holds tensors, and again inside that; else everything, by dotted path.
/// A prefix `module.` or `_orig_mod.` that all names share is taken off.
public struct TorchCheckpoint: WeightSource, StoredWeights {
  /// The file's path.
  public let label: String
  let format: String
  private let tensors: TorchTensors

  /// Opens a checkpoint and checks that every tensor lies within the file.
  ///
  /// - Throws: `TensorError.file` where it cannot be read, `ModelError.checkpoint` where it is damaged, or
  ///   no checkpoint.
  public init(_ path: String) throws {
    let file = try MappedFile(path)
    label = path
    let start = file.bytes(0..<min(file.count, 16))
    let isZip = start.starts(with: [0x50, 0x4b])
    format = isZip ? "torch, zip" : "torch, as before 1.6"
    tensors = isZip ? try TorchZip(file).tensors : try TorchLegacy(file).tensors
  }

  /// The parameters' names, in the checkpoint's order.
  public var names: [String] { tensors.names }
  /// A parameter's shape, without reading it; nil where there is none of that name.
  public func shape(_ name: String) -> [Int]? { tensors.shape(name) }
  func storedType(_ name: String) -> String? { tensors.dtype(name)?.description }
  /// A parameter; nil where there is none of that name.
  public func tensor(_ name: String) throws -> Tensor? { try tensors.tensor(name) }
}
