import ParallaxTensors

extension ImageBlock {
  /// The inputs of one preprocessing as a tensor, `[samples.count, 3, height, width]` in float32.
  ///
  /// - Parameter index: which of the preprocessings that the loader was given.
  /// - Returns: a copy of `inputs[index]`.
  public func tensor(_ index: Int) -> Tensor { Tensor(inputs[index], shape: shapes[index]) }
}

extension Preprocessing {
  /// The model's input for one image, `[1, 3, height, width]` in float32.
  ///
  /// - Parameter image: the image, of any size.
  /// - Returns: a batch of one.
  /// - Throws: `ImageError.image` where the image is too long and thin to be resized.
  public func tensor(_ image: ImageBuffer) throws(ImageError) -> Tensor {
    Tensor(try self(image), shape: [1] + shape)
  }
}
