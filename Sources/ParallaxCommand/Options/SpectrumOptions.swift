import ArgumentParser
import Foundation
import Parallax

/// Singular values of the layers' Jacobians beside the reconstructions.
struct SpectrumOptions: ParsableArguments {
  @Flag(
    help:
      "Also the singular values of each layer's Jacobian at a picture: rank, condition number, effective rank, over depth."
  )
  var spectrum = false

  @Option(help: "Leading singular values of layers too large to be decomposed as a whole.")
  var singularValues = 64

  @Option(help: "Pictures at which Jacobians are decomposed.")
  var spectrumPictures = 1

  @Option(help: "Singular values above this share of the largest count for the rank.")
  var rankThreshold = 1e-3

  func validate() throws {
    try Outlier.check([
      ("singular-values", singularValues, 2...4096),
      ("spectrum-pictures", spectrumPictures, 1...4096),
    ])
    guard rankThreshold >= 1e-6, rankThreshold < 1 else {
      throw ValidationError(
        "--rank-threshold \(rankThreshold): expected a number from 1e-6, where float32 rounds, to below 1"
      )
    }
  }

  func options(layers: Int, batchSize: Int) -> SpectrumAnalysis.Options {
    var options = SpectrumAnalysis.Options()
    (options.images, options.layers, options.count) = (spectrumPictures, layers, singularValues)
    options.threshold = rankThreshold
    options.batchSize = min(options.batchSize, batchSize)
    return options
  }
}

extension SpectrumResult {
  /// `efficientnet-lite0@blocks.0: D/n 5.33, rank at least 64, σ₁/σ_64 12.3`.
  var lines: [String] {
    models.flatMap { model in
      model.layers.map { layer in
        let ratio = Double(layer.features) / Double(max(1, model.inputs))
        let parts = layer.pictures.map { one -> String in
          let rank =
            one.rank.isExact
            ? "rank \(Int(one.rank.low))" : "rank at least \(Int(one.rank.low))"
          let condition = one.condition(at: compared).map { ", σ₁/σ_\(compared) \(Self.short($0))" }
          return rank + (condition ?? "")
        }
        return
          "\(model.name)@\(layer.site): D/n \(Self.short(ratio)), \(parts.joined(separator: "; "))"
      }
    }
  }

  private static func short(_ value: Double) -> String { String(format: "%.3g", value) }
}
