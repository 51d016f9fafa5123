import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("The images as a subject")
struct PictureModelTests {
  @Test("its sites are the statistics and the pixels, all taken flat and all meant by default")
  func sites() throws {
    let subject = try Subject.pictures()
    #expect(subject.name == "the images" && subject.imageSize == (224, 224))
    #expect(subject.fingerprint.contains(LowLevelStatistics.version))
    #expect(subject.sites.map(\.name) == ["statistics", "pixels", "pixels.coarse"])
    #expect(subject.sites.map(\.shape) == [[31], [3 * 64 * 64], [3 * 8 * 8]])
    #expect(subject.sites.byDefault == subject.sites)
    let wanted = try subject.representations()
    #expect(wanted.map(\.address) == subject.sites.map { "the images@\($0.name)#flat" })
  }

  @Test("a pass hands an accumulator the statistics of the files' own pixels, beside a model")
  func pass() throws {
    let folder = try imageFolder(10, broken: [3])
    let (model, pictures) = (try smallSubject("a"), try Subject.pictures(side: 32))
    let wanted = try model.representations() + pictures.representations()
    var pass = Pass(subjects: [model, pictures], images: try ImageSet(folder.path))
    (pass.blockSize, pass.batchSize) = (6, 4)
    let recorder = Recorder(wanted)
    _ = try pass.run([recorder])
    let prepared = try pass.images.samples.enumerated().filter { $0.offset != 3 }.map {
      try pictures.preprocessing.tensor(try ImageBuffer(decoding: URL(filePath: $0.element.path)))
    }
    let images = Tensor.concatenated(prepared, 0)
    #expect(images.minimum().item(Double.self) >= 0 && images.maximum().item(Double.self) <= 1)
    let first = model.sites.byDefault.count
    #expect(gap(recorder.all(first), LowLevelStatistics()(images)) == 0)
    // At 32×32 pixels, cells of 8×8 are blocks of 4×4, and those of 64×64 quarters of a pixel.
    let blocks = images.averagePooled(window: 4, stride: 4).reshaped(9, -1)
    #expect(gap(recorder.all(first + 2), blocks) < 1e-6)
    let quarters = recorder.all(first + 1).reshaped(9, 3, 32, 2, 32, 2)
    #expect(gap(quarters.selected(5, 1).selected(3, 0), images) < 1e-7)
  }

  @Test("a model that nobody asks for statistics computes none")
  func onlyPixels() throws {
    let images = RandomSource(seed: 1).uniform([2, 3, 20, 20])
    var seen: [String] = []
    let tap = Tap(["pixels.coarse"]) { visit in
      seen.append(visit.site)
      return nil
    }
    #expect(PictureModel()(images, tap).shape == [2, 192] && seen == ["pixels.coarse"])
    #expect(gap(PictureModel()(images, .off), images) == 0)
  }
}
