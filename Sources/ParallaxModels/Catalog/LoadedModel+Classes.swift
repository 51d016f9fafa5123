import ParallaxTensors

extension LoadedModel {
  /// The names of the classes that a classifier's outputs stand for, by index; nil where nothing tells them.
  ///
  /// A model's own configuration goes first (transformers' `id2label`, timm's `label_names`). Otherwise they are known of architectures that the catalog describes as made for ImageNet-1k. Weights of somebody's own in such an architecture
  /// are taken to have the same classes where they have a thousand outputs.
  public var classNames: [String]? {
    if let labels { return labels }
    let knows = ["for ImageNet-1k", "supervised on ImageNet-1k"].contains { summary.contains($0) }
    return knows && !summary.contains("self-supervised") ? ImageNetClasses.names : nil
  }
}

extension ImageNetClasses {
  /// Which class somebody means.
  public enum Match: Sendable, Equatable {
    /// This one.
    case index(Int)
    /// None; these names are near.
    case unknown(near: [String])
  }

  /// The class of a name: exactly, else without regard to case, else the only one that has it as a word.
  ///
  /// - Parameters:
  ///   - text: what was typed.
  ///   - names: of the classes.
  /// - Returns: the class, or names that are near.
  public static func match(_ text: String, among names: [String]) -> Match {
    func plain(_ name: String) -> String {
      name.lowercased().replacing("_", with: " ").replacing("-", with: " ")
    }
    let wanted = plain(text.trimmingCharacters(of: " "))
    if let exact = names.firstIndex(where: { plain($0) == wanted }) { return .index(exact) }
    let words = names.indices.filter { index in
      plain(names[index]).split(separator: " ").contains { $0 == wanted }
    }
    if words.count == 1, let only = words.first { return .index(only) }
    if words.count > 1 { return .unknown(near: words.prefix(5).map { names[$0] }) }
    return .unknown(near: Spelling.nearest(to: wanted, among: names))
  }
}

extension String {
  /// Without such characters at both ends.
  fileprivate func trimmingCharacters(of characters: String) -> String {
    var rest = self[...]
    while let first = rest.first, characters.contains(first) { rest = rest.dropFirst() }
    while let last = rest.last, characters.contains(last) { rest = rest.dropLast() }
    return String(rest)
  }
}
