import CTorch

/// Where a tensor's numbers lie and its operations run.
public struct Device: Sendable, Hashable, CustomStringConvertible {
  /// libtorch's name: `cpu`, `cuda:0`, `mps`.
  public let description: String

  /// The host's processor.
  public static let cpu = Device(unchecked: "cpu")

  /// No memory at all: tensors there have shapes and no numbers, and operators tell the shapes of their results.
  package static let shapesOnly = Device(unchecked: "meta")

  init(unchecked name: String) { description = name }

  /// A device by libtorch's name, tried out once.
  ///
  /// - Throws: `TensorError.device` where this libtorch or this machine has none of that name.
  public init(_ name: String) throws {
    guard let problem = unsafe px_device_check(name) else {
      description = name
      return
    }
    // libtorch goes on about backends for a page.
    let sentence = takeMessage(problem).split(separator: ". ").first ?? ""
    throw TensorError.device(name: name, message: String(sentence))
  }
}

extension Tensor {
  /// The device that holds the tensor.
  public var device: Device {
    var type: Int32 = 0
    var index: Int32 = 0
    unsafe px_tensor_device(storage.object, &type, &index)
    let name =
      switch type {
      case 0: "cpu"
      case 1: "cuda"
      case 13: "mps"
      case 14: "meta"
      default: "device\(type)"
      }
    return Device(unchecked: index < 0 || type == 0 ? name : "\(name):\(index)")
  }

  /// The same numbers on another device.
  public func to(_ device: Device) -> Tensor {
    device == self.device ? self : Catalogued.toDevice(self, device, dtype)
  }
}

/// How many processor threads an operation may use.
public enum Threads {
  /// The number libtorch uses now.
  public static var count: Int { Int(px_threads()) }

  /// Lets every later operation use that many.
  public static func use(_ count: Int) { px_threads_set(Int32(clamping: max(1, count))) }
}

/// How the process deals with the host's memory.
public enum HostMemory {
  /// Keeps freed memory for the next tensor instead of handing it back to the system.
  ///
  /// A network frees and allocates the same large blocks at every layer; the system would clear each page anew,
  /// which takes a quarter of a ResNet's time. To be called once, before the first tensor; the process then keeps
  /// its peak. Does nothing where the C library is not glibc.
  public static func keepForReuse() { px_memory_keep() }
}

/// The libtorch that this process runs on.
public enum LibTorch {
  /// Its version, such as `2.13.0`.
  public static var version: String { unsafe String(cString: px_libtorch_version()) }
}

/// Takes over a message of the shim and frees it.
@safe func takeMessage(_ message: UnsafeMutablePointer<CChar>) -> String {
  defer { unsafe px_free(message) }
  return unsafe String(cString: message)
}
