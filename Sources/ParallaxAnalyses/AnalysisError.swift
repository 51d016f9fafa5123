/// What can go wrong while models look at images.
public enum AnalysisError: Error, Equatable, Sendable, CustomStringConvertible {
  /// The user stopped the run; what was finished stays.
  case interrupted
  /// Too few images for the analysis.
  case tooFewImages(needed: Int, found: Int, where: String)
  /// Two names for different things.
  case duplicateModel(name: String)
  /// Nothing to do.
  case nothingAsked(String)
  /// The images of a block lie outside what a model takes.
  case imageSize(model: String, problem: String)
  /// A site is none that the analysis can look at.
  case site(_ address: String, problem: String)
  /// The parts of a recipe do not go together.
  case recipe(_ name: String, problem: String)
  /// By estimate it takes more bytes than it may.
  case memory(_ name: String, needed: Int, limit: Int)
  /// Embeddings that are to be matched do not fit.
  case target(path: String, problem: String)
  /// The images' classes do not suffice.
  case classes(String)
  /// A saved state does not belong to this job.
  case state(path: String, problem: String)

  /// One sentence: what, where, expected, found.
  public var description: String {
    switch self {
    case .interrupted: "interrupted; what was finished stays, and the same command resumes"
    case .tooFewImages(let needed, let found, let place):
      "\(place): expected at least \(needed) images that can be read, found \(found)"
    case .duplicateModel(let name): "two different models are called '\(name)'"
    case .nothingAsked(let what), .classes(let what): what
    case .imageSize(let model, let problem): "\(model): \(problem)"
    case .site(let address, let problem), .recipe(let address, let problem):
      "\(address): \(problem)"
    case .memory(let name, let needed, let limit):
      "\(name): a descent takes about \(Self.gibibytes(needed)), expected at most \(Self.gibibytes(limit))"
    case .state(let path, let problem), .target(let path, let problem): "\(path): \(problem)"
    }
  }

  private static func gibibytes(_ bytes: Int) -> String {
    let tenths = (bytes + (1 << 30) / 20) / ((1 << 30) / 10)
    return "\(tenths / 10).\(tenths % 10) GB"
  }
}
