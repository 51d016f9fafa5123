/// How unevenly images are neighbours of others: of the k-occurrences N_k, in how many of the lists of k nearest each image stands.
///
/// > Source: Radovanović et al., 2010, JMLR 11, 2487–2531 (skewness, hubs, antihubs); Feldbauer et al., 2018 (Robin Hood index, Gini
/// > coefficient, Atkinson index, as scikit-hubness has them).
public struct Hubness: Sendable, Equatable {
  /// k.
  public let neighbours: Int
  /// N_k of each image.
  public let occurrences: [Int]
  /// The skewness of N_k, of a population; nil where all are the same.
  public let skewness: Double?
  /// ½ Σ|N_k − k̄| / ΣN_k: the share of places that would have to be given away for all to have the same.
  public let robinHood: Double
  /// Σᵢ Σⱼ |N_i − N_j| / (2 n ΣN).
  public let gini: Double
  /// 1 − ((1/n) Σ√N)²/N̄: Atkinson's index with ε = ½.
  public let atkinson: Double
  /// The share of images in nobody's list.
  public let antihubs: Double
  /// The share of images with N_k ≥ 2k.
  public let hubs: Double
  /// max N_k / (n·k): the share of all places that the largest hub has.
  public let groupieRatio: Double

  /// Hubness of lists of neighbours.
  ///
  /// - Parameters:
  ///   - lists: the nearest of each image, as many each.
  ///   - images: how many there are to stand in them.
  /// - Precondition: there is a list with a neighbour, and all have as many.
  public init(_ lists: [[Int]], images: Int) {
    let k = lists.first?.count ?? 0
    precondition(k > 0 && lists.allSatisfy { $0.count == k }, "as many neighbours each")
    var counts = [Int](repeating: 0, count: images)
    for list in lists { for other in list { counts[other] += 1 } }
    (neighbours, occurrences) = (k, counts)
    let values = counts.map(Double.init)
    let (n, total) = (Double(images), Double(lists.count * k))
    let mean = total / n
    skewness = ConceptSums.skewness(
      n, values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) },
      values.reduce(0) { $0 + ($1 - mean) * ($1 - mean) * ($1 - mean) })
    robinHood = values.reduce(0) { $0 + abs($1 - mean) } / (2 * total)
    // Sorted, Σᵢⱼ |Nᵢ − Nⱼ| is 2 Σ (2i − n + 1) Nᵢ.
    let sorted = values.sorted()
    gini =
      sorted.enumerated().reduce(0) { $0 + (2 * Double($1.offset) - n + 1) * $1.element }
      / (n * total)
    let roots = values.reduce(0) { $0 + $1.squareRoot() } / n
    atkinson = 1 - roots * roots / mean
    antihubs = Double(counts.count { $0 == 0 }) / n
    hubs = Double(counts.count { $0 >= 2 * k }) / n
    groupieRatio = Double(counts.max() ?? 0) / total
  }
}

extension KStar.Values {
  /// The share of images whose k nearest vote for their class: the plain majority, of equally many votes the first class, the image
  /// itself left out. scikit-learn's `KNeighborsClassifier`.
  ///
  /// - Parameters:
  ///   - k: how many vote; at most as many as were kept.
  ///   - bankLabels: of the bank; the images' own without it.
  /// - Returns: from 0 to 1; nil where not as many are kept.
  public func neighbourAccuracy(_ k: Int, bankLabels: [Int]? = nil) -> Double? {
    let theirs = bankLabels ?? labels
    guard k > 0, neighbours.allSatisfy({ $0.count >= k }), !neighbours.isEmpty else { return nil }
    var right = 0
    for (list, label) in zip(neighbours, labels) {
      var votes: [Int: Int] = [:]
      for other in list.prefix(k) { votes[theirs[other], default: 0] += 1 }
      let most = votes.values.max() ?? 0
      if votes.filter({ $0.value == most }).keys.min() == label { right += 1 }
    }
    return Double(right) / Double(labels.count)
  }

  /// Of each image the share of its k nearest that are of its class.
  ///
  /// - Parameters:
  ///   - k: how many; at most as many as were kept.
  ///   - bankLabels: of the bank; the images' own without it.
  /// - Returns: a share an image; nil where not as many are kept.
  public func neighbourhoodHits(_ k: Int, bankLabels: [Int]? = nil) -> [Double]? {
    let theirs = bankLabels ?? labels
    guard k > 0, neighbours.allSatisfy({ $0.count >= k }), !neighbours.isEmpty else { return nil }
    return zip(neighbours, labels).map { list, label in
      Double(list.prefix(k).count { theirs[$0] == label }) / Double(k)
    }
  }

  /// The neighbourhood hit, a mean over images; and the label overlap, a mean over classes of the means of their images, as DADApy
  /// weighs them.
  ///
  /// > Source: Paulovich et al., 2008 (neighbourhood hit); Doimo et al., 2020, arXiv 2007.03506 (label overlap).
  ///
  /// - Parameters:
  ///   - k: how many; at most as many as were kept.
  ///   - bankLabels: of the bank; the images' own without it.
  /// - Returns: both; nil where not as many are kept.
  public func overlaps(_ k: Int, bankLabels: [Int]? = nil) -> (hit: Double, byClass: Double)? {
    guard let hits = neighbourhoodHits(k, bankLabels: bankLabels) else { return nil }
    var (sums, counts): ([Int: Double], [Int: Double]) = ([:], [:])
    for (hit, label) in zip(hits, labels) {
      sums[label, default: 0] += hit
      counts[label, default: 0] += 1
    }
    let means = sums.keys.sorted().map { (sums[$0] ?? 0) / (counts[$0] ?? 1) }
    return (
      hits.reduce(0, +) / Double(hits.count), means.reduce(0, +) / Double(max(1, means.count))
    )
  }
}
