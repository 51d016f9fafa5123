extension RegNet {
  /// RegNetX and RegNetY from 200 megaflops to 32 gigaflops, with timm's preprocessing.
  public static let architectures: [Architecture] = [
    row("x", "002", [1, 1, 4, 7], [24, 56, 152, 368], [8, 8, 8, 8], 0.875),
    row("x", "004", [1, 2, 7, 12], [32, 64, 160, 384], [16, 16, 16, 16], 0.875),
    row("x", "006", [1, 3, 5, 7], [48, 96, 240, 528], [24, 24, 24, 24], 0.875),
    row("x", "008", [1, 3, 7, 5], [64, 128, 288, 672], [16, 16, 16, 16], 0.965),
    row("x", "016", [2, 4, 10, 2], [72, 168, 408, 912], [24, 24, 24, 24], 0.965),
    row("x", "032", [2, 6, 15, 2], [96, 192, 432, 1008], [48, 48, 48, 48], 0.965),
    row("x", "040", [2, 5, 14, 2], [80, 240, 560, 1360], [40, 40, 40, 40], 0.875),
    row("x", "064", [2, 4, 10, 1], [168, 392, 784, 1624], [56, 56, 56, 56], 0.875),
    row("x", "080", [2, 5, 15, 1], [80, 240, 720, 1920], [80, 120, 120, 120], 0.965),
    row("x", "120", [2, 5, 11, 1], [224, 448, 896, 2240], [112, 112, 112, 112], 0.875),
    row("x", "160", [2, 6, 13, 1], [256, 512, 896, 2048], [128, 128, 128, 128], 0.965),
    row("x", "320", [2, 7, 13, 1], [336, 672, 1344, 2520], [168, 168, 168, 168], 0.965),
    row("y", "002", [1, 1, 4, 7], [24, 56, 152, 368], [8, 8, 8, 8], 0.875),
    row("y", "004", [1, 3, 6, 6], [48, 104, 208, 440], [8, 8, 8, 8], 0.965),
    row("y", "006", [1, 3, 7, 4], [48, 112, 256, 608], [16, 16, 16, 16], 0.875),
    row("y", "008", [1, 3, 8, 2], [64, 128, 320, 768], [16, 16, 16, 16], 0.875),
    row("y", "016", [2, 6, 17, 2], [48, 120, 336, 888], [24, 24, 24, 24], 0.965),
    row("y", "032", [2, 5, 13, 1], [72, 216, 576, 1512], [24, 24, 24, 24], 0.95),
    row("y", "040", [2, 6, 12, 2], [128, 192, 512, 1088], [64, 64, 64, 64], 0.95),
    row("y", "064", [2, 7, 14, 2], [144, 288, 576, 1296], [72, 72, 72, 72], 0.95),
    row("y", "080", [2, 4, 10, 1], [168, 448, 896, 2016], [56, 56, 56, 56], 0.95),
    row("y", "120", [2, 5, 11, 1], [224, 448, 896, 2240], [112, 112, 112, 112], 0.95),
    row("y", "160", [2, 4, 11, 1], [224, 448, 1232, 3024], [112, 112, 112, 112], 0.95),
    row("y", "320", [2, 5, 12, 1], [232, 696, 1392, 3712], [232, 232, 232, 232], 0.965),
  ]

  /// A network by its letter and number, the depths, widths and group widths of its stages, and what a crop keeps.
  private static func row(
    _ letter: String, _ number: String, _ depths: [Int], _ widths: [Int], _ groupWidths: [Int],
    _ cropFraction: Double
  ) -> Architecture {
    let c = Configuration(depths, widths, groupWidths: groupWidths, squeeze: letter == "y")
    let gigaflops = "\(number.prefix(2)).\(number.suffix(1))".drop { $0 == "0" }
    return Architecture(
      name: "regnet\(letter)_\(number)", family: "RegNet",
      summary:
        "RegNet\(letter.uppercased()), \(gigaflops.hasPrefix(".") ? "0" : "")\(gigaflops) gigaflops, for ImageNet-1k",
      preprocessing: PreprocessingKeys(224, cropFraction: cropFraction),
      oracles: [letter == "y" ? "regnety-timm" : "regnetx-timm", "regnet-torchvision"],
      recognise: { recognised($0, c) },
      make: { w in
        var c = c
        c.classes = w.outputs(of: "head.fc", standard: c.classes)
        return try RegNet(c, w)
      })
  }
}
