import Foundation

extension Preprocessing {
  /// Reads timm's keys (`config.json` with `pretrained_cfg`, or the keys themselves) or those of a
  /// Hugging Face `preprocessor_config.json`, whichever the object holds.
  ///
  /// - timm: `input_size`, `crop_pct` (0.875), `crop_mode` (`center`, `squash`, `border`),
  ///   `interpolation` (`bicubic`), `mean` and `std` (ImageNet's). In brackets what is taken where a
  ///   key is missing, as timm does.
  /// - Hugging Face: `do_resize`, `size` (a number, `shortest_edge`, `height` and `width`, or
  ///   `longest_edge`, which is letterboxed over black), `resample` (Pillow's number), `do_center_crop`,
  ///   `crop_size`, `crop_pct` (ConvNeXt's), `do_rescale`, `rescale_factor`, `do_normalize`,
  ///   `image_mean`, `image_std`. A `size` that is a number means the shorter side where a centre crop
  ///   follows (but not for DeiT), else a square.
  ///
  /// Another size of the input leaves the part of the image that is cut out as it is: timm's `crop_pct` counts for the
  /// new size, and a processor's sizes before the crop grow with it.
  ///
  /// - Parameters:
  ///   - data: a JSON object.
  ///   - size: of the input instead of the keys' own, in pixels; nil for that.
  /// - Throws: `ImageError.preprocessing` with the key at fault.
  public init(json data: Data, size: (height: Int, width: Int)? = nil) throws(ImageError) {
    let decoded: JSONValue
    do { decoded = try JSONDecoder().decode(JSONValue.self, from: data) } catch {
      throw .preprocessing(key: "", problem: "not a JSON object")
    }
    guard case .object(var keys) = decoded else {
      throw .preprocessing(key: "", problem: "not a JSON object")
    }
    if case .object(let nested)? = keys["pretrained_cfg"] { keys = nested }
    let reader = PreprocessingReader(keys: keys, chosen: size)
    if reader.hasAny(["size", "crop_size", "resample", "image_mean", "do_resize"]) {
      self = try reader.huggingFace()
    } else if reader.hasAny(["input_size", "crop_pct", "interpolation", "crop_mode"]) {
      self = try reader.timm()
    } else {
      throw .preprocessing(
        key: "input_size",
        problem: "missing, and so is 'size': neither timm's keys nor a processor's")
    }
  }
}

/// The keys of a preprocessing description, read one by one.
private struct PreprocessingReader {
  let keys: [String: JSONValue]
  let chosen: (height: Int, width: Int)?

  func hasAny(_ names: [String]) -> Bool { names.contains { keys[$0] != nil } }

  func timm() throws(ImageError) -> Preprocessing {
    guard case .array(let sizes)? = value("input_size"), sizes.count == 3 else {
      throw .preprocessing(key: "input_size", problem: "expected [3, height, width]")
    }
    guard sizes[0].number == 3 else {
      throw .preprocessing(key: "input_size", problem: "expected 3 channels")
    }
    let own = (
      height: try side(sizes[1], "input_size"), width: try side(sizes[2], "input_size")
    )
    let (height, width) = chosen ?? own
    let fraction = try number("crop_pct") ?? 0.875
    guard fraction > 0.01, fraction <= 10 else {
      throw .preprocessing(key: "crop_pct", problem: "\(fraction) is not between 0.01 and 10")
    }
    let filter = try text("interpolation") ?? "bicubic"
    guard let interpolation = Resampling(rawValue: filter) else {
      throw .preprocessing(
        key: "interpolation",
        problem: "'\(filter)' is none of "
          + Resampling.allCases.map(\.rawValue).joined(separator: ", "))
    }
    let mean = try channels("mean") ?? Preprocessing.imageNetMean
    let std = try channels("std", nonZero: true) ?? Preprocessing.imageNetStd
    let scaled = (
      width: max(1, Int(Double(width) / fraction)), height: max(1, Int(Double(height) / fraction))
    )
    var fill = RGB.black
    let resize: Preprocessing.Resize
    switch try text("crop_mode") ?? "center" {
    case "center":
      resize =
        scaled.width == scaled.height
        ? .shortestEdge(scaled.width) : .covering(width: scaled.width, height: scaled.height)
    case "squash": resize = .exact(width: scaled.width, height: scaled.height)
    case "border":
      resize = .fitting(width: scaled.width, height: scaled.height)
      let bytes = mean.map {
        UInt8(min(max((255 * Double($0)).rounded(.toNearestOrEven), 0), 255))
      }
      fill = RGB(bytes[0], bytes[1], bytes[2])
    case let other:
      throw .preprocessing(
        key: "crop_mode", problem: "'\(other)' is none of center, squash, border")
    }
    return Preprocessing(
      width: width, height: height, resize: resize, interpolation: interpolation, fill: fill,
      mean: mean, std: std)
  }

