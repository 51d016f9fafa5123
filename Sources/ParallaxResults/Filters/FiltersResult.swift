import Foundation

/// The filters of the first layers of some models: what a pixel changes at the centre of each channel.
///
/// > Source: Badger, 2022, arXiv 2211.06496, on the first convolutions of trained and untrained networks. The number beside the
/// > pictures is ours.
public struct FiltersResult: Codable, Sendable, Equatable {
  /// A model's filters.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// The layer's path.
    public var site: String
    /// How many filters it has.
    public var channels: Int
    /// Pixels that a filter is high.
    public var rows: Int
    /// Pixels that a filter is wide.
    public var columns: Int
    /// Whether the layer is linear in the pixels: filters are its weights then, else its derivative at a grey picture.
    public var isLinear: Bool
    /// Of each filter, correlation of a pixel with the one to its right or below, over its colours; nil of a filter of zeros or of one pixel.
    public var smoothness: [Double?]
    /// A small PNG of the first 64, eight in a row.
    public var picture = Data()
    /// A PNG of all, within the run folder.
    public var file = ""

    /// A model from its parts.
    public init(
      name: String, family: String, twinOf: String?, site: String, channels: Int, rows: Int,
      columns: Int, isLinear: Bool, smoothness: [Double?]
    ) {
      (self.name, self.family, self.twinOf, self.site) = (name, family, twinOf, site)
      (self.channels, self.rows, self.columns) = (channels, rows, columns)
      (self.isLinear, self.smoothness) = (isLinear, smoothness)
    }

    /// The mean smoothness of those filters that have one.
    public var meanSmoothness: Double? {
      let known = smoothness.compactMap(\.self)
      return known.isEmpty ? nil : known.reduce(0, +) / Double(known.count)
    }
  }

  /// The models.
  public var models: [Model] = []
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// What was found.
  public var findings: [Finding] = []

  /// A result without models.
  public init() {}

  /// Every number as rows of `results.csv`.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.smoothness.enumerated().map { channel, value in
        TidyRow(
          analysis: "filters", measure: "smoothness", a: "\(model.name)@\(model.site)",
          b: "channel \(channel)", x: "", value: value, n: model.rows * model.columns,
          estimator: model.isLinear ? "weights" : "derivative")
      }
    }
  }
}
