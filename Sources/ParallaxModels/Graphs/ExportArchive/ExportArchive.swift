import Foundation
import ParallaxTensors

/// An export archive (`.pt2`), as `torch.export.save` writes it: a zip of JSON and raw tensors.
///
/// Tensors lie in the file as they are and are mapped, not copied; parameters that share memory share it here too.
struct ExportArchive: Sendable {
  let path: String
  let program: ExportedProgram
  /// Where the archive's own files begin, within the zip.
  private let root: String
  private let zip: ZipArchive
  private let weights: [String: PayloadTable.Entry]
  private let constants: [String: PayloadTable.Entry]

  private static let largestJSON = 256 << 20

  /// Opens an archive and reads its graph, but no tensor.
  ///
  /// - Throws: `TensorError.file` where it cannot be read, `ModelError.checkpoint` where it is damaged.
  init(_ path: String) throws {
    self.path = path
    func bad(_ problem: String) -> ModelError { .checkpoint(file: path, problem: problem) }
    let file = try MappedFile(path)
    do {
      zip = try ZipArchive(file)
    } catch {
      throw bad(error.text)
    }
    let names = zip.names
    guard
      let found = Self.programs(names).first(where: { $0.hasSuffix("/models/model.json") })
        ?? Self.programs(names).first
    else { throw bad(Self.complaint(names)) }
    guard Self.programs(names).count == 1 || found.hasSuffix("/models/model.json") else {
      throw bad("holds several programs (\(Self.programs(names).joined(separator: ", ")))")
    }
    let model = found.split(separator: "/").last.map { String($0.dropLast(5)) } ?? "model"
    let root = String(found.dropLast("models/\(model).json".count))
    self.root = root
    let zip = self.zip
    func json<T: Decodable>(_ name: String, _ type: T.Type) throws -> T {
      let decoder = JSONDecoder()
      decoder.nonConformingFloatDecodingStrategy = .convertFromString(
        positiveInfinity: "Infinity", negativeInfinity: "-Infinity", nan: "NaN")
      do {
        guard let range = try zip.range(root + name) else { throw bad("holds no '\(name)'") }
        guard range.count <= Self.largestJSON else {
          throw bad("'\(name)' is \(range.count) bytes of JSON; no graph is as large as that")
        }
        return try decoder.decode(type, from: Data(file.bytes(range)))
      } catch let problem as ZipArchive.Problem {
        throw bad(problem.text)
      } catch let error as DecodingError {
        throw bad("'\(name)' cannot be read: \(Self.sentence(error))")
      }
    }
    program = try json("models/\(model).json", ExportedProgram.self)
    let version = program.schemaVersion
    guard version.major == 8 else {
      throw bad(
        "has schema version \(version.major).\(version.minor), expected 8; export it again with PyTorch 2.8 or newer"
      )
    }
    weights = try json("data/weights/\(model)_weights_config.json", PayloadTable.self).config
    constants = try json("data/constants/\(model)_constants_config.json", PayloadTable.self).config
  }

  /// Whether a file is a zip archive of export's, of this format or the one before.
  static func matches(_ file: MappedFile) -> Bool {
    (try? ZipArchive(file)).map { matches($0.names) } ?? false
  }

  /// Whether a zip archive's names are those of an export archive, of this format or the one before.
  static func matches(_ names: [String]) -> Bool {
    !programs(names).isEmpty
      || names.contains { $0.hasSuffix("serialized_exported_program.json") }
      || names.contains { $0.hasSuffix("/archive_format") }
  }

  private static func programs(_ names: [String]) -> [String] {
    names.filter { name in
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      return parts.count == 3 && parts[1] == "models" && name.hasSuffix(".json")
    }
  }

  private static func complaint(_ names: [String]) -> String {
    if names.contains(where: { $0.hasSuffix("serialized_exported_program.json") }) {
      return
        "an export archive from before PyTorch 2.8; load it with torch.export.load and save it again"
    }
    if names.contains(where: { $0.contains("aotinductor") }) {
      return "a compiled package (AOTInductor), which holds no graph; expected torch.export.save's"
    }
    return "a zip archive without models/model.json; expected one that torch.export.save wrote"
  }

  private static func sentence(_ error: DecodingError) -> String {
    func place(_ context: DecodingError.Context) -> String {
      let path = context.codingPath.suffix(6).map { $0.intValue.map(String.init) ?? $0.stringValue }
      return path.isEmpty ? "" : " at \(path.joined(separator: "."))"
    }
    switch error {
    case .keyNotFound(let key, let context):
      return "'\(key.stringValue)' is missing\(place(context))"
    case .typeMismatch(_, let context), .valueNotFound(_, let context):
      return "another kind of value than expected\(place(context))"
    case .dataCorrupted(let context):
      return "not valid JSON or no value of its kind\(place(context))"
    @unknown default: return "\(error)"
    }
  }

