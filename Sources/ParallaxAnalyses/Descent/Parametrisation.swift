import Foundation
import ParallaxTensors

/// The operators of this folder, each looked up once.
enum DescentOperators {
  static let choose = Operator("aten::where.self")
  static let inverseFourier = Operator("aten::fft_irfft2")
  static let fourier = Operator("aten::fft_rfft2")
  static let complex = Operator("aten::view_as_complex")
  static let real = Operator("aten::view_as_real")
  static let bilinear = Operator("aten::upsample_bilinear2d.vec")
  static let nearest = Operator("aten::upsample_nearest2d.vec")
  static let inverse = Operator("aten::linalg_inv")
  static let sign = Operator("aten::sign")
  static let leaky = Operator("aten::leaky_relu")
  static let smaller = Operator("aten::minimum")
  static let larger = Operator("aten::maximum")
  static let greater = Operator("aten::gt.Tensor")
}

/// The kinds of numbers that a descent can run on.
public enum ParametrisationKind: Sendable, Hashable, Codable {
  /// The pixels themselves: ``PixelParametrisation``.
  case pixels
  /// A spectrum, its amplitudes scaled by 1/frequency^decay: ``FourierParametrisation``.
  case fourier(decay: Double, isDecorrelated: Bool)
  /// Pixels in decorrelated colours through a sigmoid: ``ColourParametrisation``.
  case colours
  /// The weights of a small network: ``DeepImagePrior``.
  case prior(DeepImagePrior.Configuration)

  /// A word or two for it.
  public var name: String {
    switch self {
    case .pixels: "pixels"
    case .fourier(_, let isDecorrelated):
      isDecorrelated ? "Fourier coefficients, decorrelated colours" : "Fourier coefficients"
    case .colours: "decorrelated colours"
    case .prior: "a prior network's weights"
    }
  }

  /// The parametrisation for pictures of a size.
  ///
  /// - Parameters:
  ///   - channels: of a picture; decorrelated colours need 3.
  ///   - height: in pixels.
  ///   - width: in pixels.
  /// - Returns: the parametrisation.
  public func make(channels: Int, height: Int, width: Int) -> any Parametrisation {
    switch self {
    case .pixels: PixelParametrisation(channels: channels, height: height, width: width)
    case .fourier(let decay, let isDecorrelated):
      FourierParametrisation(
        channels: channels, height: height, width: width, decay: decay,
        isDecorrelated: isDecorrelated)
    case .colours: ColourParametrisation(height: height, width: width)
    case .prior(let configuration):
      DeepImagePrior(configuration, channels: channels, height: height, width: width)
    }
  }
}

/// What a descent runs on, and the pictures that it stands for.
///
/// Each picture of a batch has parameters of its own, so pictures do not see one another.
public protocol Parametrisation: Sendable {
  /// The shape of one picture's parameters.
  var shape: [Int] { get }
  /// Pictures `[batch, channels, height, width]` of parameters `[batch] + shape`, differentiable.
  func pictures(_ parameters: Tensor) -> Tensor
  /// Parameters `[batch] + shape` of pictures; nil where pictures have none.
  func parameters(of pictures: Tensor) -> Tensor?
  /// The parametrisation's own start for one picture, in float32.
  ///
  /// - Parameters:
  ///   - seed: of the draws.
  ///   - deviation: of the draws, where they are normal.
  /// - Returns: the parameters of one picture.
  func beginning(seed: UInt64, deviation: Double) -> Tensor
}

/// Pictures as they are.
public struct PixelParametrisation: Parametrisation {
  /// `[channels, height, width]`.
  public let shape: [Int]

  /// Pictures of a size.
  public init(channels: Int, height: Int, width: Int) { shape = [channels, height, width] }

  /// The parameters.
  public func pictures(_ parameters: Tensor) -> Tensor { parameters }
  /// The pictures.
  public func parameters(of pictures: Tensor) -> Tensor? { pictures }
  /// N(0, deviation²).
  public func beginning(seed: UInt64, deviation: Double) -> Tensor {
    RandomSource(seed: seed).normal(shape) * deviation
  }
}

/// Colours whose components are uncorrelated over natural images, through a sigmoid: sigmoid(M·c) for each pixel.
///
/// M is lucid's square root of the covariance of ImageNet's colours over its largest column norm. Agrees with torch-lucent's
/// `to_valid_rgb(…, decorrelate=True)`.
///
/// > Source: Olah, Mordvintsev and Schubert, 2017, Feature Visualization, doi 10.23915/distill.00007, and the program beside it,
/// > tensorflow/lucid, `optvis/param/color.py`.
public enum DecorrelatedColours {
  /// The rows of the square root as lucid has them.
  public static let root: [[Double]] = [
    [0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03],
  ]

  /// How near to 0 and 1 colours come, for their logit is wanted: half a grey level.
  static let margin = 1.0 / 512

  /// M, `[3, 3]` in float64.
  public static var matrix: Tensor {
    let norms = (0..<3).map { column in
      root.reduce(0) { $0 + $1[column] * $1[column] }.squareRoot()
    }
    let largest = norms.max() ?? 1
    return Tensor(root.flatMap { $0.map { $0 / largest } }, shape: [3, 3])
  }

