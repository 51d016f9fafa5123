import Parallax
import Testing

@Suite("Label overlap")
struct LabelOverlapTests {
  @Test("is the share of neighbours of the same class")
  func byHand() throws {
    // On a line: 0 1 3 | 10 11 14; the two nearest of each are the others of its half.
    let x = Tensor([0.0, 1, 3, 10, 11, 14], shape: [6, 1])
    let two = try Neighbours(of: x, count: 2, distance: .euclidean)
    #expect(two.labelOverlap(labels: [0, 0, 0, 1, 1, 1]) == 1)
    #expect(two.labelOverlap(labels: [0, 1, 2, 3, 4, 5]) == 0)
    // Images 0 and 1 agree, and 3 and 5: four of twelve neighbours.
    #expect(two.labelOverlap(labels: [7, 7, 0, 1, 2, 1]) == 4.0 / 12)
    // The nearest alone: 1 0 1, 4 3 4.
    let one = try Neighbours(of: x, count: 1, distance: .euclidean)
    #expect(one.labelOverlap(labels: [7, 7, 0, 1, 2, 2]) == 3.0 / 6)
  }
}
