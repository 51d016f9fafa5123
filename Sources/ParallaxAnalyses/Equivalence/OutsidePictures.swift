import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Sources and targets that are files outside the set: they are prepared as the set's images are, stand behind no reader of embeddings, and
/// have no class.
struct OutsidePictures {
  /// The files, by the paths that they were named by; their places follow those of the set.
  let samples: [Sample]
  /// The first one's place.
  let first: Int
  /// The content of everything that is named, of the set or not, for the key of a run: a path may hold another picture the next time.
  let fingerprint: String
  /// Of each model the input, `[files, 3, height, width]`.
  private let inputs: [Tensor]

  /// The files among a source and a target.
  ///
  /// A file with the bytes of an image of the set is that image.
  ///
  /// - Parameters:
  ///   - pairs: what names them.
  ///   - samples: the set.
  ///   - subjects: the models.
  ///   - alpha: what becomes of transparency.
  /// - Throws: `TensorError.file` where there is no such file, `ImageError` where it is a folder or no image.
  init(
    _ pairs: MatchPairs, _ samples: [Sample], for subjects: [Subject], alpha: ImageBuffer.Alpha
  ) throws {
    first = samples.count
    let found = try Self.files(pairs, samples)
    self.samples = found
    let all = samples + found
    fingerprint = pairs.named.map { name in
      MatchPairs.place(name, among: all).map { all[$0].sha256 } ?? "none"
    }.joined(separator: " ")
    let pictures = try found.map { try ImageBuffer(decoding: URL(filePath: $0.path), alpha: alpha) }
    inputs =
      found.isEmpty
      ? []
      : try subjects.map { subject in
        Tensor.concatenated(
          try zip(found, pictures).map { sample, picture in
            do { return try subject.preprocessing.tensor(picture) } catch {
              throw ImageError.image(image: sample.path, problem: "\(error)")
            }
          }, 0)
      }
  }

  private static func files(_ pairs: MatchPairs, _ samples: [Sample]) throws -> [Sample] {
    var found: [Sample] = []
    for text in pairs.named where MatchPairs.place(text, among: samples + found) == nil {
      var isFolder: ObjCBool = false
      guard unsafe FileManager.default.fileExists(atPath: text, isDirectory: &isFolder) else {
        let example = samples.first.map { " such as '\($0.id)'" } ?? ""
        throw TensorError.file(
          path: text,
          problem: "no image of the set\(example) is called so, and there is no such file")
      }
      guard !isFolder.boolValue else {
        throw ImageError.file(path: text, problem: "is a folder, expected an image file")
      }
      let hash = try ContentHash.sha256(ofFile: text)
      if (samples + found).contains(where: { $0.sha256 == hash }) { continue }
      found.append(Sample(id: text, path: text, label: nil, className: nil, sha256: hash))
    }
    return found
  }

  /// What provenance says of them.
  var sources: [Provenance.Source] {
    samples.map { Provenance.Source(role: "picture", path: $0.path, hash: $0.sha256, count: 1) }
  }

  /// What a result says of an image, by its place among the set's and these.
  func image(_ place: Int, _ samples: [Sample]) -> MatchingResult.Image {
    var image = MatchingResult.Image(id: samples[place].id, className: samples[place].className)
    if place >= first { image.sha256 = samples[place].sha256 }
    return image
  }

  /// Their places after those of the set.
  var places: [Int] { samples.indices.map { first + $0 } }

  /// The pixels of a pass, with these pictures' after them.
  func added(to pixels: GatheredFeatures) throws -> GatheredFeatures {
    guard !samples.isEmpty else { return pixels }
    var all = pixels
    all.begin(BlockHeading(index: .max, samples: places))
    for (index, input) in inputs.enumerated() {
      try all.add(index, input.reshaped(samples.count, -1))
    }
    try all.finish()
    return all
  }

  /// Their representations, by place.
  ///
  /// - Parameters:
  ///   - wanted: representations, those of one model together.
  ///   - subjects: the models.
  /// - Returns: of each file `[1, features]` for each representation.
  /// - Throws: what models throw.
  func embedded(_ wanted: [(subject: Int, representation: Representation)], _ subjects: [Subject])
    throws -> [Int: [Tensor]]
  {
    guard !samples.isEmpty else { return [:] }
    var columns = [Tensor?](repeating: nil, count: wanted.count)
    for (index, subject) in subjects.enumerated() {
      let own = wanted.indices.filter { wanted[$0].subject == index }
      guard !own.isEmpty else { continue }
      let rows = try RepresentationEmbedding.of(
        inputs[index].to(subject.device), subject, own.map { wanted[$0].representation },
        .normalised)
      for (column, found) in zip(own, rows) { columns[column] = found.detached().to(.cpu) }
    }
    let whole = columns.compactMap(\.self)
    return Dictionary(
      uniqueKeysWithValues: samples.indices.map { row in
        (first + row, whole.map { $0.sliced(0, row, row + 1) })
      })
  }
}
