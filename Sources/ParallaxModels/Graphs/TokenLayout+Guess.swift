extension TokenLayout {
  /// How tokens stand in a row, from the names and shapes of a network's parameters; nil where they don't tell.
  ///
  /// Known are the names that timm, transformers, open_clip and the papers' own code use for class, register and
  /// distillation tokens; the patch is the first kernel that cuts up the image.
  ///
  /// - Parameter parameters: names and shapes, in the network's order.
  /// - Returns: the layout.
  static func guessed(from parameters: [(name: String, shape: [Int])]) -> TokenLayout? {
    func last(_ name: String) -> String {
      name.split { $0 == "." || $0 == "/" }.last.map(String.init) ?? name
    }
    func first(_ names: Set<String>) -> [Int]? {
      parameters.first { names.contains(last($0.name)) }?.shape
    }
    let hasClass = first(["cls_token", "class_token", "class_embedding"]) != nil
    let hasPositions = parameters.contains { $0.name.contains("pos") && $0.name.contains("embed") }
    guard hasClass || hasPositions else { return nil }
    let patch = parameters.first {
      $0.shape.count == 4 && $0.shape[1] == 3 && $0.shape[2] == $0.shape[3] && $0.shape[2] >= 4
    }
    guard let patch else { return nil }
    let registers = first(["reg_token", "register_tokens", "storage_tokens"])?.dropLast().last ?? 0
    let hasDistillation = first(["dist_token", "distillation_token"]) != nil
    return TokenLayout(
      hasClassToken: hasClass, registers: registers + (hasDistillation ? 1 : 0),
      patch: patch.shape[2])
  }
}
