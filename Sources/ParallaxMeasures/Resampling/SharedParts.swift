import ParallaxTensors

/// What a measure's summary is made of that other measures may need of the same representation.
///
/// Measures that name the same part are computed side by side, and the part is made once a representation, with the most
/// that one of them asks for.
public struct SharedPart: Sendable, Hashable {
  /// The part's name; parts of one name are one part.
  public let name: String
  /// How many neighbours of each image are needed.
  public private(set) var neighbours = 0
  /// Whether the ranks of all images are needed.
  public private(set) var needsRanks = false
  /// Whether the matrix of all distances is needed at once.
  public private(set) var needsMatrix = false

  /// A part that is made whole or not at all.
  public init(_ name: String) { self.name = name }

  /// The k nearest images of every image.
  public static func neighbours(_ distance: Distance, _ count: Int) -> SharedPart {
    var part = SharedPart("distances \(distance)")
    part.neighbours = count
    return part
  }

  /// The k nearest images of every image, and the ranks of all.
  public static func ranks(_ distance: Distance, _ count: Int) -> SharedPart {
    var part = neighbours(distance, count)
    part.needsRanks = true
    return part
  }

  /// The nearest images of every image in groups of equally far ones, with the expected ranks of all where they are needed.
  public static func tied(_ distance: Distance, _ count: Int, needsRanks: Bool) -> SharedPart {
    var part = SharedPart("distances \(distance), ties in expectation")
    (part.neighbours, part.needsRanks) = (count, needsRanks)
    return part
  }

  /// The distances of all pairs of images.
  public static func distances(_ distance: Distance) -> SharedPart {
    var part = SharedPart("distances \(distance)")
    part.needsMatrix = true
    return part
  }

  /// The part that serves both.
  ///
  /// - Precondition: both have one name.
  func joined(_ other: SharedPart) -> SharedPart {
    precondition(name == other.name, "parts of one name")
    var part = self
    part.neighbours = max(neighbours, other.neighbours)
    part.needsRanks = needsRanks || other.needsRanks
    part.needsMatrix = needsMatrix || other.needsMatrix
    return part
  }
}

/// One representation as several measures see it: what they have in common is made once.
///
/// Lives as long as the summaries of one representation are made. A part that cannot be made is tried again by the next
/// measure, so that each refuses in its own name.
public final class SharedParts {
  /// What is needed of the representation; nil where only one summary is made of it.
  let plan: SharedPart?
  /// The second moments, where these are all that is known of the representation; then there are no features.
  let moments: Moments?
  private let make: () -> Tensor
  private var made: [String: Any] = [:]

  /// A representation that only one summary is made of.
  public convenience init(_ features: Tensor) { self.init(nil) { features } }

  /// A representation whose features are made when they are first asked for.
  init(_ plan: SharedPart?, _ features: @escaping () -> Tensor) {
    (self.plan, make, moments) = (plan, features, nil)
  }

  /// A representation of which only the moments are known: for a ``MomentMeasure``.
  public init(_ moments: Moments) {
    (plan, self.moments) = (nil, moments)
    make = { preconditionFailure("SharedParts: moments have no rows") }
  }

  /// `[images, width]`.
  public var features: Tensor { part("features", make) }

  /// What is kept under that name, or is made now.
  public func part<Part>(_ name: String, _ make: () throws -> Part) rethrows -> Part {
    // In two steps: nil would pass for a part that is optional.
    if let known = made[name], let found = known as? Part { return found }
    let new = try make()
    made[name] = new
    return new
  }
}
