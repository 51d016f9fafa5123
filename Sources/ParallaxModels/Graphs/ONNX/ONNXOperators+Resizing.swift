import Foundation
import ParallaxTensors

extension ONNXOperators {
  /// Interpolation, an axis at a time: every new value is a weighted sum of old ones.
  static let resizing: [String: Make] = [
    "Resize": one { node in
      let rule = try ResizingRule(node)
      let axes = node.ints("axes")
      let policy = node.text("keep_aspect_ratio_policy", "stretch")
      return { values in
        let x = try values[0]
        let axes = try axes.map { try ONNXShape.axes($0, rank: x.rank) } ?? Array(0..<x.rank)
        let place = node.opset < 11 ? 1 : 2
        let scales = values.optional(place).flatMap { $0.count > 0 ? $0.scalars(Double.self) : nil }
        let sizes =
          try node.opset < 11 ? nil : values.optionalInts(3).flatMap { $0.isEmpty ? nil : $0 }
        let roi = values.optional(1).map { $0.scalars(Double.self) } ?? []
        var steps: [ResizingRule.Axis] = []
        for (index, axis) in axes.enumerated() {
          let size = x.shape[axis]
          var region = (0.0, 1.0)
          if rule.isCrop, roi.count == 2 * axes.count {
            region = (roi[index], roi[index + axes.count])
          }
          if let sizes, sizes.count == axes.count {
            steps.append(
              .init(
                axis: axis, size: size, to: sizes[index],
                scale: Double(sizes[index]) / Double(size), region: region))
          } else if let scales, scales.count == axes.count, scales[index] > 0 {
            steps.append(
              .init(
                axis: axis, size: size,
                to: ResizingRule.length(size, scales[index]),
                scale: scales[index], region: region))
          } else {
            throw GraphProblem(text: "sizes and scales do not fit \(x.shape)")
          }
        }
        if policy != "stretch", sizes != nil {
          let scales = steps.map(\.scale)
          let scale = (policy == "not_larger" ? scales.min() : scales.max()) ?? 1
          for index in steps.indices {
            steps[index].scale = scale
            steps[index].to = Int(
              saturating: (scale * Double(steps[index].size) + 0.5).rounded(.down))
          }
        }
        return try resized(x, steps, rule)
      }
    },
    "Upsample": one { node in
      let rule = try ResizingRule(node)
      let fixed = node.floats("scales")
      return { values in
        let x = try values[0]
        let scales = values.optional(1)?.scalars(Double.self) ?? fixed ?? []
        guard scales.count == x.rank, scales.allSatisfy({ $0 > 0 }) else {
          throw GraphProblem(text: "scales \(scales) do not fit \(x.shape)")
        }
        return try resized(
          x,
          scales.enumerated().map { axis, scale in
            .init(
              axis: axis, size: x.shape[axis],
              to: ResizingRule.length(x.shape[axis], scale), scale: scale,
              region: (0, 1))
          }, rule)
      }
    },
  ]

  private static func resized(
    _ x: Tensor, _ steps: [ResizingRule.Axis], _ rule: ResizingRule
  ) throws -> Tensor {
    var shape = x.shape
    for step in steps {
      guard step.to >= 0, step.to <= 1 << 24, step.size > 0 || step.to == 0 else {
        throw GraphProblem(text: "cannot bring \(x.shape) to \(step.to)")
      }
      shape[step.axis] = step.to
    }
    try ONNXShape.check(shape, x.dtype)
    var result = x
    for step in steps where step.to != step.size || rule.isCrop || step.scale != 1 {
      // What grows on the way must fit too.
      var partial = result.shape
      partial[step.axis] = step.to
      try ONNXShape.check(partial, x.dtype)
      if rule.mode == "nearest", !rule.isCrop {
        let places = (0..<step.to).map { rule.nearest($0, step) }
        result = try indexSelect(result, step.axis, ONNXShape.value(places).to(x.device))
      } else {
        result = try interpolated(result, step, rule)
      }
    }
    return result
  }

  private static func interpolated(
    _ x: Tensor, _ step: ResizingRule.Axis, _ rule: ResizingRule
  ) throws -> Tensor {
    guard step.to * step.size <= 1 << 26 else {
      throw GraphProblem(text: "cannot interpolate \(step.size) to \(step.to) values")
    }
    let dtype = x.dtype == .float64 ? DType.float64 : .float32
    let (weights, outside) = rule.matrix(step)
    let matrix = try toDType(Tensor(weights, shape: [step.to, step.size]), dtype).to(x.device)
    let wide = try toDType(x, dtype)
    var y: Tensor
    if step.axis == x.rank - 1 {
      y = try matmul(wide, transpose(matrix, 0, 1))
    } else if step.axis == x.rank - 2 {
      y = try matmul(matrix, wide)
    } else {
      y = try transpose(
        matmul(transpose(wide, step.axis, -1), transpose(matrix, 0, 1)), step.axis, -1)
    }
    if outside.contains(true) {
      var shape = y.shape.map { _ in 1 }
      shape[step.axis] = step.to
      let mask = Tensor(outside, shape: shape).to(x.device)
      y = try whereTensor(
        mask, toDType(Tensor(rule.extrapolation), dtype).to(x.device), y)
    }
    return try toDType(y, x.dtype)
  }
}

/// Where a value of the result comes from, and with what weights.
struct ResizingRule: Sendable {
  struct Axis: Sendable {
    var axis: Int
    var size: Int
    var to: Int
    var scale: Double
    /// The part of the axis that is kept, where one is cropped.
    var region: (Double, Double)
  }

