import ParallaxTensors

extension MomentSums {
  /// Takes the same vector off every row before its length is taken as another shard does, so that both can be merged; needed
  /// with `hasLengths` only.
  ///
  /// - Throws: `MeasureError.merge` where a chunk has been added already, or the other has none yet.
  public func useShift(of other: MomentSums) throws {
    guard shift == nil, total.chunks == 0, let theirs = other.shift, widths == other.widths else {
      throw MeasureError.merge(
        measure: Self.name,
        problem: "a shift can be taken over before the first chunk, from a shard with one")
    }
    shift = Plain.clone(theirs)
  }

  /// Adds the sums of another shard, group by group. Both are closed first.
  ///
  /// The moments are those of an undivided run to the rounding of float64; which images are in a group, and which meet where
  /// they are shuffled, follows from the shards.
  ///
  /// - Throws: `MeasureError.merge` where widths or options differ, or lengths were taken from different shifts.
  public func merge(_ other: MomentSums) throws {
    func refuse(_ problem: String) -> MeasureError { .merge(measure: Self.name, problem: problem) }
    guard widths == other.widths, options == other.options else {
      throw refuse("they have other widths or options")
    }
    close()
    other.close()
    guard other.total.images > 0 else { return }
    if let mine = shift, let theirs = other.shift, mine.bytes() != theirs.bytes() {
      throw refuse("lengths were taken of rows that were shifted by different vectors")
    }
    guard let mean = total.mean, let added = other.total.mean else {
      _ = restore(
        Dictionary(uniqueKeysWithValues: other.state().map { ($0.name, $0.tensor) }))
      return
    }
    let apart = added.to(mean.device) - mean
    for place in groups.indices {
      guard let theirs = other.groups[place] else { continue }
      guard var group = groups[place] else {
        groups[place] = Group(
          images: theirs.images, mean: theirs.mean,
          products: theirs.products.map { Plain.clone($0) }, lengths: theirs.lengths)
        continue
      }
      let distance = theirs.mean.to(group.mean.device) - group.mean
      join(group.products, theirs.products, distance, group.images, theirs.images)
      group.lengths = group.lengths?.adding(theirs.lengths)
      let all = group.images + theirs.images
      group.mean = group.mean + distance * (Double(theirs.images) / Double(all))
      group.images = all
      groups[place] = group
    }
    for place in orders.indices {
      guard var order = orders[place], let theirs = other.orders[place] else { continue }
      join(order.products, theirs.products, apart, total.images, other.total.images)
      order.lengths = order.lengths?.adding(theirs.lengths)
      orders[place] = order
    }
    var joined = total
    joined.images += other.total.images
    joined.mean = mean + apart * (Double(other.total.images) / Double(joined.images))
    joined.chunks += other.total.chunks
    joined.lastBlock = max(joined.lastBlock, other.total.lastBlock)
    replace(joined, precision: precision ?? other.precision)
  }

  /// M + M′ + nm/(n+m)·δδ′ᵀ, written over the first.
  private func join(
    _ mine: Products, _ theirs: Products, _ distance: Tensor, _ n: Int, _ m: Int
  ) {
    let row = (distance * (Double(n) * Double(m) / Double(n + m)).squareRoot()).unsqueezed(0)
    for index in widths.indices {
      let columns = columns(index)
      _ = InPlace.add(mine[index], theirs[index].to(mine[index].device))
      _ = InPlace.addProduct(
        mine[index], row.sliced(1, 0, columns.upperBound).transposed(),
        row.sliced(1, columns.lowerBound, columns.upperBound))
    }
  }
}

extension MomentSums.Lengths {
  /// The sums of both, of rows less one shift.
  func adding(_ other: Self?) -> Self? {
    guard let other else { return nil }
    let device = products.device
    return Self(
      products: products + other.products.to(device),
      weighted: weighted + other.weighted.to(device),
      back: back.flatMap { own in other.back.map { own + $0.to(device) } },
      norms: norms + other.norms.to(device))
  }
}
