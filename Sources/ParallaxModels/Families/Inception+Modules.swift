extension InceptionV3 {
  /// Makes convolutions and modules, and knows how wide their input is.
  struct Maker {
    private let c: Configuration
    private let w: Weights
    /// The width of what has been made so far.
    private(set) var width = 3

    init(_ c: Configuration, _ w: Weights) { (self.c, self.w) = (c, w) }

    /// A convolution as the tables of modules have it: its name in the module, outputs, rows and columns.
    struct Step {
      var name: String
      var outputs: Int
      var rows = 1
      var columns = 1
      var stride = 1
    }

    private func convolution(
      _ w: Weights, _ inputs: Int, _ step: Step, padding: ConvolutionNorm.Padding
    ) throws -> ConvolutionNorm {
      try ConvolutionNorm(
        w, .init(convolution: "conv", norm: "bn"), inputs, step.outputs / c.divisor,
        kernel: step.rows, by: step.columns, stride: step.stride, padding: padding,
        activation: .relu, epsilon: c.epsilon)
    }

    /// A convolution of the stem.
    mutating func unit(
      _ name: String, _ outputs: Int, _ kernel: Int, stride: Int = 1,
      padding: ConvolutionNorm.Padding = .symmetric
    ) throws -> Unit {
      let step = Step(
        name: name, outputs: outputs, rows: kernel, columns: kernel, stride: stride)
      let made = try convolution(w[name], width, step, padding: padding)
      width = outputs / c.divisor
      return .convolution(name, made)
    }

    /// A module of branches.
    mutating func branches(_ stage: Stage) throws -> Branches {
      let w = w[stage.name]
      let inputs = width
      var outputs = 0
      func branch(
        _ pooling: Pooling = .none, _ steps: [Step], ends: [Step] = []
      ) throws -> Branch {
        var width = inputs
        func made(_ step: Step) throws -> (name: String, convolution: ConvolutionNorm) {
          (
            step.name,
            try convolution(
              w[step.name], width, step, padding: step.stride == 1 ? .symmetric : .valid)
          )
        }
        var chain: [(name: String, convolution: ConvolutionNorm)] = []
        for step in steps {
          chain.append(try made(step))
          width = step.outputs / c.divisor
        }
        let last = try ends.map(made)
        outputs +=
          ends.isEmpty ? width : ends.reduce(0) { $0 + $1.outputs / c.divisor }
        return Branch(pooling: pooling, steps: chain, ends: last)
      }
      let made = try Self.table(stage.kind).map { try branch($0.pooling, $0.steps, ends: $0.ends) }
      width = outputs
      return Branches(branches: made)
    }
  }
}

extension InceptionV3.Maker {
  private typealias Row = (
    pooling: InceptionV3.Pooling, steps: [Step], ends: [Step]
  )

  /// The branches of a module.
  private static func table(_ kind: InceptionV3.Mixed) -> [Row] {
    func row(_ steps: Step...) -> Row { (.none, steps, []) }
    func one(_ name: String, _ outputs: Int) -> Step { Step(name: name, outputs: outputs) }
    func square(_ name: String, _ outputs: Int, _ side: Int, stride: Int = 1) -> Step {
      Step(name: name, outputs: outputs, rows: side, columns: side, stride: stride)
    }
    func wide(_ name: String, _ outputs: Int, _ side: Int = 7) -> Step {
      Step(name: name, outputs: outputs, columns: side)
    }
    func high(_ name: String, _ outputs: Int, _ side: Int = 7) -> Step {
      Step(name: name, outputs: outputs, rows: side)
    }
    switch kind {
    case .a(let pool):
      return [
        row(one("branch1x1", 64)), row(one("branch5x5_1", 48), square("branch5x5_2", 64, 5)),
        row(
          one("branch3x3dbl_1", 64), square("branch3x3dbl_2", 96, 3),
          square("branch3x3dbl_3", 96, 3)), (.mean, [one("branch_pool", pool)], []),
      ]
    case .b:
      return [
        row(square("branch3x3", 384, 3, stride: 2)),
        row(
          one("branch3x3dbl_1", 64), square("branch3x3dbl_2", 96, 3),
          square("branch3x3dbl_3", 96, 3, stride: 2)), (.maximum, [], []),
      ]
    case .c(let width):
      return [
        row(one("branch1x1", 192)),
        row(one("branch7x7_1", width), wide("branch7x7_2", width), high("branch7x7_3", 192)),
        row(
          one("branch7x7dbl_1", width), high("branch7x7dbl_2", width),
          wide("branch7x7dbl_3", width), high("branch7x7dbl_4", width),
          wide("branch7x7dbl_5", 192)), (.mean, [one("branch_pool", 192)], []),
      ]
    case .d:
      return [
        row(one("branch3x3_1", 192), square("branch3x3_2", 320, 3, stride: 2)),
        row(
          one("branch7x7x3_1", 192), wide("branch7x7x3_2", 192), high("branch7x7x3_3", 192),
          square("branch7x7x3_4", 192, 3, stride: 2)), (.maximum, [], []),
      ]
    case .e:
      return [
        row(one("branch1x1", 320)),
        (
          .none, [one("branch3x3_1", 384)],
          [wide("branch3x3_2a", 384, 3), high("branch3x3_2b", 384, 3)]
        ),
        (
          .none, [one("branch3x3dbl_1", 448), square("branch3x3dbl_2", 384, 3)],
          [wide("branch3x3dbl_3a", 384, 3), high("branch3x3dbl_3b", 384, 3)]
        ), (.mean, [one("branch_pool", 192)], []),
      ]
    }
  }
}
