/// What can go wrong with checkpoints, model names and addresses.
public enum ModelError: Error, Equatable, Sendable, CustomStringConvertible {
  /// A checkpoint lacks a parameter that the architecture needs.
  case missingParameter(name: String, shape: [Int], file: String)
  /// A checkpoint holds parameters that nothing asked for.
  case surplusParameters(names: [String], file: String)
  /// A parameter has another shape than the architecture's.
  case shape(name: String, expected: [Int], found: [Int], file: String)
  /// A checkpoint file is damaged or not of the kind it seems to be.
  case checkpoint(file: String, problem: String)
  /// A node of an imported graph cannot be run.
  case graph(file: String, node: String, kind: String, problem: String)
  /// A graph uses operators that Parallax does not have: all of them.
  case missingOperators(names: [String], file: String)
  /// A model name that the catalog does not have; `candidates` are the nearest.
  case unknownModel(name: String, candidates: [String])
  /// A model name that several entries fit.
  case ambiguousModel(name: String, candidates: [String])
  /// An architecture was asked for whose weights do not come with the set-up.
  case noWeights(name: String)
  /// A site pattern that matches nothing; `candidates` are the nearest sites.
  case noSuchSite(pattern: String, model: String, candidates: [String])
  /// A tokens expression that cannot be read or does not apply to a site.
  case tokens(text: String, site: String, problem: String)
  /// An address that cannot be read.
  case address(text: String, problem: String)
  /// A model of the hub that is not in the local cache while `HF_HUB_OFFLINE` forbids requests.
  case notDownloaded(name: String, folder: String)
  /// A model that the hub does not have, does not give out, or has without the files that are needed.
  case hub(model: String, problem: String)
  /// A download that the network, the server or a wrong checksum has stopped.
  case download(what: String, problem: String)
  /// Weights of the catalog that the set-up has not fetched.
  case notInstalled(name: String, file: String)
  /// Images of a size that the model cannot take.
  case imageSize(model: String, problem: String)

  /// One sentence: what, where, expected, found; control characters of names that come from files are replaced.
  public var description: String { sentence.printable }

  private var sentence: String {
    switch self {
    case .missingParameter(let name, let shape, let file):
      "\(file): parameter '\(name)' is missing; expected shape \(shape)"
    case .surplusParameters(let names, let file):
      "\(file): \(names.count) parameter\(names.count == 1 ? "" : "s") that the architecture does not have: \(names.prefix(5).joined(separator: ", "))\(names.count > 5 ? ", …" : "")"
    case .shape(let name, let expected, let found, let file):
      "\(file): parameter '\(name)' should have shape \(expected), found \(found)"
    case .checkpoint(let file, let problem): "\(file): \(problem)"
    case .graph(let file, let node, let kind, let problem):
      "\(file): node '\(node)' (\(kind)): \(problem)"
    case .missingOperators(let names, let file):
      "\(file): \(names.count) operator\(names.count == 1 ? "" : "s") of the graph \(names.count == 1 ? "is" : "are") not known here: \(names.joined(separator: ", "))"
    case .unknownModel(let name, let candidates):
      "no model is called '\(name)'\(Self.hint(candidates))"
    case .ambiguousModel(let name, let candidates):
      "'\(name)' fits several models: \(candidates.joined(separator: ", "))"
    case .noWeights(let name):
      "'\(name)' has no weights of its own; give them as \(name)=PATH, or take --random-weights SEED"
    case .noSuchSite(let pattern, let model, let candidates):
      "\(model) has no site '\(pattern)'\(Self.hint(candidates))"
    case .tokens(let text, let site, let problem): "tokens '\(text)' at \(site): \(problem)"
    case .address(let text, let problem): "'\(text)': \(problem)"
    case .notDownloaded(let name, let folder):
      "hf-hub:\(name) has not been downloaded to \(folder), and HF_HUB_OFFLINE forbids fetching it; `hf download \(name)` does where there is a network"
    case .hub(let model, let problem): "\(model) \(problem)"
    case .download(let what, let problem): "\(what): not downloaded: \(problem)"
    case .notInstalled(let name, let file):
      "the weights of '\(name)' are not at \(file); `make setup` fetches them"
    case .imageSize(let model, let problem): "\(model): \(problem)"
    }
  }

  private static func hint(_ candidates: [String]) -> String {
    candidates.isEmpty ? "" : "; did you mean \(candidates.joined(separator: ", "))?"
  }
}
