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
  /// A model of the Hugging Face hub: `hf-hub:ORG/NAME@REVISION`, `ORG/NAME`, timm's `ARCHITECTURE.TAG`,
  /// open_clip's `MODEL,TAG`.
  case hub(HubModel)

  /// Reads what a user types. In this order:
  ///
  /// 1. `hf-hub:ORG/NAME` or `hf-hub:ORG/NAME@REVISION`: a model of the hub;
  /// 2. `NAME=PATH`: an architecture with weights from a file;
  /// 3. a folder that is there, or a graph: `model.pt2`, `model.onnx`;
  /// 4. `MODEL,TAG`, a pair of open_clip's, such as `ViT-B-32,laion2b_s34b_b79k`: its repository on the hub;
  /// 5. `ARCHITECTURE.TAG` of timm's, such as `resnet50.a1_in1k`, where the architecture is known: `timm/…` on the hub;
  /// 6. `ORG/NAME` or `ORG/NAME@REVISION` where no file or folder has that path: a model of the hub;
  /// 7. anything else without a stroke: a name of the catalog.
  ///
  /// - Throws: `ModelError.address`, and `ModelError.checkpoint` for files that are no checkpoint folder.
  public init(parsing text: String) throws(ModelError) {
    if text.hasPrefix("hf-hub:") {
      guard let model = HubModel(parsing: text.dropFirst(7), isBare: false) else {
        throw .address(text: text, problem: "expected hf-hub:ORG/NAME or hf-hub:ORG/NAME@REVISION")
      }
      self = .hub(model)
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
    if !exists, text.contains(",") {
      self = .hub(try OpenCLIP.model(text))
      return
    }
    if !exists, let model = Self.tagged(text) {
      self = .hub(model)
      return
    }
    let isGraph = Self.isGraph(text)
    if !exists, let model = Self.bareHubModel(text) {
      self = .hub(model)
      return
    }
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

  /// Whether a path is that of a graph.
  static func isGraph(_ path: String) -> Bool {
    [".onnx", ".pt2"].contains { path.lowercased().hasSuffix($0) }
  }

  /// timm's `ARCHITECTURE.TAG`, where the architecture is known.
  private static func tagged(_ text: String) -> HubModel? {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts.count == 2, !text.contains("/"), HubModel.isID("timm/\(text)"),
      let entry = Catalog.architectures.first(where: { $0.name == parts[0] })
    else { return nil }
    // timm keeps CLIP's towers once: the repository's name does not say that they use QuickGELU.
    let place = text.replacing("_clip_quickgelu_", with: "_clip_")
    return HubModel("timm/\(place)", architecture: entry.name)
  }

  /// `ORG/NAME`, unless it looks more like the path of a file that is not there.
  static func bareHubModel(_ text: String) -> HubModel? {
    guard let model = HubModel(parsing: text[...], isBare: true) else { return nil }
    let files = [".pt", ".pth", ".pt2", ".onnx", ".safetensors", ".bin", ".ckpt", ".json", ".pkl"]
    let name = model.id.lowercased()
    if files.contains(where: name.hasSuffix) { return nil }
    // A folder that is there, and in it nothing of that name.
    let folder = String(model.id.prefix { $0 != "/" })
    return FileManager.default.fileExists(atPath: folder) ? nil : model
  }
}
