import ParallaxModels
import ParallaxTensors

extension Subject {
  /// What a pixel of 0 to 1 is in a unit, for each channel.
  func scale(_ unit: MatchRecipe.Unit) -> [Double] {
    unit == .pixels
      ? [1, 1, 1] : preprocessing.std.map { 255 * preprocessing.rescale / Double($0) }
  }

  /// The numbers of a black pixel in a unit.
  func offset(_ unit: MatchRecipe.Unit) -> [Double] {
    unit == .pixels
      ? [0, 0, 0] : zip(preprocessing.mean, preprocessing.std).map { -Double($0) / Double($1) }
  }

  /// Pixels of 0 to 1 in a unit.
  func inUnit(_ unit: MatchRecipe.Unit, _ pixels: Tensor) -> Tensor {
    unit == .pixels ? pixels : preprocessing.input(of: pixels)
  }

  /// Pixels of 0 to 1 of numbers in a unit.
  func pixels(_ unit: MatchRecipe.Unit, _ pictures: Tensor) -> Tensor {
    unit == .pixels ? pictures : preprocessing.pixels(of: pictures)
  }
}
