import ParallaxTensors

/// What can go wrong with images that come from outside: files, folders, lists, preprocessing keys.
public enum ImageError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A file cannot be opened or read.
  case file(path: String, problem: String)
  /// An image's bytes cannot become pixels; `image` is its path, or `image` where it has none.
  case image(image: String, problem: String)
  /// A folder or list does not exist.
  case missing(path: String)
  /// A folder or list holds no image that could be used.
  case noImages(path: String, skipped: Int)
  /// No class has as many images as were asked for.
  case noClassLeft(path: String, minimum: Int, largest: Int)
  /// A row of a list is wrong; rows are counted from 1 and include the header.
  case list(path: String, row: Int, problem: String)
  /// A key of a preprocessing description is missing or wrong.
  case preprocessing(key: String, problem: String)

  /// One sentence: what, where, expected, found.
  public var description: String { sentence.printable }

  private var sentence: String {
    switch self {
    case .file(let path, let problem): "\(path): \(problem)"
    case .image(let image, let problem): "\(image): \(problem)"
    case .missing(let path): "\(path): there is no such folder or list of images"
    case .noImages(let path, let skipped):
      "\(path): holds no usable image (.jpg, .jpeg, .png or .webp)"
        + (skipped > 0 ? "; \(skipped) skipped" : "")
    case .noClassLeft(let path, let minimum, let largest):
      "\(path): no class has at least \(minimum) images; the largest has \(largest)"
    case .list(let path, let row, let problem): "\(path): row \(row): \(problem)"
    case .preprocessing(let key, let problem): "preprocessing key '\(key)': \(problem)"
    }
  }

  /// Whether something is not there, as opposed to being there and wrong.
  public var isMissingInput: Bool {
    switch self {
    case .missing, .noImages: true
    default: false
    }
  }

  /// The error without the name of the image it speaks of.
  var problem: String {
    switch self {
    case .file(_, let problem), .image(_, let problem): problem
    default: description
    }
  }
}
