import ParallaxResults

/// Every choice that changes the numbers of the attention analysis, and whether the paper makes it.
enum AttentionSwitches {
  static func list(
    _ options: AttentionAnalysis.Options, _ result: AttentionResult
  ) -> [Switch] {
    var list: [Switch] = []
    func add(_ name: String, _ value: String, paper: Bool = false) {
      list.append(
        Switch(name, value, origin: paper ? "paper" : "reconstruction"))
    }
    add(
      "quantity", "distance in pixels, weighted by attention, mean over queries and images",
      paper: true)
    add("order of heads", "ascending by mean distance", paper: true)
    add("layers drawn in full", "the two lowest and the two highest", paper: true)
    add("images", "\(result.images); the paper has 5000 of ImageNet's validation set")
    add(
      "distance",
      "Euclidean between the patches' places, times the patch's side (sayakpaul/probing-vits)")
    add("queries", "patches only")
    add(
      "class, register and distillation tokens as keys",
      options.others == .dropped
        ? "dropped, the weights of the patches not renormalised (sayakpaul/probing-vits)"
        : "dropped, the weights of the patches renormalised")
    if result.models.contains(where: \.isWindowed) {
      add(
        "windows",
        "distances in the full grid with the shift undone; masked pairs have no weight; padding counts as other tokens"
      )
    }
    add(
      "entropy",
      options.entropy ? "−Σ A ln A over all keys, mean over patch queries" : "not computed")
    add(
      "uniform attention", "the same weight on every key that a query sees, other tokens included")
    add("intervals of heads", "Student's t over images")
    add(
      "intervals of findings",
      result.groups == 0
        ? "none: fewer than two images a group"
        : "jackknife over \(result.groups) groups of images, none drawn twice")
    add("lowest and highest layers", "a quarter of the layers each, at least one")
    add(
      "local and global",
      "less and more than \(AttentionFindings.half) of the distance of uniform attention")
    guard !result.subsets.isEmpty else { return list }
    add(
      "subsets of heads",
      "outputs of heads before the projection, side by side, against early layers of convolutional networks",
      paper: true)
    add("size of a subset", "a quarter of the heads, one head further each time")
    add("early layers", "the first \(HeadSubsets.layers) blocks, flattened")
    add(
      "CKA",
      "linear, unbiased HSIC summed over blocks of images, intervals by a jackknife over blocks")
    return list
  }
}
