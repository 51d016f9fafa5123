import ParallaxTensors

/// Channels, saturation, hue and colourfulness of one picture.
struct Colour {
  private let picture: Tensor
  private let (red, green, blue): (Tensor, Tensor, Tensor)

  /// - Parameter picture: `[3, height, width]` in float64.
  init(_ picture: Tensor) {
    self.picture = picture
    (red, green, blue) = (picture.selected(0, 0), picture.selected(0, 1), picture.selected(0, 2))
  }

  var statistics: [Tensor] { channels + saturationAndHue + [colourfulness] }

  private var channels: [Tensor] {
    let (means, deviations) = picture.meanAndDeviation()
    return zip(means.unbound(0), deviations.unbound(0)).flatMap { [$0, $1] }
  }

  /// Grey pixels have no hue, and nearly grey ones one that is noise: each counts by its chroma.
  private var saturationAndHue: [Tensor] {
    let most = PixelOperator.maximum(picture, [0], false)
    let chroma = most - PixelOperator.minimum(picture, [0], false)
    let saturation = chroma.orZero(over: most).mean()
    // In sixths of a turn: red 0, green 2, blue 4.
    let fromRed = (green - blue).orZero(over: chroma)
    let fromGreen = (blue - red).orZero(over: chroma) + 2
    let fromBlue = (red - green).orZero(over: chroma) + 4
    let hue = PixelOperator.whereTrue(
      PixelOperator.equal(red, most), fromRed,
      PixelOperator.whereTrue(PixelOperator.equal(green, most), fromGreen, fromBlue))
    let angle = hue * (Double.pi / 3)
    let total = chroma.sum()
    return [
      saturation, (chroma * angle.cosine()).sum().orZero(over: total),
      (chroma * angle.sine()).sum().orZero(over: total),
    ]
  }

  private var colourfulness: Tensor {
    let opponents = Tensor.stacked([red - green, (red + green) * 0.5 - blue])
    let (means, deviations) = opponents.meanAndDeviation()
    return (deviations.norm(over: [0]) + means.norm(over: [0]) * 0.3) * 255
  }
}
