import Parallax
import ParallaxTestSupport
import Testing

/// `Tests/Fixtures/similarity/agreement.safetensors`: SciPy's correlations.
@Suite("Agreement of embeddings")
struct EmbeddingAgreementTests {
  @Test(
    "correlations are SciPy's, ties and all",
    arguments: ["plain", "relu", "far", "negated", "whole"])
  func fixture(_ name: String) throws {
    let file = try Safetensors(fixtures.appending(path: "similarity/agreement.safetensors").path)
    func tensor(_ part: String) throws -> Tensor { try #require(file["\(name)/\(part)"]) }
    let expected = try tensor("numbers").scalars(Double.self)
    let (found, signal) = (try tensor("found").reshaped(20, 20), try tensor("signal"))
    let agreement = try #require(EmbeddingAgreement(.init(found), of: .init(signal)))
    let numbers = [agreement.pearson, agreement.spearman, agreement.decibels]
    for (number, expected) in zip(numbers, expected) {
      #expect(abs(try #require(number) - expected) < 1e-9)
    }
  }

  @Test("what does not vary has no correlation; what is the same has no noise")
  func degenerate() throws {
    let (flat, other) = (Tensor.ones([6]) * 0.1, Tensor([1, 2, 3, 4, 5, 6.0], shape: [6]))
    let one = try #require(EmbeddingAgreement(.init(flat), of: .init(other)))
    #expect(one.pearson == nil && one.spearman == nil && one.decibels != nil)
    let same = try #require(EmbeddingAgreement(.init(other), of: .init(other)))
    #expect(same.pearson == 1 && same.spearman == 1 && same.decibels == nil)
    #expect(EmbeddingAgreement(.init(other), of: .init(flat * 0.0))?.decibels == nil)
    #expect(EmbeddingAgreement(.init(other), of: .init(Tensor.ones([5]))) == nil)
  }
}
