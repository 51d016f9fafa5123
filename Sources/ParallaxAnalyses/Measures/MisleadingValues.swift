import Foundation
import ParallaxMeasures
import ParallaxResults

/// When values say less than they seem to: one rule a pitfall of the measures, and one of the images.
///
/// A rule looks at numbers of images and features, sizes and shares, never at the name of a measure. The thresholds are
/// our choice; each rule names where the effect is known from.
struct MisleadingValues {
  /// What the rules look at of a site that has values.
  struct Site {
    var address: String
    /// The place of its model.
    var model: Int
    var width: Int
    /// What dominates it; nil where that could not be computed.
    var dominance: MeasuresResult.Dominance?
    /// The root mean square distance of the images from their mean; that of the dominance where nil.
    var size: Double?
  }

  /// From this share of chance on, a warning.
  static let chance = 0.1
  /// From this ratio of sizes between models on, a warning.
  static let ratio = 2.0
  /// From this share of the images on, neighbours are no longer near.
  static let neighbourhood = 0.1
  /// With fewer images than these one neighbour an image is noisy.
  static let images = 100
  /// An image is dominant that holds so many times an equal share.
  static let dominance = 10.0
  /// Images are dominant that hold more than half together and are no more than this share of all.
  static let few = 0.05

  /// N.
  let images: Int
  let sites: [Site]

  /// What has to be said of one measure.
  ///
  /// - Parameters:
  ///   - measure: the measure.
  ///   - chance: the mean over shuffled pairs of images of two sites, by their places; nil where there is none.
  /// - Returns: at most one warning a pitfall.
  func warnings(
    _ measure: any Measure, chance: (Int, Int) -> Double? = { _, _ in nil }
  ) -> [MeasuresResult.Warning] {
    // Of a similarity up to 1 the shuffled images themselves say how much chance gives.
    let isShare = measure.direction == .similarity && measure.range.upperBound == 1
    return measure.pitfalls.compactMap { pitfall in
      switch pitfall {
      case .width: width(measure.name, isShare ? chance : { _, _ in nil })
      case .span: span(measure.name, isShare ? chance : { _, _ in nil })
      case .size: size(measure.name)
      case .neighbourhood(let k): neighbourhood(measure.name, k)
      case .ranks(let k): ranks(measure.name, k)
      }
    }
  }

  /// Of independent Gaussians of widths p and p′ biased CKA is about √(pp′/((N+p)(N+p′))), p/(N+p) where they are equal.
  ///
  /// > Source: Murphy et al., 2024, arXiv 2405.01012.
  private func width(_ name: String, _ chance: (Int, Int) -> Double?) -> MeasuresResult.Warning? {
    func expected(_ width: Int) -> Double { Double(width) / Double(images + width) }
    let places = sites.indices.filter {
      expected(sites[$0].width) > Self.chance && !isBelow($0, chance)
    }
    guard let range = widths(places), let least = places.map({ sites[$0].width }).min(),
      let most = places.map({ sites[$0].width }).max()
    else { return nil }
    let values =
      least == most
      ? Self.text(expected(most)) : "\(Self.text(expected(least))) to \(Self.text(expected(most)))"
    return MeasuresResult.Warning(
      measure: name, addresses: places.map { sites[$0].address },
      text:
        "\(range) of \(images) images: the biased estimator is not 0 for unrelated layers; biased CKA of independent Gaussians of such widths is about \(values)\(shuffled(places, chance)); compare at equal numbers of images only",
      source: "Murphy et al., 2024, arXiv 2405.01012")
  }

  /// Of independent data the mean squared canonical correlation is max(p, p′)/(N−1).
  ///
  /// > Source: Kornblith et al., 2019, arXiv 1905.00414, section 6.1 (CCA needs many more examples than features).
  private func span(_ name: String, _ chance: (Int, Int) -> Double?) -> MeasuresResult.Warning? {
    let places = sites.indices.filter {
      Double(sites[$0].width) > Self.chance * Double(images - 1) && !isBelow($0, chance)
    }
    guard let range = widths(places) else { return nil }
    return MeasuresResult.Warning(
      measure: name, addresses: places.map { sites[$0].address },
      text:
        "\(range) of \(images) images, which are not many more: the spans of such layers nearly agree whatever they hold\(shuffled(places, chance)); compare at equal numbers of images only",
      source: "Kornblith et al., 2019, arXiv 1905.00414")
  }

