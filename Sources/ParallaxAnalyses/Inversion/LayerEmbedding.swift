import ParallaxImages
import ParallaxModels
import ParallaxTensors

/// From pixels in [0, 1] to everything that a layer holds of them.
struct LayerEmbedding {
  let subject: Subject
  /// The subject's model, or the same in another element type.
  let model: any Model
  let site: Site
  /// Whether the model is given the pixels as they are.
  let isRaw: Bool

  /// - Parameters:
  ///   - subject: the model and its preprocessing.
  ///   - model: the subject's in another element type; nil for its own.
  ///   - site: the layer.
  ///   - isRaw: whether the model is given the pixels as they are.
  init(subject: Subject, model: (any Model)? = nil, site: Site, isRaw: Bool) {
    (self.subject, self.model) = (subject, model ?? subject.model)
    (self.site, self.isRaw) = (site, isRaw)
  }

  var name: String { "\(subject.name)@\(site.name)" }

  /// Numbers of one image.
  var features: Int { site.shape.reduce(1, *) }

  /// Embeddings `[batch, features]` of pixels `[batch, 3, height, width]`; those of another size than the model's are resized
  /// to it bilinearly.
  func callAsFunction(_ pixels: Tensor) throws -> Tensor {
    let batch = pixels.shape[0]
    let pixels = pixels.resized(subject.imageSize.height, subject.imageSize.width)
    var input = isRaw ? subject.raw(pixels) : subject.preprocessing.input(of: pixels)
    if let fixed = model.fixedBatch, batch < fixed {
      let last = input.sliced(0, batch - 1)
      input = Tensor.concatenated([input] + (batch..<fixed).map { _ in last }, 0)
    }
    var found: Tensor?
    let tap = Tap([site.name]) { visit in
      found = visit.value
      return nil
    }
    _ = try model.run(input, tap)
    guard let found, found.shape.first == input.shape[0], found.dtype.isFloatingPoint else {
      throw AnalysisError.site(
        name,
        problem: "the model did not show it as floating-point numbers for each of these images")
    }
    let value = found.dtype.byteCount < 4 ? found.to(.float32) : found
    return value.sliced(0, 0, batch).reshaped(batch, -1)
  }
}

extension LayerEmbedding {
  /// A layer of the subject's model as it is.
  init(subject: Subject, site: Site, isRaw: Bool) {
    self.init(subject: subject, model: subject.model, site: site, isRaw: isRaw)
  }
}

extension Subject {
  /// What the first layer sees of pixels in [0, 1] that somebody gives the network as they are.
  ///
  /// torchvision's Inception-v3 and GoogLeNet turn what they are given from ImageNet's mean and deviation into (x − ½)/½ themselves
  /// (`transform_input`), raw pixels too; here that is part of the preprocessing, so it is done by hand.
  func raw(_ pixels: Tensor) -> Tensor {
    guard family == "Inception" else { return pixels }
    func row(_ values: [Double]) -> Tensor {
      Tensor(values, shape: [1, 3, 1, 1]).to(pixels.dtype).to(pixels.device)
    }
    let (mean, std) = ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225])
    return pixels * row(std.map { $0 / 0.5 }) + row(mean.map { ($0 - 0.5) / 0.5 })
  }
}

extension Preprocessing {
  private func row(_ values: [Double], like tensor: Tensor) -> Tensor {
    Tensor(values, shape: [1, 3, 1, 1]).to(tensor.dtype).to(tensor.device)
  }

  /// The model's input of pixels in [0, 1]: (255 · rescale · pixel − mean) / std, a channel each.
  func input(of pixels: Tensor) -> Tensor {
    (pixels * (255 * rescale) - row(mean.map(Double.init), like: pixels))
      / row(std.map(Double.init), like: pixels)
  }

  /// The pixels in [0, 1] of a model's input.
  func pixels(of input: Tensor) -> Tensor {
    (input * row(std.map(Double.init), like: input) + row(mean.map(Double.init), like: input))
      / (255 * rescale)
  }
}

/// A visually small shift of a picture, against which distances are held: a' = a + s·N(0, 1).
///
/// > Source: Badger, 2022, arXiv 2211.06496: s is 1/18 in the code, 1/25 for ResNets in the text.
public struct ReferenceShift: Sendable, Hashable, Codable {
  /// s, the standard deviation.
  public var scale = 1.0 / 18
  /// How many shifts are averaged over.
  public var count = 4

  /// Four shifts of 1/18.
  public init() {}

  /// The expected ‖a' − a‖ ≈ s·√n.
  ///
  /// - Parameter inputs: n, the numbers of a picture.
  /// - Returns: the distance.
  public func distance(_ inputs: Int) -> Double { scale * Double(inputs).squareRoot() }

  /// The shift itself, the same for all layers.
  ///
  /// - Parameters:
  ///   - shape: of one picture.
  ///   - seed: of the draws.
  /// - Returns: a' − a in float32.
  func draw(_ shape: [Int], seed: UInt64) -> Tensor {
    RandomSource(seed: seed).normal(shape) * scale
  }
}
