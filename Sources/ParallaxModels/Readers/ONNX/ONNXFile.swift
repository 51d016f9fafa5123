import Foundation
import ParallaxTensors
import SwiftProtobuf

/// An ONNX file: its graph decoded, its initialisers' numbers left where they lie.
struct ONNXFile: Sendable {
  let path: String
  /// Its bytes, and those of the files beside it.
  let size: Int
  /// The files beside it that hold its larger initialisers.
  let besides: [String]
  /// The model, its initialisers without `raw_data`.
  let model: ONNXModelProto
  /// The place of an initialiser in the graph's list, by name.
  private let indices: [String: Int]
  private let places: [Place]

  /// Where an initialiser's numbers are, its shape and type being checked against their size.
  private enum Place: Sendable {
    case mapped(MappedFile, Int, DType, [Int])
    case typed(DType, [Int])
    case unreadable(String, [Int])
  }

  /// Opens a file and checks its initialisers.
  ///
  /// - Throws: `TensorError.file`, `ModelError.checkpoint`.
  init(_ path: String) throws {
    self.path = path
    func bad(_ problem: String) -> ModelError { .checkpoint(file: path, problem: problem) }
    let file = try MappedFile(path)
    let raw: [Int: Range<Int>]
    do {
      let skeleton = try ONNXSkeleton(file)
      model = try ONNXModelProto(serializedBytes: skeleton.bytes)
      raw = skeleton.raw
    } catch let problem as ONNXSkeleton.Problem {
      throw bad(problem.text)
    } catch {
      throw bad("not an ONNX file, or a damaged one (\(error))")
    }
    guard model.hasGraph else { throw bad("not an ONNX file: it holds no graph") }
    var external = ExternalData(model: path)
    var indices: [String: Int] = [:]
    var places: [Place] = []
    for (index, tensor) in model.graph.initializer.enumerated() {
      guard !tensor.name.isEmpty else { throw bad("initialiser \(index) has no name") }
      guard indices.updateValue(index, forKey: tensor.name) == nil else {
        throw bad("two initialisers are called '\(tensor.name)'")
      }
      let place: Place
      do {
        place = try Self.place(tensor, raw[index], file, &external)
      } catch let problem as ONNXSkeleton.Problem {
        throw bad("initialiser '\(tensor.name)' \(problem.text)")
      }
      places.append(place)
    }
    (self.indices, self.places) = (indices, places)
    besides = external.paths
    size = file.count + external.size
  }

  /// The initialisers' names, in the file's order.
  var names: [String] { model.graph.initializer.map(\.name) }

  func shape(_ name: String) -> [Int]? {
    guard let index = indices[name] else { return nil }
    switch places[index] {
    case .mapped(_, _, _, let shape), .typed(_, let shape), .unreadable(_, let shape): return shape
    }
  }

  /// How an initialiser's values are stored.
  func storedType(_ name: String) -> String? {
    guard let index = indices[name] else { return nil }
    switch places[index] {
    case .mapped(_, _, let dtype, _), .typed(let dtype, _): return dtype.description
    case .unreadable(let type, _): return type
    }
  }

  /// An initialiser as it is stored; nil where there is none of that name.
  ///
  /// - Throws: `ModelError.checkpoint` where its element type is one that Parallax does not read.
  func tensor(_ name: String) throws(ModelError) -> Tensor? {
    guard let index = indices[name] else { return nil }
    switch places[index] {
    case .mapped(let file, let start, let dtype, let shape):
      return file.tensor(at: start, dtype: dtype, shape: shape)
    case .typed(let dtype, let shape):
      return Self.typed(model.graph.initializer[index], dtype, shape)
    case .unreadable(let type, _):
      throw .checkpoint(
        file: path, problem: "initialiser '\(name)' holds \(type), which Parallax does not read")
    }
  }

  /// ONNX's numbers for element types.
  private static let dtypes: [Int32: DType] = [
    1: .float32, 2: .uint8, 3: .int8, 5: .int16, 6: .int32, 7: .int64, 9: .bool, 10: .float16,
    11: .float64, 16: .bfloat16,
  ]

  /// The type of an attribute.
  ///
  /// - Throws: `GraphProblem` where it is one that Parallax does not read.
  static func dtype(_ code: Int) throws(GraphProblem) -> DType {
    guard let dtype = Int32(exactly: code).flatMap({ dtypes[$0] }) else {
      throw GraphProblem(text: "asks for ONNX's element type \(code), which is not known here")
    }
    return dtype
  }

