import ParallaxTensors
import Synchronization

/// Some or all of the images that a summary was made of, in any order: image i of the selection is image `indices[i]`.
///
/// A class, since what several representations need of one selection is made once: where the elements of a packed
/// triangle come from.
public final class ImageSelection: Sendable {
  /// The number of images that are selected from.
  public let images: Int
  /// The selected ones, each once.
  public let indices: [Int]
  /// Where each image stands in the selection; −1 where it is left out.
  let places: [Int32]
  private let packed = Mutex<[Bool: Tensor]>([:])

  /// A selection of images.
  ///
  /// - Precondition: the indices are of `0..<images`, and no two are equal.
  public init(_ indices: [Int], of images: Int) {
    var places = [Int32](repeating: -1, count: images)
    for (place, image) in indices.enumerated() {
      precondition(places[image] < 0, "an image is selected once")
      places[image] = Int32(place)
    }
    (self.images, self.indices, self.places) = (images, indices, places)
  }

  /// Whether no image is left out.
  public var isWhole: Bool { indices.count == images }

  /// The number of selected images.
  public var count: Int { indices.count }

  /// The selected rows of a tensor.
  func rows(of tensor: Tensor) -> Tensor { tensor.gathered(0, indices) }

  /// The packed triangle of the selected images, of that of all.
  func triangle(of packed: Tensor, diagonal: Bool) -> Tensor {
    packed.gathered(0, sources(diagonal: diagonal).to(packed.device))
  }

  /// Where each element of the selection's packed triangle stands in that of all images.
  private func sources(diagonal: Bool) -> Tensor {
    packed.withLock { known in
      if let found = known[diagonal] { return found }
      let made = Packing.sources(of: indices, among: images, diagonal: diagonal)
      let tensor = Tensor(made, shape: [made.count])
      known[diagonal] = tensor
      return tensor
    }
  }
}
