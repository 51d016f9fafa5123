import Foundation

/// The names of classes that a `config.json` gives: transformers' `id2label`, timm's `label_names` with their `label_descriptions`.
enum ClassLabels {
  /// Them by index; nil where the file has none, leaves one out, or has only transformers' placeholders (`LABEL_0` …).
  ///
  /// - Parameter config: the file's keys.
  /// - Returns: one name a class.
  static func names(_ config: [String: Any]) -> [String]? {
    if let table = config["id2label"] as? [String: Any] {
      let names = (0..<table.count).compactMap { table["\($0)"] as? String }
      let isNamed = names.indices.contains { names[$0] != "LABEL_\($0)" }
      return isNamed && names.count == table.count ? names : nil
    }
    let own = config["pretrained_cfg"] as? [String: Any] ?? [:]
    for keys in [config, own] {
      guard let names = keys["label_names"] as? [String], !names.isEmpty else { continue }
      let words = keys["label_descriptions"] as? [String: Any] ?? [:]
      return names.map { words[$0] as? String ?? $0 }
    }
    return nil
  }
}
