extension Neighbours {
  /// The nearest `count` of those that are kept, in the same memory.
  ///
  /// - Precondition: so many are kept.
  func prefix(_ count: Int) -> Neighbours {
    count == self.count ? self : Neighbours(self, count: count)
  }

  /// The neighbours among some images, or among all in another order; nil where they are not known from those that are
  /// kept.
  ///
  /// They are those that the features of the selected images give, ties by the lowest index of the selection included:
  /// where an image's list ends amid equal distances, or too few of it are left, the answer is nil. Rounding can differ,
  /// and with it the order of distances that differ by rounding only.
  func selected(_ images: ImageSelection) -> Neighbours? {
    let k = count
    guard images.count >= k + 2 else { return nil }
    var indices = [Int32](repeating: 0, count: images.count * k)
    var squares = [Double](repeating: 0, count: images.count * k)
    var beyond = [Double](repeating: 0, count: images.count)
    var (found, near) = ([Int32](repeating: 0, count: depth), [Double](repeating: 0, count: depth))
    var isConstant = true
    for (image, old) in images.indices.enumerated() {
      var left = 0
      for place in (old * depth)..<((old + 1) * depth) {
        let other = images.places[Int(self.indices[place])]
        guard other >= 0 else { continue }
        let square = self.squares[place]
        var at = left
        while at > 0, near[at - 1] == square, found[at - 1] > other {
          (found[at], near[at]) = (found[at - 1], near[at - 1])
          at -= 1
        }
        (found[at], near[at]) = (other, square)
        left += 1
        // Whatever follows is farther.
        if left > k, square > near[k - 1] { break }
      }
      // Equal ones beyond the list might have a lower index.
      guard left >= k, near[k - 1] < self.beyond[old] else { return nil }
      if left > k {
        beyond[image] = near[k]
      } else if images.isWhole {
        beyond[image] = self.beyond[old]
      } else {
        return nil
      }
      for place in 0..<k {
        indices[image * k + place] = found[place]
        squares[image * k + place] = near[place]
      }
      if near[k - 1] > 0 { isConstant = false }
    }
    // A representation that does not vary is refused by those who look at it.
    guard !isConstant else { return nil }
    return Neighbours(self, images.count, indices, squares, beyond)
  }
}
