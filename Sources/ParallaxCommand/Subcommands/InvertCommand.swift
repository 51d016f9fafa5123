import ArgumentParser
import Foundation
import Parallax

extension InversionAnalysis.Preset: ExpressibleByArgument {}
extension EmbeddingLoss: ExpressibleByArgument {}

struct InvertCommand: ParsableCommand, ModelsTaking {
  static let configuration = CommandConfiguration(
    commandName: "invert",
    abstract: "What each layer knows of its input: pictures reconstructed from its embedding.",
    discussion: """
      From noise, by gradient descent on the pixels, a picture is found whose embedding at a layer is that of a given \
      picture, after Badger (2022). The report shows the pictures, layers across and models down, each with a verdict: \
      accurate, embedding only (another picture with the same embedding: the layer is not unique), or optimisation \
      failed. Distances are held against those of a visually small shift of the picture. All pictures lie in the run \
      folder as PNG files.

      quick: a hundred steps of Adam with total variation, through the model's own preprocessing. badger2022: the paper's \
      recipe exactly: raw pixels, summed L1 loss, plain descent, a blur after each step for convolutional networks; 500 \
      to 1500 steps. fourier: Fourier coefficients with decorrelated colours and jitter, after Olah et al. (2017). octaves: \
      a quarter of the size, half of it, then the whole. lbfgs: L-BFGS with total variation, after Mahendran and Vedaldi \
      (2015). prior: the weights of a small network, after Ulyanov et al. (2018). \
      feather2023: eight rounds of 3000 normalised steps, after Feather et al. (2023). Four layers of a model are inverted unless sites are named. Cost: a forward and a backward pass to \
      the layer for each step and layer.

      --remove and --swap put changed forms of each model beside it: without normalisation, attention, residual connections, or \
      with a module of its untrained twin. --checkpoints inverts several checkpoints of the one architecture that is named; \
      --at and --axis say where models stand, for curves of clarity along training steps or widths.

      --spectrum: the singular values of ∂O/∂a, what a layer makes of small changes of the picture. Layers of at most 1024 \
      numbers are decomposed as a whole, a backward pass for each number; of larger ones the 64 leading values are found with \
      up to 193 forward derivatives and 200 backward passes a layer and picture: about two minutes a layer of a ViT-B/16 \
      on two cores, a third of it with --singular-values 21.

      Example:  parallax invert clip-vit-base-patch16 efficientnet-lite0 --untrained 1
      """)

  @Argument(help: ArgumentHelp("Models, or MODEL@SITE.", valueName: "model"))
  var addresses: [String]

  @OptionGroup var models: ModelOptions
  @OptionGroup var images: ImageOptions
  @OptionGroup var pass: PassOptions
  @OptionGroup var inversion: InversionOptions
  @OptionGroup var surgery: SurgeryOptions
  @OptionGroup var sweep: SweepOptions
  @OptionGroup var spectra: SpectrumOptions

  @Option(
    name: [.long, .customShort("o")], help: "The run folder; runs/invert-MODELS without it.")
  var output: String?

  @OptionGroup var form: OutputOptions

  func run() throws {
    let progress = ProgressLine(quiet: pass.quiet)
    let addresses = try sweep.expanded(addresses)
    let names = try ModelOptions.checked(addresses)
    try models.refuseTokens(addresses, "an inversion matches everything that a layer holds")
    var images = images
    // More would be decoded for nothing.
    images.limit =
      images.limit
      ?? max(inversion.pictures, spectra.spectrum ? spectra.spectrumPictures : 0)
    let job = Job(
      title: {
        $0 == 1
          ? "What one model's layers know of their input"
          : "What the layers of \($0) models know of their input"
      },
      output: output ?? Runs.name("invert", names), untrained: inversion.untrained,
      surgery: surgery, names: try sweep.names(addresses),
      isOneArchitecture: !sweep.checkpoints.isEmpty, allowsDouble: true, needsReadable: true)
    var options = try inversion.options(batchSize: pass.batchSize)
    options.axis = try sweep.axis(of: addresses)
    var analyses = [AnalysisCatalog.inversion(options)]
    if spectra.spectrum {
      var own = spectra.options(layers: inversion.layers, batchSize: pass.batchSize)
      // Of the map that is inverted, whatever the model is given.
      own.isRaw = inversion.preset == .badger2022
      analyses.append(AnalysisCatalog.spectrum(own))
    }
    let finished = try job.run(addresses, models, images, pass, analyses, progress)
    try finished.show(as: form) {
      let result: InversionResult? = try finished.run.result(analysis: "inversion")
      let spectra: SpectrumResult? = try finished.run.result(analysis: "spectrum")
      return (result.map { $0.models.flatMap(Self.lines) + $0.findings.map(\.line) } ?? [])
        + (spectra.map { $0.lines + $0.findings.map(\.line) } ?? [])
    }
  }

  /// `efficientnet-lite0@blocks.0: RMSE 0.012, 2 accurate`.
  private static func lines(_ model: InversionResult.Model) -> [String] {
    model.layers.map { layer in
      let errors = layer.reconstructions.map(\.rmse)
      let mean = errors.reduce(0, +) / Double(max(1, errors.count))
      let verdicts = InversionResult.Verdict.allCases.compactMap { verdict -> String? in
        let count = layer.reconstructions.count { $0.verdict == verdict }
        return count > 0 ? "\(count) \(verdict.rawValue)" : nil
      }
      return
        "\(model.name)@\(layer.site): RMSE \(String(format: "%.3f", mean)), \(verdicts.joined(separator: ", "))"
    }
  }
}

