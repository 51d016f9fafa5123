import Foundation
import ParallaxTensors

/// A small hourglass network with skips whose weights are what the descent runs on: a picture is what it makes of fixed noise.
///
/// Level by level down: a 3 × 3 convolution with stride 2, then one with stride 1; up: the level below, doubled by nearest
/// neighbours, beside a 1 × 1 convolution of the level's own input, then a 3 × 3 and a 1 × 1 convolution. Each convolution is
/// followed by normalisation over each channel's own pixels (which is batch normalisation of a batch of one) and a leaky ReLU of
/// 0.2; at the end a 1 × 1 convolution and a sigmoid. Padding reflects.
///
/// Each picture has a network of its own, with noise and weights of its own seed. The authors' networks are wider and deeper: the
/// sizes are our choice.
///
/// > Source: Ulyanov, Vedaldi and Lempitsky, 2018, arXiv 1711.10925.
public struct DeepImagePrior: Parametrisation {
  /// The sizes of the network.
  public struct Configuration: Sendable, Hashable, Codable {
    /// Channels of the noise, uniform in [0, 0.1).
    public var noise: Int
    /// Channels of each level, from the finest.
    public var widths: [Int]
    /// Channels of each skip.
    public var skip: Int

    /// A network; three levels of 16, 32 and 64 channels with skips of 4.
    public init(noise: Int = 16, widths: [Int] = [16, 32, 64], skip: Int = 4) {
      (self.noise, self.widths, self.skip) = (noise, widths, skip)
    }

    /// Whether the deepest level has the two pixels a side that reflection needs.
    func fits(_ height: Int, _ width: Int) -> Bool {
      !widths.isEmpty && widths.count < 24 && min(height, width) >> widths.count >= 2
    }
  }

  /// A convolution's place among a picture's numbers.
  private struct Piece: Sendable {
    var offset: Int
    var out: Int
    var `in`: Int
    var side: Int
    var isNormalised: Bool

    var weights: Int { out * `in` * side * side }
    /// Weights, then the bias, or the normalisation's factor and shift.
    var count: Int { weights + (isNormalised ? 2 * out : out) }
  }

  private struct Level: Sendable {
    var down: Piece
    var again: Piece
    var skip: Piece
    var up: Piece
    var mix: Piece
  }

  /// `[noise · height · width + weights]`: the noise, which gets no gradient, and all weights, level by level.
  public let shape: [Int]
  private let height: Int
  private let width: Int
  private let noise: Int
  private let levels: [Level]
  private let last: Piece

  /// Pictures of a size.
  ///
  /// - Parameters:
  ///   - configuration: the network's sizes.
  ///   - channels: of a picture.
  ///   - height: in pixels.
  ///   - width: in pixels.
  /// - Precondition: there is a level, and the sides are at least 2^(levels + 1) pixels.
  public init(_ configuration: Configuration, channels: Int, height: Int, width: Int) {
    precondition(
      configuration.fits(height, width),
      "DeepImagePrior: \(configuration.widths.count) levels of \(height) × \(width) pixels")
    (self.height, self.width, noise) = (height, width, configuration.noise)
    var offset = configuration.noise * height * width
    func piece(_ input: Int, _ out: Int, _ side: Int, isNormalised: Bool = true) -> Piece {
      let piece = Piece(offset: offset, out: out, in: input, side: side, isNormalised: isNormalised)
      offset += piece.count
      return piece
    }
    var levels: [Level] = []
    for (index, width) in configuration.widths.enumerated() {
      let input = index == 0 ? configuration.noise : configuration.widths[index - 1]
      let below =
        index + 1 < configuration.widths.count ? configuration.widths[index + 1] : width
      levels.append(
        Level(
          down: piece(input, width, 3), again: piece(width, width, 3),
          skip: piece(input, configuration.skip, 1),
          up: piece(below + configuration.skip, width, 3),
          mix: piece(width, width, 1)))
    }
    last = piece(configuration.widths[0], channels, 1, isNormalised: false)
    self.levels = levels
    shape = [offset]
  }

  /// Numbers that the descent changes.
  public var weights: Int { shape[0] - noise * height * width }

  /// A convolution of `[batch, in, height, width]`, each picture with its own weights: one with as many groups.
  private func convolved(
    _ x: Tensor, _ parameters: Tensor, _ piece: Piece, stride: Int = 1
  ) -> Tensor {
    let batch = x.shape[0]
    let own = parameters.sliced(1, piece.offset, piece.offset + piece.count)
    let kernel = own.sliced(1, 0, piece.weights)
      .reshaped(batch * piece.out, piece.in, piece.side, piece.side)
    let reach = piece.side / 2
    let padded =
      reach > 0 ? InversionOperators.reflection(x, [reach, reach, reach, reach]) : x
    let input = padded.reshaped(1, batch * piece.in, padded.shape[2], padded.shape[3])
    let y = input.convolution(kernel, nil, stride: [stride, stride], groups: batch)
    let found = y.reshaped(batch, piece.out, y.shape[2], y.shape[3])
    func row(_ place: Int) -> Tensor {
      let first = piece.weights + place * piece.out
      return own.sliced(1, first, first + piece.out).reshaped(batch, piece.out, 1, 1)
    }
    guard piece.isNormalised else { return found + row(0) }
    let centred = found - found.mean(over: [2, 3], keeping: true)
    let variance = centred.squared().mean(over: [2, 3], keeping: true)
    let normal = centred / (variance + 1e-5).squareRoot()
    return DescentOperators.leaky(normal * row(0) + row(1), 0.2)
  }

  private func hourglass(_ x: Tensor, _ parameters: Tensor, _ index: Int) -> Tensor {
    let level = levels[index]
    var below = convolved(convolved(x, parameters, level.down, stride: 2), parameters, level.again)
    if index + 1 < levels.count { below = hourglass(below, parameters, index + 1) }
    let side = Array(x.shape.suffix(2))
    let skipped = convolved(x, parameters, level.skip)
    let grown = DescentOperators.nearest(below, side, Absent.none)
    let joined = Tensor.concatenated([grown, skipped], 1)
    return convolved(convolved(joined, parameters, level.up), parameters, level.mix)
  }

  /// What the networks make of their noise.
  public func pictures(_ parameters: Tensor) -> Tensor {
    let batch = parameters.shape[0]
    let input = parameters.sliced(1, 0, noise * height * width).detached()
      .reshaped(batch, noise, height, width)
    return convolved(hourglass(input, parameters, 0), parameters, last).sigmoid()
  }

  /// nil: no network is known for a picture.
  public func parameters(of pictures: Tensor) -> Tensor? { nil }

  /// Noise uniform in [0, 0.1) and PyTorch's own start of convolutions: uniform in ±1/√(in · k²), normalisation of 1 and 0.
  public func beginning(seed: UInt64, deviation: Double) -> Tensor {
    let source = RandomSource(seed: seed)
    var parts = [source.uniform([noise * height * width]) * 0.1]
    let pieces = levels.flatMap { [$0.down, $0.again, $0.skip, $0.up, $0.mix] } + [last]
    for piece in pieces {
      let bound = 1 / Double(piece.in * piece.side * piece.side).squareRoot()
      parts.append(source.uniform([piece.weights]) * (2 * bound) - bound)
      if piece.isNormalised {
        parts.append(.ones([piece.out]))
        parts.append(.zeros([piece.out]))
      } else {
        parts.append(source.uniform([piece.out]) * (2 * bound) - bound)
      }
    }
    return Tensor.concatenated(parts, 0)
  }
}
