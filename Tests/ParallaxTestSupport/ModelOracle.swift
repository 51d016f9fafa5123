import Foundation
import Parallax
import Testing

/// What another implementation computed for a miniature model: weights, input, every site, gradient.
public struct ModelOracle: Sendable {
  /// The fixture.
  public let file: Safetensors
  /// The checkpoint's parameters, under the names of the implementation that made them.
  public let weights: HeldWeights
  /// Sites in execution order, as the other implementation has them.
  public let order: [String]
  /// Sites of it that a model need not have.
  public let optional: Set<String>

  /// The fixture `Tests/Fixtures/models/NAME.safetensors`.
  public init(_ name: String) throws {
    file = try Safetensors(fixtures.appending(path: "models/\(name).safetensors").path)
    let file = self.file
    var held: [String: Tensor] = [:]
    for name in file.names where name.hasPrefix("weights/") {
      held[String(name.dropFirst(8))] = file[name]
    }
    weights = HeldWeights(held, label: name)
    func list(_ key: String) throws -> [String] {
      try JSONDecoder().decode([String].self, from: Data((file.metadata[key] ?? "[]").utf8))
    }
    order = try list("order")
    optional = try Set(list("optional"))
  }

  /// A tensor of the fixture that must be there.
  public func tensor(_ name: String) throws -> Tensor { try #require(file[name], "\(name)") }

  /// The part of a comparison that may differ: 1e-4 of the largest value.
  public static let tolerance = 1e-4

  /// The largest difference over the reference's largest value.
  public static func difference(_ found: Tensor, _ expected: Tensor) -> Double {
    guard found.shape == expected.shape else { return .infinity }
    let scale = expected.to(.float64).absolute().maximum().item(Double.self)
    let gap = (found.to(.float64) - expected.to(.float64)).absolute().maximum().item(Double.self)
    return gap / max(scale, 1e-12)
  }

  /// Every law that a model must keep with its oracle.
  ///
  /// - Parameters:
  ///   - model: made from the oracle's weights.
  ///   - besides: sites of the model that the oracle does not have.
  ///   - sourceLocation: the test that asks.
  /// - Throws: where the fixture lacks a tensor.
  public func check(
    _ model: any Model, besides: Set<String> = [],
    sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let input = try tensor("input")
    let expected = try tensor("output")
    try checkSites(model, input, besides, sourceLocation)
    if expected.rank == 2 {
      let output = model(input, .off)
      #expect(
        Self.difference(output, expected) < Self.tolerance, "output", sourceLocation: sourceLocation
      )
    }
    try checkAlone(model, input, sourceLocation)
    try checkGradients(model, input, expected, sourceLocation)
    try checkProducts(model, input, sourceLocation)
  }

