import Foundation
import ParallaxResults

/// How steep embeddings are around pictures.
///
/// > Source: Salman, Shams and Liu, 2024, arXiv 2401.15568.
enum LipschitzSection {
  /// The section; nil where the run has no such result.
  static func make(_ material: Material) throws -> Section? {
    guard let result: LipschitzResult = try material.run.result(analysis: "lipschitz") else {
      return nil
    }
    if let problem = LipschitzCheck(result: result).problem {
      throw ResultsError.damaged(
        path: material.run.url.appending(path: "results/lipschitz.json").path, problem: problem)
    }
    let (text, figures) = (LipschitzText(result: result), LipschitzFigures(result: result))
    let pictures = LipschitzPictures(result: result)
    var drawn = [figures.curves, figures.errors, figures.values]
    var body: [HTML] = [
      text.lead, Fold.switches(result.switches),
      .element("h3", [:], "How far the embedding moves, direction by direction"),
      figures.curves.html(
        caption: [.text(text.curves)],
        after: [Fold.again(material), LipschitzTable(result: result).html]),
      .element("h3", [:], "How far it is linear"),
      figures.errors.html(caption: [.text(text.errors)], after: [Fold.again(material)]),
      .element("h3", [:], "Singular values"),
      figures.values.html(caption: [.text(text.values)], after: [Fold.again(material)]),
    ]
    if let segments = figures.segments() {
      body += [
        .element("h3", [:], "Along the way to the match and to the target"),
        segments.html(caption: [.text(text.segments)], after: [Fold.again(material)]),
      ]
      drawn.append(segments)
    }
    if pictures.hasWalks {
      body += [
        .element("h3", [:], text.walkTitle),
        .element(
          "figure", ["id": "figure-lipschitz-walk", "class": "figure"],
          [
            pictures.html, .element("figcaption", [:], text.walk), Fold.again(material),
            pictures.widths,
          ]),
      ]
    }
    return Section(
      id: "lipschitz", name: "Steepness", title: "How steep the embeddings are around pictures",
      body: body, findings: result.findings, figures: drawn, data: figures.data())
  }
}

/// What the section says beside its figures.
struct LipschitzText {
  let result: LipschitzResult

  private var isSingle: Bool { result.dtype != "float64" }

  private var rounding: String {
    let all = result.models.flatMap { $0.places.flatMap { $0.pictures.compactMap(\.rounding) } }
    guard let low = all.min(), let high = all.max() else { return "not measured in this run" }
    return low == high ? Text.brief(low) : "\(Text.brief(low)) to \(Text.brief(high))"
  }

  private var basis: String { "Pixels of 0 to 1; seed \(result.seed)." }

  var lead: HTML {
    .element(
      "p", ["class": "lead"],
      """
      An embedding answers to some changes of a picture and not to others. After Salman, Shams and Liu (2024), this section measures how far \
      it moves for a step of a length h along chosen directions, L_v(x, h) = ‖f(x + h·v) − f(x)‖/h. The directions that it answers to span the \
      normal space; along the others, the tangent space, the picture can change and the embedding stays. The paper leaves the protocol \
      open: it is ours.
      """)
  }

  var curves: String {
    "L_v(x, h) over h on two logarithmic axes, a line each direction. v₁: the first right singular vector of the Jacobian. Matching: from the picture to the one with the target's embedding. Gradient: of the distance to the target. Target: straight to the other image. Tangent: random, without its part in the normal space. Steps at which the embedding moves by less than five times its rounding (\(rounding)) are left out\(isSingle ? "; --dtype float64 goes further down" : ""). \(basis)"
  }

  var errors: String {
    "‖f(x + h·v) − f(x) − h·J·v‖/‖f(x + h·v) − f(x)‖ over h: 0 where the embedding is linear; cut off at 1.5. Where it stays small is the linear piece around the picture. \(basis)"
  }

  var values: String {
    "σ_i over i on two logarithmic axes: all where the embedding has few numbers, else the leading ones that have converged. \(basis)"
  }

  var segments: String {
    "Cosine of the embedding with that of the source (grey) and that of the target (orange), along straight lines from the source to the matched picture and to the target itself. Of classifiers dashed: the probability of the source's class (grey) and of the target's (orange). \(basis)"
  }

  /// What the walk's switch begins with where it goes along eigenvectors.
  private var walkKind: String? {
    ["SiMEC", "SiMExp"].first { name in
      result.switches.contains { $0.name == "walk" && $0.value.hasPrefix("\(name):") }
    }
  }

  var walkTitle: String {
    walkKind == "SiMExp"
      ? "Pictures along what the embedding answers to" : "Pictures that share one embedding"
  }

  var walk: String {
    let steps =
      walkKind != nil
      ? "Steps of a length δ along random eigenvectors of JᵀJ; λ = ‖J·v‖² is how far, squared, the embedding moves for a step of length 1."
      : "Steps along the part of the way to the target that the embedding does not see, each corrected by Gauss–Newton steps."
    return
      "\(steps) Way: ‖x − x₀‖ over ‖x_tg − x₀‖. Drift: ‖f(x) − f(x₀)‖ over ‖f(x_tg) − f(x₀)‖. Of a level set: the classifier's confidence in the source's class, what is left of the way to the target, and the last picture's L2, L∞ and SSIM against it. Full size: tensors/lipschitz/ in the run folder. \(basis)"
  }
}

