import Parallax
import Testing

@Suite("Partners and paths")
struct PartnersTests {
  private func result(_ matrices: [SimilarityResult.Matrix]) -> SimilarityResult {
    func model(_ name: String, _ count: Int) -> ModelSites {
      ModelSites(
        name: name, family: "F",
        sites: (0..<count).map {
          ModelSites.Site(name: "s.\($0)", tokens: "cls", stage: "s", depth: 0, features: 1)
        })
    }
    return SimilarityResult(
      measure: "CKA", estimator: "debiased", route: "exact", routeReason: "", blockSize: 8,
      images: 50, blocks: 7, imagesLeftOut: 0, dtype: "float32", seed: 0, errorMethod: nil,
      errorGroups: 41,
      models: [model("a", 3), model("b", 4)], matrices: matrices, refusals: [])
  }

  private func between(_ values: [[Double?]], errors: [[Double?]]? = nil) -> SimilarityResult {
    result([SimilarityResult.Matrix(a: 0, b: 1, values: values, errors: errors)])
  }

  /// Half of an interval's width in standard errors of ± 1.96, rounded.
  private func half(_ partner: SimilarityResult.Partner) -> Double {
    (((partner.high ?? 0) - (partner.low ?? 0)) / 2 / StudentT.quantile975(degrees: 40)).rounded()
  }

  @Test("a site's partner is the column of its row's largest value, with that cell's error")
  func partners() {
    let result = between(
      [[0.1, 0.9, 0.2, 0.3], [0.5, 0.5, 0.4, nil], [nil, nil, -0.2, -0.3]],
      errors: [[1, 2, 3, 4], [5, 6, 7, nil], [nil, nil, 8, 9]])
    let found = result.partners(0, 1)
    #expect(found.map(\.site) == [0, 1, 2] && found.map(\.partner) == [1, 0, 2])
    #expect(found.map(\.value) == [0.9, 0.5, -0.2] && found.map { half($0) } == [2, 5, 8])
    let back = result.partners(1, 0)
    #expect(back.map(\.partner) == [1, 0, 1, 0] && back.map(\.value) == [0.5, 0.9, 0.4, 0.3])
    #expect(back.map { half($0) } == [5, 2, 7, 4])
    #expect(result.partners(0, 0).isEmpty && result.matrix(0, 0) == nil)
  }

  @Test("within a model nobody is its own partner, and a row without values has none")
  func within() {
    let values: [[Double?]] = [[1, 0.2, nil], [0.2, 1, nil], [nil, nil, nil]]
    let found = result([SimilarityResult.Matrix(a: 0, b: 0, values: values)]).partners(0, 0)
    #expect(found.map(\.partner) == [1, 0, nil] && found.map(\.value) == [0.2, 0.2, nil])
    let alone = result([SimilarityResult.Matrix(a: 0, b: 0, values: [[1]])]).partners(0, 0)
    #expect(alone.map(\.partner) == [nil])
  }

  /// The largest mean over the defined cells of any path, by trying all.
  private func best(_ values: [[Double?]]) -> Double {
    var best = -Double.infinity
    func go(_ row: Int, _ column: Int, _ sum: Double, _ count: Int) {
      let value = values[row][column]
      let (sum, count) = (sum + (value ?? 0), count + (value == nil ? 0 : 1))
      if row == values.count - 1, column == values[0].count - 1 {
        if count > 0 { best = max(best, sum / Double(count)) }
        return
      }
      for (down, right) in [(1, 0), (0, 1), (1, 1)]
      where row + down < values.count && column + right < values[0].count {
        go(row + down, column + right, sum, count)
      }
    }
    go(0, 0, 0, 0)
    return best
  }

  private func mean(_ path: [(row: Int, column: Int)], _ values: [[Double?]]) -> Double {
    let cells = path.compactMap { values[$0.row][$0.column] }
    return cells.reduce(0, +) / Double(cells.count)
  }

  @Test("the path goes forward from the first pair to the last, and no path has a larger mean")
  func path() throws {
    for seed in 0..<30 as Range<UInt64> {
      let (rows, columns) = (1 + Int(seed % 5), 1 + Int(seed / 5 % 6))
      let numbers = (RandomSource(seed: seed).uniform([rows, columns]) * 2 - 1.0).scalars(
        Double.self)
      var values = (0..<rows).map { row in
        (0..<columns).map { Double?(numbers[row * columns + $0]) }
      }
      // A refused site now and then: a whole row.
      if seed % 3 == 0, rows > 2 { values[1] = Array(repeating: nil, count: columns) }
      let path = between(values).path(0, 1)
      let (first, last) = (try #require(path.first), try #require(path.last))
      #expect(first == (0, 0) && last == (rows - 1, columns - 1))
      for (here, next) in zip(path, path.dropFirst()) {
        let step = (next.row - here.row, next.column - here.column)
        #expect([(1, 0), (0, 1), (1, 1)].contains { $0 == step })
      }
      #expect(abs(mean(path, values) - best(values)) < 1e-9, "seed \(seed)")
      let back = between(values).path(1, 0)
      #expect(abs(mean(back.map { ($0.column, $0.row) }, values) - best(values)) < 1e-9)
    }
  }

  @Test("of matrices with one ridge the path is the ridge; of nothing there is none")
  func ridge() {
    let values: [[Double?]] = [[0.9, 0.9, 0, 0], [0, 0, 0.9, 0], [0, 0, 0, 0.9]]
    let path = between(values).path(0, 1)
    #expect(path.map(\.row) == [0, 0, 1, 2] || path.map(\.row) == [0, 1, 2])
    #expect(abs(mean(path, values) - 0.9) < 1e-12)
    #expect(between([[nil, nil], [nil, nil]]).path(0, 1).isEmpty)
    #expect(between([]).path(0, 1).isEmpty && between(values).path(0, 2).isEmpty)
    let constant: [[Double?]] = [[0.5, 0.5], [0.5, 0.5]]
    #expect(between(constant).path(0, 1).map(\.row) == [0, 1])
  }
}
