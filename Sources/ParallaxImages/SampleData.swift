import Foundation
import ParallaxTensors

/// The images that the set-up fetches.
public enum SampleData {
  /// The Tux Paint stamps' twelve classes with at least 20 images (527 PNG cut-outs, GPL-2).
  public static var images: URL { CacheFolder.url.appending(path: "images/stamps") }
  /// foolbox's 20 labelled ImageNet images; the class index ends the file's name.
  public static var imageNet: URL { CacheFolder.url.appending(path: "images/foolbox-imagenet") }
}

extension ImageSet {
  /// What identifies the images and their order: a hash over ids, contents and labels.
  public var fingerprint: String {
    ContentHash.sha256(
      samples.map { "\($0.id)\n\($0.sha256)\n\($0.className ?? "")\n" }.joined())
  }
}
