/// Images put in order by their class, so that a class is a range of columns of a matrix of distances.
struct ConceptOrder: Sendable {
  /// The places of the images, class by class, in ascending order within each.
  let order: [Int]
  /// The range of each class; empty where it has no image.
  let ranges: [Range<Int>]

  /// - Parameters:
  ///   - labels: from 0.
  ///   - classes: how many there are.
  init(_ labels: [Int], classes: Int) {
    var places = [[Int]](repeating: [], count: classes)
    for (place, label) in labels.enumerated() { places[label].append(place) }
    order = places.flatMap(\.self)
    var ranges: [Range<Int>] = []
    for own in places {
      let start = ranges.last?.upperBound ?? 0
      ranges.append(start..<(start + own.count))
    }
    self.ranges = ranges
  }

  /// Images a class.
  var sizes: [Int] { ranges.map(\.count) }

  /// From a place among the images to the place in this order.
  var inverse: [Int] {
    var found = [Int](repeating: 0, count: order.count)
    for (place, image) in order.enumerated() { found[image] = place }
    return found
  }

  /// Numbers that lie in this order, in the images' own.
  func restored<Value>(_ values: [Value]) -> [Value] { inverse.map { values[$0] } }
}
