import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// The filters of the first layer of each model, as pictures.
///
/// A filter is what each number of the model's input changes at the centre of one channel, ∂O_c(centre)/∂x: where the layer is linear,
/// its weights, of whatever kind the network and its file are. No image enters.
///
/// > Source: Badger, 2022, arXiv 2211.06496: the first convolution, eight filters in a row, each scaled from its least to its largest number to
/// > [0, 1].
public final class FiltersAnalysis: Accumulator {
  /// `filters`.
  public let name = "filters"
  /// The pixels that go into each model; they are not looked at.
  public let wanted: [Representation]
  private let subjects: [Subject]
  private let sites: [Site]

  /// An analysis of the first layers of some models.
  ///
  /// - Parameters:
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - named: sites that somebody chose, of which the first of each model counts; of a model without one the first after its input.
  /// - Throws: `AnalysisError.nothingAsked` where a model shows no input, `AnalysisError.site` where the site has no channels.
  public init(of subjects: [Subject], among named: [Representation] = []) throws {
    var (wanted, sites): ([Representation], [Site]) = ([], [])
    for subject in subjects {
      guard let input = subject.sites.first(where: { $0.name == "input" && $0.kind == .map }),
        let site = named.first(where: { $0.model == subject.name })?.site
          ?? subject.sites.first(where: { $0.name != "input" })
      else {
        throw AnalysisError.nothingAsked("filters: \(subject.name) does not show its input")
      }
      guard Self.channels(of: site) != nil else {
        throw AnalysisError.site(
          "\(subject.name)@\(site.name)",
          problem: "filters are of maps or tokens, not of \(site.kind.rawValue)")
      }
      wanted.append(Representation(model: subject.name, site: input, tokens: .flat))
      sites.append(site)
    }
    (self.wanted, self.subjects, self.sites) = (wanted, subjects, sites)
  }

  /// How many channels a site has; nil where it has no places.
  private static func channels(of site: Site) -> Int? {
    switch (site.kind, site.shape.count) {
    case (.map, 3): site.shape[0]
    case (.positions, 3): site.shape[2]
    case (.tokens, 2), (.patches, 2): site.shape[1]
    default: nil
    }
  }

  /// The layers.
  public var fingerprint: String { "1 \(sites.map(\.name).joined(separator: ","))" }

  /// Nothing of an image is kept.
  public func begin(_ block: BlockHeading) {}
  /// Nothing of an image is kept.
  public func add(_ index: Int, _ features: Tensor) {}
  /// Nothing of an image is kept.
  public func finish() {}
  /// Nothing.
  public func state() -> [(name: String, tensor: Tensor)] { [] }
  /// Always, for there is nothing to restore.
  public func restore(_ state: [String: Tensor]) -> Bool { true }

  /// The result.
  ///
  /// - Throws: `AnalysisError.site` where the layer has no derivative, and what models throw.
  public func result() throws -> FiltersResult { try computed().result }

  /// The result, and of each model all filters `[channels, 3, rows, columns]`.
  func computed() throws -> (result: FiltersResult, filters: [Tensor]) {
    var (result, all) = (FiltersResult(), [Tensor]())
    for (subject, site) in zip(subjects, sites) {
      let (filters, isLinear) = try filters(subject, site)
      var model = FiltersResult.Model(
        name: subject.name, family: subject.family,
        twinOf: subject.objective != .untrained
          ? nil : subjects.first { $0.isTrainedForm(of: subject) }?.name,
        site: site.name, channels: filters.shape[0], rows: filters.shape[2],
        columns: filters.shape[3], isLinear: isLinear, smoothness: Self.smoothness(filters))
      model.picture = try FilterSheet(filters.sliced(0, 0, min(64, filters.shape[0])), inRow: 8)
        .image().pngData()
      result.models.append(model)
      all.append(filters)
    }
    result.switches = [
      Switch(
        "scale", "each filter from its least to its largest number, colours together",
        origin: "paper"),
      Switch(
        "filter", "∂O_c(centre)/∂x, x: what the model is given; cut to where any filter is not 0"),
      Switch(
        "smoothness",
        "Σ w(p)·w(q)/Σ ½(w(p)² + w(q)²) over neighbouring pixels p, q of a filter's colours"),
    ]
    result.findings = Self.findings(result)
    return (result, all)
  }

