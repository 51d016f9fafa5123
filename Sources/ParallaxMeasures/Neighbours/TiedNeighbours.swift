/// The lists of some or all images, as k of the nearest are drawn from them where equally far ones are put in order at random.
struct TiedNeighbours: Sendable {
  /// The number of images.
  let images: Int
  /// k.
  let count: Int
  private let lists: TiedLists
  /// Which image of the lists each one is; nil where all are themselves.
  private let rows: [Int]?
  /// Which one each image of the lists is, −1 where it is left out.
  private let places: [Int32]?

  init(_ lists: TiedLists, count: Int) {
    self.init(lists, lists.isZero.count, count, nil, nil)
  }

  private init(
    _ lists: TiedLists, _ images: Int, _ count: Int, _ rows: [Int]?, _ places: [Int32]?
  ) {
    precondition(count <= lists.depth, "so many are kept")
    (self.lists, self.images, self.count) = (lists, images, count)
    (self.rows, self.places) = (rows, places)
  }

  /// Fewer neighbours of those that are kept.
  func prefix(_ count: Int) -> TiedNeighbours {
    TiedNeighbours(lists, images, count, rows, places)
  }

  /// How many images have another at distance 0.
  var duplicates: Int {
    (0..<images).count { image in group(image) { isZero, _, _ in isZero } }
  }

  /// The neighbours among some images, or among all in another order; nil where an image has fewer than k left, or where all
  /// are equal.
  func selected(_ images: ImageSelection) -> TiedNeighbours? {
    guard images.count >= count + 2 else { return nil }
    let rows = self.rows.map { old in images.indices.map { old[$0] } } ?? images.indices
    var places = [Int32](repeating: -1, count: lists.isZero.count)
    for (place, row) in rows.enumerated() { places[row] = Int32(truncatingIfNeeded: place) }
    let found = TiedNeighbours(lists, images.count, count, rows, places)
    let isEnough = (0..<found.images).allSatisfy { found.known(of: $0) >= count }
    let isConstant = found.group(0) { isZero, kept, _ in isZero && kept == found.images - 1 }
    return isEnough && !isConstant ? found : nil
  }

  /// How many neighbours of an image are kept.
  private func known(of image: Int) -> Int {
    let own = rows?[image] ?? image
    let range = lists.starts[own]..<lists.starts[own + 1]
    guard let places else { return range.count }
    return lists.entries[range].count { places[Int($0 < 0 ? ~$0 : $0)] >= 0 }
  }

  /// The first group of an image that anything is left of: whether it is at distance 0, how many are left, and which.
  private func group<Value>(
    _ image: Int, _ use: (_ isZero: Bool, _ kept: Int, _ first: Int) -> Value
  ) -> Value {
    let own = rows?[image] ?? image
    var (kept, first, isFirst) = (0, -1, true)
    for entry in lists.entries[lists.starts[own]..<lists.starts[own + 1]] {
      let (found, isLast) = entry < 0 ? (Int(~entry), true) : (Int(entry), false)
      let other = places.map { Int($0[found]) } ?? found
      if other >= 0 {
        if kept == 0 { first = other }
        kept += 1
      }
      if isLast {
        if kept > 0 { return use(isFirst && lists.isZero[own], kept, first) }
        isFirst = false
      }
    }
    return use(false, kept, first)
  }

  /// An image and one that is equal to it; nil where all differ.
  var firstDuplicate: [Int]? {
    for image in 0..<images {
      let other = group(image) { isZero, _, first in isZero ? first : nil }
      if let other { return [image, other] }
    }
    return nil
  }

  /// Σ_i of the expected Σ_j of numbers that stand in a table, j the k nearest of i.
  ///
  /// Of a group that does not fit as a whole, each has the same chance to be among the k.
  ///
  /// - Parameters:
  ///   - table: numbers by image and other image.
  ///   - order: of both in the table; nil where they are themselves.
  /// - Returns: the sum.
  func expectedSum(over table: RankTable, _ order: [Int]?) -> Double {
    var (whole, shared) = (0, 0.0)
    let entries = lists.entries
    for image in 0..<images {
      let own = rows?[image] ?? image
      let first = (order?[image] ?? image) * images
      var (place, taken) = (lists.starts[own], 0)
      while taken < count {
        var (kept, sum, isLast) = (0, 0, false)
        repeat {
          let entry = entries[place]
          place += 1
          isLast = entry < 0
          let found = Int(isLast ? ~entry : entry)
          let other = places.map { Int($0[found]) } ?? found
          guard other >= 0 else { continue }
          kept += 1
          sum += table[first + (order?[other] ?? other)]
        } while !isLast
        if taken + kept <= count {
          whole += sum
        } else {
          shared += Double(count - taken) / Double(kept) * Double(sum)
        }
        taken += kept
      }
    }
    return Double(whole) + shared
  }
}
