import Foundation
import ParallaxImages
import ParallaxTensors

/// Keeps the state of an unfinished pass in a file whose name says what it belongs to.
struct StateKeeper {
  let folder: URL
  let key: String

  private var path: String { folder.appending(path: "\(key).safetensors").path }

  /// What of the outcome a resumed run goes on with.
  private struct Notes: Codable {
    var blocks: Int
    var samples: [Int]
    var skipped: [SkippedImage]
    var seconds: [String: Double]
  }

  /// Writes the state after so many blocks.
  ///
  /// - Throws: `TensorError.unwritable`.
  func save(_ accumulators: [any Accumulator], _ outcome: Pass.Outcome, blocks: Int) throws {
    do {
      try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    } catch {
      throw TensorError.unwritable(
        path: folder.path, problem: (error as NSError).localizedDescription)
    }
    let notes = Notes(
      blocks: blocks, samples: outcome.samples, skipped: outcome.skipped, seconds: outcome.seconds)
    let text = String(decoding: try JSONEncoder().encode(notes), as: UTF8.self)
    let tensors = accumulators.enumerated().flatMap { place, accumulator in
      accumulator.state().map {
        (name: Self.prefix(place, accumulator) + $0.name, tensor: $0.tensor)
      }
    }
    try Safetensors.write(tensors, metadata: ["pass": text], to: path)
  }

  /// Restores every accumulator; nil where there is nothing that can be read.
  ///
  /// - Throws: `AnalysisError.state` where a part does not fit: the accumulators are then half restored.
  func load(_ accumulators: [any Accumulator]) throws -> Pass.Outcome? {
    guard let file = try? Safetensors(path), let text = file.metadata["pass"],
      let notes = try? JSONDecoder().decode(Notes.self, from: Data(text.utf8))
    else { return nil }
    for (place, accumulator) in accumulators.enumerated() {
      let prefix = Self.prefix(place, accumulator)
      var state: [String: Tensor] = [:]
      for name in file.names where name.hasPrefix(prefix) {
        state[String(name.dropFirst(prefix.count))] = file[name]
      }
      guard accumulator.restore(state) else {
        throw AnalysisError.state(
          path: path,
          problem:
            "the saved state of '\(accumulator.name)' does not fit; remove it, or run with --no-resume"
        )
      }
    }
    return Pass.Outcome(
      samples: notes.samples, skipped: notes.skipped, resumedBlocks: notes.blocks,
      seconds: notes.seconds)
  }

  /// Two analyses of one kind have one name, so their place counts too.
  private static func prefix(_ place: Int, _ accumulator: any Accumulator) -> String {
    "\(place)/\(accumulator.name)/"
  }

  func remove() { try? FileManager.default.removeItem(atPath: path) }
}
