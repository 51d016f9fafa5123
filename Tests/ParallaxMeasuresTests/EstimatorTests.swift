import Foundation
import Parallax
import Testing

@Suite("Biased and debiased estimators")
struct EstimatorTests {
  @Test(
    "on independent Gaussians the biased value follows its formula, the debiased one is near zero",
    arguments: [(32, 16, 16), (32, 64, 256), (128, 64, 64), (128, 512, 32), (64, 1024, 1024)])
  func independent(_ images: Int, _ left: Int, _ right: Int) throws {
    var (biased, debiased): ([Double], [Double]) = ([], [])
    for seed in 0..<12 as Range<UInt64> {
      let x = MadeUp.noise(images, left, seed: seed)
      let y = MadeUp.noise(images, right, seed: seed + 500)
      biased.append(try CKA(estimator: .biased)(x, y))
      debiased.append(try CKA()(x, y))
    }
    let (n, p, q) = (Double(images), Double(left), Double(right))
    let formula = (p * q / ((n + p) * (n + q))).squareRoot()
    let mean = biased.reduce(0, +) / 12
    #expect(abs(mean - formula) < 0.06 * formula + 0.5 / n, "\(mean) against \(formula)")
    // Its standard deviation is about √2 / n for one draw.
    let centre = debiased.reduce(0, +) / 12
    #expect(abs(centre) < 3 * 2.0.squareRoot() / n / 12.0.squareRoot(), "\(centre)")
    #expect(mean > centre + 0.5 * formula)
  }

  @Test("a thousand images with ten thousand features: biased above 0.9, debiased below 0.1")
  func wide() throws {
    let x = RandomSource(seed: 1).uniform([1000, 10_000])
    let y = RandomSource(seed: 2).uniform([1000, 10_000])
    #expect(try CKA(estimator: .biased)(x, y) > 0.9)
    #expect(abs(try CKA()(x, y)) < 0.1)
  }

  @Test("negative debiased values are kept, by pairs, by minibatches and over the whole set")
  func negative() throws {
    var found = 0
    for seed in 0..<8 as Range<UInt64> {
      let pair = [MadeUp.noise(16, 4, seed: seed), MadeUp.noise(16, 4, seed: seed + 70)]
      let value = try CKA()(pair[0], pair[1])
      var options = MinibatchCKA.Options()
      options.precision = .float64
      let minibatch = MinibatchCKA(count: 2, options: options)
      try minibatch.add(block: 0, features: pair)
      let exact = try ExactCKA(widths: [4, 4], precision: .float64)
      try exact.add(block: 0, features: pair)
      #expect(abs(try #require(try minibatch.result()[0, 1]) - value) < 1e-12)
      #expect(abs(try #require(try exact.result()[0, 1]) - value) < 1e-12)
      if value < -1e-3 { found += 1 }
    }
    #expect(found >= 2, "seeds without a negative value show nothing")
  }

  @Test("the unbiased HSIC is unbiased: over many draws it averages to the population's value")
  func unbiased() throws {
    // y = x: HSIC of the linear kernel with itself is the squared norm of the covariance, here 2.
    let draws = (0..<400 as Range<UInt64>).map { MadeUp.noise(6, 2, seed: 9000 + $0) }
    let values = try draws.map { try HSIC()($0, $0) }
    let biased = try draws.map { try HSIC(estimator: .biased)($0, $0) }
    let mean = values.reduce(0, +) / 400
    let spread = values.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / 399
    let error = (spread / 400).squareRoot()
    #expect(abs(mean - 2) < 3 * error, "\(mean) ± \(error)")
    #expect(biased.reduce(0, +) / 400 - 2 > 3 * error)
  }

  @Test("biased CKA is the RV coefficient, and the angle its arc cosine")
  func identities() throws {
    let pair = MadeUp.related(30, [7, 11], seed: 6)
    let centred = pair.map { $0 - $0.mean(over: [0], keeping: true) }
    func inner(_ a: Tensor, _ b: Tensor) -> Double {
      a.transposed().times(b).squared().sum().item(Double.self)
    }
    let coefficient =
      inner(centred[0], centred[1])
      / (inner(centred[0], centred[0]) * inner(centred[1], centred[1])).squareRoot()
    let value = try CKA(estimator: .biased)(pair[0], pair[1])
    #expect(abs(value - coefficient) < 1e-12)
    #expect(abs(try AngularCKA()(pair[0], pair[1]) - acos(value)) < 1e-12)
  }
}
