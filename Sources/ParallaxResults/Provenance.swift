/// What reproduces a run: `run.json`.
public struct Provenance: Codable, Sendable, Equatable {
  /// A model that ran.
  public struct Model: Codable, Sendable, Equatable {
    /// What results call it.
    public var name: String
    /// The kind of network.
    public var family: String
    /// What it is, in a sentence.
    public var summary: String
    /// What identifies weights and architecture.
    public var fingerprint: String
    /// How images were prepared for it.
    public var preprocessing: String
    /// Where the weights come from.
    public var origin: String?
    /// Their licence.
    public var licence: String?
    /// What one must know before quoting it.
    public var caveat: String?
    /// The number of parameters.
    public var parameters: Int
    /// Seconds it computed.
    public var seconds: Double?

    /// A model from its parts.
    public init(
      name: String, family: String, summary: String, fingerprint: String, preprocessing: String,
      origin: String?, licence: String?, caveat: String?, parameters: Int, seconds: Double?
    ) {
      (self.name, self.family, self.summary) = (name, family, summary)
      (self.fingerprint, self.preprocessing) = (fingerprint, preprocessing)
      (self.origin, self.licence, self.caveat) = (origin, licence, caveat)
      (self.parameters, self.seconds) = (parameters, seconds)
    }
  }

  /// An image that was left out.
  public struct Skipped: Codable, Sendable, Equatable {
    /// Its path within the data set.
    public var path: String
    /// Why.
    public var reason: String

    /// A skipped image from its parts.
    public init(path: String, reason: String) { (self.path, self.reason) = (path, reason) }
  }

  /// What was read beside the images: a bank of others, a file of features, of labels.
  public struct Source: Codable, Sendable, Equatable {
    /// What it is: `bank`, `features`, `labels`.
    public var role: String
    /// Where it lies.
    public var path: String
    /// What identifies its content.
    public var hash: String
    /// Images that were read of it; nil where it holds none.
    public var count: Int?
    /// What was left out.
    public var skipped: [Skipped]

    /// A source from its parts.
    public init(
      role: String, path: String, hash: String, count: Int? = nil, skipped: [Skipped] = []
    ) {
      (self.role, self.path, self.hash) = (role, path, hash)
      (self.count, self.skipped) = (count, skipped)
    }
  }

  /// The run folder's layout.
  public var format = RunFolder.format
  /// The study's title.
  public var title: String
  /// The command that makes the run again, as typed in a shell.
  public var command: String
  /// Versions by name: parallax, libtorch.
  public var versions: [String: String]
  /// The models, in the order asked for.
  public var models: [Model]
  /// Where the images lie.
  public var images: String
  /// What identifies the images and their order.
  public var imagesHash: String
  /// How many images were read.
  public var imageCount: Int
  /// The classes, and how many images each has; empty without classes.
  public var classes: [String: Int]
  /// What was left out.
  public var skipped: [Skipped]
  /// The seed of every random choice.
  public var seed: UInt64
  /// Where it was computed: `cpu`, `cuda:0`.
  public var device: String
  /// The element type of weights and activations.
  public var dtype: String
  /// Images a forward pass.
  public var batchSize: Int
  /// Processor threads.
  public var threads: Int
  /// What was read beside the images; nil for nothing.
  public var sources: [Source]?
  /// When the run began, ISO 8601.
  public var date: String
  /// Seconds by stage.
  public var seconds: [String: Double]

  /// A provenance from its parts.
  public init(
    title: String, command: String, versions: [String: String], models: [Model], images: String,
    imagesHash: String, imageCount: Int, classes: [String: Int], skipped: [Skipped], seed: UInt64,
    device: String, dtype: String, batchSize: Int, threads: Int, date: String,
    seconds: [String: Double]
  ) {
    (self.title, self.command, self.versions, self.models) = (title, command, versions, models)
    (self.images, self.imagesHash, self.imageCount) = (images, imagesHash, imageCount)
    (self.classes, self.skipped, self.seed) = (classes, skipped, seed)
    (self.device, self.dtype, self.batchSize) = (device, dtype, batchSize)
    (self.threads, self.date, self.seconds) = (threads, date, seconds)
  }
}
