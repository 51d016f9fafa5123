extension MatchingResult {
  /// Every number as rows of `results.csv`: `b` is the pair, `x` the place's relative depth, of a
  /// trace the step.
  public func tidyRows() -> [TidyRow] {
    let places = models.flatMap { model in model.places.map { (model, $0) } }
    return places.flatMap { rows($0.0, $0.1) } + transferRows(places)
  }

  private func rows(_ model: Model, _ place: Place) -> [TidyRow] {
    func row(
      _ measure: String, _ value: Double?, _ b: String = "", _ unit: String = "", n: Int = 1
    ) -> TidyRow {
      TidyRow(
        analysis: "matching", measure: measure, a: "\(model.name)@\(place.site)#\(place.tokens)",
        b: b, x: "\(place.depth)", value: value, n: n, estimator: preset, unit: unit)
    }
    func id(_ image: Int) -> String { images.indices.contains(image) ? images[image].id : "" }
    var rows = place.pairs.flatMap { pair -> [TidyRow] in
      let b = "\(id(pair.source)) → \(id(pair.target))"
      return [
        row("cosine before", pair.before.cosine, b), row("d before", pair.before.distance, b),
        row("cosine", pair.after.cosine, b), row("d", pair.after.distance, b),
        row("cosine of the saved picture", pair.saved.cosine, b),
        row("d of the saved picture", pair.saved.distance, b),
        row("norm of the target", pair.targetNorm, b), row("L2", pair.change.euclidean, b),
        row("L∞", pair.change.maximum, b), row("PSNR", pair.change.psnr, b, "dB"),
        row("SSIM", pair.change.ssim, b), row("L2 to the target", pair.between, b),
        row("steps: \(pair.ending)", Double(pair.steps), b),
      ] + traceRows(model, place, pair, b)
    }
    for one in place.readouts {
      rows += [
        row("\(one.name) accuracy before", one.before, n: one.count),
        row("\(one.name) accuracy after", one.after, n: one.count),
        row("\(one.name) reads the target's class", one.fooled, n: one.count),
        row("\(one.name) lost", one.lost.map(Double.init), n: one.count),
        row("\(one.name) won", one.won.map(Double.init), n: one.count),
      ]
    }
    for one in place.noise {
      let b = "σ \(one.deviation)"
      rows += [
        row("class kept under noise, source", one.sources, b, n: place.pairs.count),
        row("class kept under noise, matched", one.matched, b, n: place.pairs.count),
        row("shift under noise, source", one.sourceShift, b, n: place.pairs.count),
        row("shift under noise, matched", one.matchedShift, b, n: place.pairs.count),
        row("detection under noise", one.detection, b, n: place.pairs.count),
      ]
      if one.sourceExpected != nil || one.matchedExpected != nil {
        rows += [
          row("shift by linearisation, source", one.sourceExpected, b, n: place.pairs.count),
          row("shift by linearisation, matched", one.matchedExpected, b, n: place.pairs.count),
        ]
      }
    }
    if let scores = place.scores {
      for (row, pair) in scores.pairs.enumerated() where place.pairs.indices.contains(pair) {
        for (column, name) in scores.classes.enumerated() {
          for (when, table) in [("before", scores.before), ("after", scores.after)] {
            rows.append(
              self.row(
                model, place, "score \(when): \(name)", table[row][column],
                label(place.pairs[pair])))
          }
        }
      }
    }
    if let all = place.coordinates {
      for (name, table) in [
        ("source", all.sources), ("target", all.targets), ("matched", all.matched),
      ] {
        for (pair, values) in table.enumerated() where place.pairs.indices.contains(pair) {
          for (number, value) in values.enumerated() {
            rows.append(
              row(
                "principal coordinate \(number + 1), \(name)", value, label(place.pairs[pair])))
          }
        }
      }
    }
    return rows
  }

  private func label(_ pair: Pair) -> String {
    func id(_ image: Int) -> String { images.indices.contains(image) ? images[image].id : "" }
    return "\(id(pair.source)) → \(id(pair.target))"
  }

  private func row(
    _ model: Model, _ place: Place, _ measure: String, _ value: Double?, _ b: String,
    x: String? = nil
  ) -> TidyRow {
    TidyRow(
      analysis: "matching", measure: measure, a: "\(model.name)@\(place.site)#\(place.tokens)",
      b: b, x: x ?? "\(place.depth)", value: value, n: 1, estimator: preset, unit: "")
  }

  /// The way there: of these rows `x` is the step.
  private func traceRows(_ model: Model, _ place: Place, _ pair: Pair, _ b: String) -> [TidyRow] {
    pair.trace.flatMap { point -> [TidyRow] in
      [
        ("trace: loss", point.loss), ("trace: d", point.distance), ("trace: cosine", point.cosine),
        ("trace: L1", point.change),
      ].map { (measure: String, value: Double?) in
        row(model, place, measure, value, b, x: "\(point.step)")
      }
    }
  }

  private func transferRows(_ places: [(Model, Place)]) -> [TidyRow] {
    guard let transfer else { return [] }
    func address(_ index: Int) -> String {
      let (model, place) = places[index]
      return "\(model.name)@\(place.site)#\(place.tokens)"
    }
    return places.indices.flatMap { row in
      places.indices.flatMap { column -> [TidyRow] in
        let values = [("way", transfer.way), ("nearest is the target", transfer.nearest)]
        return values.map { name, table in
          TidyRow(
            analysis: "matching", measure: "transfer: \(name)", a: address(row),
            b: address(column), x: "",
            value: table.indices.contains(row) && table[row].indices.contains(column)
              ? table[row][column] : nil, n: places[row].1.pairs.count, estimator: preset,
            unit: "")
        }
      }
    }
  }
}
