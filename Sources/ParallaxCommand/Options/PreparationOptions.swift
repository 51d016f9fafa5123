import ArgumentParser
import Parallax

/// What is done to each layer's features before they are measured.
struct PreparationOptions: ParsableArguments {
  @Option(
    help: ArgumentHelp(
      "Cut off outliers of each layer first: at the q and 1 − q quantiles, or at ± the q quantile of the magnitudes.",
      valueName: "two-sided:0.05|abs:0.95"))
  var clip: FeaturePreprocessing.Clip?

  @Flag(help: "Take off each column's mean first.")
  var centre = false

  @Flag(help: "Scale each image's features to length one first.")
  var l2 = false

  /// The steps in their order.
  var preprocessing: FeaturePreprocessing {
    FeaturePreprocessing(clip: clip, centred: centre, normalized: l2)
  }
}
