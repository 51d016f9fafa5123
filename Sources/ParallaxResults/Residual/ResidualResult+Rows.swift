extension ResidualResult {
  /// Every number as rows of `results.csv`; `x` is the block's relative depth, `b` a token where it is of one.
  public func tidyRows() -> [TidyRow] {
    models.flatMap { model in
      model.connections.flatMap { rows(model, $0) } + rows(model)
    } + removals.flatMap(rows)
  }

  private func row(
    _ measure: String, _ a: String, b: String = "", x: String = "", _ value: IntervalEstimate,
    _ estimator: String, n: Int? = nil
  ) -> TidyRow {
    TidyRow(
      analysis: "residual", measure: measure, a: a, b: b, x: x, value: value.value,
      low: value.low, high: value.high, n: n ?? images, estimator: estimator)
  }

  private func rows(_ model: Model, _ one: Connection) -> [TidyRow] {
    let (address, x) = ("\(model.name)@\(one.site)", "\(one.depth)")
    let part = one.part.rawValue
    var rows = [
      row("norm ratio, \(part)", address, b: "spatial tokens", x: x, one.ratio, aggregation),
      row("cosine, \(part)", address, b: "spatial tokens", x: x, one.cosine, cosine),
      row(
        "undefined ratios, \(part)", address, x: x, IntervalEstimate(Double(one.undefined)), "count"
      ),
    ]
    if model.hasClassToken, one.others > 0 {
      rows += [
        row("norm ratio, \(part)", address, b: "class token", x: x, one.classRatio, aggregation),
        row("cosine, \(part)", address, b: "class token", x: x, one.classCosine, cosine),
      ]
    }
    for (token, value) in one.tokens.enumerated() {
      rows.append(
        row(
          "norm ratio, \(part)", address, b: name(of: token, one), x: x, IntervalEstimate(value),
          aggregation))
    }
    return rows
  }

  /// `token 0` of those before the grid, `row 2, column 3` of the others.
  private func name(of token: Int, _ one: Connection) -> String {
    guard token >= one.others else { return "token \(token)" }
    guard one.shownColumns > 0 else { return "token \(token)" }
    let place = token - one.others
    let cell = one.shownRows == one.rows && one.shownColumns == one.columns ? "" : "cell "
    return "\(cell)row \(place / one.shownColumns), column \(place % one.shownColumns)"
  }

  private func rows(_ model: Model) -> [TidyRow] {
    guard let found = model.transition else { return [] }
    return [
      ("class less spatial, first half", found.early),
      ("class less spatial, second half", found.late),
      ("class less spatial, first half less second", found.change),
      ("depth of the crossing", found.crossing),
    ].map { row($0.0, model.name, $0.1, "log2 of norm ratios, \(aggregation)") }
  }

  private func rows(_ removal: Removal) -> [TidyRow] {
    let address = "\(models[removal.model].name) without the skips of \(removal.block)"
    let kind = "debiased, minibatch, inference-time ablation"
    var rows = [
      ("mean CKA across the block, intact", removal.acrossIntact),
      ("mean CKA across the block, ablated", removal.acrossAblated),
      ("mean CKA on one side of the block, intact", removal.insideIntact),
      ("mean CKA on one side of the block, ablated", removal.insideAblated),
      ("growth of the gap between one side and across", removal.split),
    ].map { row($0.0, address, $0.1, kind, n: removal.images) }
    for (measure, matrix) in [("CKA, intact", removal.intact), ("CKA, ablated", removal.ablated)] {
      for (i, line) in matrix.enumerated() {
        for (j, value) in line.enumerated() where j >= i {
          rows.append(
            TidyRow(
              analysis: "residual", measure: measure, a: "\(address)@\(removal.layers[i])",
              b: "\(address)@\(removal.layers[j])", value: value, n: removal.images,
              estimator: kind))
        }
      }
    }
    return rows
  }
}
