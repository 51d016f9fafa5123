import Foundation

/// The folder for what can be fetched or computed again: sample models and images, states of runs.
public enum CacheFolder {
  /// `$PARALLAX_CACHE`, else `$XDG_CACHE_HOME/parallax`, else `~/.cache/parallax`.
  public static var url: URL {
    let environment = ProcessInfo.processInfo.environment
    if let own = environment["PARALLAX_CACHE"], !own.isEmpty { return URL(filePath: own) }
    if let shared = environment["XDG_CACHE_HOME"], !shared.isEmpty {
      return URL(filePath: shared).appending(path: "parallax")
    }
    return URL(filePath: NSHomeDirectory()).appending(path: ".cache/parallax")
  }
}