  func huggingFace() throws(ImageError) -> Preprocessing {
    if try flag("rescale_offset") == true {
      throw .preprocessing(key: "rescale_offset", problem: "is not supported")
    }
    let oldKind = try text("feature_extractor_type") ?? ""
    let kind = try text("image_processor_type") ?? oldKind
    let crops = try flag("do_center_crop") ?? (value("crop_size") != nil)
    var cropSize: Size?
    if let given = value("crop_size") { cropSize = try sides(given, "crop_size") }
    var size: (width: Int, height: Int)?
    var resize = Preprocessing.Resize.none
    // Whether it is of the chosen size already.
    var isMade = false
    if try flag("do_resize") ?? true {
      guard let given = value("size") else {
        throw .preprocessing(key: "size", problem: "missing, though the image is to be resized")
      }
      (resize, size) = try readSize(given, square: !crops || kind.hasPrefix("DeiT"))
      if kind.hasPrefix("ConvNext"), case .shortestEdge(let side) = resize {
        // ConvNeXt shrinks to side / crop_pct and cuts, but squashes from 384 on.
        let fraction = try number("crop_pct") ?? 224.0 / 256
        guard fraction > 0.01, fraction <= 1 else {
          throw .preprocessing(key: "crop_pct", problem: "\(fraction) is not between 0.01 and 1")
        }
        let new: Size = chosen.map { ($0.width, $0.height) } ?? (side, side)
        let scaled = (Int(Double(new.width) / fraction), Int(Double(new.height) / fraction))
        resize =
          min(new.width, new.height) >= 384
          ? .exact(width: new.width, height: new.height)
          : scaled.0 == scaled.1
            ? .shortestEdge(scaled.0) : .covering(width: scaled.0, height: scaled.1)
        (size, isMade) = (new, true)
      }
    }
    guard let input = (crops ? cropSize ?? size : size) ?? cropSize else {
      throw .preprocessing(key: "crop_size", problem: "missing, so the input has no fixed size")
    }
    let interpolation = try resample(default: crops ? .bicubic : .bilinear)
    let normalizes = try flag("do_normalize") ?? true
    let mean = try normalizes ? required("image_mean", nonZero: false) : [0, 0, 0]
    let std = try normalizes ? required("image_std", nonZero: true) : [1, 1, 1]
    let factor = try number("rescale_factor") ?? 1.0 / 255
    let rescales = try flag("do_rescale") ?? true
    if let chosen, !isMade {
      resize = resize.scaled(from: input, to: (chosen.width, chosen.height))
    }
    return Preprocessing(
      width: chosen?.width ?? input.width, height: chosen?.height ?? input.height, resize: resize,
      crop: .transformers, interpolation: interpolation,
      rescale: rescales ? factor : 1, mean: mean, std: std)
  }

  private typealias Size = (width: Int, height: Int)

  private func readSize(_ given: JSONValue, square: Bool) throws(ImageError)
    -> (Preprocessing.Resize, Size?)
  {
    guard case .object(let parts) = given else {
      if case .array = given {
        let size = try sides(given, "size")
        return (.exact(width: size.width, height: size.height), size)
      }
      let edge = try side(given, "size")
      return (square ? .exact(width: edge, height: edge) : .shortestEdge(edge), (edge, edge))
    }
    if parts["height"] != nil || parts["width"] != nil {
      let size = try sides(given, "size")
      return (.exact(width: size.width, height: size.height), size)
    }
    if let shortest = parts["shortest_edge"], parts["longest_edge"] == nil {
      let edge = try side(shortest, "size.shortest_edge")
      return (.shortestEdge(edge), (edge, edge))
    }
    if let longest = parts["longest_edge"], parts["shortest_edge"] == nil {
      let edge = try side(longest, "size.longest_edge")
      return (.fitting(width: edge, height: edge), (edge, edge))
    }
    throw .preprocessing(
      key: "size", problem: "expected shortest_edge, longest_edge, or height and width")
  }

