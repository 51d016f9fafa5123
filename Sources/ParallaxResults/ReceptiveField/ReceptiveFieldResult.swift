import Foundation

/// Effective receptive fields: how far round the centre location of each layer the pixels reach that move it.
///
/// A field is the mean over images, channels and RGB of the absolute gradient of the centre location of a layer's map with
/// respect to the pixels. Lengths are in pixels of the model's input; figures give them as shares of its side,
/// √(height · width).
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 6 and C.1 to C.4; Luo et al., 2016, arXiv 1701.04128.
public struct ReceptiveFieldResult: Codable, Sendable, Equatable {
  /// What of a block a field is of.
  public enum Part: String, Codable, Sendable, CaseIterable {
    /// The site itself: of a block what leaves it, after the residual connection.
    case output
    /// The attention branch, before the residual connection.
    case attention
    /// The branch of the perceptron, before the residual connection.
    case mlp
    /// The long branch of a convolutional block, before the residual connection.
    case branch
  }

  /// A share of the mass, and the smallest square round the location that holds it.
  public struct Square: Codable, Sendable, Equatable {
    /// The share, from 0 to 1.
    public var share: Double
    /// The side in pixels.
    public var side: IntervalEstimate

    /// A square from its parts.
    public init(share: Double, side: IntervalEstimate) {
      (self.share, self.side) = (share, side)
    }
  }

  /// The field of one site.
  public struct Field: Codable, Sendable, Equatable {
    /// The dotted path: `blocks.5`, `blocks.5.attn`.
    public var site: String
    /// What of the block it is.
    public var part: Part
    /// The stage that the block belongs to.
    public var stage: String
    /// Where the block stands, from 0 (the first that was asked for) to 1 (the last).
    public var depth: Double
    /// Rows of the site's grid of locations.
    public var rows: Int
    /// Columns of the grid.
    public var columns: Int
    /// The width of a location.
    public var channels: Int
    /// Backward passes a batch of images took: channels of each image that entered, or 1 where they were summed.
    public var passes: Int
    /// Images that entered.
    public var images: Int
    /// Images left out for NaN or infinity in their gradients.
    public var skipped: Int
    /// The largest value of the field.
    public var peak: Double
    /// Mean distance of the mass from its centroid, in pixels.
    public var radius = IntervalEstimate(nil)
    /// Standard deviation of the mass about its centroid, per axis, in pixels.
    public var spread = IntervalEstimate(nil)
    /// Luo's size: √ of the number of pixels above 4.55 % of the largest value.
    public var luo = IntervalEstimate(nil)
    /// Smallest squares round the location that hold shares of the mass.
    public var squares: [Square] = []
    /// Share of the mass within the location's own cell of the grid: the centre patch of a transformer.
    public var centre = IntervalEstimate(nil)
    /// The field as a PNG of at most 112 pixels a side, on the scale that ``ReceptiveFieldResult/decades`` says.
    public var picture = Data()

    /// A field without its sizes.
    public init(
      site: String, part: Part, stage: String, depth: Double, rows: Int, columns: Int,
      channels: Int, passes: Int, images: Int, skipped: Int, peak: Double
    ) {
      (self.site, self.part, self.stage, self.depth) = (site, part, stage, depth)
      (self.rows, self.columns, self.channels) = (rows, columns, channels)
      (self.passes, self.images, self.skipped, self.peak) = (passes, images, skipped, peak)
    }
  }

  /// A model and the fields of its sites.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network: `ViT`, `ResNet`, ….
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// Its fields, in execution order.
    public var fields: [Field]

    /// A model from its parts.
    public init(
      name: String, family: String, design: String, height: Int, width: Int, twinOf: String?,
      fields: [Field]
    ) {
      (self.name, self.family, self.design) = (name, family, design)
      (self.height, self.width, self.twinOf, self.fields) = (height, width, twinOf, fields)
    }

    /// The side that lengths are shares of: √(height · width).
    public var side: Double { Double(height * width).squareRoot() }
    /// The fields of the sites themselves, without those of branches.
    public var outputs: [Field] { fields.filter { $0.part == .output } }
  }

  /// How channels enter: `per-channel`, `2 channels an image`, `summed`.
  public var channels: String
  /// Images that were asked for and read.
  public var images: Int
  /// Groups of images that were left out in turn for intervals; 0 for none.
  public var groups: Int
  /// The seed of the channels.
  public var seed: UInt64
  /// The element type of the gradients.
  public var dtype: String
  /// Powers of ten that the colours of pictures span, below each field's own largest value.
  public var decades: Double
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, in the order asked for; untrained twins last.
  public var models: [Model]
  /// Sites without a field, and why.
  public var refusals: [SimilarityResult.Refusal] = []
  /// What the papers say, asked of these models.
  public var findings: [Finding] = []

  /// A result without switches and findings.
  public init(
    channels: String, images: Int, groups: Int, seed: UInt64, dtype: String, decades: Double,
    models: [Model]
  ) {
    (self.channels, self.images, self.groups, self.seed) = (channels, images, groups, seed)
    (self.dtype, self.decades, self.models) = (dtype, decades, models)
  }

  /// Every number as rows of `results.csv`; their `measure` says what they are, `x` is the block's relative depth.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in model.fields.flatMap { rows(model, $0) } }
  }

  private func rows(_ model: Model, _ field: Field) -> [TidyRow] {
    func row(_ measure: String, _ value: IntervalEstimate, _ unit: String) -> TidyRow {
      TidyRow(
        analysis: "receptive-field", measure: measure, a: "\(model.name)@\(field.site)",
        x: "\(field.depth)", value: value.value, low: value.low, high: value.high,
        n: field.images, estimator: channels, unit: unit)
    }
    return [
      row("radius", field.radius, "px"), row("spread", field.spread, "px"),
      row("Luo's size", field.luo, "px"),
    ]
      + field.squares.map {
        row("square of \(Self.percent($0.share)) % of the mass", $0.side, "px")
      } + [
        row("share of the centre cell", field.centre, ""),
        row("largest value", IntervalEstimate(field.peak), ""),
        row("images skipped", IntervalEstimate(Double(field.skipped)), ""),
      ]
  }

  /// `50` of 0.5, `99` of 0.99.
  public static func percent(_ share: Double) -> String {
    let value = (1000 * share).rounded() / 10
    guard value.isFinite, abs(value) < 1e6 else { return "–" }
    return value == value.rounded() ? String(Int(value)) : String(value)
  }
}
