import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

/// What the paper claims, on the weights that it claims it of.
@Suite("Matching on real weights")
struct MatchingRealTests {
  static let isThere =
    FileManager.default.fileExists(
      atPath: CacheFolder.url.appending(path: "models/clip-vit-base-patch16/clip_encoder.int8.onnx")
        .path) && FileManager.default.fileExists(atPath: SampleData.images.path)

  /// Some images of some classes of the built-in set.
  private func images(_ folder: TemporaryFolder, classes: Int, each: Int) throws -> ImageSet {
    let whole = try ImageSet(SampleData.images.path, minimumClassSize: 20)
    for label in 0..<min(classes, whole.classes.count) {
      for sample in whole.samples(ofClass: label).prefix(each) {
        let bytes = try #require(FileManager.default.contents(atPath: sample.path))
        try folder.write(
          [UInt8](bytes),
          "\(whole.classes[label])/\(URL(filePath: sample.path).lastPathComponent)")
      }
    }
    return try ImageSet(folder.path)
  }

  @Test(
    "CLIP ViT-B/16: a picture that stays what it is to the eye has another's embedding, and is read as the other's class",
    .enabled(
      if: isThere, "the weights of clip-vit-base-patch16 are not in the cache; run make setup"))
  func clip() throws {
    let folder = try TemporaryFolder()
    let images = try images(folder, classes: 4, each: 3)
    let subject = try Subject(Catalog.load(.name("clip-vit-base-patch16")))
    let pass = Pass(subjects: [subject], images: images)
    var options = MatchingAnalysis.Options()
    (options.pairs, options.noise) = (.random(1), [])
    // Adam comes there first: a pass either way a step. A step of Gauss–Newton with three products costs ten times as much, and after three of
    // them the cosines were 0.78 and 0.71.
    options.recipe = .quick
    (options.recipe.cosine, options.recipe.tolerance) = (0.97, 0.06)
    let analysis = try MatchingAnalysis(
      try subject.representations(), of: [subject], images: images, options: options)
    try pass.run([analysis])
    let result = try analysis.result()
    let place = result.models[0].places[0]
    try #require(place.pairs.count == 1 && place.features == 512)
    for pair in place.pairs {
      let (source, target) = (result.images[pair.source], result.images[pair.target])
      let told =
        "\(source.id) → \(target.id): cosine \(pair.before.cosine ?? 0) → \(pair.saved.cosine ?? 0), PSNR \(pair.change.psnr ?? 0), SSIM \(pair.change.ssim ?? 0), \(pair.steps) steps"
      #expect(source.className != target.className && pair.ending == "matched", "\(told)")
      let (before, saved) = (try #require(pair.before.cosine), try #require(pair.saved.cosine))
      #expect(before < 0.75 && saved >= 0.96, "\(told)")
      // The picture is the source to the eye; the target is somewhere else.
      let decibels = try #require(pair.change.psnr)
      #expect(decibels >= 30, "\(told)")
      #expect(pair.change.euclidean < 0.1 * pair.between, "\(told)")
    }
    // Each source is read as its own class before, and as the target's after.
    for name in ["nearest neighbour", "prototype"] {
      let reader = try #require(place.readouts.first { $0.name == name })
      #expect(reader.count == 1 && reader.before == 1, "\(name)")
      #expect(reader.after == 0 && reader.fooled == 1, "\(name)")
    }
  }
}
