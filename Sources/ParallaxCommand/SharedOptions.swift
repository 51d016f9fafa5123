import ArgumentParser
import Foundation
import Parallax

/// Which images, and how they are read.
struct ImageOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "A folder (subfolders are classes) or a list file (path,label). Without it: the built-in images.",
      valueName: "dir"))
  var images: String?

  @Option(help: "Use at most this many images, taken evenly from the classes.")
  var limit: Int?

  @Option(help: "What transparent pixels become: white (over white) or drop (as Pillow).")
  var alpha: AlphaChoice = .white

  @Flag(help: "An unreadable image is an error instead of being skipped.")
  var strict = false

  enum AlphaChoice: String, ExpressibleByArgument, CaseIterable {
    case white, drop
    var alpha: ImageBuffer.Alpha { self == .white ? .overWhite : .drop }
  }

  func validate() throws {
    if let limit, limit < 1 {
      throw ValidationError("--limit: expected a whole number from 1, found \(limit)")
    }
  }

  /// The images that were asked for.
  func load() throws -> ImageSet {
    if let images {
      return try ImageSet(contentsOf: URL(filePath: images), limit: limit, alpha: alpha.alpha)
    }
    let folder = SampleData.images
    guard FileManager.default.fileExists(atPath: folder.path) else {
      throw Failure.Message(
        .unavailable, "\(folder.path): the built-in images are not there",
        hint: "run `make setup`, or give --images DIR")
    }
    return try ImageSet(
      contentsOf: folder, limit: limit, minimumClassSize: 20, alpha: alpha.alpha)
  }
}

/// How the models run.
struct ComputeOptions: ParsableArguments {
  @Option(name: [.customShort("b"), .long], help: "Images a forward pass.")
  var batchSize = 32

  @Option(name: [.customShort("j"), .long], help: "Threads that decode images.")
  var workers = 2

  @Option(help: "cpu, cuda:0, mps.")
  var device = "cpu"

  @Option(help: "The seed of all random choices.")
  var seed: UInt64 = 0

  @Option(help: "Use made-up weights drawn from this seed instead of trained ones.")
  var randomWeights: UInt64?

  @Flag(inversion: .prefixedNo, help: "Go on with an interrupted run of the same job.")
  var resume = true

  @Flag(name: .shortAndLong, help: "No progress, only errors.")
  var quiet = false

  func validate() throws {
    if batchSize < 1 || batchSize > 65_536 {
      throw ValidationError("--batch-size: expected 1 to 65536, found \(batchSize)")
    }
    if workers < 1 || workers > 256 {
      throw ValidationError("--workers: expected 1 to 256, found \(workers)")
    }
  }

  /// Models by the names that the user typed.
  func load(_ names: [String]) throws -> [LoadedModel] {
    let device = try Device(self.device)
    return try names.map {
      try Catalog.load(ModelReference(parsing: $0), device: device, randomWeights: randomWeights)
    }
  }

  /// Where states of unfinished runs lie; nil when nothing shall be resumed.
  var stateFolder: URL? { resume ? CacheFolder.url.appending(path: "passes") : nil }
}

/// Which representations.
struct RepresentationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Sites such as blocks.*,head or blocks.0...5; several with commas. Default: every block.",
      valueName: "sites"))
  var sites: String?

  @Option(
    help: "cls, avg, all, flat, grid:S or token:I. Default: cls where there is one, else avg.")
  var tokens: String?

  /// The representations of one model that were asked for; the model's own `@site#tokens` wins.
  func select(of subject: Subject, address: RepresentationAddress?) throws -> [Representation] {
    let chosen = try SitePattern(parsing: address?.sites ?? sites)
      .matches(in: subject.sites, model: subject.name)
    let choice = try (address?.tokens ?? tokens).map { try Tokens(parsing: $0) }
    return try chosen.map { site in
      let tokens = choice ?? .byDefault(at: site, subject.model.tokenLayout)
      try tokens.check(at: site, subject.model.tokenLayout, imageSize: subject.imageSize)
      return Representation(model: subject.name, site: site, tokens: tokens)
    }
  }
}
