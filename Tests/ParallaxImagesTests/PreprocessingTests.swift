import Foundation
import ParallaxTensors
import Testing

@testable import ParallaxImages

@Suite("Preprocessing")
struct PreprocessingTests {
  private static func timm(_ rest: String) -> String { #"{"input_size": [3, 24, 24], \#(rest)}"# }

  /// Keys as a model's files hold them, and the fixture's name for what they should give.
  static let cases: [(fixture: String, json: String)] =
    ["bilinear", "bicubic"].flatMap { filter in
      ["0.875", "0.9", "0.95", "1.0"].map {
        ("timm-\(filter)-\($0)", timm(#""interpolation": "\#(filter)", "crop_pct": \#($0)"#))
      }
    } + [
      ("timm-squash", timm(#""crop_mode": "squash", "interpolation": "bicubic", "crop_pct": 0.9"#)),
      ("timm-border", timm(#""crop_mode": "border", "crop_pct": 0.9"#)),
      (
        "hf-clip",
        #"{"size": 24, "do_center_crop": true, "crop_size": 24, "resample": 3, "do_normalize": false}"#
      ),
      (
        "hf-dinov2",
        #"{"size": {"shortest_edge": 27}, "crop_size": {"height": 24, "width": 24}, "resample": 3, "do_normalize": false}"#
      ),
      (
        "hf-both-edges",
        #"{"size": {"height": 24, "width": 30}, "resample": 2, "do_normalize": false}"#
      ),
    ]

  @Test(
    "timm's and transformers' keys give the crops of those libraries",
    arguments: cases.indices, ["wide", "tall", "odd", "small"])
  func libraries(index: Int, source: String) throws {
    let table = try imageTable("pipelines")
    let (fixture, json) = Self.cases[index]
    let preprocessing = try Preprocessing(json: Data(json.utf8))
    let expected = try table.image("crop/\(source)/\(fixture)")
    #expect(difference(try bytes(preprocessing, table.image("source/\(source)")), expected) == 0)
  }

  @Test(
    "keys at another size of the input cut out the part that timm and transformers cut out there")
  func sized() throws {
    let table = try imageTable("sized")
    let source = try table.image("source")
    let keys = [
      "timm-center-0.9": Self.timm(#""crop_pct": 0.9"#),
      "timm-center-0.875": Self.timm(#""crop_pct": 0.875"#),
      "timm-squash-0.9": Self.timm(#""crop_mode": "squash", "crop_pct": 0.9"#),
      "timm-border-0.9": Self.timm(#""crop_mode": "border", "crop_pct": 0.9"#),
      "hf-dinov2":
        #"{"size": {"shortest_edge": 27}, "crop_size": {"height": 24, "width": 24}, "resample": 3, "do_normalize": false}"#,
      "hf-convnext":
        #"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 24}, "crop_pct": 0.875, "resample": 3, "do_normalize": false}"#,
    ]
    var count = 0
    for name in table.names where name != "source" {
      let parts = name.split(separator: "/")
      let sides = parts[1].split(separator: "x").compactMap { Int($0) }
      let json = Data(try #require(keys[String(parts[0])]).utf8)
      let preprocessing = try Preprocessing(json: json, size: (sides[0], sides[1]))
      #expect(preprocessing.height == sides[0] && preprocessing.width == sides[1])
      // The keys' own size is no other.
      if sides == [24, 24] { #expect(try preprocessing == Preprocessing(json: json)) }
      var found = try bytes(preprocessing, source)
      if sides[0] > 100 { found = corner(found, 32) }
      #expect(difference(found, try table.image(name)) == 0, "\(name)")
      count += 1
    }
    #expect(count == 17)
  }

  @Test("sizes before the crop grow with it, whatever they are; none stays none")
  func scaledSizes() throws {
    func resize(_ json: String, _ height: Int, _ width: Int) throws -> Preprocessing.Resize {
      try Preprocessing(json: Data(json.utf8), size: (height, width)).resize
    }
    let plain = #""resample": 3, "do_normalize": false"#
    let clip =
      #"{"size": {"shortest_edge": 32}, "crop_size": {"height": 24, "width": 24}, \#(plain)}"#
    #expect(try resize(clip, 48, 48) == .shortestEdge(64))
    #expect(try resize(clip, 32, 32) == .shortestEdge(42))
    #expect(try resize(clip, 24, 36) == .covering(width: 48, height: 32))
    let both = #"{"size": {"height": 24, "width": 30}, \#(plain)}"#
    #expect(try resize(both, 48, 30) == .exact(width: 30, height: 48))
    let none = #"{"do_resize": false, "crop_size": 24, \#(plain)}"#
    #expect(try resize(none, 30, 30) == .none)
    let convnext =
      #"{"image_processor_type": "ConvNextImageProcessor", "size": {"shortest_edge": 384}, "crop_pct": 0.875, \#(plain)}"#
    #expect(try resize(convnext, 224, 224) == .shortestEdge(256))
    #expect(try resize(convnext, 224, 448) == .covering(width: 512, height: 256))
    #expect(try resize(convnext, 400, 448) == .exact(width: 448, height: 400))
  }

  /// The upper left corner.
  private func corner(_ image: ImageBuffer, _ side: Int) -> ImageBuffer {
    ImageBuffer(
      width: side, height: side,
      pixels: (0..<side).flatMap { row in
        image.pixels[3 * row * image.width..<3 * (row * image.width + side)]
      })
  }

  @Test("torchvision's Resize and CenterCrop, also with odd differences and small images")
  func torchvision() throws {
    let table = try imageTable("pipelines")
    for (resize, side) in [(28, 24), (26, 23)] {
      let preprocessing = Preprocessing(
        width: side, height: side, resize: .shortestEdge(resize), interpolation: .bilinear)
      for source in ["wide", "tall", "odd", "small"] {
        let expected = try table.image("crop/\(source)/torchvision-\(resize)-\(side)")
        let cropped = try bytes(preprocessing, table.image("source/\(source)"))
        #expect(difference(cropped, expected) == 0, "\(source)")
      }
    }
  }

  /// The crop as bytes: the preprocessing without its normalisation.
  private func bytes(_ preprocessing: Preprocessing, _ image: ImageBuffer) throws -> ImageBuffer {
    var plain = preprocessing
    plain.rescale = 1
    plain.mean = [0, 0, 0]
    plain.std = [1, 1, 1]
    let planes = try plain(image)
    let count = plain.width * plain.height
    let pixels = (0..<3 * count).map { UInt8(planes[$0 % 3 * count + $0 / 3]) }
    return ImageBuffer(width: plain.width, height: plain.height, pixels: pixels)
  }

  @Test("a byte becomes (byte / 255 - mean) / std in its channel's plane")
  func normalisation() throws {
    let image = ImageBuffer(width: 2, height: 1, pixels: [0, 127, 255, 10, 20, 30])
    let values = try Preprocessing(width: 2, height: 1, resize: .none)(image)
    let expected = [(0, 0), (10, 0), (127, 1), (20, 1), (255, 2), (30, 2)].map { byte, channel in
      (Float(byte) / 255 - Preprocessing.imageNetMean[channel])
        / Preprocessing.imageNetStd[channel]
    }
    #expect(values == expected)
  }

  @Test("(x - 127) / 128 is a mean and a standard deviation")
  func shifted() throws {
    let image = ImageBuffer(width: 1, height: 1, pixels: [0, 127, 255])
    let preprocessing = Preprocessing(
      width: 1, height: 1, resize: .none, rescale: 1, mean: [127, 127, 127], std: [128, 128, 128])
    #expect(try preprocessing(image) == [-127.0 / 128, 0, 1])
  }

  @Test("a letterbox keeps the whole image and fills the rest")
  func letterbox() throws {
    let image = ImageBuffer(width: 40, height: 10, colour: RGB(10, 10, 10))
    var preprocessing = Preprocessing.letterbox(8, mean: [0, 0, 0], std: [1, 1, 1])
    preprocessing.rescale = 1
    let rows: [Float] = [255, 255, 255, 10, 10, 255, 255, 255]
    let plane = rows.flatMap { [Float](repeating: $0, count: 8) }
    #expect(try preprocessing(image) == plane + plane + plane)
    #expect(preprocessing.letterboxed(over: .white) == preprocessing)
  }

  @Test("the fingerprint is the same in every run and tells every part apart")
  func fingerprint() throws {
    let base = Preprocessing.centre(224, cropFraction: 0.875)
    #expect(
      base.fingerprint
        == "images-1;resize=shortest(256);filter=bicubic;crop=224x224,torchvision;fill=0,0,0"
        + ";rescale=0.00392156862745098;mean=0.485,0.456,0.406;std=0.229,0.224,0.225")
    var others = [base, base.letterboxed(), .letterbox(224), .centre(225, cropFraction: 0.875)]
    for change: (inout Preprocessing) -> Void in [
      { $0.crop = .transformers }, { $0.interpolation = .bilinear }, { $0.fill = .white },
      { $0.rescale = 1 }, { $0.mean[2] = 0.5 }, { $0.std[0] = 0.5 }, { $0.height = 223 },
      { $0.resize = .none }, { $0.resize = .exact(width: 256, height: 256) },
      { $0.resize = .covering(width: 256, height: 256) },
    ] {
      var other = base
      change(&other)
      others.append(other)
    }
    // letterbox(224) and letterboxed() are one and the same.
    #expect(Set(others.map(\.fingerprint)).count == others.count - 1)
    let back = try JSONDecoder().decode(Preprocessing.self, from: JSONEncoder().encode(base))
    #expect(back == base && back.fingerprint == base.fingerprint)
  }

  @Test("timm's nested keys and defaults are read")
  func timmDefaults() throws {
    let json = #"{"architecture": "x", "pretrained_cfg": {"input_size": [3, 224, 224]}}"#
    #expect(try Preprocessing(json: Data(json.utf8)) == .centre(224, cropFraction: 0.875))
    let wide = #"{"input_size": [3, 20, 30], "crop_pct": 1.0}"#
    #expect(
      try Preprocessing(json: Data(wide.utf8)).resize == .covering(width: 30, height: 20))
  }

  @Test(
    "a size that is one number is a square where nothing is cropped, and ConvNeXt's shrinks more")
  func sizes() throws {
    let rest = #""image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5]"#
    func read(_ keys: String) throws -> Preprocessing {
      try Preprocessing(json: Data("{\(keys), \(rest)}".utf8))
    }
    let vit = try read(#""size": 224, "resample": 2"#)
    #expect(vit.resize == .exact(width: 224, height: 224) && vit.interpolation == .bilinear)
    let convNext = try read(
      #""feature_extractor_type": "ConvNextFeatureExtractor", "size": {"shortest_edge": 224}, "crop_pct": 0.875, "resample": 3"#
    )
    #expect(convNext.resize == .shortestEdge(256) && convNext.width == 224)
    let longest = try read(#""size": {"longest_edge": 224}"#)
    #expect(longest.resize == .fitting(width: 224, height: 224))
    #expect(longest.rescale == 1.0 / 255 && longest.mean == [0.5, 0.5, 0.5])
  }

  @Test(
    "a wrong key is named in one line",
    arguments: [
      ("[]", ""), ("{", ""), ("{}", "input_size"), (String(repeating: "[", count: 100_000), ""),
      (#"{"input_size": [224, 224]}"#, "input_size"),
      (#"{"input_size": [1, 224, 224]}"#, "input_size"),
      (#"{"input_size": [3, 0, 224]}"#, "input_size"),
      (#"{"input_size": [3, 1e99, 224]}"#, "input_size"),
      (#"{"input_size": [3, 8, 8], "crop_pct": 0}"#, "crop_pct"),
      (#"{"input_size": [3, 8, 8], "crop_mode": "zoom"}"#, "crop_mode"),
      (#"{"input_size": [3, 8, 8], "interpolation": "random"}"#, "interpolation"),
      (#"{"input_size": [3, 8, 8], "std": [1, 0, 1]}"#, "std"),
      (#"{"input_size": [3, 8, 8], "mean": [1, 0]}"#, "mean"),
      (#"{"size": {"shortest_edge": 8, "longest_edge": 9}}"#, "size"),
      (#"{"size": "large"}"#, "size"), (#"{"resample": 3}"#, "size"),
      (#"{"size": 8, "resample": 9}"#, "resample"), (#"{"size": 8}"#, "image_mean"),
      (#"{"size": 8, "do_center_crop": 1}"#, "do_center_crop"),
      (#"{"do_resize": false, "do_normalize": false}"#, "crop_size"),
    ])
  func wrongKeys(json: String, key: String) {
    do throws(ImageError) {
      _ = try Preprocessing(json: Data(json.utf8))
      Issue.record("\(json) was accepted")
    } catch {
      guard case .preprocessing(let named, _) = error else {
        Issue.record("\(error)")
        return
      }
      #expect(named == key)
      #expect(!error.description.contains("\n"))
    }
  }
}
