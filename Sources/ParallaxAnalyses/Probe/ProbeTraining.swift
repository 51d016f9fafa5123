import ParallaxMeasures
import ParallaxTensors

/// Probes of all training images: sums of these, and features of those that penalties are tuned with.
///
/// The last tenth of each class's pool tunes the penalty, as 5000 of CIFAR's 50 000 training images do in the paper; the test images
/// are those of the few shots.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, section 7 and appendix F.
struct ProbeTraining {
  /// By place of a training image, its class and the class that shuffling deals to it.
  private let labels: [Int: [Int]]
  /// By place of an image to tune with, its class.
  private let heldLabels: [Int: Int]
  /// Whether each class has an image to tune with.
  let canTune: Bool
  private let names: [String]
  private(set) var sums: [ProbeSums]
  private(set) var held: GatheredFeatures
  /// Places of training images that have been added.
  private(set) var seen: Set<Int> = []
  /// Of a representation the first places where it is not finite.
  private(set) var problems: [Int: [Int]] = [:]
  private var open: (rows: [Int], places: [Int], held: [Int]) = ([], [], [])
  private var pending: [Int: ProbeSums] = [:]
  private var found: [Int: [Int]] = [:]

  /// - Parameters:
  ///   - split: with all images in its pool.
  ///   - widths: of the representations.
  ///   - limit: images a class to tune with, at most.
  ///   - ids: of all images.
  init(_ split: ProbeSplit, widths: [Int], limit: Int, ids: [String]) {
    let (training, validation) = split.holdingOut(limit: limit)
    let places = training.flatMap(\.self)
    let own = Dictionary(
      uniqueKeysWithValues: training.enumerated().flatMap { label, places in
        places.map { ($0, label) }
      })
    let dealt = split.shuffled(places, draw: 0)
    labels = Dictionary(
      uniqueKeysWithValues: zip(places, dealt).map { ($0, [own[$0] ?? 0, own[$1] ?? 0]) })
    heldLabels = Dictionary(
      uniqueKeysWithValues: validation.enumerated().flatMap { label, places in
        places.map { ($0, label) }
      })
    canTune = validation.allSatisfy { !$0.isEmpty }
    names = ids
    sums = widths.map { ProbeSums(width: $0, classes: split.classes.count, labellings: 2) }
    held = GatheredFeatures("probe", widths: widths)
  }

  /// Bytes of sums and of features to tune with, twice.
  static func memory(_ split: ProbeSplit, widths: [Int], limit: Int) -> Int {
    let count = split.holdingOut(limit: limit).validation.reduce(0) { $0 + $1.count }
    return widths.reduce(0) {
      $0 + 2 * ProbeSums.bytes(width: $1, classes: split.classes.count, labellings: 2)
        + 8 * count * $1
    }
  }

  /// What tells one such protocol from another.
  var fingerprint: String {
    func text(_ places: some Collection<Int>) -> String {
      ContentHash.sha256(places.sorted().map { names[$0] }.joined(separator: "\n"))
    }
    return "all \(text(labels.keys)) tuned with \(text(heldLabels.keys))"
  }

  mutating func begin(_ block: BlockHeading) {
    let known = Set(held.samples)
    open.rows = block.samples.indices.filter {
      labels[block.samples[$0]] != nil && !seen.contains(block.samples[$0])
    }
    open.places = open.rows.map { block.samples[$0] }
    open.held = block.samples.indices.filter {
      heldLabels[block.samples[$0]] != nil && !known.contains(block.samples[$0])
    }
    held.begin(
      BlockHeading(index: block.index, samples: open.held.map { block.samples[$0] }))
    (pending, found) = ([:], [:])
  }

  mutating func add(_ index: Int, _ features: Tensor) throws {
    try held.add(index, features.gathered(0, open.held))
    guard !open.rows.isEmpty, problems[index] == nil else { return }
    let own = features.gathered(0, open.rows)
    let bad = InputProblem.rowsNotFinite(own)
    guard bad.isEmpty else {
      found[index] = bad.prefix(3).map { open.places[$0] }
      return
    }
    let pairs = open.places.map { labels[$0] ?? [0, 0] }
    var next = sums[index]
    try next.add(own, labellings: [pairs.map { $0[0] }, pairs.map { $0[1] }])
    pending[index] = next
  }

  mutating func finish() throws {
    try held.finish()
    for (index, next) in pending { sums[index] = next }
    problems.merge(found) { first, _ in first }
    seen.formUnion(open.places)
    (pending, found, open) = ([:], [:], ([], [], []))
  }

