/// Checkpoints of one architecture on one axis: how similar each layer is to the same layer of a reference, and of every other
/// checkpoint.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 12 (share of the data) and G.1 (before and after fine-tuning).
public struct CheckpointsResult: Codable, Sendable, Equatable {
  /// One checkpoint.
  public struct Checkpoint: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// Its place on the axis; nil where there is no axis.
    public var place: Double?
    /// CKA of each site with the same site of the reference; undefined for the reference itself.
    public var toReference: [IntervalEstimate]
    /// Its mean over the first, middle and last third of the depth.
    public var thirds: [IntervalEstimate]
    /// First third less last.
    public var fall: IntervalEstimate
    /// Mean CKA of two different sites of the checkpoint.
    public var uniformity: IntervalEstimate
    /// Mean CKA of the first third of its depth with the last.
    public var lowToHigh: IntervalEstimate

    /// A checkpoint from its parts.
    public init(
      name: String, place: Double?, toReference: [IntervalEstimate], thirds: [IntervalEstimate],
      fall: IntervalEstimate, uniformity: IntervalEstimate, lowToHigh: IntervalEstimate
    ) {
      (self.name, self.place, self.toReference) = (name, place, toReference)
      (self.thirds, self.fall) = (thirds, fall)
      (self.uniformity, self.lowToHigh) = (uniformity, lowToHigh)
    }
  }

  /// What the axis is: `share of the data`; empty where there is none.
  public var axis: String
  /// The architecture's sites; its name is that of the reference.
  public var sites: ModelSites
  /// Index of the reference among the checkpoints.
  public var reference: Int
  /// In the order of the axis.
  public var checkpoints: [Checkpoint]
  /// Mean over sites of the CKA of two checkpoints at the same site, row by row; nil where undefined.
  public var between: [[Double?]]
  /// `debiased` or `biased`.
  public var estimator: String
  /// Images that entered.
  public var images: Int
  /// Images a block.
  public var blockSize: Int
  /// Groups of blocks that intervals come from; 0 for none.
  public var groups: Int
  /// The seed.
  public var seed: UInt64
  /// Sites without a value.
  public var refusals: [SimilarityResult.Refusal]
  /// Choices and who made them.
  public var switches: [Switch]
  /// What the numbers say.
  public var findings: [Finding]

  /// A result from its parts.
  public init(
    axis: String, sites: ModelSites, reference: Int, checkpoints: [Checkpoint],
    between: [[Double?]], estimator: String, images: Int, blockSize: Int, groups: Int,
    seed: UInt64, refusals: [SimilarityResult.Refusal], switches: [Switch], findings: [Finding]
  ) {
    (self.axis, self.sites, self.reference) = (axis, sites, reference)
    (self.checkpoints, self.between, self.estimator) = (checkpoints, between, estimator)
    (self.images, self.blockSize, self.groups, self.seed) = (images, blockSize, groups, seed)
    (self.refusals, self.switches, self.findings) = (refusals, switches, findings)
  }
}

extension CheckpointsResult {
  /// Every number as rows of `results.csv`.
  public func tidyRows() -> [TidyRow] {
    func row(
      _ measure: String, _ a: String, _ b: String, _ x: String, _ estimate: IntervalEstimate
    ) -> TidyRow {
      TidyRow(
        analysis: "checkpoints", measure: measure, a: a, b: b, x: x, value: estimate.value,
        low: estimate.low, high: estimate.high, n: images, estimator: "\(estimator), minibatch")
    }
    let other = checkpoints[reference].name
    var rows: [TidyRow] = []
    for (index, one) in checkpoints.enumerated() {
      let place = one.place.map { "\($0)" } ?? ""
      rows.append(row("uniformity", one.name, "", place, one.uniformity))
      rows.append(row("low to high", one.name, "", place, one.lowToHigh))
      guard index != reference else { continue }
      for (site, estimate) in one.toReference.enumerated() {
        let name = "\(sites.sites[site].name)#\(sites.sites[site].tokens)"
        rows.append(row("CKA", "\(one.name)@\(name)", "\(other)@\(name)", place, estimate))
      }
      for (third, name) in ["first third", "middle third", "last third"].enumerated() {
        rows.append(row("CKA of the \(name)", one.name, other, place, one.thirds[third]))
      }
      rows.append(row("fall with depth", one.name, other, place, one.fall))
    }
    for a in checkpoints.indices {
      for b in checkpoints.indices where b > a {
        rows.append(
          row(
            "mean CKA at the same site", checkpoints[a].name, checkpoints[b].name, "",
            IntervalEstimate(between[a][b])))
      }
    }
    return rows
  }
}
