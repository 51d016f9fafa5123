import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@Suite("The order of images in a pass")
struct OrderTests {
  @Test("mixed images are all there once, the same way each time, in another order than listed")
  func mixed() throws {
    let folder = try imageFolder(20, broken: [4])
    let subject = try smallSubject("a")
    func run(_ order: Pass.Order) throws -> (Recorder, Pass.Outcome) {
      let recorder = Recorder(try subject.representations())
      var pass = Pass(subjects: [subject], images: try ImageSet(folder.path))
      (pass.blockSize, pass.order) = (6, order)
      return (recorder, try pass.run([recorder]))
    }
    let (listed, first) = try run(.listed)
    let (mixed, second) = try run(.shuffled)
    let (again, _) = try run(.shuffled)
    let places = mixed.blocks.flatMap(\.samples)
    #expect(places.sorted() == listed.blocks.flatMap(\.samples))
    #expect(places != places.sorted())
    #expect(again.blocks == mixed.blocks)
    #expect(second.samples == first.samples && second.samples == second.samples.sorted())
    // The features follow the images.
    let rows = listed.all(0).unbound(0)
    let order = listed.blocks.flatMap(\.samples)
    for (row, place) in zip(mixed.all(0).unbound(0), places) {
      let expected = try #require(order.firstIndex(of: place))
      #expect(gap(row, rows[expected]) < 1e-5)
    }
  }

  @Test("a study of classes estimates the whole set, not what lies within a class")
  func classes() throws {
    // Two classes, one dark and one bright: what sets images apart is mostly their class.
    let folder = try TemporaryFolder()
    for (name, level) in [("dark", 20), ("bright", 200)] {
      for index in 0..<16 {
        let pixels = (0..<32 * 32 * 3).map { UInt8(level + ($0 * (index + 3)) % 50) }
        let image = ImageBuffer(width: 32, height: 32, pixels: pixels)
        try folder.write([UInt8](image.jpegData(quality: 95)), "\(name)/\(index).jpg")
      }
    }
    let set = try ImageSet(folder.path)
    let subjects = [try smallSubject("a"), try smallSubject("b", seed: 4, side: 24)]
    let wanted = try subjects.flatMap { try $0.representations() }
    func average(_ order: Pass.Order, _ route: SimilarityAnalysis.Route) throws -> Double {
      var pass = Pass(subjects: subjects, images: set)
      (pass.blockSize, pass.order) = (16, order)
      let similarity = try SimilarityAnalysis(
        wanted, of: subjects, images: set.samples.count, blockSize: 16, route: route)
      try pass.run([similarity])
      let values = try #require(try similarity.result().matrix(0, 1)).values.flatMap { $0 }
      return values.compactMap(\.self).reduce(0, +) / Double(values.count)
    }
    let whole = try average(.listed, .exact)
    let (mixed, listed) = (try average(.shuffled, .minibatch), try average(.listed, .minibatch))
    #expect(abs(mixed - whole) < 0.05)
    #expect(abs(listed - whole) > abs(mixed - whole))
  }
}
