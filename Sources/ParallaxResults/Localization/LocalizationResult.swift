import Foundation

/// Localisation: how much of each place of the image the token at each place still holds, layer by layer.
///
/// CKA, over images, between the vector of one token (or location of a map) and the pixels of each patch of the input; and ridge
/// regressions that read the pixels of patches off a token.
///
/// > Source: Raghu et al., 2021, arXiv 2108.08810, Figures 9, 10 and D.1 to D.3.
public struct LocalizationResult: Codable, Sendable, Equatable {
  /// The maps of one token.
  public struct Token: Codable, Sendable, Equatable {
    /// Where it lies, from 0.
    public var row: Int
    /// Where it lies, from 0.
    public var column: Int
    /// CKA with its own patch.
    public var own: IntervalEstimate
    /// The rank of its own patch among all, 1 the most similar; nil where it is undefined.
    public var rank: Double?
    /// CKA with every patch, row by row.
    public var values: [Double?]
    /// The same as a PNG on the model's and layer's scale ``Layer/low`` to ``Layer/high``, its own patch framed.
    public var picture = Data()
    /// R² of every patch read off the token, on images that nothing was fitted to; empty where nothing was read.
    public var decoded: [Double?] = []
    /// The same as a PNG, from 0 to ``Layer/decodedHigh``.
    public var decodedPicture = Data()

    /// A token without its pictures.
    public init(row: Int, column: Int, own: IntervalEstimate, rank: Double?, values: [Double?]) {
      (self.row, self.column, self.own) = (row, column, own)
      (self.rank, self.values) = (rank, values)
    }
  }

  /// One layer.
  public struct Layer: Codable, Sendable, Equatable {
    /// The dotted path.
    public var site: String
    /// Where it stands among the model's blocks, from 0 to 1; nil of a site that is none.
    public var depth: Double?
    /// Rows of the grid of tokens and patches.
    public var rows: Int
    /// Columns of the grid.
    public var columns: Int
    /// Rows of the layer's own map, of which ``rows`` are looked at.
    public var mapRows: Int
    /// Columns of its own map.
    public var mapColumns: Int
    /// Numbers of a token.
    public var channels: Int
    /// The share of tokens whose most similar patch is their own.
    public var hits = IntervalEstimate(nil)
    /// The same of tokens that are not at the edge.
    public var innerHits = IntervalEstimate(nil)
    /// Mean rank of the own patch, 1 the most similar.
    public var rank = IntervalEstimate(nil)
    /// Mean CKA of tokens with their own patch.
    public var own = IntervalEstimate(nil)
    /// Mean CKA of tokens with their own patch over that with all patches.
    public var contrast = IntervalEstimate(nil)
    /// Mean CKA of tokens at the edge with other patches at the edge, less that with patches inside.
    public var edge = IntervalEstimate(nil)
    /// Mean R² of the own patch read off a token.
    public var decodedOwn = IntervalEstimate(nil)
    /// Mean R² of all patches read off a token.
    public var decodedAll = IntervalEstimate(nil)
    /// Images that the regressions were fitted to and scored on; 0 for none.
    public var decodedImages = 0
    /// What the darkest colour of pictures stands for.
    public var low = 0.0
    /// What the lightest stands for.
    public var high = 0.0
    /// What the lightest of pictures of R² stands for; the darkest is 0.
    public var decodedHigh = 0.0
    /// The tokens that are drawn.
    public var tokens: [Token] = []

    /// A layer without its numbers.
    public init(
      site: String, depth: Double?, rows: Int, columns: Int, mapRows: Int, mapColumns: Int,
      channels: Int
    ) {
      (self.site, self.depth, self.rows, self.columns) = (site, depth, rows, columns)
      (self.mapRows, self.mapColumns, self.channels) = (mapRows, mapColumns, channels)
    }
  }

