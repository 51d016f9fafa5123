import ParallaxTensors

/// Which numbers of an activation make up the representation of an image.
public enum Tokens: Sendable, Hashable, CustomStringConvertible {
  /// The class token.
  case cls
  /// The mean over patch tokens or positions; prefix tokens are never in it.
  case avg
  /// The mean over every token.
  case all
  /// The class token and the mean over patch tokens, side by side: twice the width.
  case concat
  /// Every number, flattened.
  case flat
  /// Patch tokens or positions pooled to S×S, then flattened.
  case grid(Int)
  /// One token, counted from the first (the class token, where there is one).
  case token(Int)

  /// Reads `cls`, `avg`, `all`, `concat`, `flat`, `grid:S`, `token:I`.
  ///
  /// - Throws: `ModelError.address`.
  public init(parsing text: String) throws(ModelError) {
    let parts = text.split(separator: ":", omittingEmptySubsequences: false)
    switch (parts.first ?? "", parts.count) {
    case ("cls", 1): self = .cls
    case ("avg", 1): self = .avg
    case ("all", 1): self = .all
    case ("concat", 1): self = .concat
    case ("flat", 1): self = .flat
    case ("grid", 2):
      guard let side = Int(parts[1]), side > 0, side <= 256 else {
        throw .address(text: text, problem: "expected grid:S with a whole number S from 1 to 256")
      }
      self = .grid(side)
    case ("token", 2):
      guard let index = Int(parts[1]), index >= 0 else {
        throw .address(text: text, problem: "expected token:I with a whole number I from 0")
      }
      self = .token(index)
    default:
      throw .address(
        text: text,
        problem: "no way to choose tokens; expected cls, avg, all, concat, flat, grid:S or token:I")
    }
  }

  /// The choice as it is typed: `cls`, `grid:7`.
  public var description: String {
    switch self {
    case .cls: "cls"
    case .avg: "avg"
    case .all: "all"
    case .concat: "concat"
    case .flat: "flat"
    case .grid(let side): "grid:\(side)"
    case .token(let index): "token:\(index)"
    }
  }

  /// `cls` where the site has a class token, else `avg`; `flat` where there is nothing to choose.
  public static func byDefault(at site: Site, _ layout: TokenLayout?) -> Tokens {
    switch site.kind {
    case .tokens: layout?.hasClassToken == true ? .cls : .avg
    case .map, .positions, .patches: .avg
    case .vector, .pattern, .windows, .mixed: .flat
    }
  }

  /// The features of each image.
  ///
  /// - Parameters:
  ///   - value: an activation of the kind that the site says, the batch first.
  ///   - site: where it was seen.
  ///   - layout: how the model's tokens stand in a row; nil where it has none.
  ///   - imageSize: of the images that went in; where the patches lie follows from it.
  /// - Returns: `[batch, features]`.
  /// - Throws: `ModelError.tokens` where the choice does not apply to the site.
  public func callAsFunction(
    _ value: Tensor, at site: Site, _ layout: TokenLayout?, imageSize: (height: Int, width: Int)
  ) throws(ModelError) -> Tensor {
    func refused(_ problem: String) -> ModelError {
      .tokens(text: description, site: site.name, problem: problem)
    }
    if site.kind == .windows {
      throw refused(
        "the site lies inside windows, and its first dimension counts these, not images; "
          + "choose the block")
    }
    let batch = value.shape[0]
    if case .flat = self { return value.reshaped(batch, -1) }
    let prefix = site.kind == .tokens ? layout?.prefix ?? 0 : 0
    switch site.kind {
    case .vector:
      // A vector is its own mean.
      if case .avg = self { return value }
      if case .all = self { return value }
      throw refused("the site is one vector an image; expected flat or avg")
    case .pattern, .windows: throw refused("the site is an attention pattern; expected flat")
    case .mixed: throw refused("the site holds channels over mixed positions; expected flat")
    case .map, .positions:
      let map = site.kind == .map ? value : value.permuted(0, 3, 1, 2)
      switch self {
      case .avg, .all: return map.mean(over: [2, 3])
      case .grid(let side):
        guard side <= min(map.shape[2], map.shape[3]) else {
          throw refused("the map has \(map.shape[2])×\(map.shape[3]) positions, fewer than that")
        }
        return map.averagePooled(to: side, side).reshaped(batch, -1)
      default:
        throw refused("the site is a feature map without tokens; expected avg, flat or grid:S")
      }
    case .tokens, .patches:
      let count = value.shape[1]
      switch self {
      case .cls:
        guard site.kind == .tokens, layout?.hasClassToken == true else {
          throw refused("the site has no class token; expected avg")
        }
        return value.selected(1, 0)
      case .concat:
        guard site.kind == .tokens, layout?.hasClassToken == true else {
          throw refused("the site has no class token to stand beside the mean; expected avg")
        }
        return Tensor.concatenated(
          [value.selected(1, 0), value.sliced(1, prefix).mean(over: [1])], 1)
      case .avg: return value.sliced(1, prefix).mean(over: [1])
      case .all: return value.mean(over: [1])
      case .token(let index):
        guard index < count else { throw refused("there are \(count) tokens, counted from 0") }
        return value.selected(1, index)
      case .grid(let side):
        let patch = layout?.patch ?? 1
        let (rows, columns) = (imageSize.height / patch, imageSize.width / patch)
        guard rows * columns == count - prefix else {
          throw refused("\(count - prefix) patch tokens do not fill \(rows)×\(columns)")
        }
        guard side <= min(rows, columns) else {
          throw refused("there are \(rows)×\(columns) patch tokens, fewer than that")
        }
        let map = value.sliced(1, prefix).transposed(1, 2).reshaped(batch, -1, rows, columns)
        return map.averagePooled(to: side, side).reshaped(batch, -1)
      case .flat: return value.reshaped(batch, -1)
      }
    }
  }

  /// Refuses a choice that does not apply to a site, before any image is read.
  ///
  /// - Throws: `ModelError.tokens`.
  public func check(
    at site: Site, _ layout: TokenLayout?, imageSize: (height: Int, width: Int)
  ) throws(ModelError) {
    _ = try width(at: site, layout, imageSize: imageSize)
  }

  /// The number of features that the choice gives at a site.
  ///
  /// - Throws: `ModelError.tokens`.
  public func width(
    at site: Site, _ layout: TokenLayout?, imageSize: (height: Int, width: Int)
  ) throws(ModelError) -> Int {
    let empty = Tensor(Float(0)).reshaped(Array(repeating: 1, count: site.shape.count + 1))
    let shaped = empty.expanded([1] + site.shape)
    return try self(shaped, at: site, layout, imageSize: imageSize).shape[1]
  }
}