/// How pictures are reconstructed.
struct InversionOptions: ParsableArguments {
  @Option(help: "The recipe: quick, badger2022, fourier, octaves, lbfgs, prior or feather2023.")
  var preset = InversionAnalysis.Preset.quick

  @Option(help: "Steps of each descent; the recipe's without it.")
  var steps: Int?

  @Option(help: "Rate of the first step, the last in proportion; the recipe's without it.")
  var rate: Double?

  @Option(help: "Rate that the last step comes to; the recipe's without it.")
  var lastRate: Double?

  @Option(
    help: ArgumentHelp(
      "The loss on the embedding: \(EmbeddingLoss.allCases.map(\.rawValue).joined(separator: ", ")); the recipe's without it.",
      valueName: "loss"))
  var loss: EmbeddingLoss?

  @Option(
    help: ArgumentHelp(
      "The 3 × 3 blur after each step, σ at the first step and at the end, or none; the recipe's without it.",
      valueName: "start:end"))
  var blur: String?

  @Flag(
    inversion: .prefixedNo,
    help: "Put pixels back into [0, 1] after each step; as the recipe has it without either.")
  var clamp: Bool?

  @Option(
    help: ArgumentHelp(
      "Where descents begin: uniform, or normal noise of a mean and a deviation; the recipe's without it.",
      valueName: "mean:deviation"))
  var begin: String?

  @Option(help: "Weight of the total variation; the recipe's without it.")
  var variation: Double?

  @Option(
    help:
      "Pixels by which pictures are shifted at random, at most, fading to 0; the recipe's without it."
  )
  var jitter: Int?

  @Option(help: "Pictures that are reconstructed; as many are read unless --limit says more.")
  var pictures = 2

  @Option(help: "Descents from different noise for each picture.")
  var starts = 1

  @Option(help: "Layers of a model that names none, evenly spread.")
  var layers = 4

  @Option(
    help: ArgumentHelp(
      "Embeddings to match instead of the images' own: a safetensors file with a tensor MODEL@SITE for each layer, a row an image.",
      valueName: "file"))
  var target: String?

  @Option(help: "GB that a descent may take; batches are made smaller to stay below.")
  var memoryLimit = 8

  @Option(help: "Standard deviation of the small shift that distances are held against.")
  var shift = 1.0 / 18

  @Option(help: "Small shifts that the distance is averaged over; the paper has one.")
  var shifts = 4

  @Option(
    help: ArgumentHelp(
      "An untrained twin of each model beside it, its weights drawn from a seed.",
      valueName: "seed"))
  var untrained: UInt64?

  func validate() throws {
    try Outlier.check([
      ("steps", steps ?? 1, 1...1_000_000), ("pictures", pictures, 1...4096),
      ("starts", starts, 1...64), ("jitter", jitter ?? 0, 0...64), ("layers", layers, 1...1024),
      ("memory-limit", memoryLimit, 1...1_000_000), ("shifts", shifts, 1...1024),
    ])
    if let variation, !(variation >= 0 && variation <= 1e6) {
      throw ValidationError("--variation \(variation): expected a number from 0 to 1000000")
    }
    if let rate, !(rate > 0 && rate <= 1e6) {
      throw ValidationError("--rate \(rate): expected a number above 0, up to 1000000")
    }
    if let lastRate, !(lastRate >= 0 && lastRate <= 1e6) {
      throw ValidationError("--last-rate \(lastRate): expected a number from 0 to 1000000")
    }
    _ = (try smoothing(), try beginning())
    if preset == .lbfgs, (jitter ?? 0) > 0 {
      throw ValidationError(
        "--jitter \(jitter ?? 0): L-BFGS needs the same function in each step; another --preset, or no jitter"
      )
    }
    guard shift > 0, shift <= 1 else {
      throw ValidationError("--shift \(shift): expected a number above 0, up to 1")
    }
  }

  /// `A:B` as two numbers.
  private static func pair(_ text: String) -> (Double, Double)? {
    let parts = text.split(separator: ":").map { Double($0) }
    guard parts.count == 2, let a = parts[0], let b = parts[1], a.isFinite, b.isFinite else {
      return nil
    }
    return (a, b)
  }

  private func smoothing() throws -> LinearSchedule? {
    guard let blur else { return nil }
    if blur == "none" { return LinearSchedule(0, 0) }
    guard let (start, end) = Self.pair(blur), start > 0, end > 0, max(start, end) <= 100 else {
      throw ValidationError(
        "--blur \(blur): expected none, or START:END with numbers above 0, such as 2.4:0.4")
    }
    return LinearSchedule(start, end)
  }

  private func beginning() throws -> DescentRecipe.Start? {
    guard let begin else { return nil }
    if begin == "uniform" { return .uniform }
    guard let (mean, deviation) = Self.pair(begin), deviation >= 0, max(abs(mean), deviation) <= 100
    else {
      throw ValidationError(
        "--begin \(begin): expected uniform, or MEAN:DEVIATION such as 0.7:0.05")
    }
    return .normal(mean: mean, deviation: deviation)
  }

  func options(batchSize: Int) throws -> InversionAnalysis.Options {
    var options = InversionAnalysis.Options()
    (options.preset, options.steps, options.images) = (preset, steps, pictures)
    (options.variation, options.jitter, options.rate) = (variation, jitter, rate)
    (options.starts, options.layers, options.shift.scale) = (starts, layers, shift)
    (options.loss, options.lastRate, options.clamps) = (loss, lastRate, clamp)
    (options.blur, options.start) = (try smoothing(), try beginning())
    options.shift.count = shifts
    options.target = try target.map { try TargetEmbeddings($0) }
    options.memoryLimit = memoryLimit << 30
    options.batchSize = min(options.batchSize, batchSize)
    return options
  }
}
