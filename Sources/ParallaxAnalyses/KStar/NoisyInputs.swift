import ParallaxModels
import ParallaxTensors

/// A model whose images have noise on every number: N(0, σ²) in units of pixels in [0, 1], not clamped.
///
/// The noise of an image is drawn from its own numbers, so that it does not depend on the batch that the image is in.
struct NoisyInputs: Model {
  let model: any Model
  /// σ over the standard deviation that the preprocessing divides by, a channel each.
  let scale: [Double]
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

  func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor { model(noisy(images), tap) }

  func run(_ images: Tensor, _ tap: Tap) throws -> Tensor { try model.run(noisy(images), tap) }

  /// The images with their noise.
  func noisy(_ images: Tensor) -> Tensor {
    let shape = Array(images.shape.dropFirst())
    let noise = images.to(.cpu).unbound(0).map { image -> Tensor in
      // Fowler, Noll and Vo's hash over the numbers of the middle row.
      var hash: UInt64 = 0xcbf2_9ce4_8422_2325 ^ seed
      for value in image.selected(1, shape[1] / 2).contiguous().to(.float32).scalars(Float.self) {
        hash = (hash ^ UInt64(value.bitPattern)) &* 0x100_0000_01b3
      }
      return RandomSource(seed: hash & 0x7fff_ffff_ffff_ffff).normal(shape)
    }
    let sized = Tensor.stacked(noise) * Tensor(scale.map(Float.init), shape: [1, 3, 1, 1])
    return images + sized.to(images.dtype).to(images.device)
  }
}