  /// A tensor in an attribute, its numbers copied.
  ///
  /// - Throws: `GraphProblem`.
  static func tensor(of proto: ONNXTensorProto) throws(GraphProblem) -> Tensor {
    let dtype = try dtype(Int(proto.dataType))
    let shape = proto.dims.map { Int(clamping: $0) }
    guard proto.dataLocation != 1, shape.count <= 64, let size = dtype.byteCount(of: shape),
      size == (proto.hasRawData ? proto.rawData.count : typedCount(proto, dtype) * dtype.byteCount)
    else {
      throw GraphProblem(text: "a tensor of shape \(shape) and type \(dtype) has other numbers")
    }
    guard proto.hasRawData else { return typed(proto, dtype, shape) }
    return unsafe proto.rawData.withUnsafeBytes {
      unsafe Tensor(copying: $0, dtype: dtype, shape: shape)
    }
  }

  private static func typedCount(_ tensor: ONNXTensorProto, _ dtype: DType) -> Int {
    switch dtype {
    case .float32: tensor.floatData.count
    case .float64: tensor.doubleData.count
    case .int64: tensor.int64Data.count
    default: tensor.int32Data.count
    }
  }

  private static func place(
    _ tensor: ONNXTensorProto, _ raw: Range<Int>?, _ file: MappedFile,
    _ external: inout ExternalData
  ) throws -> Place {
    var shape: [Int] = []
    for size in tensor.dims {
      guard let size = Int(exactly: size), size >= 0 else {
        throw ONNXSkeleton.Problem(text: "has the impossible shape \(tensor.dims)")
      }
      shape.append(size)
    }
    guard shape.count <= 64 else {
      throw ONNXSkeleton.Problem(text: "has \(shape.count) dimensions")
    }
    guard let dtype = dtypes[tensor.dataType] else {
      let kind = tensor.dataType == 8 ? "texts" : "elements of ONNX's type \(tensor.dataType)"
      return .unreadable(kind, shape)
    }
    guard let size = dtype.byteCount(of: shape) else {
      throw ONNXSkeleton.Problem(text: "has the impossible shape \(shape)")
    }
    func check(_ found: Int) throws {
      guard found == size else {
        throw ONNXSkeleton.Problem(
          text: "of shape \(shape) and type \(dtype) needs \(size) bytes, found \(found)")
      }
    }
    if tensor.dataLocation == 1 {
      let (file, range) = try external.find(tensor.externalData, size)
      try check(range.count)
      return .mapped(file, range.lowerBound, dtype, shape)
    }
    if let raw {
      try check(raw.count)
      return .mapped(file, raw.lowerBound, dtype, shape)
    }
    try check(typedCount(tensor, dtype) * dtype.byteCount)
    return .typed(dtype, shape)
  }

  /// The numbers of the fields that hold a type each; the narrow types share `int32_data`, float16 and
  /// bfloat16 as bits.
  private static func typed(_ tensor: ONNXTensorProto, _ dtype: DType, _ shape: [Int]) -> Tensor {
    switch dtype {
    case .float32: return Tensor(tensor.floatData, shape: shape)
    case .float64: return Tensor(tensor.doubleData, shape: shape)
    case .int64: return Tensor(tensor.int64Data, shape: shape)
    case .int32: return Tensor(tensor.int32Data, shape: shape)
    case .int16, .float16, .bfloat16:
      let bits = tensor.int32Data.map { UInt16(truncatingIfNeeded: $0) }
      return unsafe bits.withUnsafeBytes {
        unsafe Tensor(copying: $0, dtype: dtype, shape: shape)
      }
    case .int8, .uint8, .bool:
      let bytes = tensor.int32Data.map {
        dtype == .bool ? ($0 == 0 ? 0 : 1) : UInt8(truncatingIfNeeded: $0)
      }
      return unsafe bytes.withUnsafeBytes {
        unsafe Tensor(copying: $0, dtype: dtype, shape: shape)
      }
    }
  }
}

/// The files beside a model that hold its larger initialisers.
private struct ExternalData {
  let model: String
  private var files: [String: MappedFile] = [:]

  init(model: String) { self.model = model }

  var paths: [String] { files.keys.sorted().map { SiblingFile.path($0, beside: model) } }
  var size: Int { files.values.reduce(0) { $0 + $1.count } }

  /// Where a tensor's numbers lie: its `location`, and where they are given its `offset` and `length`.
  mutating func find(
    _ entries: [ONNXStringStringEntryProto], _ size: Int
  ) throws -> (MappedFile, Range<Int>) {
    func value(_ key: String) -> String? { entries.last { $0.key == key }?.value }
    guard let location = value("location"), SiblingFile.isInside(location) else {
      throw ONNXSkeleton.Problem(
        text: "lies in the file '\(value("location") ?? "")', which is not beside the model")
    }
    let path = SiblingFile.path(location, beside: model)
    let file = try files[location] ?? MappedFile(path)
    files[location] = file
    guard let offset = Int(value("offset") ?? "0"), offset >= 0, offset <= file.count,
      let length = Int(value("length") ?? String(size)), length >= 0,
      length <= file.count - offset
    else { throw ONNXSkeleton.Problem(text: "does not lie within '\(location)'") }
    return (file, offset..<offset + length)
  }
}
