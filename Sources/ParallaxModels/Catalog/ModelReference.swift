import Foundation

/// What a user types to name a model.
public enum ModelReference: Sendable, Equatable {
  /// A catalog name.
  case name(String)
  /// An architecture with weights from a file: `resnet50=weights/mine.pth`.
  case file(name: String, path: String)
  /// A graph with its weights: an export archive (`.pt2`) or an ONNX file.
  case graph(String)
  /// A folder with `config.json` and `model.safetensors`.
  case folder(String)
  /// A model of the Hugging Face hub that has been downloaded: `hf-hub:ORG/NAME`.
  case hub(String)

  /// Reads `NAME`, `NAME=PATH`, the path of a graph or a folder, or `hf-hub:ORG/NAME`.
  ///
  /// - Throws: `ModelError.address`, and `ModelError.checkpoint` for files that are no checkpoint folder.
  public init(parsing text: String) throws(ModelError) {
    if text.hasPrefix("hf-hub:") {
      let name = String(text.dropFirst(7))
      let parts = name.split(separator: "/", omittingEmptySubsequences: false)
      guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }), !name.contains("..")
      else { throw .address(text: text, problem: "expected hf-hub:ORG/NAME") }
      self = .hub(name)
      return
    }
    if let equals = text.firstIndex(of: "=") {
      let name = String(text[..<equals])
      let path = String(text[text.index(after: equals)...])
      guard !name.isEmpty, !path.isEmpty else {
        throw .address(text: text, problem: "expected NAME=PATH, such as resnet50=weights.pth")
      }
      self = .file(name: name, path: path)
      return
    }
    var isFolder: ObjCBool = false
    let exists = unsafe FileManager.default.fileExists(atPath: text, isDirectory: &isFolder)
    if exists, isFolder.boolValue {
      self = .folder(text)
      return
    }
    let isGraph = [".onnx", ".pt2"].contains { text.lowercased().hasSuffix($0) }
    if exists || isGraph || text.contains("/") {
      guard exists else { throw .checkpoint(file: text, problem: "no such file or folder") }
      guard isGraph else {
        throw .checkpoint(
          file: text, problem: "which architecture is it? give NAME=\(text)")
      }
      self = .graph(text)
      return
    }
    self = .name(text)
  }
}