  /// A file that was saved beside the graph (`extra_files` of `torch.export.save`); nil where there is none.
  func extra(_ name: String) throws -> Data? {
    do {
      guard let range = try zip.range(root + "extra/" + name), range.count < 1 << 20 else {
        return nil
      }
      return Data(zip.file.bytes(range))
    } catch {
      throw ModelError.checkpoint(file: path, problem: error.text)
    }
  }

  /// The shapes of the parameters and saved buffers, by name.
  var shapes: [String: [Int]] {
    weights.compactMapValues { entry in
      guard let sizes = entry.meta?.sizes else { return nil }
      let shape = sizes.compactMap { $0 }
      return shape.count == sizes.count ? shape : nil
    }
  }

  /// How the values of a parameter are stored; nil where that is no type that is read.
  func dtype(of name: String) -> String? {
    weights[name]?.meta.flatMap { ExportedCode.dtype($0.dtype) }
      .flatMap { DType(rawValue: Int32($0)) }?.description
  }

  /// What holds the numbers of a parameter: tied ones have the same.
  func payload(of name: String) -> String { weights[name]?.path ?? name }

  /// The parameter, buffer or constant of that name.
  ///
  /// - Throws: `ModelError.checkpoint` where it is missing, or its shape is not that of its bytes.
  func tensor(_ name: String) throws(ModelError) -> Tensor {
    func bad(_ problem: String) -> ModelError {
      .checkpoint(file: path, problem: "'\(name)' \(problem)")
    }
    let isWeight = weights[name] != nil
    guard let entry = weights[name] ?? constants[name] else { throw bad("is in no table") }
    guard !entry.isPickled, let meta = entry.meta else {
      throw bad("is pickled; Parallax reads plain tensors")
    }
    guard let code = ExportedCode.dtype(meta.dtype), let dtype = DType(rawValue: Int32(code)) else {
      throw bad("has elements of torch.export's type \(meta.dtype), which Parallax does not read")
    }
    let (shape, strides) = (meta.sizes.compactMap { $0 }, meta.strides.compactMap { $0 })
    let offset = meta.offset ?? -1
    guard shape.count == meta.sizes.count, strides.count == shape.count, shape.count <= 64,
      shape.allSatisfy({ $0 >= 0 }), strides.allSatisfy({ $0 >= 0 }), offset >= 0,
      dtype.byteCount(of: shape) != nil
    else { throw bad("has the impossible shape \(meta.sizes) with strides \(meta.strides)") }
    let folder = isWeight ? "data/weights/" : "data/constants/"
    let range: Range<Int>?
    do {
      range = try zip.range(root + folder + entry.path)
    } catch {
      throw bad(error.text)
    }
    guard let range else {
      throw bad("lies in '\(entry.path)', which the archive does not hold")
    }
    return try view(range, dtype, shape, strides, offset, bad)
  }

  private func view(
    _ range: Range<Int>, _ dtype: DType, _ shape: [Int], _ strides: [Int], _ offset: Int,
    _ bad: (String) -> ModelError
  ) throws(ModelError) -> Tensor {
    let held = range.count / dtype.byteCount
    // The last element's place, where there is one.
    var last = offset
    for (size, stride) in Swift.zip(shape, strides) {
      let (step, overflow) = (max(size, 1) - 1).multipliedReportingOverflow(by: stride)
      let (sum, carry) = last.addingReportingOverflow(step)
      guard !overflow, !carry else { throw bad("reaches beyond its bytes") }
      last = sum
    }
    guard shape.contains(0) || last < held else {
      throw bad("of shape \(shape) needs \(last + 1) elements, its bytes hold \(held)")
    }
    // Steps of zero repeat elements; what they make must stay small.
    guard shape.elementCount <= max(held, 1 << 24) else {
      throw bad("of shape \(shape) repeats its \(held) elements too often")
    }
    if shape.contains(0) { return Tensor.zeros(shape, dtype) }
    if offset == 0, strides == Self.rowByRow(shape) {
      return zip.file.tensor(at: range.lowerBound, dtype: dtype, shape: shape)
    }
    let whole = zip.file.tensor(at: range.lowerBound, dtype: dtype, shape: [held])
    return whole.strided(shape, strides: strides, offset: offset)
  }

  private static func rowByRow(_ shape: [Int]) -> [Int] {
    var strides = [Int](repeating: 1, count: shape.count)
    for index in shape.indices.dropLast().reversed() {
      strides[index] = strides[index + 1] * max(1, shape[index + 1])
    }
    return strides
  }
}