  func state() -> [(name: String, tensor: Tensor)] {
    guard !seen.isEmpty || !held.samples.isEmpty else { return [] }
    let rows = problems.sorted { $0.key < $1.key }.flatMap { index, places in
      places.map { [Int64(index), Int64($0)] }
    }
    let places = seen.sorted().map(Int64.init)
    return [
      ("seen", Tensor(places, shape: [places.count])),
      ("problems", Tensor(rows.flatMap(\.self), shape: [rows.count, 2])),
    ] + held.state().map { ("held.\($0.name)", $0.tensor) }
      + sums.enumerated().flatMap { index, own in
        own.state().map { ("sums.\(index).\($0.name)", $0.tensor) }
      }
  }

  /// - Returns: false where the state is of other representations; nothing has changed then.
  mutating func restore(_ state: [String: Tensor]) -> Bool {
    guard !state.isEmpty else { return true }
    func part(_ prefix: String) -> [String: Tensor] {
      Dictionary(
        uniqueKeysWithValues: state.filter { $0.key.hasPrefix(prefix) }.map {
          (String($0.key.dropFirst(prefix.count)), $0.value)
        })
    }
    var copy = self
    guard let places = state["seen"], places.dtype == .int64,
      let rows = state["problems"], rows.dtype == .int64, rows.shape.last == 2,
      copy.held.restore(part("held."))
    else { return false }
    for index in sums.indices {
      guard copy.sums[index].restore(part("sums.\(index).")) else { return false }
    }
    copy.seen = Set(places.scalars(Int64.self).map(Int.init))
    let numbers = rows.scalars(Int64.self).map(Int.init)
    copy.problems = [:]
    for start in stride(from: 0, to: numbers.count, by: 2) {
      copy.problems[numbers[start], default: []].append(numbers[start + 1])
    }
    self = copy
    return true
  }

  /// What was found of one representation.
  struct Found {
    var tally: ProbeTally
    var shuffled: ProbeTally
    var penalty: Int
    var byPenalty: [Double]
  }

  /// Fits and scores one representation.
  ///
  /// - Parameters:
  ///   - index: which.
  ///   - test: features of the test images, `[images, width]`.
  ///   - fits: of the few shots, which know the test images' classes.
  /// - Returns: what the test images say.
  /// - Throws: `MeasureError.undefined` with the images' names where features are not finite; `TensorError.operation` where LAPACK
  ///   does not converge.
  func found(_ index: Int, test: Tensor, _ fits: ProbeFits) throws -> Found {
    if let places = problems[index] {
      throw MeasureError.undefined(
        measure: FewShotProbe.name,
        problem:
          "NaN or infinity in the activations of \(places.map { names[$0] }.joined(separator: ", "))"
      )
    }
    let fit = try sums[index].fit(fits.probe)
    let heldFeatures = held.whole(index)
    guard heldFeatures.isFinite() else {
      let bad = InputProblem.rowsNotFinite(heldFeatures).prefix(3).map { names[held.samples[$0]] }
      throw MeasureError.undefined(
        measure: FewShotProbe.name,
        problem: "NaN or infinity in the activations of \(bad.joined(separator: ", "))")
    }
    let penalties = fits.probe.penalties.indices
    var place = fits.untuned
    if tunes {
      let classes = fit.classes(of: heldFeatures).scalars(Int64.self)
      let hits = penalties.map { penalty in
        held.samples.indices.count {
          Int(classes[($0 * penalties.count + penalty) * 2]) == heldLabels[held.samples[$0]]
        }
      }
      place = fits.chosen(hits)
    }
    let classes = fit.classes(of: test).scalars(Int64.self)
    func hits(_ penalty: Int, _ labelling: Int) -> [Bool] {
      fits.testLabels.indices.map {
        Int(classes[($0 * penalties.count + penalty) * 2 + labelling]) == fits.testLabels[$0]
      }
    }
    return Found(
      tally: fits.tally([hits(place, 0)]), shuffled: fits.tally([hits(place, 1)]), penalty: place,
      byPenalty: penalties.map { penalty in
        Double(hits(penalty, 0).count { $0 }) / Double(max(1, fits.testLabels.count))
      })
  }

  /// Whether each class has an image to tune with that could be read.
  var tunes: Bool {
    canTune && Set(held.samples.compactMap { heldLabels[$0] }) == Set(heldLabels.values)
  }
}
