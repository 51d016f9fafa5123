import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What noise on the pixels does to sources and to matched pictures: a matched picture's embedding stands on a steep place, and so
/// moves further.
///
/// By linearisation the change under N(0, σ²) on every number is normal with the covariance σ²JJᵀ. Each pair's source and matched
/// picture get the same noise; nothing is clamped.
///
/// > Source: the detector of Salman, Shams and Liu, 2024, arXiv 2402.08473, and the authors' `detection.ipynb`: there noise from σ = 10⁻⁷ to 0.9
/// > is added before preprocessing, the picture is put back into 8 bits, and features are normalised. Here noise comes after it, nothing is
/// > rounded, and embeddings are raw; deviations, draws and readers are ours.
struct MatchNoise {
  private let analysis: MatchingAnalysis
  private let place: Int
  private let readers: Readers
  private let sources: Tensor
  private let matched: Tensor

  init(
    _ analysis: MatchingAnalysis, _ place: Int, _ readers: Readers, sources: Tensor,
    matched: Tensor
  ) {
    (self.analysis, self.place, self.readers) = (analysis, place, readers)
    (self.sources, self.matched) = (sources, matched)
  }

  /// A row each deviation.
  func callAsFunction() throws -> [MatchingResult.Noise] {
    guard !analysis.options.noise.isEmpty else { return [] }
    let (clean, changed) = (try embedded(sources), try embedded(matched))
    let gap = (clean - changed).norm(over: [1]).scalars(Double.self)
    let read = (readers.prototypes(clean), readers.prototypes(changed))
    let energies = try (energy(sources), energy(matched))
    return try analysis.options.noise.enumerated().compactMap { number, deviation in
      var shifts: (own: [Double], matched: [Double]) = ([], [])
      var relative: (own: [Double], matched: [Double]) = ([], [])
      var kept: (own: Int, matched: Int) = (0, 0)
      var further = [Double](repeating: 0, count: gap.count)
      let draws = max(1, analysis.options.draws)
      for draw in 0..<draws {
        if analysis.isInterrupted() { throw AnalysisError.interrupted }
        let noise =
          RandomSource(
            seed: (analysis.options.seed &* 1_000_003 &+ UInt64(number)) &* 1_000_003
              &+ UInt64(draw)
          ).normal(sources.shape) * deviation
        let (a, b) = (try embedded(sources + noise), try embedded(matched + noise))
        guard a.isFinite(), b.isFinite() else { return nil }
        let own = (a - clean).norm(over: [1]).scalars(Double.self)
        let other = (b - changed).norm(over: [1]).scalars(Double.self)
        for (pair, (a, b)) in zip(own, other).enumerated() {
          further[pair] += (b > a ? 1 : b == a ? 0.5 : 0) / Double(draws)
        }
        shifts.own += own
        shifts.matched += other
        relative.own += zip(own, gap).compactMap { $1 > 0 ? $0 / $1 : nil }
        relative.matched += zip(other, gap).compactMap { $1 > 0 ? $0 / $1 : nil }
        if let before = read.0, let now = readers.prototypes(a) {
          kept.own += zip(before, now).count { $0 == $1 }
        }
        if let before = read.1, let now = readers.prototypes(b) {
          kept.matched += zip(before, now).count { $0 == $1 }
        }
      }
      let count = Double(shifts.own.count)
      func mean(_ values: [Double]) -> Double {
        values.isEmpty ? 0 : values.reduce(0, +) / Double(values.count)
      }
      func expected(_ energies: [Double]?) -> Double? {
        energies.map { all in
          mean(zip(all, gap).compactMap { $1 > 0 ? deviation * $0.squareRoot() / $1 : nil })
        }
      }
      var noise = MatchingResult.Noise(
        deviation: deviation, sources: read.0 == nil ? nil : Double(kept.own) / count,
        matched: read.1 == nil ? nil : Double(kept.matched) / count,
        sourceShift: mean(relative.own), matchedShift: mean(relative.matched),
        detection: Self.area(shifts.matched, over: shifts.own))
      noise.paired = further
      (noise.sourceExpected, noise.matchedExpected) = (expected(energies.0), expected(energies.1))
      return noise
    }
  }

  /// ‖J‖²_F of each picture, the mean of ‖J·z‖² over random z from N(0, I); nil where the model has no forward derivative.
  private func energy(_ pictures: Tensor) throws -> [Double]? {
    let own = analysis.places[place]
    let subject = analysis.subjects[own.subject]
    let embedding = RepresentationEmbedding(subject: subject, representation: own.representation)
    let batch = analysis.batch(place)
    var all: [Double] = []
    for first in stride(from: 0, to: pictures.shape[0], by: batch) {
      let part = pictures.sliced(0, first, min(first + batch, pictures.shape[0]))
        .to(subject.device)
      var sums = [Double](repeating: 0, count: part.shape[0])
      for probe in 0..<Self.probes {
        if analysis.isInterrupted() { throw AnalysisError.interrupted }
        // Each picture's own, whatever goes through the model with it.
        let z = Tensor.stacked(
          (0..<part.shape[0]).map { row in
            let number = UInt64((first + row) * Self.probes + probe)
            return RandomSource(seed: (analysis.options.seed ^ 0x4A) &* 1_000_003 &+ number)
              .normal(Array(part.shape.dropFirst()))
          }
        ).to(subject.device)
        let product: Tensor
        do {
          product = try Tensor.jacobianVectorProduct(at: [part], directions: [z]) {
            try embedding($0[0])
          }.product
        } catch is TensorError { return nil } catch is ModelError { return nil }
        let squares = product.to(.float64).squared().sum(over: [1]).scalars(Double.self)
        for (row, square) in squares.enumerated() { sums[row] += square / Double(Self.probes) }
      }
      all += sums
    }
    return all.allSatisfy(\.isFinite) ? all : nil
  }

  /// Random vectors of ‖J‖²_F.
  static let probes = 8

  /// The chance that a draw of one list is above a draw of the other, ties counted half.
  static func area(_ high: [Double], over low: [Double]) -> Double {
    guard !high.isEmpty, !low.isEmpty else { return 0.5 }
    var sum = 0.0
    for value in high {
      for other in low { sum += value > other ? 1 : value == other ? 0.5 : 0 }
    }
    return sum / Double(high.count * low.count)
  }

  private func embedded(_ pictures: Tensor) throws -> Tensor {
    let own = analysis.places[place]
    let subject = analysis.subjects[own.subject]
    let batch = analysis.batch(place)
    return Tensor.concatenated(
      try stride(from: 0, to: pictures.shape[0], by: batch).map { first in
        try RepresentationEmbedding.of(
          pictures.sliced(0, first, min(first + batch, pictures.shape[0])).to(subject.device),
          subject, [own.representation], .pixels
        )[0].detached().to(.cpu).to(.float64)
      }, 0)
  }
}