  private func resample(default standard: Resampling) throws(ImageError) -> Resampling {
    guard let code = try number("resample") else { return standard }
    // Pillow's numbers.
    let codes: [Double: Resampling] = [
      0: .nearest, 1: .lanczos, 2: .bilinear, 3: .bicubic, 4: .box, 5: .hamming,
    ]
    guard let filter = codes[code] else {
      throw .preprocessing(key: "resample", problem: "\(code) is none of Pillow's 0 to 5")
    }
    return filter
  }

  // MARK: Values

  private func value(_ key: String) -> JSONValue? { keys[key] == .null ? nil : keys[key] }

  private func number(_ key: String) throws(ImageError) -> Double? {
    guard let value = value(key) else { return nil }
    guard let number = value.number, number.isFinite else {
      throw .preprocessing(key: key, problem: "expected a number")
    }
    return number
  }

  private func text(_ key: String) throws(ImageError) -> String? {
    guard let value = value(key) else { return nil }
    guard case .string(let text) = value else {
      throw .preprocessing(key: key, problem: "expected a text")
    }
    return text
  }

  private func flag(_ key: String) throws(ImageError) -> Bool? {
    guard let value = value(key) else { return nil }
    guard case .bool(let flag) = value else {
      throw .preprocessing(key: key, problem: "expected true or false")
    }
    return flag
  }

  private func side(_ value: JSONValue?, _ key: String) throws(ImageError) -> Int {
    guard let number = value?.number, number >= 1, number <= 16384, number == number.rounded()
    else { throw .preprocessing(key: key, problem: "expected a whole number from 1 to 16384") }
    return Int(number)
  }

  private func sides(_ value: JSONValue, _ key: String) throws(ImageError) -> Size {
    switch value {
    case .object(let parts):
      if let edge = parts["shortest_edge"] {
        let edge = try side(edge, "\(key).shortest_edge")
        return (edge, edge)
      }
      return (
        try side(parts["width"], "\(key).width"), try side(parts["height"], "\(key).height")
      )
    case .array(let parts) where parts.count == 2:
      return (try side(parts[1], key), try side(parts[0], key))
    default:
      let edge = try side(value, key)
      return (edge, edge)
    }
  }

  private func channels(_ key: String, nonZero: Bool = false) throws(ImageError) -> [Float]? {
    guard let value = value(key) else { return nil }
    guard case .array(let parts) = value, parts.count == 3 else {
      throw .preprocessing(key: key, problem: "expected three numbers")
    }
    let numbers = parts.compactMap { $0.number.map { Float($0) } }
    guard numbers.count == 3, numbers.allSatisfy(\.isFinite), !(nonZero && numbers.contains(0))
    else {
      throw .preprocessing(
        key: key, problem: "expected three numbers" + (nonZero ? ", none of them 0" : ""))
    }
    return numbers
  }

  private func required(_ key: String, nonZero: Bool) throws(ImageError) -> [Float] {
    guard let found = try channels(key, nonZero: nonZero) else {
      throw .preprocessing(key: key, problem: "missing, though the image is to be normalised")
    }
    return found
  }
}

extension Preprocessing.Resize {
  /// The same before another crop, in proportion and rounded down; one side's size covers a crop that is not square.
  fileprivate func scaled(
    from old: (width: Int, height: Int), to new: (width: Int, height: Int)
  ) -> Self {
    func width(_ side: Int) -> Int { max(1, side * new.width / old.width) }
    func height(_ side: Int) -> Int { max(1, side * new.height / old.height) }
    switch self {
    case .none: return .none
    case .shortestEdge(let edge):
      if new.width * old.height == new.height * old.width { return .shortestEdge(height(edge)) }
      let short = min(old.width, old.height)
      return .covering(
        width: max(1, edge * new.width / short), height: max(1, edge * new.height / short))
    case .exact(let w, let h): return .exact(width: width(w), height: height(h))
    case .covering(let w, let h): return .covering(width: width(w), height: height(h))
    case .fitting(let w, let h): return .fitting(width: width(w), height: height(h))
    }
  }
}
