// The umbrella: `import Parallax` brings every module of the library.
@_exported import ParallaxAnalyses
@_exported import ParallaxImages
@_exported import ParallaxMeasures
@_exported import ParallaxModels
@_exported import ParallaxReport
@_exported import ParallaxResults
@_exported import ParallaxTensors

/// Facts about Parallax itself.
public enum Version {
  /// The version of this library and of the command.
  public static let parallax = "0.1.0"
}
