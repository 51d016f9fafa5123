import ParallaxMeasures
import ParallaxModels
import ParallaxResults
import ParallaxTensors

/// CKA of all layers of some models, whole and without the skips of single blocks, in the same pass.
///
/// Layers are the paper's sparse list: of each sum its branch and the sum itself, flattened.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, figure 8, whose models are trained without the skips. Here they are taken out
/// > of trained models while these run: another experiment, and the result says so.
struct SkipRemovals {
  /// One form of a model.
  struct Form {
    let subject: String
    let sums: MinibatchCKA
    /// Of its watches the first, counted among those of all forms.
    let first: Int
  }

  /// One model with one block changed.
  struct Removal {
    let model: Int
    let block: String
    let intact: Int
    let ablated: Int
    let before: Int
    let within: Int
  }

  /// Other forms of the models.
  private(set) var companions: [Subject] = []
  private(set) var watched: [Watch] = []
  private(set) var forms: [Form] = []
  private(set) var removals: [Removal] = []
  private var layers: [[String]] = []

  /// No removal.
  init() {}

  /// - Parameters:
  ///   - blocks: numbers of blocks, those below 0 from the end.
  ///   - subjects: the models.
  ///   - connections: of each model.
  /// - Throws: `AnalysisError.nothingAsked` where a block is missing, has no skip, or is at the end of the network.
  init(
    of blocks: [Int], _ subjects: [Subject], _ connections: [[ResidualConnection]]
  ) throws(AnalysisError) {
    guard !blocks.isEmpty else { return }
    for (model, subject) in subjects.enumerated() {
      let names = subject.sites.filter(\.isBlock).map(\.name)
      var all: [String] = names.isEmpty ? [] : names
      if all.isEmpty {
        for one in connections[model] where all.last != one.block { all.append(one.block) }
      }
      let intact = forms.count
      add(subject, connections[model])
      var known: Set<Int> = []
      for number in blocks {
        let place = number < 0 ? all.count + number : number
        guard all.indices.contains(place) else {
          throw .nothingAsked(
            "\(subject.name): --remove-skip \(number): expected a block from 0 to \(all.count - 1), or from -1 back"
          )
        }
        guard known.insert(place).inserted else { continue }
        let own = connections[model].filter { $0.block == all[place] }
        guard !own.isEmpty else {
          throw .nothingAsked(
            "\(subject.name): --remove-skip \(number): \(all[place]) has no skip connection; blocks that have one: "
              + all.indices.filter { index in connections[model].contains { $0.block == all[index] }
              }
              .map(String.init).joined(separator: ", "))
        }
        let first = connections[model].firstIndex { $0.block == all[place] } ?? 0
        let after = connections[model].count - first - own.count
        guard first > 0, after > 0 else {
          throw .nothingAsked(
            "\(subject.name): --remove-skip \(number): \(all[place]) is the \(first == 0 ? "first" : "last") block with a skip connection; expected one with such blocks before and after it"
          )
        }
        let changed = subject.changed(
          to: "\(subject.name) without the skips of \(all[place])",
          WithoutSkips(subject.model, own), "without \(own.map(\.skip))")
        companions.append(changed)
        removals.append(
          Removal(
            model: model, block: all[place], intact: intact, ablated: forms.count,
            before: 2 * first, within: 2 * own.count))
        add(changed, connections[model])
      }
    }
  }

  private mutating func add(_ subject: Subject, _ connections: [ResidualConnection]) {
    var options = MinibatchCKA.Options()
    options.permutations = 0
    forms.append(
      Form(
        subject: subject.name, sums: MinibatchCKA(count: 2 * connections.count, options: options),
        first: watched.count))
    layers.append(connections.flatMap { [$0.branch, $0.name] })
    for one in connections {
      let width = one.shape.reduce(1, *)
      watched.append(
        Watch(model: subject.name, sites: [one.branch], width: width) {
          $0[0].reshaped($0[0].shape[0], -1)
        })
      watched.append(
        Watch(model: subject.name, sites: [one.skip, one.branch], width: width) {
          ($0[0] + $0[1]).reshaped($0[0].shape[0], -1)
        })
    }
  }

