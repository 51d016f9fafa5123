import ParallaxTensors

extension Swin {
  /// The variants that checkpoints are published for.
  public static let architectures: [Architecture] =
    ["tiny", "small", "base", "large"].map { first($0, window: 7, side: 224) }
    + ["base", "large"].map { first($0, window: 12, side: 384) }
    + ["tiny", "small", "base"].flatMap { size in
      [8, 16].map { second(size, "window\($0)_256", window: $0, side: 256) }
    }
    + ["base", "large"].flatMap { size in
      [(16, 256), (24, 384)].map { window, side in
        second(
          size, "window12to\(window)_192to\(side)", window: window, side: side,
          pretrained: [12, 12, 12, 6])
      }
    }

  private static func first(_ size: String, window: Int, side: Int) -> Architecture {
    var c = sized(size)
    (c.imageSize, c.window) = (side, window)
    return architecture(
      "swin_\(size)_patch4_window\(window)_\(side)", "Swin, \(size), windows of \(window)", c,
      oracle: "swin")
  }

  private static func second(
    _ size: String, _ rest: String, window: Int, side: Int, pretrained: [Int] = [0, 0, 0, 0]
  ) -> Architecture {
    var c = sized(size)
    (c.imageSize, c.window, c.isSecond, c.pretrainedWindows) = (side, window, true, pretrained)
    return architecture(
      "swinv2_\(size)_\(rest)", "Swin v2, \(size), windows of \(window)", c, oracle: "swinv2")
  }

  private static func sized(_ size: String) -> Configuration {
    var c = Configuration()
    if size != "tiny" { c.depths = [2, 2, 18, 2] }
    if size == "base" { (c.width, c.heads) = (128, [4, 8, 16, 32]) }
    if size == "large" { (c.width, c.heads) = (192, [6, 12, 24, 48]) }
    return c
  }

  private static func architecture(
    _ name: String, _ summary: String, _ c: Configuration, oracle: String
  ) -> Architecture {
    Architecture(
      name: name, family: "Swin", summary: "\(summary), images of \(c.imageSize) pixels",
      preprocessing: PreprocessingKeys(c.imageSize, cropFraction: c.imageSize == 384 ? 1 : 0.9),
      oracles: ["\(oracle)-timm", "\(oracle)-hf"], recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head.fc", standard: c.classes)
        return try Swin(c, w)
      })
  }
}
