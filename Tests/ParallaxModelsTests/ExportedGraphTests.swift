import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

@Suite("Export archives and PyTorch")
struct ExportedGraphTests {
  static let networks = [
    "vit-timm", "deit-distilled-timm", "siglip-timm", "beit-timm", "eva02-timm", "vit-torchvision",
    "vit-hf", "dinov2-hf", "clip-hf", "swin-timm", "swinv2-timm", "swin-torchvision", "swin-hf",
    "resnet-timm", "resnet-torchvision", "convnext-timm", "convnextv2-timm", "efficientnet-timm",
    "mobilenetv3-timm", "regnet-timm", "densenet-torchvision", "vgg-torchvision", "mixer-timm",
    "own",
  ]

  private func loaded(_ path: String, everyNode: Bool = false) throws -> LoadedModel {
    try Catalog.load(.graph(path), graphs: GraphOptions(everyNode: everyNode))
  }

  @Test("output, every module and the gradient are PyTorch's", arguments: networks)
  func agreement(name: String) throws {
    let oracle = try ExportOracle(name)
    let model = try loaded(oracle.path).model
    let input = try oracle.tensor("input").to(.float32)
    #expect(
      ModelOracle.difference(model(input, .off), try oracle.tensor("output"))
        < ModelOracle.tolerance)
    var seen: [String] = []
    let tap = Tap(nil) { visit in
      seen.append(visit.site)
      if oracle.order.contains(visit.site) {
        let gap = oracle.difference(visit.value, at: visit.site)
        #expect(gap < ModelOracle.tolerance, "\(visit.site) \(visit.value.shape)")
      }
      return nil
    }
    _ = model(input, tap)
    #expect(Set(seen).count == seen.count, "a site shown twice")
    // Where the first dimension is not the images (windows), where a module hands on what it got, or where what it made
    // goes nowhere, there is no site.
    let batch = input.shape[0]
    let expected = try oracle.order.filter {
      let shape = try oracle.tensor("site/\($0)").shape
      return !shape.isEmpty && oracle.shape($0).first == batch && oracle.shape($0).count > 1
    }
    let missing = expected.filter { !seen.contains($0) }
    #expect(missing.isEmpty, "\(missing)")
    #expect(seen.filter(Set(expected).contains) == expected.filter(seen.contains))
    let (_, gradients) = Tensor.valueWithGradient(at: [input]) {
      model($0[0], .off).squared().mean()
    }
    #expect(
      ModelOracle.difference(
        ExportOracle.sample(gradients[0], 4096), try oracle.tensor("grad/input")) < 1e-3,
      "gradient at the pixels")
    // The way forward and the way back know one Jacobian, attention in one step or not.
    let v = RandomSource(seed: 1).normal(input.shape)
    let (value, along) = Tensor.jacobianVectorProduct(at: [input], directions: [v]) {
      model($0[0], .off)
    }
    let u = RandomSource(seed: 2).normal(value.shape)
    let back = Tensor.vectorJacobianProduct(at: [input], seed: u) { model($0[0], .off) }.products[0]
    let there = (u.to(.float64) * along.to(.float64)).sum().item(Double.self)
    let here = (v.to(.float64) * back.to(.float64)).sum().item(Double.self)
    let scale = along.to(.float64).squared().sum().item(Double.self).squareRoot()
    #expect(scale > 0 && abs(there - here) < 1e-3 * scale, "forward and backward products")
  }
}