  func begin(_ block: BlockHeading) throws {
    for form in forms { try form.sums.begin(block: block.index, images: block.samples.count) }
  }

  func add(_ index: Int, _ features: Tensor) throws {
    guard let form = forms.last(where: { $0.first <= index }) else { return }
    try form.sums.add(index - form.first, features)
  }

  func finish() throws { for form in forms { try form.sums.finish() } }

  func state() -> [(name: String, tensor: Tensor)] {
    forms.enumerated().flatMap { index, form in
      form.sums.state().map { ("cka.\(index).\($0.name)", $0.tensor) }
    }
  }

  func restore(_ state: [String: Tensor]) -> Bool {
    for (index, form) in forms.enumerated() {
      let prefix = "cka.\(index)."
      let own = state.filter { $0.key.hasPrefix(prefix) }.map {
        (String($0.key.dropFirst(prefix.count)), $0.value)
      }
      guard form.sums.restore(Dictionary(own) { first, _ in first }) else { return false }
    }
    return true
  }

  /// What removing skips does to the maps.
  ///
  /// - Throws: `MeasureError.tooFew` where no block had enough images.
  func results() throws -> [ResidualResult.Removal] {
    try removals.map { removal in
      let (a, b) = (
        try forms[removal.intact].sums.result(), try forms[removal.ablated].sums.result()
      )
      let squares = Squares(size: a.size, before: removal.before, within: removal.within)
      func estimate(_ number: ([Double], [Double]) -> Double?) -> IntervalEstimate {
        let value = number(a.values, b.values)
        guard a.leftOut.count == b.leftOut.count else { return IntervalEstimate(value) }
        return IntervalEstimate(value, leavingOut: zip(a.leftOut, b.leftOut).map(number))
      }
      var result = ResidualResult.Removal(
        model: removal.model, block: removal.block, layers: layers[removal.intact],
        before: removal.before, within: removal.within)
      (result.intact, result.ablated) = (squares.rows(a), squares.rows(b))
      result.acrossIntact = estimate { intact, _ in squares.across(intact) }
      result.acrossAblated = estimate { _, ablated in squares.across(ablated) }
      result.insideIntact = estimate { intact, _ in squares.inside(intact) }
      result.insideAblated = estimate { _, ablated in squares.inside(ablated) }
      result.split = estimate { intact, ablated in
        squares.gap(intact).flatMap { a in squares.gap(ablated).map { $0 - a } }
      }
      (result.images, result.blocks) = (a.images, a.blocks)
      return result
    }
  }

  /// The two squares that a map falls into where it is cut at a block.
  struct Squares {
    let size: Int
    let before: Int
    let within: Int

    private func mean(_ values: [Double], _ pairs: [(Int, Int)]) -> Double? {
      let known = pairs.map { values[$0.0 * size + $0.1] }.filter { !$0.isNaN }
      return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }

    /// Mean over pairs of a layer before the block and one after it.
    func across(_ values: [Double]) -> Double? {
      mean(values, (0..<before).flatMap { i in (before + within..<size).map { (i, $0) } })
    }

    /// Mean over pairs of different layers on one side of the block.
    func inside(_ values: [Double]) -> Double? {
      func pairs(_ range: Range<Int>) -> [(Int, Int)] {
        range.flatMap { i in range.filter { $0 > i }.map { (i, $0) } }
      }
      return mean(values, pairs(0..<before) + pairs(before + within..<size))
    }

    func gap(_ values: [Double]) -> Double? {
      inside(values).flatMap { inside in across(values).map { inside - $0 } }
    }

    func rows(_ matrix: CKAMatrix) -> [[Double?]] {
      (0..<size).map { row in (0..<size).map { matrix[row, $0] } }
    }
  }
}
