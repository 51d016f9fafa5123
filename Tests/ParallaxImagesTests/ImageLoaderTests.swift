import Foundation
import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Image loader")
struct ImageLoaderTests {
  private let small = Preprocessing(width: 4, height: 3, resize: .exact(width: 4, height: 3))
  private let other = Preprocessing.letterbox(5)

  /// `count` images of different colours; those in `broken` are no images.
  private func folder(_ count: Int, broken: Set<Int> = []) throws -> ScratchFolder {
    let folder = try ScratchFolder()
    for index in 0..<count {
      let name = String(format: "%03d.png", index)
      try folder.write(
        broken.contains(index) ? Array("no image".utf8) : plainPNG(UInt8(index)), name)
    }
    return folder
  }

  private func all(_ blocks: ImageBlocks) throws -> [ImageBlock] {
    var found: [ImageBlock] = []
    while let block = try blocks.next() { found.append(block) }
    return found
  }

  @Test("blocks come in order, cut by index, each image through each preprocessing")
  func blocks() throws {
    let folder = try folder(11)
    let samples = try ImageSet(folder.path).samples
    let blocks = ImageLoader(workers: 3).blocks(of: 4, from: samples, for: [small, other])
    #expect(blocks.count == 3)
    let found = try all(blocks)
    #expect(found.map(\.index) == [0, 1, 2])
    #expect(found.map(\.positions) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9, 10]])
    #expect(found.flatMap(\.samples) == samples)
    #expect(found[2].shapes == [[3, 3, 3, 4], [3, 3, 5, 5]])
    let image = try ImageBuffer(decoding: URL(filePath: samples[9].path))
    #expect(Array(found[2].inputs[0][36..<72]) == (try small(image)))
    #expect(Array(found[2].inputs[1][75..<150]) == (try other(image)))
    #expect(found[2].tensor(1).shape == [3, 3, 5, 5])
  }

  @Test("the number of workers and of blocks ahead changes nothing", arguments: [1, 2, 7], [1, 3])
  func workers(workers: Int, ahead: Int) throws {
    let folder = try folder(23, broken: [5, 6, 7, 8, 20])
    let samples = try ImageSet(folder.path).samples
    func run(_ loader: ImageLoader) throws -> [ImageBlock] {
      try all(loader.blocks(of: 4, from: samples, for: [small]))
    }
    let reference = try run(ImageLoader(workers: 1, ahead: 2))
    let found = try run(ImageLoader(workers: workers, ahead: ahead))
    #expect(found.map(\.inputs) == reference.map(\.inputs))
    #expect(found.map(\.positions) == reference.map(\.positions))
    #expect(found.map(\.skipped) == reference.map(\.skipped))
  }

  @Test("an unreadable image is missing from its block and moves no other")
  func unreadable() throws {
    let folder = try folder(8, broken: [1, 4, 5])
    let samples = try ImageSet(folder.path).samples
    let found = try all(ImageLoader().blocks(of: 2, from: samples, for: [small]))
    #expect(found.map(\.positions) == [[0], [2, 3], [], [6, 7]])
    #expect(found.flatMap(\.skipped).map(\.path) == ["001.png", "004.png", "005.png"])
    #expect(found[2].shapes == [[0, 3, 3, 4]] && found[2].inputs == [[]])
    #expect(found[0].skipped[0].reason.contains("neither JPEG, PNG nor WebP"))
  }

  @Test("a strict loader throws the first unreadable image, whatever the workers")
  func strict() throws {
    let folder = try folder(12, broken: [5, 6, 11])
    let samples = try ImageSet(folder.path).samples
    for workers in 1...4 {
      let loader = ImageLoader(workers: workers, strict: true)
      let blocks = loader.blocks(of: 3, from: samples, for: [small])
      #expect(try blocks.next()?.index == 0)
      do throws(ImageError) {
        _ = try blocks.next()
        Issue.record("accepted")
      } catch {
        #expect(error.description.hasPrefix("005.png: "))
      }
      #expect(try blocks.next() == nil)
    }
  }

  @Test("only the blocks that were asked for are made, in that order")
  func chosen() throws {
    let folder = try folder(10)
    let samples = try ImageSet(folder.path).samples
    let loader = ImageLoader(workers: 2)
    let found = try all(loader.blocks(of: 3, from: samples, for: [small], indices: [3, 1, 7]))
    #expect(found.map(\.index) == [3, 1])
    #expect(found.map(\.positions) == [[9], [3, 4, 5]])
    #expect(try all(loader.blocks(of: 3, from: [], for: [small])).isEmpty)
  }

  @Test("no block is begun that lies too far ahead of the one taken last")
  func bounded() throws {
    let folder = try folder(12)
    let samples = try ImageSet(folder.path).samples
    let blocks = ImageLoader(workers: 2, ahead: 2).blocks(of: 2, from: samples, for: [small])
    #expect(try blocks.next()?.index == 0)
    Thread.sleep(forTimeInterval: 0.2)
    // Blocks 1 and 2 may be decoded by now; the rest are read after their files have changed.
    for index in 6..<12 {
      try folder.write(Array("no image".utf8), String(format: "%03d.png", index))
    }
    let rest = try all(blocks)
    #expect(rest.map(\.positions.count) == [2, 2, 0, 0, 0])
  }

  @Test("a cancelled loader ends at once, and one that is dropped stops its threads")
  func cancelled() throws {
    let folder = try folder(40)
    let samples = try ImageSet(folder.path).samples
    let blocks = ImageLoader(workers: 2).blocks(of: 2, from: samples, for: [small])
    #expect(try blocks.next() != nil)
    blocks.cancel()
    #expect(try blocks.next() == nil)

    weak var queue: BlockQueue?
    do {
      let made = BlockQueue(
        samples: samples, size: 2, preprocessings: [small], indices: Array(0..<20),
        alpha: .overWhite, ahead: 2)
      queue = made
      let dropped = ImageBlocks(made, workers: 2, strict: false)
      #expect(try dropped.next() != nil)
    }
    // The threads hold the queue: it goes when they end.
    for _ in 0..<200 where queue != nil { Thread.sleep(forTimeInterval: 0.01) }
    #expect(queue == nil)
  }
}
