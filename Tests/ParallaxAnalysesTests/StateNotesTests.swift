import ParallaxTensors
import Testing

@testable import ParallaxAnalyses

@Suite("Notes of a state")
struct StateNotesTests {
  @Test("NaN and infinity come back, and a piece that holds them is kept")
  func unusualNumbers() throws {
    let numbers = [1.5, -.infinity, .nan, .infinity]
    let tensor = try StateNotes.tensor(numbers)
    let back = try #require(StateNotes.value([Double].self, tensor))
    #expect(back.map(\.bitPattern) == numbers.map(\.bitPattern))
    let pictures = Tensor([Float](repeating: 1, count: 4), shape: [1, 4])
    let entries = StateNotes.entries(found: ["0.1": (pictures, numbers)])
    #expect(entries.map(\.name) == ["found.0.1.pictures", "found.0.1.numbers"])
  }

  @Test("what is no note is none")
  func foreign() throws {
    #expect(StateNotes.value([Double].self, nil) == nil)
    #expect(
      StateNotes.value([Double].self, Tensor([Float](repeating: 1, count: 2), shape: [2])) == nil)
    let other = try StateNotes.tensor(["a"])
    #expect(StateNotes.value([Double].self, other) == nil)
    #expect(
      StateNotes.value([Double].self, Tensor([UInt8](repeating: 123, count: 3), shape: [3])) == nil)
  }

  @Test("tensors under a prefix lose it, and others stay out")
  func prefix() {
    let one = Tensor([Float(1)], shape: [1])
    let state = [
      "found.1.pictures": one, "found.1.numbers": one, "found.10.pictures": one, "samples": one,
    ]
    #expect(state.under("found.1.").keys.sorted() == ["numbers", "pictures"])
  }
}
