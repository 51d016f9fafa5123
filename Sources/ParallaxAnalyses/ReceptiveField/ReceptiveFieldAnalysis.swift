import Foundation
import ParallaxImages
import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// Effective receptive fields of some sites of some models, with sizes and intervals over images.
///
/// Gradients are no part of a forward pass without them. So the pass hands over the pixels of the first images, in the order in
/// which it mixes them, as every model's preprocessing makes them; fields are computed once it has ended, a batch of images
/// after the other. Where that is stopped, the sums of finished batches are kept with the state of the pass, and the same run
/// goes on with the next batch; a process that is killed meanwhile begins with the first.
///
/// Memory is 8 bytes a pixel, site and group of images, and what a batch's forward pass leaves for the way back.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 6 and C.1 to C.4; Luo et al., 2016, arXiv 1701.04128. What they
/// > leave open is our reconstruction, and the result names it.
public final class ReceptiveFieldAnalysis: Accumulator {
  /// How fields are computed.
  public struct Options: Sendable {
    /// Images that enter, Raghu et al.'s number.
    public var images = 32
    /// Which channels are differentiated.
    public var channels = ReceptiveField.Channels.sampled(2)
    /// Whether branches are looked at before their residual connections too.
    public var beforeResidual = false
    /// Images a forward pass.
    public var batchSize = 8
    /// Groups of images that are left out in turn for intervals.
    public var groups = 16
    /// The seed of the channels that are drawn.
    public var seed: UInt64 = 0
    /// Bytes that images and sums may take.
    public var memoryLimit = 1 << 33

    /// 32 images, two channels of each.
    public init() {}
  }

  /// `receptive-field`.
  public let name = "receptive-field"
  /// Asked between sites; where it says yes, the run stops and what batches have left stays.
  public var isInterrupted: () -> Bool = { false }
  /// Told what is computed and how much of it is done, from 0 to 1.
  public var progress: (_ part: String, _ share: Double) -> Void = { _, _ in }
  /// The pixels that go into each model.
  public let wanted: [Representation]
  private let options: Options
  private let subjects: [Subject]
  private let sites: [[FieldSite]]
  private let limit: Int
  private var gathered: GatheredFeatures
  private var sums: [FieldSums?]

  /// An analysis of sites of some models.
  ///
  /// - Parameters:
  ///   - wanted: the sites, those of one model together and in execution order; their tokens do not matter.
  ///   - subjects: the models. One called `NAME-random` whose objective is `untrained` is the untrained twin of `NAME`.
  ///   - images: how many images there are.
  ///   - options: how fields are computed.
  /// - Throws: `AnalysisError.site`, `AnalysisError.nothingAsked`, `AnalysisError.tooFewImages`, `MeasureError.memory`.
  public init(
    _ wanted: [Representation], of subjects: [Subject], images: Int, options: Options = Options()
  ) throws {
    limit = min(images, options.images)
    guard limit >= 2 else {
      throw AnalysisError.tooFewImages(needed: 2, found: limit, where: "receptive-field")
    }
    var inputs: [Representation] = []
    var sites: [[FieldSite]] = []
    for subject in subjects {
      let own = wanted.filter { $0.model == subject.name }.map(\.site)
      guard let input = subject.sites.first(where: { $0.name == "input" && $0.kind == .map }),
        !own.isEmpty
      else {
        throw AnalysisError.nothingAsked(
          "\(subject.name): \(own.isEmpty ? "no site is asked for" : "it does not show its input")")
      }
      inputs.append(Representation(model: subject.name, site: input, tokens: .flat))
      var seen: Set<String> = []
      sites.append(
        try FieldSite.all(
          own.filter { seen.insert($0.name).inserted }, of: subject,
          beforeResidual: options.beforeResidual))
    }
    (self.wanted, self.subjects, self.sites, self.options) = (inputs, subjects, sites, options)
    sums = subjects.map { _ in nil }
    let pixels = subjects.map { $0.imageSize.height * $0.imageSize.width }
    gathered = GatheredFeatures(name, widths: pixels.map { 3 * $0 }, limit: limit)
    let groups = min(options.groups, limit)
    let needed = zip(pixels, sites).reduce(0) {
      $0 + $1.0 * (12 * limit + 8 * groups * $1.1.count)
    }
    guard needed <= options.memoryLimit else {
      throw MeasureError.memory(measure: name, needed: needed, limit: options.memoryLimit)
    }
  }

  /// Images, channels, sites and seed.
  public var fingerprint: String {
    let places = sites.map { $0.map(\.location.site.name).joined(separator: ",") }
    return
      "1 images \(limit) channels \(options.channels.label) groups \(options.groups) seed \(options.seed) batch \(options.batchSize) sites \(places.joined(separator: ";"))"
  }

  /// Opens a block; of images beyond those that enter nothing is kept.
  public func begin(_ block: BlockHeading) {
    gathered.begin(block)
  }

