/// What somebody may have meant.
package enum Spelling {
  /// The nearest of some words by edit distance, at most three and none that is too far.
  package static func nearest(to word: String, among words: [String]) -> [String] {
    let limit = max(2, word.count / 3)
    return words.map { (word: $0, distance: distance(word, $0.lowercased())) }
      .filter { $0.distance <= limit || (word.count > 2 && $0.word.contains(word)) }
      .sorted { ($0.distance, $0.word) < ($1.distance, $1.word) }
      .prefix(3).map(\.word)
  }

  /// Levenshtein's distance.
  static func distance(_ a: String, _ b: String) -> Int {
    let (a, b) = (Array(a), Array(b))
    var row = Array(0...b.count)
    for (i, x) in a.enumerated() {
      var previous = row[0]
      row[0] = i + 1
      for (j, y) in b.enumerated() {
        let replaced = previous + (x == y ? 0 : 1)
        previous = row[j + 1]
        row[j + 1] = min(replaced, row[j] + 1, previous + 1)
      }
    }
    return row[b.count]
  }
}
