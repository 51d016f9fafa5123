import Foundation
import ParallaxTensors

/// What of a state are no tensors, as bytes: JSON in which NaN and infinity are numbers like others.
enum StateNotes {
  /// As a tensor.
  ///
  /// - Parameter value: what is to be kept.
  /// - Returns: uint8, `[bytes]`.
  /// - Throws: what the value's encoding throws.
  static func tensor(_ value: some Encodable) throws -> Tensor {
    let encoder = JSONEncoder()
    encoder.nonConformingFloatEncodingStrategy = .convertToString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    let bytes = [UInt8](try encoder.encode(value))
    return Tensor(bytes, shape: [bytes.count])
  }

  /// Back from a tensor.
  ///
  /// - Parameters:
  ///   - type: what it holds.
  ///   - tensor: of a state.
  /// - Returns: the value; nil where the tensor is missing or holds none.
  static func value<Value: Decodable>(_ type: Value.Type, _ tensor: Tensor?) -> Value? {
    guard let tensor, tensor.dtype == .uint8 else { return nil }
    let decoder = JSONDecoder()
    decoder.nonConformingFloatDecodingStrategy = .convertFromString(
      positiveInfinity: "inf", negativeInfinity: "-inf", nan: "nan")
    return try? decoder.decode(type, from: Data(tensor.scalars(UInt8.self)))
  }

  /// Finished pieces of a long analysis, `found.KEY.pictures` and `found.KEY.numbers`.
  ///
  /// - Parameter found: pictures and numbers of each, by its key.
  /// - Returns: the tensors, in the order of the keys. A piece that cannot be encoded is left out, to be found again.
  static func entries(found: [String: (pictures: Tensor, numbers: some Encodable)])
    -> [(name: String, tensor: Tensor)]
  {
    found.sorted { $0.key < $1.key }.flatMap { key, one -> [(name: String, tensor: Tensor)] in
      guard let notes = try? tensor(one.numbers) else { return [] }
      return [
        ("found.\(key).pictures", one.pictures.to(.cpu).contiguous()),
        ("found.\(key).numbers", notes),
      ]
    }
  }

  /// The piece that is running, `running.KEY.NAME`.
  ///
  /// - Parameters:
  ///   - key: the piece's.
  ///   - tensors: of its own state.
  /// - Returns: the tensors under the names that they have in the analysis' state.
  static func entries(running key: String, _ tensors: [(name: String, tensor: Tensor)])
    -> [(name: String, tensor: Tensor)]
  {
    tensors.map { ("running.\(key).\($0.name)", $0.tensor.to(.cpu).contiguous()) }
  }
}

extension [String: Tensor] {
  /// The tensors whose names begin so, by what remains of their names.
  ///
  /// - Parameter prefix: of the names.
  /// - Returns: those.
  func under(_ prefix: String) -> [String: Tensor] {
    var own: [String: Tensor] = [:]
    for (name, tensor) in self where name.hasPrefix(prefix) {
      own[String(name.dropFirst(prefix.count))] = tensor
    }
    return own
  }
}
