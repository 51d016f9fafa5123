import Foundation
import Parallax
import Testing

@Suite("Images that dominate a representation")
struct DominantItemsTests {
  @Test(
    "shares, size and first component are NumPy's, with more images than features and with fewer")
  func numbers() throws {
    let tall = try DominantItems(of: GoldenFixture.left(.float64))
    let wide = try DominantItems(of: GoldenFixture.left(.float64).sliced(0, 0, 5))
    let expected: [(DominantItems, [(Int, Double)], Double, Double, Int)] = [
      (
        tall, [(13, 0.1173023954430067), (0, 0.08389819126828145), (23, 0.06783609922286062)],
        0.2861066986570119, 1.8972332361640085, 8
      ),
      (
        wide, [(0, 0.4200007184233839), (4, 0.2934795080802993), (3, 0.13590255202951565)],
        0.49190379648721405, 1.9006759238471271, 2
      ),
    ]
    for (found, largest, first, size, half) in expected {
      for ((image, share), other) in zip(largest, found.largest(3)) {
        #expect(image == other.image && agrees(other.share, share, within: 1e-10))
      }
      #expect(agrees(found.firstComponent, first, within: 1e-10))
      #expect(agrees(found.size, size, within: 1e-12))
      #expect(found.holdingHalf == half)
      #expect(abs(found.shares.reduce(0, +) - 1) < 1e-12)
    }
  }

  @Test("the first component is the spectrum's, where the Krylov space is smaller than the whole")
  func component() throws {
    for (images, width) in [(300, 200), (150, 260)] {
      let noise = MadeUp.noise(images, width, seed: 3)
      let spectrum = try Spectrum(noise)
      let found = try DominantItems(of: noise).firstComponent
      #expect(agrees(found, spectrum.shares[0], within: 1e-4), "\(images) × \(width)")
      let single = try DominantItems(of: noise.to(.float32)).firstComponent
      #expect(agrees(single, spectrum.shares[0], within: 1e-4), "\(images) × \(width)")
    }
  }

  @Test(
    "one outlier holds nearly all, two hold a half each, and of size and offset nothing depends")
  func outliers() throws {
    var numbers = MadeUp.noise(200, 8, seed: 1).scalars(Double.self)
    numbers[5 * 8] = 1000
    let one = try DominantItems(of: Tensor(numbers, shape: [200, 8]))
    #expect(one.largest(1)[0].image == 5 && one.largest(1)[0].share > 0.98)
    #expect(one.holdingHalf == 1 && one.firstComponent > 0.99)
    numbers[9 * 8] = -1000
    let two = try DominantItems(of: Tensor(numbers, shape: [200, 8]))
    #expect(Set(two.largest(2).map(\.image)) == [5, 9] && two.largest(2)[1].share > 0.45)
    let moved = try DominantItems(of: Tensor(numbers, shape: [200, 8]) * 1e-12 + 1e-9)
    for (a, b) in zip(two.shares, moved.shares) { #expect(abs(a - b) < 1e-6) }
    #expect(agrees(moved.size, two.size * 1e-12, within: 1e-6))
    // Fourth powers of such numbers are beyond float32.
    let large = try DominantItems(of: Tensor(numbers, shape: [200, 8]).to(.float32) * 1e12)
    for (a, b) in zip(two.shares, large.shares) { #expect(abs(a - b) < 1e-5) }
  }

  @Test("what does not vary, is not finite or has one image is refused")
  func refusals() {
    #expect(throws: MeasureError.constant(measure: "dominant items")) {
      try DominantItems(of: Tensor.ones([6, 3]))
    }
    #expect(throws: MeasureError.notFinite(measure: "dominant items")) {
      try DominantItems(of: Tensor([Float.nan, 1, 2, 3], shape: [2, 2]))
    }
    #expect(throws: MeasureError.self) { try DominantItems(of: Tensor.ones([1, 3])) }
  }

  @Test("measures name their pitfalls, by their estimators, neighbours and invariances")
  func pitfalls() {
    func names(_ isWanted: (Pitfall) -> Bool) -> Set<String> {
      Set(MeasureCatalog.measures.filter { $0.pitfalls.contains(where: isWanted) }.map(\.name))
    }
    #expect(
      names { $0 == .width } == [
        "cka-biased", "cka-biased-rbf-0.5", "cka-angular", "biased-hsic",
        "distance-correlation-biased",
      ])
    let spans = names { $0 == .span }
    #expect(
      spans.isSuperset(of: ["cca", "cca-squared", "svcca", "pwcca-mean", "linear-regression"]))
    #expect(spans.isDisjoint(with: ["cka", "procrustes"]))
    for measure in MeasureCatalog.measures {
      #expect(
        measure.pitfalls.contains(.size) == !measure.invariances.contains(.scaling),
        "\(measure.name)")
      if measure.invariances.contains(.linear) {
        #expect(measure.pitfalls.contains(.span), "\(measure.name)")
      }
    }
    #expect(MutualKNN(neighbours: 7).pitfalls == [.neighbourhood(7)])
    #expect(SymmetricInformationImbalance().pitfalls == [.ranks(1)])
    #expect(CKA().pitfalls.isEmpty && RSA().pitfalls.isEmpty)
  }
}
