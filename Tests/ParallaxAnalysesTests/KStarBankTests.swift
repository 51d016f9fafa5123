import Foundation
import ParallaxTestSupport
import Testing

@testable import Parallax
@testable import ParallaxAnalyses

@Suite("Banks and corruptions of k* distributions")
struct KStarBankTests {
  @Test("images are counted among those of a bank")
  func banks() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14))
    let subject = try smallSubject("small")
    let (images, bankImages) = (try ImageSet(folder.url.path), try ImageSet(other.url.path))
    let wanted = try subject.representations()
    let chosen = KStarAnalysis.chosen(wanted, [subject], among: wanted, 6)
    #expect(chosen == wanted)
    let bank = try KStarBank(chosen, of: [subject], images: bankImages, queries: images)
    let analysis = try KStarAnalysis(
      wanted, of: [subject], images: images, among: wanted, bank: bank)
    let recorder = Recorder(chosen)
    _ = try Pass(subjects: [subject], images: images).run([analysis, recorder])
    let result = try analysis.result()
    #expect(result.bank == 14 && result.models[0].spaces.last?.map == nil)
    let features = Tensor.concatenated(try #require(recorder.features[1]), 0)
    let expected = try KStar()(
      features, labels: [0, 0, 0, 0, 1, 1, 1, 1], bank: bank.features(wanted[1]),
      bankLabels: bank.labels(among: Concepts(["apes", "bees"])))
    #expect(result.models[0].spaces[1].ranks == expected.ranks)
    #expect(result.models[0].spaces[1].concepts.map(\.size) == [7, 7])
    #expect(result.models[0].spaces[1].breakers == nil)
    #expect(result.models[0].spaces.last?.mapNote?.contains("bank") == true)
    // The first eight pictures of the bank are the queries; of those the fifth to the seventh are apes there and bees here.
    let groups = result.models[0].spaces[0].coincident
    #expect(groups.map(\.images) == [[4], [5], [6]] && groups.allSatisfy { $0.pairs == 1 })
    #expect(groups.allSatisfy { group in group.bank.allSatisfy { bank.ids.contains($0) } })
    #expect(bank.outside.isEmpty && result.outside == nil)
    try bank.check(Concepts(["apes", "cats"]))
    do {
      try bank.check(Concepts(["cats", "dogs"]))
      Issue.record("expected a refusal")
    } catch {
      #expect(
        "\(error)".contains(
          "the bank has no image of any class of the images, such as 'cats', 'dogs'"))
    }
  }

  @Test(
    "images of a class that the bank lacks are left out, counted and listed, and change nothing")
  func outsiders() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14))
    let subject = try smallSubject("small")
    let bankImages = try ImageSet(other.url.path)
    let wanted = try subject.representations()
    func result() throws -> (KStarResult, [(name: String, count: Int)]) {
      let images = try ImageSet(folder.url.path)
      let bank = try KStarBank(wanted, of: [subject], images: bankImages, queries: images)
      let analysis = try KStarAnalysis(
        wanted, of: [subject], images: images, among: wanted, bank: bank)
      _ = try Pass(subjects: [subject], images: images).run([analysis])
      return (try analysis.result(), bank.outside)
    }
    let (plain, none) = try result()
    #expect(none.isEmpty && plain.outside == nil)
    for name in ["cats/1.png", "cats/2.png", "auks/1.png"] {
      try folder.write(try folder.bytes("apes/1000.png"), name)
    }
    let (more, told) = try result()
    #expect(told.map(\.name) == ["auks", "cats"] && told.map(\.count) == [1, 2])
    #expect(more.outside?.map(\.image) == ["auks/1.png", "cats/1.png", "cats/2.png"])
    #expect(more.outside?.map(\.className) == ["auks", "cats", "cats"])
    #expect(more.images == plain.images && more.classes == plain.classes)
    #expect(more.models == plain.models && more.findings == plain.findings)
    #expect(
      KStarResult.leftOut(more.outsideClasses)
        == "3 images are left out, for the bank has none of their class: auks (1), cats (2)")
    #expect(more.tidyRows().filter { $0.measure == "images left out" }.map(\.n) == [1, 2])
    #expect(
      KStarResult.leftOut([("x", 1)])
        == "1 image is left out, for the bank has none of its class: x (1)")
    #expect(KStarResult.leftOut([]) == nil)
    // Without a bank they are concepts as others are.
    let images = try ImageSet(folder.url.path)
    let alone = try KStarAnalysis(wanted, of: [subject], images: images, among: wanted)
    _ = try Pass(subjects: [subject], images: images).run([alone])
    #expect(try alone.result().images.count == 11 && alone.result().classes.count == 4)
    // Where none is known, the pass over the bank is not begun.
    let strangers = try TemporaryFolder()
    for name in ["cats/1.png", "cats/2.png", "dogs/1.png"] {
      try strangers.write(try folder.bytes("apes/1000.png"), name)
    }
    #expect(throws: AnalysisError.self) {
      try KStarBank(
        wanted, of: [subject], images: bankImages, queries: ImageSet(strangers.url.path)
      ) { _ in Issue.record("the pass is begun") }
    }
  }

  @Test("a bank is checked before its pass, says what it could not read, and keeps its state")
  func bankPass() throws {
    let (folder, other) = (try imageFolder(8), try imageFolder(14, broken: [3]))
    let subject = try smallSubject("small")
    let (images, bankImages) = (try ImageSet(folder.url.path), try ImageSet(other.url.path))
    let wanted = try subject.representations()
    var ran = false
    func bank(
      _ options: KStarAnalysis.Options = .init(), _ set: (inout Pass) -> Void = { _ in }
    ) throws -> KStarBank {
      ran = false
      return try KStarBank(
        wanted, of: [subject], images: bankImages, queries: images, options: options
      ) {
        ran = true
        set(&$0)
      }
    }
    var options = KStarAnalysis.Options()
    options.memoryLimit = 10
    #expect(throws: MeasureError.self) { try bank(options) }
    options = KStarAnalysis.Options()
    options.superclasses = ["apes": "x", "bees": "x"]
    #expect(throws: AnalysisError.self) { try bank(options) }
    #expect(!ran)
    #expect(throws: ImageError.self) { try bank { $0.strict = true } }
    let states = try TemporaryFolder()
    let held = try bank { $0.stateFolder = states.url }
    #expect(ran && held.count == 13 && held.ids.count == 13)
    #expect(held.source.skipped.count == 1 && held.source.count == 13 && !held.source.hash.isEmpty)
    #expect(states.names().count == 1)
    // Once more: no image is read again.
    let again = try bank {
      $0.stateFolder = states.url
      $0.isInterrupted = { true }
    }
    #expect(
      again.features(wanted[0]).scalars(Float.self) == held.features(wanted[0]).scalars(Float.self))
    held.forget()
    #expect(states.names().isEmpty)
  }

  @Test(
    "corruptions are torchvision's and ImageNet-C's",
    arguments: [Corruption.blur(1.3), .contrast(0.4), .brightness(0.6)])
  func corruptions(_ corruption: Corruption) throws {
    let file = try Safetensors(fixtures.appending(path: "kstar/kstar.safetensors").path)
    let pixels = try #require(file["corrupted/pixels"])
    let (mean, std): ([Float], [Float]) = ([0.5, 0.4, 0.3], [0.2, 0.25, 0.5])
    let prepared =
      (pixels - Tensor(mean, shape: [1, 3, 1, 1])) / Tensor(std, shape: [1, 3, 1, 1])
    let model = CorruptedInputs(
      model: try smallSubject("small").model, corruption: corruption, mean: mean, std: std, seed: 0)
    let expected = try #require(file["corrupted/\(corruption)"])
    let difference = (model.corrupted(prepared) - expected).absolute().maximum().item(Double.self)
    #expect(difference < 2e-5, "\(difference)")
  }

  @Test("what no corruption is is none; one that images are too small for is refused")
  func corruptionLimits() throws {
    #expect(Corruption("noise", 0) == nil && Corruption("noise", 11) == nil)
    #expect(Corruption("contrast", 1) == nil && Corruption("jpeg", 0.5) == nil)
    #expect(Corruption("blur", 2) == .blur(2))
    let folder = try imageFolder(8)
    #expect(throws: AnalysisError.self) {
      let subject = try smallSubject("small")
      var options = KStarAnalysis.Options()
      options.corruptions = [.blur(20)]
      _ = try KStarAnalysis(
        subject.representations(), of: [subject], images: ImageSet(folder.url.path),
        options: options)
    }
  }
}
