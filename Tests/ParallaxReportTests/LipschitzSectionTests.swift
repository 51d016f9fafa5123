import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on steepness")
struct LipschitzSectionTests {
  private func result(name: String = "model", walks: Bool = true) -> LipschitzResult {
    var result = LipschitzResult(
      images: (0..<2).map { .init(id: "photo-\($0)", className: nil) }, seed: 3)
    result.switches = [Switch("unit", "pixels"), Switch("estimate", "L", origin: "paper")]
    var model = LipschitzResult.Model(
      name: name, family: "ViT", design: "transformer", height: 224, width: 224)
    model.originals = [MadeUpFields.picture, MadeUpFields.picture]
    var place = LipschitzResult.Place(site: "head", tokens: "flat", depth: 1, features: 512)
    var one = LipschitzResult.Picture(
      source: 0, target: 1, ending: "matched", change: 1.5, cosine: 0.99, steps: [0.001, 0.1, 1.5])
    one.curves = LipschitzResult.Kind.allCases.enumerated().map { index, kind in
      .init(
        kind: kind, limit: 9 / Double(index + 1), values: [nil, 8, 7], errors: [0.01, 0.1, nil],
        share: 0.5)
    }
    one.segments = [
      .init(
        to: "target", length: 60, parts: [1, 2], secant: 1, toSource: [1, 0.8, 0.5],
        toTarget: [0.5, 0.8, 1])
    ]
    one.segments[0].sourceClass = [0.9, 0.5, 0.1]
    one.segments[0].targetClass = [0.1, 0.5, 0.9]
    one.rounding = 4.4e-7
    (one.steepest, one.bound, one.radius) = (9, 11, 0.5)
    (one.values, one.isWhole, one.rank) = ([9, 3, 1], true, 3)
    if walks {
      one.walk = [
        .init(step: 0, way: 0, drift: 0, picture: MadeUpFields.picture),
        .init(step: 1, way: 0.31, drift: 0.021, picture: MadeUpFields.picture),
      ]
      one.levelSet = .init(label: 7, confidences: [0.9, 0.88], left: [1, 0.4])
      one.levelSet?.picture = MadeUpFields.picture
      one.levelSet?.euclidean = 12.3
      one.levelSet?.maximum = 0.87
      one.levelSet?.widths = [.init(isEnd: true, radius: 5, low: 0.11, high: 0.95)]
      one.clever = .init(radius: 0.04, largest: 20, location: 22, p: 0.7)
    }
    place.pictures = [one]
    model.places = [place]
    result.models = [model]
    return result
  }

  private func page(_ result: LipschitzResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "lipschitz")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it shows curves, values, segments, walks and level sets, and says what was chosen")
  func contents() throws {
    let page = try page(result())
    for text in [
      "Salman, Shams and Liu (2024)", "2 switches, 1 of them reconstruction",
      "data-figure=\"lipschitz-curves\"", "data-figure=\"lipschitz-linear\"",
      "data-figure=\"lipschitz-values\"", "data-figure=\"lipschitz-segments\"",
      "way 0.31", "drift 0.021", "level set of class 7", "confidence 0.880", "left 0.40",
      "L2 12.3", "L∞ 0.87", "around the ends: 1 width", "<td class=\"number\">0.950</td>",
      "five times its rounding (4.4e-07)",
      "target's class",
      "Steepness in numbers: 1 picture", "photo-0 → photo-1",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test("without walks there are no pictures; names from outside are escaped")
  func edges() throws {
    let page = try page(result(name: "<script>alert(1)</script>", walks: false))
    #expect(!page.contains("<script>alert") && !page.contains("figure-lipschitz-walk"))
  }

  @Test("a picture without numbers says why, and is in no figure")
  func failed() throws {
    var result = result()
    var bad = LipschitzResult.Picture(
      source: 1, target: 0, ending: "failed", change: 0, cosine: nil, steps: [])
    bad.problem = "m@head: NaN <b>somewhere</b>"
    result.models[0].places[0].pictures.append(bad)
    let page = try page(result)
    #expect(page.contains("left out: m@head: NaN &lt;b&gt;somewhere"))
    #expect(page.contains("Steepness in numbers: 2 pictures"))
  }

  @Test("a result whose parts do not fit is a damaged file")
  func damaged() throws {
    func refused(_ text: String, _ damage: (inout LipschitzResult) -> Void) {
      var broken = result()
      damage(&broken)
      #expect { try page(broken) } throws: { "\($0)".contains(text) }
    }
    refused("fewer than two images") { $0.images = [] }
    refused("a curve does not fit") { $0.models[0].places[0].pictures[0].curves[0].values = [] }
    refused("a curve does not fit") { $0.models[0].places[0].pictures[0].steps[0] = 0 }
    refused("the cosines of a segment") {
      $0.models[0].places[0].pictures[0].segments[0].toSource = []
    }
    refused("is no PNG") { $0.models[0].places[0].pictures[0].walk[0].picture = Data([1]) }
    refused("a picture is of images 0 and 9") { $0.models[0].places[0].pictures[0].target = 9 }
    refused("a model has no site") { $0.models[0].places = [] }
  }
}
