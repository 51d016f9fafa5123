import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses
@testable import ParallaxModels

@Suite("Matching: pictures outside the set, and pairs at once")
struct MatchingOutsideTests {
  private func options(_ pairs: MatchPairs) -> MatchingAnalysis.Options {
    var options = MatchingAnalysis.Options()
    (options.pairs, options.draws, options.noise) = (pairs, 1, [0.05])
    options.recipe = .newton
    (options.recipe.steps, options.recipe.tolerance, options.recipe.isRelative) = (8, 1e-7, false)
    return options
  }

  private func analysis(_ folder: TemporaryFolder, _ options: MatchingAnalysis.Options) throws -> (
    MatchingAnalysis, Pass
  ) {
    let subject = try smallSubject("one")
    let (images, wanted, pass) = try averagedSites(folder, [subject], at: "blocks.2")
    let analysis = try MatchingAnalysis(
      wanted, of: [subject], images: images, among: wanted, options: options)
    return (analysis, pass)
  }

  private func run(_ folder: TemporaryFolder, _ options: MatchingAnalysis.Options) throws -> (
    MatchingAnalysis, MatchingResult
  ) {
    let (analysis, pass) = try analysis(folder, options)
    try pass.run([analysis])
    return (analysis, try analysis.result())
  }

  @Test("a file outside the set may be source, target or both, and is nobody's neighbour")
  func outside() throws {
    let (folder, other) = (try imageFolder(12), try TemporaryFolder())
    let (a, b) = ("apes/1000.png", "bees/1001.png")
    try other.write(try noisyPNG(77), "mine.png")
    try other.write(try noisyPNG(78), "yours.png")
    let (mine, yours) = (
      other.url.appending(path: "mine.png").path, other.url.appending(path: "yours.png").path
    )
    // As source: to three images of the set.
    let (own, from) = try run(folder, options(.from(mine, 3)))
    let place = from.models[0].places[0]
    #expect(place.pairs.count == 3 && from.bank == 12)
    let image = from.images[place.pairs[0].source]
    #expect(image.id == mine && image.className == nil)
    let hash = try ContentHash.sha256(ofFile: mine)
    #expect(image.sha256 == hash)
    #expect(from.images.filter { $0.id != mine }.allSatisfy { $0.sha256 == nil })
    #expect(own.sources.map(\.path) == [mine] && own.sources[0].hash == image.sha256)
    for pair in place.pairs { #expect(pair.saved.distance < 0.5 * pair.before.distance) }
    // A source without a class is in no share of sources that keep theirs, but in the table of classes.
    #expect(place.readouts.isEmpty)
    let scores = try #require(place.scores)
    #expect(scores.before.allSatisfy { abs($0.reduce(0, +) - 1) < 1e-9 })
    // As target of images of the set.
    let (_, to) = try run(folder, options(.to(mine, 4)))
    let readouts = to.models[0].places[0].readouts
    #expect(readouts.map(\.name).contains("nearest neighbour") && readouts[0].count == 4)
    // Matched pictures are read as the target is.
    #expect(readouts[0].fooled == 1)
    // Both, and one pair of both kinds.
    let (_, both) = try run(folder, options(.one(mine, yours)))
    #expect(both.images.map(\.id) == [mine, yours] && both.bank == 12)
    let (_, mixed) = try run(folder, options(.one(a, mine)))
    #expect(Set(mixed.images.map(\.id)) == [a, mine])
    // What the file holds, not the set, is matched: the same bytes in the set give the same pair.
    let twin = try imageFolder(12)
    try twin.write(try noisyPNG(77), "apes/2000.png")
    let (_, inside) = try run(twin, options(.one("apes/2000.png", b)))
    let (_, apart) = try run(folder, options(.one(mine, b)))
    let (x, y) = (inside.models[0].places[0].pairs[0], apart.models[0].places[0].pairs[0])
    #expect(x.picture == y.picture && abs(x.saved.distance - y.saved.distance) < 1e-6)
    // A file with the bytes of an image of the set is that image.
    let copy = folder.url.appending(path: a).path
    try other.write([UInt8](try #require(FileManager.default.contents(atPath: copy))), "copy.png")
    let (_, same) = try run(folder, options(.one(other.url.appending(path: "copy.png").path, b)))
    #expect(Set(same.images.map(\.id)) == [a, b])
    #expect {
      try self.analysis(folder, options(.one(other.url.appending(path: "copy.png").path, a)))
    } throws: { "\($0)".contains("are the same picture") }
  }

  @Test("what a source or target is changes the key of a run")
  func keys() throws {
    let (folder, other) = (try imageFolder(8), try TemporaryFolder())
    let path = other.url.appending(path: "mine.png").path
    func key() throws -> String {
      let (analysis, pass) = try analysis(folder, options(.from(path, 2)))
      return pass.key([analysis])
    }
    // The last two are images of the set.
    var seen: Set<String> = []
    for seed in [77, 78, 1, 2] {
      try other.write(try noisyPNG(seed), "mine.png")
      let found = try key()
      #expect(seen.insert(found).inserted, "\(seed)")
      let again = try key()
      #expect(again == found)
    }
  }

  @Test("what is no picture is refused with its name: missing, a folder, no image, truncated")
  func refusals() throws {
    let (folder, other) = (try imageFolder(4), try TemporaryFolder())
    let whole = try noisyPNG(5)
    try other.write(Array("no image".utf8), "text.png")
    try other.write(Array(whole.prefix(whole.count / 2)), "half.png")
    try other.write([], "empty.png")
    for (name, text) in [
      (
        "none.png",
        "no image of the set such as 'apes/1000.png' is called so, and there is no such file"
      ),
      ("", "is a folder, expected an image file"), ("text.png", "neither JPEG, PNG nor WebP"),
      ("half.png", "half.png: "), ("empty.png", "has zero bytes"),
    ] {
      let path = name.isEmpty ? other.path : other.url.appending(path: name).path
      for pairs in [MatchPairs.from(path, 2), .to(path, 2), .one("apes/1000.png", path)] {
        #expect { try analysis(folder, options(pairs)) } throws: {
          "\($0)".contains(text) && "\($0)".contains(path)
        }
      }
    }
    let subject = try smallSubject("one")
    let (images, wanted, _) = try averagedSites(folder, [subject], at: "blocks.2")
    var steep = LipschitzAnalysis.Options()
    steep.pairs = .from(other.url.appending(path: "text.png").path, 1)
    #expect {
      try LipschitzAnalysis(wanted, of: [subject], images: images, among: wanted, options: steep)
    } throws: { "\($0)".contains("neither JPEG, PNG nor WebP") }
  }

