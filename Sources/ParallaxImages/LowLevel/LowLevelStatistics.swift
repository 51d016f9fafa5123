import ParallaxTensors

/// What pixels say of a picture without any model: light, contrast, colour, edges and spectrum, 31 numbers.
///
/// ```swift
/// let rows = LowLevelStatistics()(pictures)      // [batch, 3, height, width] → [batch, 31]
/// LowLevelStatistics.names[0]                    // luminance.mean
/// ```
///
/// Pictures are plain sRGB in [0, 1]: the numbers of the file, not linearised. Luminance is Y = 0.2126·R +
/// 0.7152·G + 0.0722·B, Rec. 709's weights. Deviations are those of the population (divided by the number of
/// pixels). Everything is computed in float64 and rounded to float32 at the end. A number does not depend on the
/// pictures beside it: each is computed by itself.
///
/// **Every picture has every number.** What a picture does not have is 0: contrast and saturation of black, hue
/// and its sine of greys, orientations and their entropy where nothing changes, shares and slope of a spectrum
/// without energy. No number is NaN or infinite. A picture of one colour has deviations, gradients and energies of
/// exactly 0.
///
/// Where a threshold or the edge of a bin could be met exactly by bytes, it is moved by less than bytes can tell,
/// so that rounding decides nothing; each definition says by how much.
///
/// All numbers agree with NumPy, SciPy and scikit-image (`Oracles/low_level.py`) to 10⁻⁷, which is float32's rounding:
/// hue and saturation with `rgb2hsv`, gradients with `sobel_h` and `sobel_v` halved, entropy with `shannon_entropy`.
///
/// > Source: the list is ours; ``definitions`` names where each comes from.
public struct LowLevelStatistics: Sendable {
  /// Changes whenever a definition does, so that no kept number meets another definition.
  public static let version = "low-level-1"

  /// The names of all statistics in the order of the columns: `luminance.mean`, `edges.density`, `spectrum.slope`.
  public static let names = definitions.map(\.name)

  /// What belongs together, with its columns: luminance, contrast, colour, colourfulness, entropy, edges, spectrum.
  public static let groups: [(name: String, columns: Range<Int>)] = {
    var groups: [(name: String, columns: Range<Int>)] = []
    for (column, definition) in definitions.enumerated() {
      if let last = groups.last, last.name == definition.group {
        groups[groups.count - 1].columns = last.columns.lowerBound..<column + 1
      } else {
        groups.append((definition.group, column..<column + 1))
      }
    }
    return groups
  }()

  /// The statistics; there is nothing to choose.
  public init() {}

  /// The statistics of pictures.
  ///
  /// - Parameter pictures: `[batch, 3, height, width]`, plain sRGB in [0, 1].
  /// - Returns: `[batch, 31]` in float32, columns as in ``names``, on the pictures' device.
  /// - Precondition: the shape is as said, with at least one pixel. Numbers outside [0, 1] are not looked for;
  ///   NaN stays NaN in its own picture.
  /// - Complexity: a Fourier transform a picture; about 80 bytes of temporary memory a pixel of one picture.
  public func callAsFunction(_ pictures: Tensor) -> Tensor {
    let shape = pictures.shape
    precondition(
      shape.count == 4 && shape[1] == 3 && shape[2] > 0 && shape[3] > 0,
      "LowLevelStatistics: expected [batch, 3, height, width], found \(shape)")
    guard shape[0] > 0 else { return Tensor.zeros([0, Self.names.count]).to(pictures.device) }
    // Apple's graphics processors have no float64.
    let home = pictures.device.description.hasPrefix("mps") ? Device.cpu : pictures.device
    let spectrum = Spectrum(height: shape[2], width: shape[3], device: home)
    let rows = (0..<shape[0]).map { index in
      statistics(pictures.selected(0, index).to(home).to(.float64), spectrum)
    }
    return Tensor.stacked(rows).to(.float32).to(pictures.device)
  }

  /// The statistics of one picture `[3, height, width]` in float64, `[31]`.
  private func statistics(_ picture: Tensor, _ spectrum: Spectrum) -> Tensor {
    let light = Light(picture)
    let columns =
      light.statistics + Colour(picture).statistics + [light.entropy]
      + Edges(light.luminance).statistics + spectrum.statistics(light.luminance)
    return Tensor.stacked(columns)
  }
}
