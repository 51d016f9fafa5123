import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Studies")
struct StudyTests {
  private func loaded() throws -> LoadedModel {
    var c = ViT.Configuration()
    (c.imageSize, c.patch, c.width, c.depth, c.heads, c.classes) = (16, 8, 12, 3, 2, 5)
    return LoadedModel(
      name: "small", family: "ViT", summary: "a small one",
      model: try ViT(c, Weights(RandomWeights(seed: 1))),
      preprocessing: try JSONEncoder().encode(PreprocessingKeys(16)), device: .cpu,
      parameters: [:], fingerprint: "small", origin: nil, licence: nil, caveat: nil)
  }

  @Test("a study whose results cannot be written loses nothing, and goes on where it was")
  func unwritable() throws {
    let (images, scratch) = (try imageFolder(16), try TemporaryFolder())
    var study = try Study("t", [try loaded()], try ImageSet(images.path))
    (study.pass.blockSize, study.pass.stateFolder) = (8, scratch.url.appending(path: "states"))
    let run = RunFolder(scratch.url.appending(path: "run"))
    func analysis() throws -> SimilarityAnalysis {
      try SimilarityAnalysis(
        try study.representations(), of: study.pass.subjects, images: 16, blockSize: 8)
    }
    // A folder stands where the table should be.
    try scratch.write([1], "run/results.csv/inside")
    let error = #expect(throws: ResultsError.self) {
      try study.run([try analysis()], into: run)
    }
    if case .unwritable = error {} else { Issue.record("\(String(describing: error))") }
    #expect(scratch.names("states").count == 1)
    try FileManager.default.removeItem(atPath: scratch.file("run/results.csv"))
    let outcome = try study.run([try analysis()], into: run)
    #expect(outcome.resumedBlocks == 2 && outcome.samples.count == 16)
    #expect(scratch.names("states").isEmpty)
    #expect(try run.provenance().imageCount == 16)
    #expect(
      scratch.names("run") == ["results", "results.csv", "run.json", "samples.json", "tensors"])
  }
}
