import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxMeasures

/// `Tests/Fixtures/similarity/descriptive.safetensors`: what NumPy computed in float64 by the definitions.
@Suite("The NumPy oracle of descriptions, and of measures that do not pair")
struct DescriptiveFixtureTests {
  static let sets = ["golden", "sixty", "wide"]
  private let file: Safetensors

  init() throws {
    file = try Safetensors(fixtures.appending(path: "similarity/descriptive.safetensors").path)
  }

  private func features(_ set: String, _ side: Int, _ dtype: DType) throws -> Tensor {
    try #require(file["\(set)/x\(side)"]).to(dtype)
  }

  /// What stands under a prefix, by the rest of its name.
  private func numbers(_ prefix: String) -> [String: Double] {
    file.names.filter { $0.hasPrefix(prefix) }.reduce(into: [:]) { table, name in
      table[String(name.dropFirst(prefix.count))] = file[name]?.item(Double.self)
    }
  }

  @Test("measures have their values", arguments: sets)
  func pairs(_ set: String) throws {
    let expected = numbers("\(set)/pair/")
    #expect(expected.count == (set == "wide" ? 4 : 6))
    for (name, value) in expected {
      let measure = try #require(MeasureCatalog[name], "\(name)")
      // The golden features are not exact in float32.
      for dtype in set == "golden" ? [DType.float64] : [.float64, .float32] {
        let found = try measure(features(set, 0, dtype), features(set, 1, dtype))
        // Float64 throughout: sums of at most 10⁴ numbers keep 1e-12 of their size, differences of what is
        // about 1 in size keep 1e-12 itself.
        #expect(abs(found - value) < 1e-12 * max(abs(value), 1), "\(name) \(dtype): \(found)")
      }
    }
  }

  @Test("every description of the catalog has a value to be held against")
  func complete() {
    let known = Self.sets.flatMap { set in
      [0, 1].flatMap { numbers("\(set)/alone\($0)/").keys }
    }
    for description in DescriptionCatalog.descriptions {
      #expect(known.contains(description.name), "\(description.name)")
    }
  }

  @Test("descriptions have their values and standard errors", arguments: sets, [0, 1])
  func alone(_ set: String, _ side: Int) throws {
    let expected = numbers("\(set)/alone\(side)/")
    let described = Describer.all.reduce(into: [:]) { $0[$1.description.name] = $1.description }
    #expect(expected.count >= 16)
    for (name, value) in expected where !name.hasSuffix("/error") {
      let description = try #require(described[name], "\(name)")
      let found = try description(features(set, side, .float64))
      // As many digits as log(r₂/r₁) of a hundredth leaves to distances that are right to 1e-14.
      #expect(agrees(found.value, value, within: 2e-12), "\(name): \(found.value)")
      if let error = expected["\(name)/error"] {
        #expect(agrees(found.standardError ?? 0, error, within: 2e-12), "\(name)")
      }
    }
    let spectrum = try Spectrum(features(set, side, .float64)).eigenvalues
    let eigenvalues = try #require(file["\(set)/spectrum\(side)"]).scalars(Double.self)
    #expect(spectrum.count == eigenvalues.count)
    for (found, value) in zip(spectrum, eigenvalues) {
      // LAPACK is right to rounding of the largest, times the width.
      #expect(abs(found - value) < 1e-13 * eigenvalues[0])
    }
  }
}

@Suite("IMD and RTD-Lite")
struct TopologyTests {
  @Test("stochastic Lanczos comes to the exact traces as probes are added")
  func lanczos() throws {
    let x = MadeUp.related(90, [12], seed: 14)[0]
    let exact = try IMD().summary(of: x).traces
    func gap(_ probes: Int, seed: UInt64) throws -> Double {
      let trace = HeatTrace.lanczos(steps: 16, probes: probes, seed: seed)
      let found = try IMD(trace: trace).summary(of: x).traces
      return zip(found, exact).map { abs($0 - $1) }.max() ?? .infinity
    }
    let few = try (0..<8 as Range<UInt64>).map { try gap(20, seed: $0) }.reduce(0, +) / 8
    let many = try (0..<8 as Range<UInt64>).map { try gap(2000, seed: $0) }.reduce(0, +) / 8
    // One probe's standard deviation is at most ½√(2/N), as e^(−tλ) lies between 0 and 1: 0.075, over √2000.
    #expect(many < 2e-3 && many > 0, "\(many)")
    // A hundred times the probes, a tenth of the noise, which eight runs tell to a third.
    #expect(few / many > 5 && few / many < 20, "\(few) \(many)")
    #expect(try gap(100, seed: 3) == gap(100, seed: 3) && gap(100, seed: 3) != gap(100, seed: 4))
  }

