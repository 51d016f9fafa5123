import Foundation
import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Image sets")
struct ImageSetTests {
  /// Two classes with the same file names, a nested folder, and what is to be passed over.
  private func classes() throws -> ScratchFolder {
    let folder = try ScratchFolder()
    for (index, name) in ["cat/1.png", "cat/2.PNG", "cat/deep/er/1.png", "dog/1.png", "Ant/1.jpeg"]
      .enumerated()
    {
      try folder.write(plainPNG(UInt8(index)), name)
    }
    try folder.write(plainPNG(), "cat/.hidden.png")
    try folder.write(plainPNG(), ".hidden/1.png")
    try folder.write("label text", "cat/1.txt")
    try folder.write("no images here", "notes/read.txt")
    return folder
  }

  @Test("subfolders are classes, read recursively and sorted by bytes")
  func classFolders() throws {
    let folder = try classes()
    let set = try ImageSet(folder.path)
    #expect(
      set.samples.map(\.id) == [
        "Ant/1.jpeg", "cat/1.png", "cat/2.PNG", "cat/deep/er/1.png", "dog/1.png",
      ])
    #expect(set.classes == ["Ant", "cat", "dog"])
    #expect(set.samples.map(\.label) == [0, 1, 1, 1, 2])
    #expect(set.samples(ofClass: 1).allSatisfy { $0.className == "cat" })
    #expect(set.skipped.isEmpty)
    for sample in set.samples {
      #expect(sample.sha256 == (try ContentHash.sha256(ofFile: sample.path)))
    }
    #expect(Set(set.samples.map(\.sha256)).count == 5)
    #expect(try ImageSet(folder.path + "/").samples.map(\.id) == set.samples.map(\.id))
  }

  @Test("a flat folder has no classes")
  func flat() throws {
    let folder = try ScratchFolder()
    for name in ["b.png", "a.webp", "B.jpg"] { try folder.write(plainPNG(), name) }
    let set = try ImageSet(folder.path)
    #expect(set.samples.map(\.id) == ["B.jpg", "a.webp", "b.png"])
    #expect(set.classes.isEmpty && set.samples.allSatisfy { $0.label == nil })
    #expect(try ImageSet(folder.path, limit: 2).samples.map(\.id) == ["B.jpg", "a.webp"])
  }

  @Test("links that lead in circles are not followed")
  func loops() throws {
    let folder = try classes()
    try folder.link("cat/self", to: ".")
    try folder.link("cat/deep/up", to: "../..")
    try folder.link("round", to: ".")
    try folder.link("dog/gone.png", to: "nowhere.png")
    let set = try ImageSet(folder.path)
    #expect(set.samples.count == 5)
    #expect(set.skipped.map(\.path) == ["dog/gone.png"])
  }

  @Test("empty, loose and unreadable files are skipped and named, or an error where strict")
  func skipped() throws {
    let folder = try classes()
    try folder.write([], "dog/empty.png")
    try folder.write(plainPNG(), "loose.png")
    let set = try ImageSet(folder.path)
    #expect(
      set.skipped == [
        SkippedImage(path: "dog/empty.png", reason: "has zero bytes"),
        SkippedImage(
          path: "loose.png", reason: "lies beside the class folders, so it has no class"),
      ])
    #expect(throws: ImageError.image(image: "dog/empty.png", problem: "has zero bytes")) {
      try ImageSet(folder.path, strict: true)
    }
  }

  @Test("a limit takes from every class in turn")
  func limit() throws {
    let folder = try classes()
    func ids(_ limit: Int) throws -> [String] {
      try ImageSet(folder.path, limit: limit).samples.map(\.id)
    }
    #expect(try ids(3) == ["Ant/1.jpeg", "cat/1.png", "dog/1.png"])
    #expect(try ids(4) == ["Ant/1.jpeg", "cat/1.png", "cat/2.PNG", "dog/1.png"])
    #expect(try ids(2) == ["Ant/1.jpeg", "cat/1.png"])
    #expect(try ids(99).count == 5)
    #expect(throws: ImageError.noImages(path: folder.path, skipped: 0)) {
      try ImageSet(folder.path, limit: 0)
    }
  }

  @Test("a limit of readable images takes the next of those that cannot be decoded")
  func readable() throws {
    let folder = try classes()
    try folder.write("no image", "Ant/0.jpeg")
    try folder.write("no image", "cat/1.png")
    func set(_ limit: Int, strict: Bool = false) throws -> ImageSet {
      try ImageSet(folder.path, limit: limit, readable: true, strict: strict)
    }
    let three = try set(3)
    // The second of Ant and of cat stand in for the first, after dog's first.
    #expect(three.samples.map(\.id) == ["Ant/1.jpeg", "cat/2.PNG", "dog/1.png"])
    #expect(three.skipped.map(\.path) == ["Ant/0.jpeg", "cat/1.png"])
    #expect(three.skipped[0].reason.contains("neither JPEG, PNG nor WebP"))
    #expect(three.classes == ["Ant", "cat", "dog"])
    // What is not come across is not looked at.
    let one = try set(1)
    #expect(one.samples.map(\.id) == ["dog/1.png"] && one.skipped.count == 2)
    #expect(try set(99).samples.count == 4)
    #expect(
      try ImageSet(folder.path, limit: 3).samples.map(\.id) == [
        "Ant/0.jpeg", "cat/1.png", "dog/1.png",
      ])
    #expect(throws: ImageError.self) { try set(3, strict: true) }
  }

  @Test("classes with too few images are left out and counted")
  func minimum() throws {
    let folder = try classes()
    let set = try ImageSet(folder.path, minimumClassSize: 2)
    #expect(set.classes == ["cat"] && set.samples.map(\.label) == [0, 0, 0])
    #expect(set.smallClasses == ["Ant": 1, "dog": 1])
    #expect(throws: ImageError.noClassLeft(path: folder.path, minimum: 4, largest: 3)) {
      try ImageSet(folder.path, minimumClassSize: 4)
    }
  }

  @Test("a folder that is missing, empty or without images is an error that names it")
  func nothing() throws {
    let folder = try ScratchFolder()
    #expect(throws: ImageError.noImages(path: folder.path, skipped: 0)) {
      try ImageSet(folder.path)
    }
    try folder.write([], "empty.png")
    #expect(throws: ImageError.noImages(path: folder.path, skipped: 1)) {
      try ImageSet(folder.path)
    }
    // The system's own tables have a size and permissions, and still cannot be read as files.
    let table = "/sys/devices/system/cpu/online"
    if FileManager.default.isReadableFile(atPath: table) {
      for name in ["one.png", "two.png"] { try folder.link(name, to: table) }
      #expect(throws: ImageError.noImages(path: folder.path, skipped: 3)) {
        try ImageSet(folder.path)
      }
      try folder.write(plainPNG(), "usable.png")
      #expect(try ImageSet(folder.path).skipped.count == 3)
    }
    let gone = folder.path + "/gone"
    #expect(throws: ImageError.missing(path: gone)) { try ImageSet(gone) }
    let file = folder.path + "/empty.png"
    #expect(
      throws: ImageError.file(
        path: file, problem: "is neither a folder of images nor a .csv list")
    ) { try ImageSet(file) }
  }

  @Test(
    "a list gives paths and labels, with or without a header, quoted or not",
    arguments: [
      "path,label\ncat/1.png,cat\ndog/1.png,dog\n",
      "cat/1.png,cat\r\ndog/1.png,dog",
      "\u{FEFF}label,path\n\"dog\",\"dog/1.png\"\n\ncat, ./cat/../cat/1.png \n",
    ])
  func list(text: String) throws {
    let folder = try classes()
    try folder.write(text, "list.csv")
    let set = try ImageSet(folder.path + "/list.csv")
    #expect(set.samples.map(\.id) == ["cat/1.png", "dog/1.png"])
    #expect(set.samples.map(\.className) == ["cat", "dog"])
    #expect(set.classes == ["cat", "dog"])
  }

  @Test("a list of paths alone has no classes, and quotes may hold commas and quotes")
  func plainList() throws {
    let folder = try ScratchFolder()
    try folder.write(plainPNG(), "a, \"b\".png")
    try folder.write("\"a, \"\"b\"\".png\"\n", "list.csv")
    let set = try ImageSet(folder.path + "/list.csv")
    #expect(set.samples.map(\.id) == ["a, \"b\".png"] && set.classes.isEmpty)
  }

  @Test(
    "a wrong row is named by its number",
    arguments: [
      ("cat/1.png,cat\ncat/9.png,cat\n", 2, "'cat/9.png' cannot be opened"),
      ("path,label\ncat/1.png,cat\ncat/./1.png,dog\n", 3, "'cat/./1.png' is already in row 2"),
      ("cat/1.png,cat\ndog/1.png\n", 2, "'dog/1.png' has no label"),
      ("cat/1.png,cat\n\n,dog\n", 3, "has no path"),
      ("\"cat/1.png,cat\n", 1, "a quote is not closed"),
    ])
  func wrongRow(text: String, row: Int, problem: String) throws {
    let folder = try classes()
    try folder.write(text, "list.csv")
    do throws(ImageError) {
      _ = try ImageSet(folder.path + "/list.csv")
      Issue.record("accepted")
    } catch {
      guard case .list(_, row, let found) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(found.hasPrefix(problem))
    }
  }

  @Test("a list that is no text is refused")
  func binaryList() throws {
    let folder = try ScratchFolder()
    try folder.write([0xFF, 0xFE, 0, 1], "list.csv")
    let path = folder.path + "/list.csv"
    #expect(throws: ImageError.file(path: path, problem: "is not UTF-8 text")) {
      try ImageSet(path)
    }
  }
}
