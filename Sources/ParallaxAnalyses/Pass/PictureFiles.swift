import Foundation
import ParallaxImages
import ParallaxResults
import ParallaxTensors

/// Pictures of an analysis: small ones for the report, whole ones as PNG files, and all of them as they are in one file.
struct PictureFiles {
  /// The longest side of small pictures in pixels.
  static let side = 112

  private let folder: String
  private var pictures: [(name: String, tensor: Tensor)] = []

  /// None yet.
  ///
  /// - Parameter analysis: they lie in `tensors/ANALYSIS/`.
  init(_ analysis: String) { folder = "tensors/\(analysis)" }

  /// Adds a picture `[3, height, width]`.
  ///
  /// - Parameters:
  ///   - picture: in pixels of 0 to 1; what lies outside is clamped in files.
  ///   - name: what its file is called, behind a number and without an end.
  /// - Returns: a small PNG, and where the whole picture will lie in the run folder.
  mutating func add(_ picture: Tensor, _ name: String) throws -> (small: Data, file: String) {
    let number = String(pictures.count + 1001).dropFirst()
    let safe = String(
      name.map { $0.isLetter || $0.isNumber || "-_.@".contains($0) ? $0 : "-" }.suffix(120))
    pictures.append(("\(number)-\(safe)", picture))
    return (try Self.small(picture), "\(folder)/\(number)-\(safe).png")
  }

  /// A picture `[3, height, width]`, clamped to [0, 1].
  static func buffer(_ picture: Tensor) -> ImageBuffer {
    let bytes = (picture.to(.cpu).to(.float32).clamped(0, 1) * 255.0 + 0.5).permuted(1, 2, 0)
      .contiguous().to(.uint8).scalars(UInt8.self)
    return ImageBuffer(width: picture.shape[2], height: picture.shape[1], pixels: bytes)
  }

  /// Pictures of any shape as they are after 8 bits a number: 0 to 1 in steps of 1/255.
  static func quantised(_ pictures: Tensor) -> Tensor {
    (pictures.clamped(0, 1) * 255.0 + 0.5).to(.uint8).to(pictures.dtype) / 255
  }

  /// A small PNG of a picture.
  static func small(_ picture: Tensor) throws -> Data {
    let whole = buffer(picture)
    let longest = max(whole.width, whole.height)
    guard longest > side else { return try whole.pngData() }
    return try whole.resized(
      width: max(1, whole.width * side / longest), height: max(1, whole.height * side / longest),
      using: .bicubic
    ).pngData()
  }

  /// Writes them.
  ///
  /// - Throws: `ResultsError.unwritable`, `TensorError.unwritable`, `ImageError`.
  func write(into run: RunFolder, metadata: [String: String]) throws {
    for picture in pictures {
      try run.write(try Self.buffer(picture.tensor).pngData(), at: "\(folder)/\(picture.name).png")
    }
    try Safetensors.write(
      pictures.map { (name: $0.name, tensor: $0.tensor.to(.cpu).contiguous()) },
      metadata: metadata.merging(["unit": "pixels, 0 to 1, not clamped"]) { own, _ in own },
      to: run.url.appending(path: "\(folder)/pictures.safetensors").path)
  }
}