  @Test("a Krylov space that is exhausted gives its rule and stops")
  func exhausted() throws {
    // Two far groups of six: two complete graphs, whose Laplacian has two eigenvalues.
    let group = MadeUp.noise(6, 4, seed: 1)
    let x = Tensor.concatenated([group, group + 1000.0], 0)
    let exact = try IMD().summary(of: x).traces
    #expect(agrees(exact[127], (2 + 10 * exp(-1.2 * IMD.times[127])) / 12, within: 1e-12))
    let trace = HeatTrace.lanczos(steps: 10, probes: 4000, seed: 5)
    let found = try IMD(trace: trace).summary(of: x).traces
    // ½√(2/N)/√4000 is 0.0032.
    #expect(zip(found, exact).allSatisfy { $0.isFinite && abs($0 - $1) < 5e-3 })
  }

  @Test("the quantile is that of the full matrix with its diagonal")
  func quantile() {
    // [0, 0, 0, 1, 1, 2, 2, 5, 5]: position 7.2.
    #expect(RTDLite.quantile(0.9, of: [5, 1, 2], images: 3) == 5)
    #expect(abs(RTDLite.quantile(0.8, of: [5, 1, 2], images: 3) - 3.2) < 1e-12)
    #expect(RTDLite.quantile(0.1, of: [5, 1, 2], images: 3) == 0)
  }

  @Test("each direction is at least 0, and their mean is the measure")
  func directed() throws {
    // On a line; the second side moves half of the images away.
    let a = Tensor([0.0, 1, 2, 3, 4, 5, 6, 7], shape: [8, 1])
    let measure = RTDLite(directed: true)
    let b = Tensor([0.0, 1, 2, 3, 14, 15, 16, 17], shape: [8, 1])
    #expect(try measure(a, a) == 0)
    let (there, back) = (try measure(a, b), try measure(b, a))
    #expect(there >= 0 && back >= 0 && there + back > 0.1)
    #expect(agrees(try RTDLite()(a, b), (there + back) / 2, within: 1e-12))
  }

  @Test("uniformity beyond the reach of its kernel is minus the logarithm of the images")
  func uniformity() throws {
    let x = MadeUp.noise(10, 30, seed: 2) * 100.0
    let value = try UniformityDifference().summary(of: x).value
    #expect(agrees(value, -log(10), within: 1e-14))
  }

  @Test("a mean that is only rounding has no direction")
  func concentricity() throws {
    let x = MadeUp.noise(40, 5, seed: 9)
    let centred = x - x.mean(over: [0], keeping: true)
    let measure = ConcentricityDifference()
    #expect(try measure(x, x) == 0)
    for dtype in [DType.float64, .float32] {
      let error = #expect(throws: MeasureError.self) {
        try measure.summary(of: centred.to(dtype))
      }
      if case .undefined = error {} else { Issue.record("found \(String(describing: error))") }
    }
  }

  @Test("features may be a view of others")
  func views() throws {
    let x = MadeUp.related(30, [8], seed: 4)[0]
    // The same numbers, the other way round in memory.
    let view = x.transposed().contiguous().transposed()
    for measure in [RTDLite(), IMD(), UniformityDifference()] as [any Measure] {
      #expect(try measure(view, view) == 0 && measure(x, view) == 0, "\(measure.name)")
    }
    #expect(try TwoNN()(view) == TwoNN()(x))
  }

  @Test("traces of different seeds do not meet")
  func seeds() throws {
    let x = MadeUp.noise(20, 4, seed: 1)
    let (a, b) = (IMD(trace: .lanczos(seed: 1)), IMD(trace: .lanczos(seed: 2)))
    let (left, right) = (try a.summary(of: x), try b.summary(of: x))
    #expect(try a.similarity(left, left) == 0)
    #expect(throws: MeasureError.self) { try a.similarity(left, right) }
    #expect(a.name == "imd-lanczos-10-100-seed-1")
    #expect(try a(x, x.sliced(0, 0, 15)) == a(x, x.sliced(0, 0, 15)))
  }
}