  /// A model and some of its layers.
  public struct Model: Codable, Sendable, Equatable {
    /// What figures call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// `transformer`, `convolutional`, `mixer` or `other`.
    public var design: String
    /// What the head reads: `class token`, `pooled` or `unknown`.
    public var readout: String
    /// The height of its input in pixels.
    public var height: Int
    /// The width of its input in pixels.
    public var width: Int
    /// The name of the trained model that this is an untrained twin of; nil where it is none.
    public var twinOf: String?
    /// Its layers, in execution order.
    public var layers: [Layer]

    /// A model from its parts.
    public init(
      name: String, family: String, design: String, readout: String, height: Int, width: Int,
      twinOf: String?, layers: [Layer]
    ) {
      (self.name, self.family, self.design, self.readout) = (name, family, design, readout)
      (self.height, self.width, self.twinOf, self.layers) = (height, width, twinOf, layers)
    }
  }

  /// Images that entered.
  public var images: Int
  /// Images of blocks that were too small.
  public var imagesLeftOut: Int
  /// Blocks of images.
  public var blocks: Int
  /// Groups of blocks that were left out in turn for intervals; 0 for none.
  public var groups: Int
  /// The run's seed.
  public var seed: UInt64
  /// The element type of the products.
  public var dtype: String
  /// Every choice that changes the numbers.
  public var switches: [Switch] = []
  /// The models, in the order asked for.
  public var models: [Model]
  /// Models and layers without a value, with the reasons.
  public var refusals: [SimilarityResult.Refusal] = []
  /// What the paper says, asked of these models.
  public var findings: [Finding] = []

  /// A result without switches and findings.
  public init(
    images: Int, imagesLeftOut: Int, blocks: Int, groups: Int, seed: UInt64, dtype: String,
    models: [Model]
  ) {
    (self.images, self.imagesLeftOut, self.blocks) = (images, imagesLeftOut, blocks)
    (self.groups, self.seed, self.dtype, self.models) = (groups, seed, dtype, models)
  }

  /// Every number as rows of `results.csv`; `b` is a patch where the number is of a token and a patch.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in model.layers.flatMap { rows(model, $0) } }
  }

  private func rows(_ model: Model, _ layer: Layer) -> [TidyRow] {
    let address = "\(model.name)@\(layer.site)"
    let x = layer.depth.map { "\($0)" } ?? ""
    func row(
      _ measure: String, _ value: IntervalEstimate, a: String? = nil, b: String = "",
      n: Int? = nil, _ estimator: String = "debiased, minibatch"
    ) -> TidyRow {
      TidyRow(
        analysis: "localize", measure: measure, a: a ?? address, b: b, x: x, value: value.value,
        low: value.low, high: value.high, n: n ?? images, estimator: estimator)
    }
    let ridge = "ridge, held-out images"
    var rows = [
      row("share of tokens most like their own patch", layer.hits),
      row("share of inner tokens most like their own patch", layer.innerHits),
      row("mean rank of the own patch", layer.rank), row("mean CKA with the own patch", layer.own),
      row("CKA with the own patch over the mean", layer.contrast),
      row("edge tokens: CKA with edge patches less inner ones", layer.edge),
    ]
    if layer.decodedImages > 0 {
      rows += [
        row("R2 of the own patch", layer.decodedOwn, n: layer.decodedImages, ridge),
        row("R2 of all patches", layer.decodedAll, n: layer.decodedImages, ridge),
      ]
    }
    for token in layer.tokens {
      let name = "\(address) token \(token.row),\(token.column)"
      for (measure, values, n, how) in [
        ("CKA with a patch", token.values, images, "debiased, minibatch"),
        ("R2 of a patch", token.decoded, layer.decodedImages, ridge),
      ] {
        for (patch, value) in values.enumerated() where layer.columns > 0 {
          rows.append(
            row(
              measure, IntervalEstimate(value), a: name,
              b: "patch \(patch / layer.columns),\(patch % layer.columns)", n: n, how))
        }
      }
    }
    return rows
  }
}
