extension LowLevelStatistics {
  /// What a column of the statistics is.
  public struct Definition: Sendable, Hashable {
    /// Its name: `edges.density`.
    public let name: String
    /// What it belongs to: `edges`.
    public let group: String
    /// The formula in words and symbols, with what it is where a picture does not have it.
    public let formula: String
    /// The unit, or what the number is a share of.
    public let unit: String
    /// Where the definition comes from.
    public let source: String
  }

  private static let plain = "textbook definition"
  private static let rec709 = "Rec. ITU-R BT.709-6, item 3.2, on plain sRGB"
  private static let hsv = "Smith, 1978, Color gamut transform pairs"
  private static let sobel = "Sobel and Feldman, 1968; kernels divided by 8"
  private static let hog = "Dalal and Triggs, 2005, section 6.3, with 8 bins over 180°"
  private static let natural = "Field, 1987; van der Schaaf and van Hateren, 1996"

  /// All statistics in the order of the columns.
  ///
  /// - luminance: mean and standard deviation of Y.
  /// - contrast: RMS contrast, deviation over mean of Y.
  /// - colour: mean and deviation of each channel, mean saturation, circular mean of hue.
  /// - colourfulness: Hasler and Süsstrunk's.
  /// - entropy: of the luminance in 256 bins.
  /// - edges: mean gradient, share of edge pixels, 8 orientations and their entropy.
  /// - spectrum: slope, four octaves, share of high frequencies.
  public static let definitions: [Definition] =
    light + colour + [colourfulness, entropy] + edges + spectrum

  private static let light = [
    Definition(
      name: "luminance.mean", group: "luminance", formula: "mean of Y over all pixels",
      unit: "[0, 1]", source: rec709),
    Definition(
      name: "luminance.sd", group: "luminance",
      formula: "√(mean of (Y − mean Y)²) over all pixels", unit: "[0, 1]", source: rec709),
    Definition(
      name: "contrast.rms", group: "contrast",
      formula: "luminance.sd / luminance.mean; 0 where the picture is black",
      unit: "ratio", source: "Peli, 1990, Contrast in complex images: RMS contrast, over the mean"),
  ]

  private static let colour: [Definition] =
    ["red", "green", "blue"].flatMap { channel in
      [
        Definition(
          name: "colour.\(channel).mean", group: "colour", formula: "mean of the channel",
          unit: "[0, 1]", source: plain),
        Definition(
          name: "colour.\(channel).sd", group: "colour",
          formula: "standard deviation of the channel over all pixels", unit: "[0, 1]",
          source: plain),
      ]
    } + [
      Definition(
        name: "colour.saturation", group: "colour",
        formula: "mean over pixels of (max − min) / max of R, G, B; 0 for a black pixel",
        unit: "[0, 1]", source: hsv),
      Definition(
        name: "colour.hue.cos", group: "colour",
        formula: "Σ c·cos θ / Σ c, θ the hue in HSV, c = max − min of R, G, B; 0 where all is grey",
        unit: "[−1, 1]", source: hsv + "; Mardia and Jupp, 2000, chapter 2"),
      Definition(
        name: "colour.hue.sin", group: "colour",
        formula: "Σ c·sin θ / Σ c, θ the hue in HSV, c = max − min of R, G, B; 0 where all is grey",
        unit: "[−1, 1]", source: hsv + "; Mardia and Jupp, 2000, chapter 2"),
    ]

  private static let colourfulness = Definition(
    name: "colourfulness", group: "colourfulness",
    formula:
      "√(σ²_rg + σ²_yb) + 0.3·√(μ²_rg + μ²_yb) of rg = R − G and yb = (R + G)/2 − B, times 255",
    unit: "of pixels in 0…255",
    source: "Hasler and Süsstrunk, 2003, Measuring colourfulness in natural images")

  private static let entropy = Definition(
    name: "entropy", group: "entropy",
    formula:
      "−Σ p·log₂ p of the shares p of ⌊255·Y + 0.50005⌋ in 0…255: 8-bit luminance, halves go up",
    unit: "bits, [0, 8]", source: "Shannon, 1948")

  private static let edges: [Definition] =
    [
      Definition(
        name: "edges.gradient", group: "edges",
        formula: "mean of g = √(gx² + gy²), Sobel's kernels divided by 8, borders repeated",
        unit: "luminance a pixel", source: sobel),
      Definition(
        name: "edges.density", group: "edges",
        formula: "share of pixels with g² > 0.05²·(1 + 10⁻⁵)", unit: "[0, 1]", source: sobel),
    ]
    + (1...8).map { bin in
      Definition(
        name: "edges.orientation\(bin)", group: "edges",
        formula:
          "share of Σ g with atan2(gy, gx) within 11.25° of \(22.5 * Double(bin - 1))°, modulo 180°, "
          + "y downwards; 0 where nothing changes",
        unit: "[0, 1]", source: hog)
    } + [
      Definition(
        name: "edges.entropy", group: "edges",
        formula: "−Σ p·log₂ p of the eight orientations' shares; 0 where nothing changes",
        unit: "bits, [0, 3]", source: hog)
    ]

  private static let spectrum: [Definition] =
    [
      Definition(
        name: "spectrum.slope", group: "spectrum",
        formula:
          "α of power ∝ 1/f^α: minus the slope of log power over log f, radially averaged, from 2 cycles a "
          + "shorter side on, unweighted; 0 where fewer than two radii have power",
        unit: "dimensionless, 0 for white noise", source: natural)
    ]
    + zip(1...4, ["1/32…1/16", "1/16…1/8", "1/8…1/4", "1/4…1/2"]).map { octave, band in
      Definition(
        name: "spectrum.octave\(octave)", group: "spectrum",
        formula:
          "share of the power but the mean's at \(band) cycles a pixel, the upper end in it; 0 where "
          + "there is no power",
        unit: "[0, 1]", source: natural)
    } + [
      Definition(
        name: "spectrum.high", group: "spectrum",
        formula:
          "share of the power but the mean's above 1/8 cycle a pixel, the plane's corners in it; 0 "
          + "where there is no power",
        unit: "[0, 1]", source: natural)
    ]
}
