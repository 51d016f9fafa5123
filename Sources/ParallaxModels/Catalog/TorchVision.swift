/// torchvision's names, where they are not timm's too.
///
/// timm's name, torchvision's, and how torchvision prepares images for its first weights of that name: the side
/// that the shorter side is resized to, the side of the crop, the filter; ImageNet's mean and deviation. A row
/// counts once there is an architecture of timm's name.
enum TorchVision {
  private static let table: [(timm: String, name: String, resize: Int, crop: Int, filter: String)] =
    [
      ("vit_base_patch16_224", "vit_b_16", 256, 224, "bilinear"),
      ("vit_base_patch32_224", "vit_b_32", 256, 224, "bilinear"),
      ("vit_large_patch16_224", "vit_l_16", 242, 224, "bilinear"),
      ("vit_large_patch32_224", "vit_l_32", 256, 224, "bilinear"),
      ("swin_tiny_patch4_window7_224", "swin_t", 232, 224, "bicubic"),
      ("swin_small_patch4_window7_224", "swin_s", 246, 224, "bicubic"),
      ("swin_base_patch4_window7_224", "swin_b", 238, 224, "bicubic"),
      ("swinv2_tiny_window8_256", "swin_v2_t", 260, 256, "bicubic"),
      ("swinv2_small_window8_256", "swin_v2_s", 260, 256, "bicubic"),
      ("swinv2_base_window8_256", "swin_v2_b", 272, 256, "bicubic"),
      ("mobilenetv2_100", "mobilenet_v2", 256, 224, "bilinear"),
      ("mobilenetv3_large_100", "mobilenet_v3_large", 256, 224, "bilinear"),
      ("mobilenetv3_small_100", "mobilenet_v3_small", 256, 224, "bilinear"),
      ("regnety_004", "regnet_y_400mf", 256, 224, "bilinear"),
      ("regnety_008", "regnet_y_800mf", 256, 224, "bilinear"),
      ("regnety_016", "regnet_y_1_6gf", 256, 224, "bilinear"),
      ("regnety_032", "regnet_y_3_2gf", 256, 224, "bilinear"),
      ("regnetx_004", "regnet_x_400mf", 256, 224, "bilinear"),
      ("regnetx_008", "regnet_x_800mf", 256, 224, "bilinear"),
      ("regnetx_016", "regnet_x_1_6gf", 256, 224, "bilinear"),
      ("regnetx_032", "regnet_x_3_2gf", 256, 224, "bilinear"),
    ]

  /// The architecture that torchvision calls so, prepared for as torchvision does.
  static func entry(_ name: String) -> CatalogEntry? {
    guard let row = table.first(where: { $0.name == name }),
      let architecture = Catalog.architectures.first(where: { $0.name == row.timm })
    else { return nil }
    return CatalogEntry(
      architecture.name, architecture,
      preprocessing: keys(resize: row.resize, crop: row.crop, row.filter))
  }

  /// The names of an architecture in torchvision.
  static func names(of architecture: String) -> [String] {
    table.filter { $0.timm == architecture }.map(\.name)
  }

  private static func keys(resize: Int, crop: Int, _ filter: String) -> PreprocessingKeys {
    // timm rounds crop / fraction down, which must give the side and not one pixel less.
    var fraction = Double(crop) / Double(resize)
    if Int(Double(crop) / fraction) != resize { fraction = Double(crop) / (Double(resize) + 0.25) }
    return PreprocessingKeys(crop, cropFraction: fraction, interpolation: filter)
  }
}
