import ParallaxResults

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct KStarCheck {
  let result: KStarResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    let (images, classes) = (result.images.indices, result.classes.indices)
    guard result.labels.count == images.count, result.labels.allSatisfy(classes.contains) else {
      return "its labels are no classes of its images"
    }
    for model in result.models {
      guard !model.spaces.isEmpty else { return "a model has no space" }
      for space in model.spaces {
        guard space.ranks.count == images.count else {
          return "a space has k* of \(space.ranks.count) of \(images.count) images"
        }
        guard (0...1).contains(space.depth) else { return "a space lies at depth \(space.depth)" }
        guard space.concepts.allSatisfy({ classes.contains($0.label) && $0.size > 0 }) else {
          return "a concept is no class, or has no image"
        }
        guard Set(space.concepts.map(\.label)).count == space.concepts.count else {
          return "a concept stands twice"
        }
        guard
          space.coincident.allSatisfy({
            !$0.images.isEmpty && $0.pairs >= 0 && $0.images.allSatisfy(images.contains)
          })
        else { return "a group of images is none" }
        if let breakers = space.breakers {
          guard breakers.count == images.count, breakers.allSatisfy(images.contains) else {
            return "the images that break concepts are none"
          }
        }
        guard let map = space.map else { continue }
        if let tsne = map.tsne {
          guard tsne.points.count == map.images.count, tsne.points.allSatisfy({ $0.count == 2 })
          else { return "a map by t-SNE does not fit its images" }
        }
        guard map.points.count == map.images.count, map.chains.count == map.images.count,
          map.images.allSatisfy(images.contains), map.points.allSatisfy({ $0.count == 2 }),
          map.chains.allSatisfy({ $0.allSatisfy(images.contains) })
        else { return "a map does not fit its images" }
      }
    }
    return nil
  }
}