  /// Sizes and dimensions enter the value, so that it orders models by them.
  ///
  /// > Source: Klabunde et al., 2025, arXiv 2305.06329 (invariance to isotropic scaling).
  private func size(_ name: String) -> MeasuresResult.Warning? {
    let sizes = sites.compactMap { site in
      (site.size ?? site.dominance?.size).map { (site: site, size: $0) }
    }
    guard Set(sites.map(\.model)).count > 1,
      let least = sizes.min(by: { $0.size < $1.size }),
      let most = sizes.max(by: { $0.size < $1.size }), most.size >= Self.ratio * least.size
    else { return nil }
    return MeasuresResult.Warning(
      measure: name, addresses: sizes.map(\.site.address),
      text:
        "it follows the size of the features, which differs \(Self.times(most.size / least.size)) between \(least.site.address) and \(most.site.address): do not read an order of models from it",
      source: "Klabunde et al., 2025, arXiv 2305.06329")
  }

  /// Two unrelated representations share k/(N−1) of their neighbours.
  ///
  /// > Source: Huh et al., 2024, arXiv 2405.07987 (k = 10 of 1024 images).
  private func neighbourhood(_ name: String, _ k: Int) -> MeasuresResult.Warning? {
    guard !sites.isEmpty, Double(k) > Self.neighbourhood * Double(images) else { return nil }
    return MeasuresResult.Warning(
      measure: name, addresses: sites.map(\.address),
      text:
        "\(k) neighbours of \(images) images are not near any more: unrelated layers share \(Self.text(Double(k) / Double(images - 1))) of them; compare at equal numbers of images only",
      source: "Huh et al., 2024, arXiv 2405.07987 (10 neighbours of 1024 images)")
  }

  /// > Source: Glielmo et al., 2022, arXiv 2104.15079 (the imbalance is a limit of many points).
  private func ranks(_ name: String, _ k: Int) -> MeasuresResult.Warning? {
    guard !sites.isEmpty, k == 1, images < Self.images else { return nil }
    return MeasuresResult.Warning(
      measure: name, addresses: sites.map(\.address),
      text:
        "one neighbour of each of \(images) images makes a noisy mean of ranks; take more images or neighbours, and compare at equal numbers of images only",
      source: "Glielmo et al., 2022, arXiv 2104.15079")
  }

  /// Images that dominate: one that holds ten times an equal share, or at most 5 % of the images that hold more than half.
  ///
  /// > Source: Nguyen et al., 2022, arXiv 2202.07184.
  var dominated: MeasuresResult.Warning? {
    let most = max(1, Int(Self.few * Double(images)))
    let found = sites.compactMap(\.dominance).filter { site in
      (site.largest.first?.share ?? 0) > Self.dominance / Double(images)
        || site.holdingHalf <= most
    }
    guard
      let worst = found.max(by: {
        ($0.largest.first?.share ?? 0) < ($1.largest.first?.share ?? 0)
      }), let first = worst.largest.first
    else { return nil }
    let half =
      worst.holdingHalf == 1
      ? "" : ", and \(worst.holdingHalf) images more than half"
    return MeasuresResult.Warning(
      measure: nil, addresses: found.map(\.address),
      text:
        "few images make up the Gram matrix of \(found.count) of \(sites.count) layers: at \(worst.address) \(first.id) alone holds \(Self.text(first.share)) of its square\(half); CKA and other measures of Gram matrices and distances then compare these images. --clip or --l2 weaken them",
      source: "Nguyen et al., 2022, arXiv 2202.07184")
  }

  private func widths(_ places: [Int]) -> String? {
    let widths = places.map { sites[$0].width }
    guard let least = widths.min(), let most = widths.max() else { return nil }
    return least == most
      ? "\(most) features" : "\(least) to \(most) features"
  }

  /// Whether shuffled images show that chance gives a site little, though it is wide: few of its directions count.
  private func isBelow(_ place: Int, _ chance: (Int, Int) -> Double?) -> Bool {
    let means = sites.indices.filter { $0 != place }.compactMap { chance(place, $0) }
    return !means.isEmpty && means.reduce(0, +) <= Self.chance * Double(means.count)
  }

  /// What shuffled pairs give where one side is among some sites.
  private func shuffled(_ places: [Int], _ chance: (Int, Int) -> Double?) -> String {
    let means = places.flatMap { a in
      sites.indices.filter { $0 != a }.compactMap { chance(a, $0) }
    }
    guard !means.isEmpty else { return "" }
    return ", and shuffled images give \(Self.text(means.reduce(0, +) / Double(means.count))) here"
  }

  private static func text(_ value: Double) -> String { String(format: "%.2f", value) }

  private static func times(_ ratio: Double) -> String {
    ratio < 10 ? String(format: "%.1f-fold", ratio) : String(format: "%.0f-fold", ratio)
  }
}
