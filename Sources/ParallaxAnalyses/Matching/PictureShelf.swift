import Foundation
import ParallaxImages
import ParallaxResults
import ParallaxTensors

/// The pictures of a run: small ones for the page, whole ones as files.
struct PictureShelf {
  /// The longest side of small pictures in pixels.
  static let side = 112

  /// The side of so many pictures on one page, so that it does not grow with them: a quarter of the area from 400 on.
  static func side(for pictures: Int) -> Int { pictures > 400 ? side / 2 : side }

  /// The folder under `tensors/`.
  let folder: String
  private var pictures: [(name: String, tensor: Tensor, shown: Tensor?)] = []

  init(_ folder: String) { self.folder = folder }

  /// Takes a picture.
  ///
  /// - Parameters:
  ///   - picture: `[3, height, width]`, in [0, 1]; clamped where it is seen.
  ///   - name: of its file; a number and an end are added, and what no file can be called is replaced.
  ///   - side: the longest side of the small picture in pixels.
  ///   - shown: what is written as a PNG instead, where rounding is not to the nearest.
  /// - Returns: a small PNG, and where the whole picture will lie within the run folder.
  /// - Throws: `ImageError`.
  mutating func add(
    _ picture: Tensor, _ name: String, side: Int = Self.side, shown: Tensor? = nil
  ) throws -> (small: Data, file: String) {
    let number = String(pictures.count + 1001).dropFirst()
    let safe = String(
      name.map { $0.isLetter || $0.isNumber || "-_.@".contains($0) ? $0 : "-" }.suffix(120))
    pictures.append(("\(number)-\(safe)", picture.to(.cpu), shown?.to(.cpu)))
    return (try Self.small(shown ?? picture, side: side), "tensors/\(folder)/\(number)-\(safe).png")
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
  static func small(_ picture: Tensor, side: Int = Self.side) throws -> Data {
    let whole = buffer(picture)
    let longest = max(whole.width, whole.height)
    guard longest > side else { return try enlarged(whole, to: side / 2).pngData() }
    return try whole.resized(
      width: max(1, whole.width * side / longest), height: max(1, whole.height * side / longest),
      using: .bicubic
    ).pngData()
  }

  /// Pictures of few pixels with each as a square, so that they can be seen.
  private static func enlarged(_ picture: ImageBuffer, to side: Int) -> ImageBuffer {
    let (width, height) = (picture.width, picture.height)
    let zoom = side / max(width, height)
    guard zoom > 1 else { return picture }
    var pixels: [UInt8] = []
    pixels.reserveCapacity(3 * width * height * zoom * zoom)
    for row in 0..<height {
      let line = picture.pixels[3 * row * width..<3 * (row + 1) * width]
      let wide = stride(from: line.startIndex, to: line.endIndex, by: 3).flatMap { at in
        (0..<zoom).flatMap { _ in line[at..<at + 3] }
      }
      for _ in 0..<zoom { pixels += wide }
    }
    return ImageBuffer(width: zoom * width, height: zoom * height, pixels: pixels)
  }

  /// Writes every picture as a PNG, and all of them as they are into one file.
  ///
  /// - Throws: `ResultsError.unwritable`, `TensorError.unwritable`, `ImageError`.
  func write(into run: RunFolder, _ metadata: [String: String]) throws {
    for picture in pictures {
      try run.write(
        try Self.buffer(picture.shown ?? picture.tensor).pngData(),
        at: "tensors/\(folder)/\(picture.name).png")
    }
    try Safetensors.write(
      pictures.map { (name: $0.name, tensor: $0.tensor.contiguous()) },
      metadata: metadata.merging(["unit": "pixels, 0 to 1, not clamped"]) { first, _ in first },
      to: run.tensors.appending(path: "\(folder)/pictures.safetensors").path)
  }
}
