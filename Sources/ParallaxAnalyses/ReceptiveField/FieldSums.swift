import ParallaxTensors

/// Sums of the fields of one model's sites over groups of images, in float64.
struct FieldSums {
  private static let addAt = Operator("aten::index_add")
  private static let finite = Operator("aten::isfinite")
  private static let all = Operator("aten::all.dim")

  let groups: Int
  /// For each site `[groups, height, width]`.
  private(set) var maps: [Tensor]
  /// For each site how many images of each group entered.
  private(set) var counts: [[Int]]
  /// For each site how many were left out for NaN or infinity.
  private(set) var skipped: [Int]
  /// Images that are done.
  var done = 0

  init(sites: Int, groups: Int, height: Int, width: Int) {
    self.groups = groups
    maps = (0..<sites).map { _ in Tensor.zeros([groups, height, width], .float64) }
    counts = (0..<sites).map { _ in Array(repeating: 0, count: groups) }
    skipped = Array(repeating: 0, count: sites)
  }

  /// Adds the fields `[batch, height, width]` of some images at a site; image i belongs to group i mod `groups`.
  mutating func add(_ site: Int, _ fields: Tensor, first: Int) {
    let fields = fields.to(.cpu).to(.float64)
    let batch = fields.shape[0]
    var usable = Array(0..<batch)
    if !fields.isFinite() {
      let flags = Self.all.all([
        Self.finite.all([fields.reshaped(batch, -1)])[0], 1, false,
      ])[0].to(.float32).scalars(Float.self)
      usable = usable.filter { flags[$0] != 0 }
      skipped[site] += batch - usable.count
    }
    guard !usable.isEmpty else { return }
    let places = usable.map { (first + $0) % groups }
    for place in places { counts[site][place] += 1 }
    maps[site] = Self.addAt(
      maps[site], 0, Tensor(places.map(Int64.init), shape: [places.count]),
      usable.count == batch ? fields : fields.gathered(0, usable))
  }

  /// Images that entered at a site.
  func count(_ site: Int) -> Int { counts[site].reduce(0, +) }

  /// The mean field of a site, then the means without each group in turn, `[1 + groups, height, width]`; a mean of nothing
  /// is all zeros.
  func means(_ site: Int) -> Tensor {
    let total = maps[site].sum(over: [0], keeping: true)
    let all = count(site)
    let left = counts[site].map { Double(max(1, all - $0)) }
    let others = (total - maps[site]) / Tensor(left, shape: [groups, 1, 1])
    return Tensor.concatenated([total / Double(max(1, all)), others], 0)
  }

  /// What must be kept to go on after the last batch.
  func state() -> [(name: String, tensor: Tensor)] {
    [
      ("maps", Tensor.stacked(maps)),
      (
        "counts",
        Tensor(counts.joined().map(Int64.init), shape: [counts.count, groups])
      ),
      ("skipped", Tensor(skipped.map(Int64.init), shape: [skipped.count])),
      ("done", Tensor([Int64(done)], shape: [1])),
    ]
  }

  /// Goes on from a state.
  ///
  /// - Returns: false where it is of other sites, groups or sizes, or says what cannot be; nothing has changed then.
  mutating func restore(_ state: [String: Tensor], images: Int) -> Bool {
    guard let sums = state["maps"], let counted = state["counts"], let left = state["skipped"],
      let finished = state["done"], let like = maps.first,
      sums.dtype == .float64, sums.shape == [maps.count] + like.shape,
      counted.shape == [maps.count, groups], left.shape == [maps.count], finished.shape == [1]
    else { return false }
    let (counts, skipped) = (
      counted.scalars(Int64.self).map { Int($0) }, left.scalars(Int64.self).map { Int($0) }
    )
    let done = Int(finished.scalars(Int64.self)[0])
    guard (0...images).contains(done), (counts + skipped).allSatisfy({ (0...images).contains($0) })
    else { return false }
    maps = sums.unbound(0)
    self.counts = maps.indices.map { Array(counts[($0 * groups)..<(($0 + 1) * groups)]) }
    (self.skipped, self.done) = (skipped, done)
    return true
  }
}
