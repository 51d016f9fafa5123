import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxCommand

@Suite("parallax measures")
struct MeasuresCommandTests {
  private struct Row: Decodable {
    var name, direction, range, invariances, source, agreesWith: String
    var isSymmetric: Bool
  }

  @Test("lists every measure, for people, as csv and as json")
  func list() throws {
    let parallax = try CommandRunner()
    let names = MeasureCatalog.measures.map(\.name)
    let text = try parallax("measures")
    text.expectSuccess()
    for name in names {
      #expect(text.output.split(separator: "\n").contains { $0.hasPrefix(name + " ") }, "\(name)")
    }
    let csv = try parallax("measures", "--format", "csv")
    #expect(csv.output.split(separator: "\n").count == names.count + 1)
    let rows = try parallax("measures", "--json").json([Row].self)
    #expect(rows.map(\.name) == names)
    let cka = try #require(rows.first { $0.name == "cka" })
    #expect(cka.direction == "similarity" && cka.invariances == "T S P O" && cka.isSymmetric)
  }

  @Test("tells of one where it is defined and who agrees")
  func one() throws {
    let parallax = try CommandRunner()
    let found = try parallax("measures", "cka-angular")
    found.expectSuccess()
    for part in ["0 to π/2", "a metric", "arXiv 2110.14739", "netrep"] {
      #expect(found.output.contains(part), "\(found.output)")
    }
  }

  @Test("a name that is none is one line with the nearest")
  func unknown() throws {
    let parallax = try CommandRunner()
    let outcome = try parallax("measures", "ckaa")
    #expect(outcome.code == 64)
    #expect(outcome.errors.contains("no measure is called 'ckaa'; did you mean cka"))
  }
}