  private func checkSites(
    _ model: any Model, _ input: Tensor, _ besides: Set<String>, _ here: SourceLocation
  ) throws {
    var seen: [String] = []
    let tap = Tap(nil) { visit in
      seen.append(visit.site)
      if let expected = file["site/\(visit.site)"] {
        let gap = Self.difference(visit.value, expected)
        #expect(gap < Self.tolerance, "\(visit.site)", sourceLocation: here)
      }
      return nil
    }
    _ = model(input, tap)
    // The resized positions are in the fixture, but no module.
    let required = order.filter { !optional.contains($0) && $0 != "pos_embed.resized" }
    let known = Set(order)
    #expect(
      seen.filter { known.contains($0) && !optional.contains($0) } == required,
      sourceLocation: here)
    #expect(
      Set(seen).subtracting(known).subtracting(besides) == ["input"], "sites that the oracle lacks",
      sourceLocation: here)
    #expect(Set(seen).count == seen.count, "a site shown twice", sourceLocation: here)
  }

  /// Whatever else is tapped, a site's value is the same: alone, and among the blocks.
  private func checkAlone(_ model: any Model, _ input: Tensor, _ here: SourceLocation) throws {
    let sites = model.sites(height: input.shape[2], width: input.shape[3])
    let blocks = Set(sites.filter(\.isBlock).map(\.name))
    for wanted in sites.map({ Set([$0.name]) }) + [blocks] where !wanted.isEmpty {
      var missing = wanted
      let tap = Tap(wanted) { visit in
        missing.remove(visit.site)
        if let expected = file["site/\(visit.site)"] {
          let gap = Self.difference(visit.value, expected)
          #expect(gap < Self.tolerance, "\(visit.site) alone", sourceLocation: here)
        }
        return nil
      }
      _ = model(input, tap)
      #expect(missing.isEmpty, "not shown: \(missing)", sourceLocation: here)
    }
  }

  private func checkGradients(
    _ model: any Model, _ input: Tensor, _ expected: Tensor, _ here: SourceLocation
  ) throws {
    if let reference = file["grad/input"], expected.rank == 2 {
      let (_, gradients) = Tensor.valueWithGradient(at: [input]) {
        model($0[0], .off).squared().mean()
      }
      let gap = Self.difference(gradients[0], reference)
      #expect(gap < 1e-3, "gradient at the pixels", sourceLocation: here)
    }
    for site in model.sites(height: input.shape[2], width: input.shape[3]) {
      let (_, gradients) = Tensor.valueWithGradient(at: [input]) { leaves in
        var value = Tensor(Float(0))
        let tap = Tap([site.name]) { visit in
          value = visit.value.squared().mean()
          return nil
        }
        _ = model(leaves[0], tap)
        return value
      }
      #expect(gradients[0].isFinite(), "gradient from \(site.name)", sourceLocation: here)
      #expect(
        gradients[0].absolute().maximum().item(Double.self) > 0,
        "no gradient from \(site.name)", sourceLocation: here)
    }
  }

  /// ⟨u, J·v⟩ = ⟨Jᵀ·u, v⟩ at every site and at the output: the way forward and the way back know the same Jacobian.
  private func checkProducts(
    _ model: any Model, _ input: Tensor, _ sourceLocation: SourceLocation
  ) throws {
    let v = RandomSource(seed: 5).normal(input.shape)
    func all(_ images: Tensor) -> [(name: String, value: Tensor)] {
      var seen: [(String, Tensor)] = []
      let tap = Tap(nil) { visit in
        if visit.value.dtype.isFloatingPoint { seen.append((visit.site, visit.value)) }
        return nil
      }
      let output = model(images, tap)
      return seen + [("output", output)]
    }
    var names: [String] = []
    var sizes: [Int] = []
    let (_, joined) = Tensor.jacobianVectorProduct(at: [input], directions: [v]) { images in
      let found = all(images[0])
      (names, sizes) = (found.map(\.name), found.map(\.value.count))
      return Tensor.concatenated(found.map { $0.value.reshaped(-1) }, 0)
    }
    let back = Tensor.pullback(at: [input]) { all($0[0]).map(\.value) }
    var first = 0
    for (index, value) in back.values.enumerated() {
      let along = joined.sliced(0, first, first + sizes[index]).reshaped(value.shape).to(.float64)
      first += sizes[index]
      let u = RandomSource(seed: 6).normal(value.shape)
      let product = try back.products(of: index, with: u)[0]
      let there = (u.to(.float64) * along).sum().item(Double.self)
      let here = try #require(product).to(.float64)
      let gap = abs(there - (here * v.to(.float64)).sum().item(Double.self))
      func length(_ x: Tensor) -> Double { x.squared().sum().item(Double.self).squareRoot() }
      let scale = max(length(along), length(here))
      #expect(gap < 1e-4 * scale, "the products of \(names[index])", sourceLocation: sourceLocation)
    }
    // As fast as it can be, whatever is fused then.
    let (_, fast) = Tensor.jacobianVectorProduct(at: [input], directions: [v]) {
      model($0[0], .off)
    }
    let output = joined.sliced(0, joined.count - fast.count).reshaped(fast.shape)
    #expect(
      Self.difference(fast, output) < 1e-3, "the product with no tap",
      sourceLocation: sourceLocation)
  }
}