  private static func mixed(_ images: Tensor, _ matrix: Tensor) -> Tensor {
    images.permuted(0, 2, 3, 1).linear(matrix.to(images.dtype).to(images.device))
      .permuted(0, 3, 1, 2)
  }

  /// M·c for each pixel of `[batch, 3, height, width]`.
  public static func correlated(_ images: Tensor) -> Tensor { mixed(images, matrix) }

  /// M⁻¹·c for each pixel of `[batch, 3, height, width]`.
  public static func decorrelated(_ images: Tensor) -> Tensor {
    mixed(images, DescentOperators.inverse(matrix))
  }

  /// log(a / (1 − a)) of pictures in [0, 1], kept half a grey level from both ends.
  static func logit(_ pictures: Tensor) -> Tensor {
    let inside = pictures.clamped(margin, 1 - margin)
    return (inside / (inside * -1.0 + 1.0)).logarithm()
  }
}

/// Pixels in decorrelated colours, through a sigmoid.
public struct ColourParametrisation: Parametrisation {
  /// `[3, height, width]`.
  public let shape: [Int]

  /// Pictures of a size.
  public init(height: Int, width: Int) { shape = [3, height, width] }

  /// sigmoid(M·c).
  public func pictures(_ parameters: Tensor) -> Tensor {
    DecorrelatedColours.correlated(parameters).sigmoid()
  }
  /// M⁻¹·logit(a).
  public func parameters(of pictures: Tensor) -> Tensor? {
    DecorrelatedColours.decorrelated(DecorrelatedColours.logit(pictures)).contiguous()
  }
  /// N(0, deviation²).
  public func beginning(seed: UInt64, deviation: Double) -> Tensor {
    RandomSource(seed: seed).normal(shape) * deviation
  }
}

/// Fourier coefficients, scaled by frequency, through a sigmoid: sigmoid(M·irfft2(s ⊙ z) / 4).
///
/// s(f) = 1 / max(f, 1/max(height, width))^decay with f = √(f_y² + f_x²) in cycles a pixel; irfft2 is orthonormal. Steepest
/// descent on z so treats all frequencies alike, as pictures of nature do not. Agrees with torch-lucent's `fft_image` and
/// `to_valid_rgb`; at odd widths lucent computes one more column of frequencies and cuts a column of pixels off, we do not.
///
/// > Source: Olah, Mordvintsev and Schubert, 2017, Feature Visualization, doi 10.23915/distill.00007, and the program beside it,
/// > tensorflow/lucid, `optvis/param/spatial.py`.
public struct FourierParametrisation: Parametrisation {
  /// `[channels, height, width / 2 + 1, 2]`, the last of which are real and imaginary parts.
  public let shape: [Int]
  private let height: Int
  private let width: Int
  private let isDecorrelated: Bool
  /// s, `[height, width / 2 + 1]`, in float64.
  public let scale: Tensor

  /// Lucid's divisor of spectra.
  static let magic = 4.0

  /// Pictures of a size.
  ///
  /// - Parameters:
  ///   - channels: 3 where colours are decorrelated.
  ///   - height: in pixels.
  ///   - width: in pixels.
  ///   - decay: the power of 1/frequency.
  ///   - isDecorrelated: whether M is in it.
  public init(channels: Int, height: Int, width: Int, decay: Double = 1, isDecorrelated: Bool) {
    precondition(!isDecorrelated || channels == 3, "FourierParametrisation: \(channels) channels")
    (self.height, self.width, self.isDecorrelated) = (height, width, isDecorrelated)
    let columns = width / 2 + 1
    shape = [channels, height, columns, 2]
    let lowest = 1 / Double(max(height, width))
    var values: [Double] = []
    values.reserveCapacity(height * columns)
    for row in 0..<height {
      let y = Double(row < (height + 1) / 2 ? row : row - height) / Double(height)
      for column in 0..<columns {
        let x = Double(column) / Double(width)
        values.append(pow(max((x * x + y * y).squareRoot(), lowest), -decay))
      }
    }
    scale = Tensor(values, shape: [height, columns])
  }

  private func scale(like tensor: Tensor) -> Tensor {
    scale.to(tensor.dtype).to(tensor.device).unsqueezed(-1)
  }

  /// sigmoid(M·irfft2(s ⊙ z) / 4).
  public func pictures(_ parameters: Tensor) -> Tensor {
    let spectrum = DescentOperators.complex((parameters * scale(like: parameters)).contiguous())
    let image =
      DescentOperators.inverseFourier(spectrum, [height, width], [-2, -1], "ortho") / Self.magic
    return (isDecorrelated ? DecorrelatedColours.correlated(image) : image).sigmoid()
  }

  /// 4·rfft2(M⁻¹·logit(a)) / s.
  public func parameters(of pictures: Tensor) -> Tensor? {
    let logits = DecorrelatedColours.logit(pictures)
    let image = isDecorrelated ? DecorrelatedColours.decorrelated(logits) : logits
    let spectrum = DescentOperators.fourier(
      image.contiguous() * Self.magic, Absent.none, [-2, -1], "ortho")
    return (DescentOperators.real(spectrum) / scale(like: pictures)).contiguous()
  }

  /// N(0, deviation²) for each real and imaginary part; lucid's deviation is 0.01.
  public func beginning(seed: UInt64, deviation: Double) -> Tensor {
    RandomSource(seed: seed).normal(shape) * deviation
  }
}