  /// Keeps pixels `[images, 3 · height · width]`.
  ///
  /// - Throws: `MeasureError.blockOrder` where no block is open, or pixels come twice.
  public func add(_ index: Int, _ features: Tensor) throws {
    try gathered.add(index, features)
  }

  /// Closes the block.
  ///
  /// - Throws: `MeasureError.blockOrder` where a model's pixels are missing.
  public func finish() throws { try gathered.finish() }

  /// The pixels of all finished blocks, and the sums of all finished batches.
  public func state() -> [(name: String, tensor: Tensor)] {
    gathered.state()
      + sums.enumerated().flatMap { index, sums in
        (sums?.state() ?? []).map { ("sums.\(index).\($0.name)", $0.tensor) }
      }
  }

  /// Goes on from the state of an interrupted run.
  ///
  /// - Returns: false where it is of other models, sites or sizes; nothing has changed then.
  public func restore(_ state: [String: Tensor]) -> Bool {
    var restored: [FieldSums?] = []
    let count = state["samples"]?.count ?? 0
    for (index, subject) in subjects.enumerated() {
      let prefix = "sums.\(index)."
      let own = state.filter { $0.key.hasPrefix(prefix) }.map {
        (String($0.key.dropFirst(prefix.count)), $0.value)
      }
      guard !own.isEmpty else {
        restored.append(nil)
        continue
      }
      var sums = empty(index, subject, images: count)
      guard sums.restore(Dictionary(own) { first, _ in first }, images: count) else { return false }
      restored.append(sums)
    }
    guard count <= limit, gathered.restore(state) else { return false }
    sums = restored
    return true
  }

  private func empty(_ index: Int, _ subject: Subject, images: Int) -> FieldSums {
    FieldSums(
      sites: sites[index].count, groups: min(options.groups, max(1, images)),
      height: subject.imageSize.height, width: subject.imageSize.width)
  }

  /// The result and every whole field, once the pass has ended.
  ///
  /// - Throws: `AnalysisError.tooFewImages`, `AnalysisError.interrupted`, `AnalysisError.site` where no gradient reaches the
  ///   pixels, and what models throw.
  public func result() throws -> ReceptiveFieldResult { try computed().result }

  func computed() throws -> FieldsComputed {
    let images = gathered.samples.count
    guard images >= 2 else {
      throw AnalysisError.tooFewImages(needed: 2, found: images, where: "receptive-field")
    }
    let complete = try subjects.indices.map { try compute($0, images) }
    return try FieldsComputed(
      subjects: subjects, sites: sites, sums: complete, images: images, options: options)
  }

  /// Batch after batch of one model's images.
  private func compute(_ index: Int, _ images: Int) throws -> FieldSums {
    let subject = subjects[index]
    let size = subject.imageSize
    let pixels = gathered.whole(index).reshaped(images, 3, size.height, size.width)
    let field = ReceptiveField(subject.model, at: sites[index].map(\.location))
    var total = sums[index] ?? empty(index, subject, images: images)
    let batchSize = subject.model.fixedBatch ?? min(options.batchSize, images)
    while total.done < images {
      let (first, last) = (total.done, min(total.done + batchSize, images))
      var next = total
      try field.maps(
        of: pixels.sliced(0, first, last).contiguous().to(subject.device),
        channels: options.channels, seed: options.seed, first: first
      ) { site, maps in
        if isInterrupted() { throw AnalysisError.interrupted }
        let batch = (Double(first) + Double(last - first) * share(site, index)) / Double(images)
        progress(
          "receptive fields of \(subject.name)", (Double(index) + batch) / Double(subjects.count))
        next.add(site, maps, first: first)
      }
      next.done = last
      total = next
      sums[index] = total
    }
    progress(
      "receptive fields of \(subject.name)", Double(index + 1) / Double(subjects.count))
    return total
  }

  /// How much of a batch's way back is done after a site: the later ones go through more layers.
  private func share(_ site: Int, _ model: Int) -> Double {
    let passes = sites[model].map { Double(options.channels.passes(of: $0.location.channels)) }
    let costs = passes.enumerated().map { Double($0 + 1) * $1 }
    return costs.prefix(site + 1).reduce(0, +) / costs.reduce(0, +)
  }
}

extension ReceptiveFieldAnalysis: LongAnalysis {
  /// Writes `results/receptive-field.json`, and to `tensors/receptive-field/` every field as a PNG and all of them as
  /// `fields.safetensors`.
  ///
  /// - Parameter run: the folder.
  /// - Returns: a row each number.
  /// - Throws: `ResultsError.unwritable`, and what `result` throws.
  public func write(into run: RunFolder) throws -> [TidyRow] {
    let computed = try computed()
    try computed.write(to: run.tensors.appending(path: name))
    try run.write(computed.result, analysis: name)
    return computed.result.tidyRows()
  }
}
