extension AttentionResult {
  /// Every number as rows of `results.csv`.
  public func tidyRows() -> [TidyRow] {
    let layers = models.flatMap { model in
      model.layers.flatMap { layer -> [TidyRow] in
        let address = "\(model.name)@\(layer.site)"
        func row(
          _ measure: String, _ value: Estimate, head: Int?, _ estimator: String, _ unit: String
        ) -> TidyRow {
          TidyRow(
            analysis: "attention", measure: measure, a: address,
            b: head.map { "head \($0)" } ?? "", x: "\(layer.depth)", value: value.value,
            low: value.low, high: value.high, n: images, estimator: estimator, unit: unit)
        }
        let mean = "mean over images; other tokens \(others)"
        let heads = layer.heads.enumerated().flatMap { head, numbers in
          [
            row("attention distance", numbers.distance, head: head, mean, "px"),
            row(
              "attention distance, deviation", Estimate(numbers.distanceDeviation), head: head,
              "standard deviation over images", "px"),
            row("attention entropy", numbers.entropy, head: head, "mean over images", "nat"),
          ]
        }
        return heads + [
          row(
            "attention distance", Estimate(layer.uniformDistance), head: nil, "uniform attention",
            "px"),
          row(
            "attention entropy", Estimate(layer.uniformEntropy), head: nil, "uniform attention",
            "nat"),
        ]
      }
    }
    return layers + subsetRows
  }
}