/// The pictures of walks.
struct LipschitzPictures {
  let result: LipschitzResult

  var hasWalks: Bool {
    result.models.contains {
      $0.places.contains { $0.pictures.contains { !$0.walk.isEmpty || $0.levelSet != nil } }
    }
  }

  private static let columns = 8

  var html: HTML {
    .group(
      result.models.indices.flatMap { model in
        result.models[model].places.flatMap { place in
          place.pictures.flatMap { one in
            (one.walk.isEmpty ? [] : [row(model, place, one)])
              + (one.levelSet.map { [path(model, place, one, $0)] } ?? [])
          }
        }
      })
  }

  private func cell(_ data: Data, _ name: String, _ lines: [String]) -> PictureCell {
    PictureCell(picture: data, label: name, name: name, lines: lines)
  }

  private func named(
    _ index: Int, _ place: LipschitzResult.Place, _ one: LipschitzResult.Picture, _ what: String,
    _ cells: [PictureCell]
  ) -> HTML {
    PictureCell.row(
      PictureCell.name(
        index, result.models[index].name,
        " \(place.site)\(what): \(result.images[one.source].id) → \(result.images[one.target].id)"),
      cells)
  }

  private func path(
    _ index: Int, _ place: LipschitzResult.Place, _ one: LipschitzResult.Picture,
    _ path: LipschitzResult.LevelSet
  ) -> HTML {
    let model = result.models[index]
    func lines(_ confidence: Double?, _ left: Double?) -> [String] {
      [
        "confidence \(Text.number(confidence, digits: 3))", "left \(Text.number(left, digits: 2))",
      ]
    }
    return named(
      index, place, one, ", level set of class \(path.label)",
      [
        cell(
          model.originals[one.source], "source", lines(path.confidences.first, path.left.first)),
        cell(
          path.picture, "after \(Text.plural(max(0, path.confidences.count - 1), "step"))",
          lines(path.confidences.last, path.left.last) + ends(path)),
        cell(model.originals[one.target], "target", ["left 0"]),
      ])
  }

  private func ends(_ path: LipschitzResult.LevelSet) -> [String] {
    guard let length = path.euclidean, let most = path.maximum else { return [] }
    return [
      "L2 \(Text.number(length, digits: 1))", "L∞ \(Text.number(most, digits: 2))",
    ] + (path.ssim.map { ["SSIM \(Text.number($0, digits: 2))"] } ?? [])
  }

  /// Confidences around the ends of level sets; nothing where none were asked for.
  var widths: HTML {
    let rows = result.models.flatMap { model in
      model.places.flatMap { place in
        place.pictures.flatMap { one in
          (one.levelSet?.widths ?? []).map { width in
            HTML.element(
              "tr", [:],
              [
                .element("td", [:], model.name),
                .element("td", [:], [.element("code", [:], place.site)]),
                .element("td", [:], result.images[one.source].id),
                .element("td", [:], width.isEnd ? "last picture" : "source"),
              ]
                + [(width.radius, 0), (width.low, 3), (width.high, 3)].map {
                  .element("td", ["class": "number"], Text.number($0, digits: $1))
                })
          }
        }
      }
    }
    guard !rows.isEmpty else { return .group([]) }
    return Fold.make(
      "How sure the classifier is around the ends: \(Text.plural(rows.count, "width"))",
      [
        Fold.table(
          ["model", "site", "source", "around", "distance", "5th percentile", "95th percentile"],
          rows)
      ])
  }

  private func row(
    _ index: Int, _ place: LipschitzResult.Place, _ one: LipschitzResult.Picture
  ) -> HTML {
    let model = result.models[index]
    let stops = one.walk
    let shown =
      stops.count <= Self.columns
      ? stops
      : (0..<Self.columns).map { stops[$0 * (stops.count - 1) / (Self.columns - 1)] }
    return named(
      index, place, one, "",
      shown.map { stop in
        cell(
          stop.picture, stop.step == 0 ? "source" : "step \(stop.step)", Self.lines(stop))
      } + [cell(model.originals[one.target], "target", ["way 1", "drift 1"])])
  }

  private static func lines(_ stop: LipschitzResult.Stop) -> [String] {
    guard let length = stop.length, let value = stop.eigenvalue else {
      return [
        "way \(Text.number(stop.way, digits: 2))", "drift \(Text.number(stop.drift, digits: 3))",
      ]
    }
    return [
      "way \(Text.brief(stop.way))", "drift \(Text.brief(stop.drift))",
      "δ \(Text.brief(length)), λ \(Text.brief(value))",
    ]
  }
}

/// All numbers of the pictures.
struct LipschitzTable {
  let result: LipschitzResult

