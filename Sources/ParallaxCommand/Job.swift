import Foundation
import Parallax

/// What every analysis of images begins with: models made ready, images listed, representations chosen.
struct Job {
  var loaded: [LoadedModel]
  var subjects: [Subject]
  var images: ImageSet
  var representations: [Representation]
  var pass: Pass
  private let quiet: Bool

  init(
    _ models: [String], _ images: ImageOptions, _ representations: RepresentationOptions,
    _ compute: ComputeOptions
  ) throws {
    quiet = compute.quiet
    let addresses = try models.map { try RepresentationAddress(parsing: $0) }
    // Images first: listing them is quick, loading models is not.
    self.images = try images.load()
    loaded = try compute.load(addresses.map(\.model))
    let device = try Device(compute.device)
    var names: [String: Int] = [:]
    subjects = []
    self.representations = []
    for (model, address) in zip(loaded, addresses) {
      var model = model
      names[model.name, default: 0] += 1
      if let count = names[model.name], count > 1 { model.name += "-\(count)" }
      let subject = try Subject(model, device: device)
      subjects.append(subject)
      self.representations += try representations.select(of: subject, address: address)
    }
    pass = Pass(subjects: subjects, images: self.images)
    pass.batchSize = compute.batchSize
    pass.workers = compute.workers
    pass.strict = images.strict
    pass.stateFolder = compute.stateFolder
    pass.isInterrupted = { Interruption.isAsked }
  }

  /// Names images that could not be read.
  func reportSkipped(_ skipped: [SkippedImage]) {
    guard !quiet, !skipped.isEmpty else { return }
    Terminal.error("\(skipped.count) image\(skipped.count == 1 ? "" : "s") skipped:")
    for image in skipped.prefix(10) { Terminal.error("  \(image)") }
    if skipped.count > 10 { Terminal.error("  … and \(skipped.count - 10) more, see run.json") }
  }
}