  private func filters(_ subject: Subject, _ site: Site) throws -> (Tensor, Bool) {
    let embedding = LayerEmbedding(subject: subject, site: site, isRaw: true)
    let size = subject.imageSize
    let shape = [1, 3, size.height, size.width]
    let channels = Self.channels(of: site) ?? 0
    let places = (0..<channels).map { place($0, site, subject) }
    // What some networks do to raw pixels is no part of their filters.
    let slope = subject.raw(Tensor.ones([1, 3, 1, 1])) - subject.raw(Tensor.zeros([1, 3, 1, 1]))
    func rows(at point: Tensor, _ chosen: [Int]) throws -> Tensor {
      let jacobian = try LayerJacobian(
        embedding.name, at: point.to(subject.device), batchSize: subject.model.fixedBatch ?? 8
      ) { try embedding($0) }
      // Few unit vectors at a time: each is as long as the layer.
      let parts = try stride(from: 0, to: chosen.count, by: 8).map { first in
        let some = Array(chosen[first..<min(first + 8, chosen.count)])
        var units = [Float](repeating: 0, count: some.count * jacobian.features)
        for (row, channel) in some.enumerated() {
          units[row * jacobian.features + places[channel]] = 1
        }
        return try jacobian.transposedTimes(
          Tensor(units, shape: [some.count, jacobian.features])
        ).to(.cpu)
      }
      return Tensor.concatenated(parts, 0).reshaped([chosen.count] + shape.dropFirst()) / slope
    }
    let grey = Tensor.zeros(shape)
    let found = try rows(at: grey, Array(0..<channels))
    let few = Array(0..<min(4, channels))
    let elsewhere = try rows(at: RandomSource(seed: 1).normal(shape), few)
    let gap = (elsewhere - found.gathered(0, few)).absolute().maximum().item(Float.self)
    let largest = found.absolute().maximum().item(Float.self)
    guard largest > 0 else {
      throw AnalysisError.site(embedding.name, problem: "no pixel changes the centre of the layer")
    }
    return (Self.cut(found), gap <= 1e-4 * largest)
  }

  /// Where the number of a channel at the centre stands in the layer's flat embedding.
  private func place(_ channel: Int, _ site: Site, _ subject: Subject) -> Int {
    let s = site.shape
    switch site.kind {
    case .map: return (channel * s[1] + s[1] / 2) * s[2] + s[2] / 2
    case .positions: return (s[0] / 2 * s[1] + s[1] / 2) * s[2] + channel
    default:
      let prefix = site.kind == .tokens ? subject.model.tokenLayout?.prefix ?? 0 : 0
      let count = max(1, s[0] - prefix)
      let side = Int(Double(count).squareRoot().rounded())
      let middle = side * side == count ? side / 2 * side + side / 2 : count / 2
      return min(s[0] - 1, prefix + middle) * s[1] + channel
    }
  }

  /// Filters `[channels, 3, height, width]` without the rim that is 0 in all.
  private static func cut(_ filters: Tensor) -> Tensor {
    let strength = filters.absolute()
    let least = 1e-6 * Double(strength.maximum().item(Float.self))
    func range(_ sums: [Float]) -> Range<Int> {
      let seen = sums.indices.filter { Double(sums[$0]) > least }
      return (seen.first ?? 0)..<((seen.last ?? 0) + 1)
    }
    let rows = range(strength.sum(over: [0, 1, 3]).scalars(Float.self))
    let columns = range(strength.sum(over: [0, 1, 2]).scalars(Float.self))
    return filters.sliced(2, rows.lowerBound, rows.upperBound)
      .sliced(3, columns.lowerBound, columns.upperBound).contiguous()
  }

