import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("Section on a paper's claims")
struct ClaimsSectionTests {
  private func finding(_ value: Double?, _ claim: Claim?) -> Finding {
    var finding = Finding(
      sentence: "Some layers are alike", value: value, low: nil, high: nil, quantity: "CKA",
      verdict: .cannotTell, analysis: "structure")
    finding.claim = claim
    return finding
  }

  @Test("a claim is printed where a finding tested it, with a link to the figures")
  func tested() throws {
    let section = try #require(
      ClaimsSection.make([
        finding(0.2, .uniform), finding(0.1, .uniform), finding(0.3, nil),
        finding(nil, .skips),
      ]))
    let text = HTML.document(head: [], body: section.body)
    #expect(text.contains(Claim.uniform.sentence) && text.contains("Figure 1"))
    #expect(text.components(separatedBy: "#structure").count == 3)
    #expect(!text.contains("0.3"))
    // Not tested: a finding that has no number says nothing.
    for claim in Claim.allCases where claim != .uniform { #expect(!text.contains(claim.sentence)) }
  }

  @Test("nothing tested, no section")
  func nothing() {
    let sections = [[], [finding(0.2, nil), finding(nil, .scale)]].map { ClaimsSection.make($0) }
    #expect(sections.allSatisfy { $0 == nil })
  }

  @Test("made-up weights bear on no claim, an untrained twin beside its model does not matter")
  func untrained() throws {
    func model(_ name: String, _ origin: String?) -> Provenance.Model {
      Provenance.Model(
        name: name, family: "ViT", summary: "", fingerprint: "", preprocessing: "",
        origin: origin, licence: nil, caveat: nil, parameters: 1, seconds: nil)
    }
    let findings = [finding(0.2, .uniform)]
    let twin = ClaimsSection.make(
      findings, models: [model("a", "a.pth"), model("a-random", nil)])
    #expect(twin?.body.isEmpty == false)
    let alone = ClaimsSection.make(
      findings, models: [model("a-random", nil), model("b", "b.pth")])
    let isThere = alone != nil
    #expect(!isThere)
  }

  @Test("a finding keeps its claim in a file, and one without reads as before")
  func coding() throws {
    let made = finding(0.5, .transition)
    let data = try JSONEncoder().encode(made)
    #expect(try JSONDecoder().decode(Finding.self, from: data) == made)
    let old =
      #"{"sentence":"a","quantity":"b","verdict":"shows","analysis":"similarity","value":1}"#
    #expect(try JSONDecoder().decode(Finding.self, from: Data(old.utf8)).claim == nil)
  }
}
