/// What can go wrong with tensors that come from outside: files, devices, imported operators.
public enum TensorError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file cannot be opened, mapped or read.
  case file(path: String, problem: String)
  /// A file or folder cannot be written.
  case unwritable(path: String, problem: String)
  /// A safetensors file does not keep to its format.
  case safetensors(path: String, problem: String)
  /// There is no operator of that name and overload in this libtorch.
  case unknownOperator(name: String)
  /// libtorch refused a call.
  case operation(name: String, message: String)
  /// A device cannot be used here.
  case device(name: String, message: String)
  /// A name is no element type.
  case dtype(name: String)

  /// One sentence: what, where, expected, found; control characters of names that come from files are replaced.
  public var description: String { sentence.printable }

  private var sentence: String {
    switch self {
    case .file(let path, let problem): "\(path): \(problem)"
    case .unwritable(let path, let problem): "\(path): cannot be written: \(problem)"
    case .safetensors(let path, let problem): "\(path): not a valid safetensors file: \(problem)"
    case .unknownOperator(let name): "libtorch has no operator \(name)"
    case .operation(let name, let message): "\(name): \(message)"
    case .device(let name, let message): "device '\(name)' cannot be used: \(message)"
    case .dtype(let name):
      "'\(name)' is no element type; expected one of \(DType.allCases.map(\.description).joined(separator: ", "))"
    }
  }
}

extension String {
  /// The text without characters that would move a terminal's cursor: names in errors come from files.
  package var printable: String {
    let isHarmless = { (scalar: Unicode.Scalar) in
      switch scalar.properties.generalCategory {
      case .control, .lineSeparator, .paragraphSeparator: false
      default: true
      }
    }
    if unicodeScalars.allSatisfy(isHarmless) { return self }
    return String(
      String.UnicodeScalarView(unicodeScalars.map { isHarmless($0) ? $0 : "\u{fffd}" }))
  }
}