  var html: HTML {
    let rows = result.models.flatMap { model in
      model.places.flatMap { place in place.pictures.map { row(model, place, $0) } }
    }
    return Fold.make(
      "Steepness in numbers: \(Text.plural(rows.count, "picture"))",
      [
        Fold.table(
          [
            "model", "site", "D", "source", "target", "σ₁", "bound in the ball", "radius", "rank",
          ] + LipschitzResult.Kind.allCases.map { "‖Jv‖ \($0.rawValue)" } + [
            "P_N of match", "P_N of target", "P_N of random", "√(r/n)", "‖Δx‖", "rounding",
            "segment to the match: max", "mean", "secant", "segment to the target: max", "mean",
            "secant", "CLEVER", "its location", "largest gradient", "p",
          ], rows)
      ])
  }

  private func row(
    _ model: LipschitzResult.Model, _ place: LipschitzResult.Place, _ one: LipschitzResult.Picture
  ) -> HTML {
    func cell(_ value: Double?, _ digits: Int = 3) -> HTML {
      .element("td", ["class": "number"], Text.number(value, digits: digits))
    }
    func mean(
      _ kind: LipschitzResult.Kind, _ number: (LipschitzResult.Curve) -> Double?
    ) -> Double? {
      let values = one.curves.filter { $0.kind == kind }.compactMap(number)
      return values.isEmpty ? nil : values.reduce(0, +) / Double(values.count)
    }
    let rank = one.isWhole ? "\(one.rank)" : "≥ \(one.rank)"
    if let problem = one.problem {
      return .element(
        "tr", [:],
        [
          .element("td", [:], model.name), .element("td", [:], [.element("code", [:], place.site)]),
          .element("td", ["class": "number"], Text.count(place.features)),
          .element("td", [:], result.images[one.source].id),
          .element("td", [:], result.images[one.target].id),
          .element("td", ["colspan": "26"], "left out: \(problem)"),
        ])
    }
    func segment(_ to: String) -> [HTML] {
      let found = one.segments.first { $0.to == to }
      return [cell(found?.largest, 4), cell(found?.mean, 4), cell(found?.secant, 4)]
    }
    let chance = one.isWhole ? (Double(one.rank) / Double(model.inputs)).squareRoot() : nil
    return .element(
      "tr", [:],
      [
        .element("td", [:], model.name), .element("td", [:], [.element("code", [:], place.site)]),
        .element("td", ["class": "number"], Text.count(place.features)),
        .element("td", [:], result.images[one.source].id),
        .element("td", [:], result.images[one.target].id), cell(one.steepest), cell(one.bound),
        cell(one.radius, 2), .element("td", ["class": "number"], rank),
      ] + LipschitzResult.Kind.allCases.map { kind in cell(mean(kind, \.limit), 4) } + [
        cell(mean(.matching, \.share)), cell(mean(.target, \.share)), cell(mean(.random, \.share)),
        cell(chance), cell(one.change, 2),
        .element("td", ["class": "number"], one.rounding.map(Text.brief) ?? "–"),
      ] + segment("matched") + segment("target") + [
        cell(one.clever?.radius), cell(one.clever?.location), cell(one.clever?.largest),
        cell(one.clever?.p, 2),
      ])
  }
}

/// Whether the parts of a result fit together; what does not is a damaged file, not a trap.
struct LipschitzCheck {
  let result: LipschitzResult

  /// What is wrong; nil where nothing is.
  var problem: String? {
    guard !result.models.isEmpty, result.images.count >= 2 else {
      return "it names no model, or fewer than two images"
    }
    for model in result.models {
      guard model.originals.count == result.images.count else {
        return "a model has \(model.originals.count) of \(result.images.count) images"
      }
      guard model.originals.allSatisfy(PictureCell.isPicture) else {
        return "the picture of an image is no PNG"
      }
      guard !model.places.isEmpty else { return "a model has no site" }
      for place in model.places {
        guard (0...1).contains(place.depth), place.features > 0 else {
          return "a site lies at relative depth \(place.depth) and holds \(place.features) numbers"
        }
        for one in place.pictures {
          guard result.images.indices.contains(one.source),
            result.images.indices.contains(one.target)
          else { return "a picture is of images \(one.source) and \(one.target)" }
          guard one.steps.allSatisfy({ $0 > 0 }),
            one.curves.allSatisfy({
              $0.values.count == one.steps.count && $0.errors.count == one.steps.count
            })
          else { return "a curve does not fit its steps" }
          guard
            one.segments.allSatisfy({ segment in
              segment.toSource.count == segment.toTarget.count
                && [segment.sourceClass, segment.targetClass].compactMap(\.self).allSatisfy {
                  $0.count == segment.toSource.count
                }
            })
          else {
            return "the cosines of a segment do not fit one another"
          }
          guard one.walk.allSatisfy({ PictureCell.isPicture($0.picture) }),
            PictureCell.isPicture(one.matched),
            PictureCell.isPicture(one.levelSet?.picture ?? Data())
          else {
            return "the picture of a walk is no PNG"
          }
        }
      }
    }
    return nil
  }
}