  /// Σ w(p)·w(q) / Σ ½(w(p)² + w(q)²) over neighbours of each filter: 1 where it is flat, about 0 of noise, −1 of a chequerboard.
  static func smoothness(_ filters: Tensor) -> [Double?] {
    let wide = filters.to(.float64)
    func pairs(_ dim: Int) -> (Tensor, Tensor)? {
      let size = wide.shape[dim]
      guard size > 1 else { return nil }
      let (a, b) = (wide.sliced(dim, 0, size - 1), wide.sliced(dim, 1, size))
      return (
        (a * b).sum(over: [1, 2, 3]), ((a.squared() + b.squared()) * 0.5).sum(over: [1, 2, 3])
      )
    }
    let parts = [pairs(2), pairs(3)].compactMap(\.self)
    guard let first = parts.first else { return Array(repeating: nil, count: filters.shape[0]) }
    let (above, below) = parts.dropFirst().reduce(first) { ($0.0 + $1.0, $0.1 + $1.1) }
    return zip(above.scalars(Double.self), below.scalars(Double.self)).map {
      $1 > 0 ? $0 / $1 : nil
    }
  }

  /// The paper's sentence, asked of models with twins. Its criterion is ours.
  private static func findings(_ result: FiltersResult) -> [Finding] {
    let gains = result.models.compactMap { twin -> Double? in
      guard let own = result.models.first(where: { $0.name == twin.twinOf })?.meanSmoothness,
        let other = twin.meanSmoothness
      else { return nil }
      return own - other
    }
    guard let low = gains.min(), let high = gains.max() else { return [] }
    return [
      Finding(
        sentence: "Training makes waves of the first layer's filters",
        value: gains.reduce(0, +) / Double(gains.count), low: nil, high: nil,
        quantity:
          "smoothness of the trained filters less that of the untrained ones, mean over \(gains.count == 1 ? "one model" : "\(gains.count) models")",
        verdict: low > 0.1 ? .shows : high <= 0.1 ? .doesNotShow : .cannotTell,
        analysis: "filters")
    ]
  }
}

/// Filters side by side on white, each from its least to its largest number.
struct FilterSheet {
  private let filters: Tensor
  private let inRow: Int

  /// - Parameters:
  ///   - filters: `[channels, 3, rows, columns]`.
  ///   - inRow: filters side by side.
  init(_ filters: Tensor, inRow: Int) { (self.filters, self.inRow) = (filters, inRow) }

  /// A picture in which a pixel of a small filter is a square.
  func image() -> ImageBuffer {
    let (count, rows, columns) = (filters.shape[0], filters.shape[2], filters.shape[3])
    let zoom = max(1, 28 / max(rows, columns))
    let (high, wide) = (rows * zoom + 2, columns * zoom + 2)
    let lines = (count + inRow - 1) / inRow
    let (height, width) = (lines * high, min(count, inRow) * wide)
    var pixels = [UInt8](repeating: 255, count: 3 * height * width)
    let numbers = filters.to(.float32).contiguous().scalars(Float.self)
    let size = 3 * rows * columns
    for filter in 0..<count {
      let own = numbers[filter * size..<(filter + 1) * size]
      let (low, top) = (own.min() ?? 0, own.max() ?? 0)
      let (y, x) = (filter / inRow * high + 1, filter % inRow * wide + 1)
      for row in 0..<rows * zoom {
        for column in 0..<columns * zoom {
          for colour in 0..<3 {
            let value = own[own.startIndex + (colour * rows + row / zoom) * columns + column / zoom]
            let share = top > low ? (value - low) / (top - low) : 0.5
            pixels[((y + row) * width + x + column) * 3 + colour] = UInt8(255 * share + 0.5)
          }
        }
      }
    }
    return ImageBuffer(width: width, height: height, pixels: pixels)
  }
}

extension FiltersAnalysis: StudyAnalysis {
  /// Writes `results/filters.json`, and to `tensors/filters/` a PNG of all filters of each model and all of them in one file.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each filter.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    var (result, filters) = try computed()
    for (index, one) in filters.enumerated() {
      let safe = result.models[index].name.map {
        $0.isLetter || $0.isNumber || "-_.".contains($0) ? $0 : "-"
      }
      result.models[index].file = "tensors/filters/\(index + 1)-\(String(safe.suffix(120))).png"
      try run.write(
        try FilterSheet(one, inRow: 16).image().pngData(), at: result.models[index].file)
    }
    try Safetensors.write(
      zip(result.models, filters).map { (name: "\($0.name)@\($0.site)", tensor: $1) },
      metadata: ["unit": "what the model is given"],
      to: run.tensors.appending(path: "filters/filters.safetensors").path)
    try run.write(result, analysis: name)
    return result.tidyRows()
  }
}