  let mode: String
  let extrapolation: Double
  private let coordinates: String
  private let nearestMode: String
  private let a: Double
  private let excludesOutside: Bool
  private let isAntialiased: Bool
  /// Whether it is the operator's first form.
  private let isFirst: Bool

  init(_ node: ONNXNode) throws {
    let isOld = node.opset < 11 || node.kind == "Upsample"
    isFirst = isOld
    mode = node.text("mode", "nearest")
    coordinates =
      isOld ? "asymmetric" : node.text("coordinate_transformation_mode", "half_pixel")
    nearestMode = isOld ? "floor" : node.text("nearest_mode", "round_prefer_floor")
    a = node.float("cubic_coeff_a", -0.75)
    (excludesOutside, isAntialiased) = (node.flag("exclude_outside"), node.flag("antialias"))
    extrapolation = node.float("extrapolation_value", 0)
    let known = [
      "half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric", "tf_crop_and_resize",
      "half_pixel_symmetric", "tf_half_pixel_for_nn",
    ]
    guard ["nearest", "linear", "cubic"].contains(mode), known.contains(coordinates),
      ["round_prefer_floor", "round_prefer_ceil", "floor", "ceil"].contains(nearestMode)
    else {
      throw GraphProblem(text: "the mode '\(mode)' with '\(coordinates)' is not known here")
    }
  }

  /// The size times a scale, in float32 as ONNX Runtime and PyTorch reckon: 10 · 1.3 is 13.
  static func length(_ size: Int, _ scale: Double) -> Int {
    Int(saturating: Double((Float(size) * Float(scale)).rounded(.down)))
  }

  var isCrop: Bool { coordinates == "tf_crop_and_resize" }

  /// The place in the old axis that a place in the new one is at.
  private func source(_ place: Int, _ axis: Axis) -> Double {
    let (x, size, to) = (Double(place), Double(axis.size), Double(axis.to))
    switch coordinates {
    case "pytorch_half_pixel": return to > 1 ? (x + 0.5) / axis.scale - 0.5 : 0
    case "align_corners": return to > 1 ? x * (size - 1) / (to - 1) : 0
    case "asymmetric": return x / axis.scale
    case "tf_half_pixel_for_nn": return (x + 0.5) / axis.scale
    case "tf_crop_and_resize":
      let (start, end) = axis.region
      return to > 1
        ? start * (size - 1) + x * (end - start) * (size - 1) / (to - 1)
        : 0.5 * (start + end) * (size - 1)
    case "half_pixel_symmetric":
      let adjustment = to / (size * axis.scale)
      return size / 2 * (1 - adjustment) + (x + 0.5) / axis.scale - 0.5
    default: return (x + 0.5) / axis.scale - 0.5
    }
  }

  /// The old place that a new one takes its value from.
  func nearest(_ place: Int, _ axis: Axis) -> Int {
    let x = source(place, axis)
    // Before set 11 nothing says how to round; ONNX Runtime rounds up where an image shrinks.
    let isShrunk = isFirst && axis.scale < 1
    let rounded =
      switch isShrunk ? "ceil" : nearestMode {
      case "floor": x.rounded(.down)
      case "ceil": x.rounded(.up)
      case "round_prefer_ceil": (x + 0.5).rounded(.down)
      default: (x - 0.5).rounded(.up)
      }
    return max(0, min(axis.size - 1, Int(saturating: rounded)))
  }

  /// Weights `[to, size]`, row by row, and which rows lie outside of the axis.
  func matrix(_ axis: Axis) -> ([Double], [Bool]) {
    var weights = [Double](repeating: 0, count: axis.to * axis.size)
    var outside = [Bool](repeating: false, count: axis.to)
    for row in 0..<axis.to {
      let x = source(row, axis)
      outside[row] = isCrop && !(x >= 0 && x <= Double(axis.size - 1))
      guard mode != "nearest" else {
        weights[row * axis.size + nearest(row, axis)] = 1
        continue
      }
      // To the left of x, and how far x is from it: in (0, 1].
      let left = x.rounded(.up) - 1
      let (first, values) = coefficients(x - left, axis.scale)
      var total = 0.0
      for (offset, weight) in values.enumerated() {
        let place = Int(saturating: left + Double(first + offset))
        if excludesOutside, !(0..<axis.size).contains(place) { continue }
        weights[row * axis.size + max(0, min(axis.size - 1, place))] += weight
        total += weight
      }
      guard total != 0, total != 1 else { continue }
      for column in 0..<axis.size { weights[row * axis.size + column] /= total }
    }
    return (weights, outside)
  }

  /// Weights of neighbours, and how far the first is from the one to the left.
  private func coefficients(_ ratio: Double, _ scale: Double) -> (Int, [Double]) {
    let scale = isAntialiased ? max(min(scale, 1), 1.0 / 4096) : 1
    let reach = mode == "linear" ? 1.0 : 2.0
    let first = Int((-reach / scale).rounded(.down)) + 1
    return (
      first,
      (first..<2 - first).map { place in
        let x = Swift.abs((Double(place) - ratio) * scale)
        if mode == "linear" { return max(0, 1 - x) }
        let (square, cube) = (x * x, x * x * x)
        if x <= 1 { return (a + 2) * cube - (a + 3) * square + 1 }
        return x < 2 ? a * cube - 5 * a * square + 8 * a * x - 4 * a : 0
      }
    )
  }
}
