import Foundation

extension AttentionResult {
  /// Where a token looks, over an image.
  public struct Map: Codable, Sendable, Equatable {
    /// Index of the model.
    public var model: Int
    /// The image's id.
    public var image: String
    /// The layer's index among the model's; nil for the rollout over all of them.
    public var layer: Int?
    /// The head's number; nil for the mean over heads.
    public var head: Int?
    /// The token that looks: `class token`, `patch (7, 7)`; `image` for the picture alone.
    public var token: String
    /// Mean of the head's distances, in pixels; nil for a mean over heads.
    public var distance: Double?
    /// The weight that falls on patches.
    public var mass: Double?
    /// Its file in the run folder.
    public var file: String
    /// The overlay, a PNG.
    public var picture: Data

    /// A map from its parts.
    public init(
      model: Int, image: String, layer: Int?, head: Int?, token: String, distance: Double?,
      mass: Double?, file: String, picture: Data
    ) {
      (self.model, self.image, self.layer, self.head) = (model, image, layer, head)
      (self.token, self.distance, self.mass) = (token, distance, mass)
      (self.file, self.picture) = (file, picture)
    }
  }
}
