import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxReport

@Suite("The section on matching")
struct EquivalenceSectionTests {
  private func result(pairs: Int = 5, name: String = "model", classes: Bool = true)
    -> MatchingResult
  {
    var result = MatchingResult(
      preset: "quick", unit: "pixels",
      images: (0..<(2 * pairs)).map {
        .init(id: "photo-\($0)", className: classes ? "class-\($0 % 2)" : nil)
      }, bank: 40, seed: 3, criterion: "d < 0.0001 and cosine > 0.99")
    result.switches = [Switch("step", "adam"), Switch("embedding", "raw", origin: "paper")]
    var model = MatchingResult.Model(
      name: name, family: "ViT", design: "transformer", height: 224, width: 224)
    model.originals = (0..<(2 * pairs)).map { _ in MadeUpFields.picture }
    for site in ["blocks.5", "head"] {
      var place = MatchingResult.Place(site: site, tokens: "cls", depth: 1, features: 64)
      place.pairs = (0..<pairs).map { index in
        var pair = MatchingResult.Pair(
          source: 2 * index, target: 2 * index + 1,
          before: .init(distance: 4, cosine: 0.5), after: .init(distance: 1e-5, cosine: 0.9999),
          saved: .init(distance: 0.01, cosine: 0.987), targetNorm: 10,
          change: .init(euclidean: 1.5, maximum: 0.05, psnr: 37.4, ssim: 0.98), between: 80,
          steps: 7, ending: index == 0 ? "diverged" : "matched",
          trace: [
            .init(step: 0, loss: 4, distance: 4, cosine: 0.5, change: 0),
            .init(step: 7, loss: 1, distance: 1e-5, cosine: nil, change: 90),
          ])
        (pair.picture, pair.difference) = (MadeUpFields.picture, MadeUpFields.picture)
        pair.amplification = 20
        return pair
      }
      if classes {
        place.readouts = [
          .init(name: "nearest neighbour", before: 0.9, after: 0.1, fooled: 0.8, count: pairs)
        ]
        place.scores = .init(
          classes: ["class-0", "class-1"], pairs: Array(0..<pairs),
          before: (0..<pairs).map { _ in [0.9, 0.1] }, after: (0..<pairs).map { _ in [0.2, 0.8] })
      }
      let rows = (0..<pairs).map { _ in [1.0, 2, 3, -4, 5, 6] }
      place.coordinates = .init(
        variances: [0.4, 0.2, 0.1, 0.1, 0.05, 0.05], sources: rows, targets: rows, matched: rows)
      place.noise = [
        .init(
          deviation: 0.01, sources: 1, matched: 0.5, sourceShift: 0.1, matchedShift: 0.4,
          detection: 0.9)
      ]
      model.places.append(place)
    }
    result.models = [model]
    result.transfer = .init(way: [[1, 0.4], [-0.2, 0.9]], nearest: [[1, 0], [nil, 1]])
    return result
  }

  private func page(_ result: MatchingResult) throws -> String {
    let made = try MadeUpRun([3, 3])
    try made.run.write(result, analysis: "matching")
    return try Report.html(of: made.run, javaScript: "")
  }

  @Test("it shows pictures, the way there, readers, scores, coordinates, transfer and noise")
  func contents() throws {
    let page = try page(result())
    for text in [
      "Salman, Shams and Liu (2024)", "2 switches, 1 of them reconstruction",
      "pair 1: photo-0 → photo-1", "cos 0.987, matched at 7 steps", "PSNR 37.4 dB, SSIM 0.980",
      "change × 20", "L∞ 13/255", "2 more pairs", "diverged at 7 steps", "10 pairs",
      "data-figure=\"matching-traces\"", "data-figure=\"matching-readers\"",
      "data-figure=\"matching-scores\"", "data-figure=\"matching-coordinates\"",
      "data-figure=\"matching-transfer\"", "data-figure=\"matching-noise\"",
    ] { #expect(page.contains(text), "\(text)") }
  }

  @Test("without classes there are no readers; names from outside are escaped")
  func edges() throws {
    let page = try page(result(pairs: 1, name: "<script>alert('1')</script>", classes: false))
    #expect(!page.contains("<script>alert"))
    #expect(!page.contains("matching-readers") && !page.contains("matching-scores"))
  }

  @Test("a result whose parts do not fit is a damaged file")
  func damaged() throws {
    func refused(_ text: String, _ damage: (inout MatchingResult) -> Void) {
      var broken = result()
      damage(&broken)
      #expect(throws: ResultsError.self, "\(text)") { try page(broken) }
      #expect { try page(broken) } throws: { "\($0)".contains(text) }
    }
    refused("fewer than two images") { $0.images = [] }
    refused("a model has 3 of 10 images") { $0.models[0].originals.removeLast(7) }
    refused("no PNG") { $0.models[0].places[0].pairs[0].picture = Data([1, 2, 3]) }
    refused("a pair is of images 99") { $0.models[0].places[0].pairs[0].source = 99 }
    refused("a distance is below 0") { $0.models[0].places[0].pairs[0].after.distance = -1 }
    refused("a matrix of transfer") { $0.transfer?.way.removeLast() }
    refused("scores do not fit") { $0.models[0].places[0].scores?.before.removeLast() }
    refused("principal coordinates") { $0.models[0].places[1].coordinates?.matched = [] }
    refused("holds 0 numbers") { $0.models[0].places[1].features = 0 }
  }
}
