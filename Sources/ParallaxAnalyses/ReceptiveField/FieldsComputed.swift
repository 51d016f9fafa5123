import Foundation
import ParallaxImages
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// What becomes of the sums: sizes with intervals, pictures, findings.
struct FieldsComputed {
  /// The result.
  private(set) var result: ReceptiveFieldResult
  /// Every field `[height, width]` under its address.
  private(set) var fields: [(address: String, map: Tensor)] = []
  /// Of each model and site the sizes, then the sizes without each group of images.
  private var values: [[[FieldStatistics.Values?]]] = []

  init(
    subjects: [Subject], sites: [[FieldSite]], sums: [FieldSums], images: Int,
    options: ReceptiveFieldAnalysis.Options
  ) throws {
    let groups = sums.first?.groups ?? 0
    result = ReceptiveFieldResult(
      channels: options.channels.label, images: images, groups: groups, seed: options.seed,
      dtype: "float32", decades: FieldPicture.decades, models: [])
    for (index, subject) in subjects.enumerated() {
      try add(subject, sites[index], sums[index], options, among: subjects)
    }
    result.switches = FieldSwitches.list(options, images: images, groups: groups)
    result.findings = FieldFindings(result: result, values: values)()
  }

  private mutating func add(
    _ subject: Subject, _ sites: [FieldSite], _ sums: FieldSums,
    _ options: ReceptiveFieldAnalysis.Options, among subjects: [Subject]
  ) throws {
    let size = subject.imageSize
    var model = ReceptiveFieldResult.Model(
      name: subject.name, family: subject.family, design: subject.design.rawValue,
      height: size.height, width: size.width,
      twinOf: subject.objective != .untrained
        ? nil : subjects.first { "\($0.name)-random" == subject.name }?.name, fields: [])
    var own: [[FieldStatistics.Values?]] = []
    for (place, site) in sites.enumerated() {
      let means = sums.means(place)
      let sizes = FieldStatistics(height: size.height, width: size.width, location: site.location)
      let found = sizes(means)
      guard found[0] != nil else {
        let reason =
          sums.count(place) == 0
          ? "NaN or infinity in the gradients of all images"
          : "every gradient is 0: the channels that were looked at do not depend on the pixels"
        result.refusals.append(
          SimilarityResult.Refusal(address: site.location.name, reason: reason))
        continue
      }
      let map = means.selected(0, 0)
      fields.append((site.location.name, map))
      own.append(found)
      model.fields.append(try field(site, sums, place, found, map, options))
    }
    guard !model.fields.isEmpty else {
      throw AnalysisError.site(
        sites.last?.location.name ?? subject.name, problem: result.refusals.last?.reason ?? "")
    }
    result.models.append(model)
    values.append(own)
  }

  private func field(
    _ site: FieldSite, _ sums: FieldSums, _ place: Int, _ found: [FieldStatistics.Values?],
    _ map: Tensor, _ options: ReceptiveFieldAnalysis.Options
  ) throws -> ReceptiveFieldResult.Field {
    func estimate(_ number: (FieldStatistics.Values) -> Double) -> IntervalEstimate {
      Self.estimate(found.map { $0.map(number) })
    }
    let picture = FieldPicture(map: map)
    var field = ReceptiveFieldResult.Field(
      site: site.location.site.name, part: site.part, stage: site.stage, depth: site.depth,
      rows: site.location.grid.rows, columns: site.location.grid.columns,
      channels: site.location.channels,
      passes: options.channels.passes(of: site.location.channels), images: sums.count(place),
      skipped: sums.skipped[place], peak: map.maximum().item(Double.self))
    field.radius = estimate(\.radius)
    field.spread = estimate(\.spread)
    field.luo = estimate(\.luo)
    field.squares = FieldStatistics.shares.enumerated().map { index, share in
      ReceptiveFieldResult.Square(share: share, side: estimate { $0.squares[index] })
    }
    field.centre = estimate(\.centre)
    field.picture = try picture.small()
    return field
  }

  /// A number with its 95 % interval by a jackknife: the first is of all images, the others are without a group each.
  ///
  /// The value is not corrected for bias. Where a group's absence leaves nothing, there is no interval.
  static func estimate(_ numbers: [Double?]) -> IntervalEstimate {
    IntervalEstimate(numbers.first ?? nil, leavingOut: Array(numbers.dropFirst()))
  }

  /// Writes every field as a PNG, and all of them into one file.
  ///
  /// - Throws: `ResultsError.unwritable`, `TensorError.unwritable`, `ImageError`.
  func write(to folder: URL) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw ResultsError.unwritable(
        path: folder.path, problem: (error as NSError).localizedDescription)
    }
    for (index, field) in fields.enumerated() {
      let safe = String(
        field.address.map { $0.isLetter || $0.isNumber || "-_.@".contains($0) ? $0 : "-" }
          .suffix(120))
      let number = String(index + 1001).dropFirst()
      let file = folder.appending(path: "\(number)-\(safe).png")
      let data = try FieldPicture(map: field.map).whole()
      do { try data.write(to: file, options: .atomic) } catch {
        throw ResultsError.unwritable(
          path: file.path, problem: (error as NSError).localizedDescription)
      }
    }
    try Safetensors.write(
      fields.map { (name: $0.address, tensor: $0.map.to(.float32).contiguous()) },
      metadata: ["channels": result.channels, "images": String(result.images)],
      to: folder.appending(path: "fields.safetensors").path)
  }
}

/// Every choice that changes the numbers, and whether a paper makes it.
enum FieldSwitches {
  /// Them, in the order of the report.
  static func list(
    _ options: ReceptiveFieldAnalysis.Options, images: Int, groups: Int
  ) -> [Switch] {
    var list = [
      Switch(
        "field",
        "absolute gradient of the centre location with respect to the pixels, mean over channels and RGB",
        origin: "paper"),
      Switch(
        "images", "\(images)\(images == 32 ? "" : " (the paper: 32)")",
        origin: images == 32 ? "paper" : "reconstruction"),
      Switch(
        "location", "⌊h/2⌋, ⌊w/2⌋; class and register tokens left out", origin: "paper"),
      Switch(
        "residual connection",
        options.beforeResidual ? "after it, and the branches before it" : "after it",
        origin: "paper"),
    ]
    func add(_ name: String, _ value: String) { list.append(Switch(name, value)) }
    switch options.channels {
    case .all: add("channels", "all, each by itself: the paper's words taken literally")
    case .sampled(let count):
      add(
        "channels",
        "\(count) of each image, drawn without replacement: estimates the mean over all, at the cost of \(count) backward pass\(count == 1 ? "" : "es") a site"
      )
    case .summed:
      add(
        "channels",
        "summed, then the absolute value: cheap, but channels of opposite sign cancel, so it is not the paper's quantity"
      )
    }
    add("radius", "mean distance of the mass from its own centroid")
    add(
      "Luo's size",
      "√ of the pixels above 1 − 95.45 % of the field's largest value (Luo et al.: of its centre)")
    add(
      "squares",
      "RepLKNet's shares of the mass, round the location's own cell instead of the image's middle; no ReLU on outputs or gradients"
    )
    add("relative depth", "l / (L − 1) over the L sites that were asked for")
    add("intervals", "jackknife over \(groups) groups of images, left out of all models at once")
    add("NaN or infinity in a gradient", "the image is left out at that site, and counted")
    return list
  }
}