  @Test("steepness at a picture outside the set is that at the same picture inside")
  func steepness() throws {
    let (folder, twin, other) = (try imageFolder(4), try imageFolder(4), try TemporaryFolder())
    try other.write(try noisyPNG(77), "mine.png")
    try twin.write(try noisyPNG(77), "apes/2000.png")
    func one(_ folder: TemporaryFolder, _ source: String) throws -> LipschitzResult {
      let subject = try smallSubject("one")
      let (images, wanted, pass) = try averagedSites(folder, [subject], at: "blocks.2")
      var options = LipschitzAnalysis.Options()
      options.pairs = .one(source, "bees/1001.png")
      (options.recipe, options.directions, options.tangents) = (.newton, 1, 0)
      (options.steps, options.samples, options.iterations) = (2, 0, 3)
      let analysis = try LipschitzAnalysis(
        wanted, of: [subject], images: images, among: wanted, options: options)
      try pass.run([analysis])
      return try analysis.result()
    }
    let path = other.url.appending(path: "mine.png").path
    let (apart, inside) = (try one(folder, path), try one(twin, "apes/2000.png"))
    let (a, b) = (apart.models[0].places[0].pictures[0], inside.models[0].places[0].pictures[0])
    #expect(apart.images[a.source].id == path && apart.images[a.source].sha256 != nil)
    #expect(a.values.count == b.values.count)
    for (x, y) in zip(a.values, b.values) { #expect(abs(x - y) < 1e-4 * b.values[0]) }
  }

  @Test(
    "a run stopped with so many pairs at once goes on with another number", arguments: [1, 3, 8])
  func batches(_ size: Int) throws {
    let folder = try imageFolder(12)
    var first = options(.random(6))
    first.batchSize = 4
    let (part, pass) = try analysis(folder, first)
    try pass.run([part])
    var asked = 0
    part.isInterrupted = {
      asked += 1
      return asked > 25
    }
    #expect(throws: AnalysisError.interrupted) { try part.result() }
    let state = Dictionary(uniqueKeysWithValues: part.state().map { ($0.name, $0.tensor) })
    let begun = state.keys.filter { $0.hasPrefix("running.") && $0.hasSuffix(".step") }
    #expect(begun.count > 0 && begun.count <= 4)
    var second = first
    second.batchSize = size
    let (rest, _) = try analysis(folder, second)
    #expect(rest.fingerprint == part.fingerprint && rest.restore(state))
    // What was begun goes on where it was.
    let steps = rest.running.mapValues(\.step)
    #expect(steps.count == begun.count && steps.values.allSatisfy { $0 > 0 })
    let (whole, again) = try analysis(folder, first)
    try again.run([whole])
    let wanted = try whole.result().models[0].places[0].pairs
    let found = try rest.result().models[0].places[0].pairs
    #expect(found.count == wanted.count)
    for (a, b) in zip(found, wanted) {
      #expect(a.source == b.source && a.target == b.target && a.ending == b.ending)
      #expect(abs(a.saved.distance - b.saved.distance) < 1e-3 * b.before.distance)
      #expect(a.trace.first == b.trace.first || a.trace[0].step == 0)
    }
  }

  @Test("no more pairs at once than fit into memory, and a note where that is less than asked")
  func memory() throws {
    let folder = try imageFolder(4)
    var options = options(.random(2))
    let (usual, _) = try analysis(folder, options)
    #expect(usual.batch(0) == MatchMemory.usual && usual.memoryNote == nil)
    options.batchSize = 50
    let (many, _) = try analysis(folder, options)
    #expect(many.batch(0) == 50 && many.memoryNote == nil)
    options.batchSize = 1 << 30
    let (tooMany, _) = try analysis(folder, options)
    #expect(tooMany.batch(0) < 1 << 30)
    #expect(tooMany.memoryNote?.contains("pairs at once instead of 1073741824") == true)
    let small = MatchMemory(tooMany.subjects[0], tooMany.places[0].representation.site, .adam)
    #expect(small.batch(8, fixed: nil, limit: 3 * small.bytes) == 3)
    #expect(small.batch(8, fixed: nil, limit: 1) == 1 && small.batch(8, fixed: 2, limit: 1) == 2)
  }
}
