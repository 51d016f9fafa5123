import Foundation
import ParallaxModels
import ParallaxTensors

/// What is done to images before a model sees them, in pixels of [0, 1] at the size that the model takes; nothing is clamped.
public enum Corruption: Sendable, Hashable, CustomStringConvertible {
  /// N(0, σ²) on every number.
  case noise(Double)
  /// A Gaussian of this many pixels, within 3 of them, the edge mirrored: torchvision's `gaussian_blur`.
  case blur(Double)
  /// Each channel's differences from its mean times this.
  case contrast(Double)
  /// Every number times this.
  case brightness(Double)

  /// What names can stand before a strength.
  public static let names = ["noise", "blur", "contrast", "brightness"]

  /// A corruption from its name and strength.
  ///
  /// - Returns: nil where there is none of that name, or the strength is out of range: noise above 0 to 10, blur above 0 to 20,
  ///   contrast and brightness above 0 and below 1.
  public init?(_ name: String, _ strength: Double) {
    guard strength > 0 else { return nil }
    switch name {
    case "noise" where strength <= 10: self = .noise(strength)
    case "blur" where strength <= 20: self = .blur(strength)
    case "contrast" where strength < 1: self = .contrast(strength)
    case "brightness" where strength < 1: self = .brightness(strength)
    default: return nil
    }
  }

  /// `noise 0.1`.
  public var description: String {
    switch self {
    case .noise(let strength): "noise \(strength)"
    case .blur(let strength): "blur \(strength)"
    case .contrast(let strength): "contrast \(strength)"
    case .brightness(let strength): "brightness \(strength)"
    }
  }

  /// What the name of a model gets: `+noise0.1`.
  var suffix: String { "+" + description.replacing(" ", with: "") }

  /// A sentence on how it is done, for whoever reads a result.
  var method: String {
    switch self {
    case .noise(let strength):
      "noise \(strength): N(0, \(strength)²) on every number, in pixels of 0 to 1, not clamped; of each image drawn from its middle row and the seed, so that images with the same middle row have the same noise"
    case .blur(let strength):
      "blur \(strength): Gaussian of \(strength) pixels of the model's input, within 3 of them, the edge mirrored"
    case .contrast(let strength):
      "contrast \(strength): differences from each channel's mean times \(strength)"
    case .brightness(let strength): "brightness \(strength): pixels of 0 to 1 times \(strength)"
    }
  }

  /// The side of an image that it takes at least.
  var leastSide: Int {
    guard case .blur(let strength) = self else { return 1 }
    return Self.radius(strength) + 1
  }

  /// Half the width of a Gaussian's kernel.
  static func radius(_ strength: Double) -> Int { Int((3 * strength).rounded(.up)) }
}

/// A model whose images are corrupted before it sees them.
struct CorruptedInputs: Model {
  let model: any Model
  let corruption: Corruption
  /// What the preprocessing subtracted and divided by, a channel each.
  let mean: [Float]
  let std: [Float]
  let seed: UInt64

  var tokenLayout: TokenLayout? { model.tokenLayout }
  var imageMultiple: Int { model.imageMultiple }
  var minimumImageSize: Int { model.minimumImageSize }
  var fixedImageSize: (height: Int, width: Int)? { model.fixedImageSize }
  var fixedBatch: Int? { model.fixedBatch }

  func check(height: Int, width: Int, device: Device) throws {
    try model.check(height: height, width: width, device: device)
  }

  func sites(height: Int, width: Int, device: Device) -> [Site] {
    model.sites(height: height, width: width, device: device)
  }

  func connections(height: Int, width: Int, device: Device) throws -> [ResidualConnection] {
    try model.connections(height: height, width: width, device: device)
  }

  func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    model.attentionPlaces(at: site, height: height, width: width)
  }

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { model(corrupted(images), tap) }

  func run(_ images: Tensor, _ tap: Tap) throws -> Tensor {
    try model.run(corrupted(images), tap)
  }

  private static let pad = Operator("aten::reflection_pad2d")

  /// The images, `[batch, 3, height, width]`, as they were prepared for the model, with what is done to them.
  func corrupted(_ images: Tensor) -> Tensor {
    switch corruption {
    case .noise(let strength): return noisy(images, strength)
    case .blur(let strength):
      let radius = Corruption.radius(strength)
      let weights = (-radius...radius).map {
        exp(-0.5 * Double($0 * $0) / (strength * strength))
      }
      let total = weights.reduce(0, +)
      let kernel = Tensor(weights.map { Float($0 / total) }, shape: [weights.count])
        .to(images.dtype).to(images.device)
      let channels = images.shape[1]
      let padded = Self.pad(images, [radius, radius, radius, radius])
      func along(_ x: Tensor, _ shape: [Int]) -> Tensor {
        x.convolution(
          kernel.reshaped(shape).expanded([channels, 1] + shape.suffix(2)).contiguous(),
          groups: channels)
      }
      return along(along(padded, [1, 1, 1, weights.count]), [1, 1, weights.count, 1])
    case .contrast(let strength):
      let means = images.mean(over: [2, 3], keeping: true)
      return (images - means) * strength + means
    case .brightness(let strength):
      let offsets = zip(mean, std).map { $0 / $1 * Float(strength - 1) }
      return images * strength
        + Tensor(offsets, shape: [1, 3, 1, 1]).to(images.dtype).to(images.device)
    }
  }

  /// The noise of an image is drawn from its own numbers, so that it does not depend on the batch that the image is in.
  private func noisy(_ images: Tensor, _ strength: Double) -> Tensor {
    let shape = Array(images.shape.dropFirst())
    let noise = images.to(.cpu).unbound(0).map { image -> Tensor in
      // Fowler, Noll and Vo's hash over the numbers of the middle row.
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
      for value in image.selected(1, shape[1] / 2).contiguous().to(.float32).scalars(Float.self) {
        hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3
      }
      return RandomSource(seed: hash & 0x7fff_ffff_ffff_ffff).normal(shape)
    }
    let sizes = std.map { Float(strength / Double($0)) }
    let sized = Tensor.stacked(noise) * Tensor(sizes, shape: [1, 3, 1, 1])
    return images + sized.to(images.dtype).to(images.device)
  }
}
