import ArgumentParser
import Parallax

/// Changed forms of each model, which stand beside it.
struct SurgeryOptions: ParsableArguments {
  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "A form of each model without parts of it, made while it runs: \(Surgery.Part.allCases.map(\.rawValue).joined(separator: ", ")), or several at once with + between. May be given more than once.",
      valueName: "part[+part]"))
  var remove: [String] = []

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "With --untrained: each model with this module untrained, and its twin with it trained: stem, first-norm, positions, or a path such as blocks.0.norm1. May be given more than once.",
      valueName: "module"))
  var swap: [String] = []

  func validate() throws {
    let parsed = try surgeries()
    guard Set(parsed).count == parsed.count, Set(swap).count == swap.count else {
      throw ValidationError("--remove and --swap: expected each part and module once")
    }
    guard parsed.count + swap.count <= 16 else {
      throw ValidationError("--remove and --swap: expected 16 changes at most")
    }
  }

  private func surgeries() throws -> [Surgery] {
    try remove.map { text in
      do { return try Surgery(parsing: text) } catch {
        throw ValidationError("--remove \(error)")
      }
    }
  }

  /// Changed forms of models and of their untrained twins.
  ///
  /// - Parameters:
  ///   - models: trained ones.
  ///   - twins: untrained ones of the same architectures, in their order.
  ///   - seed: of the twins' weights; nil where there are none.
  ///   - loading: how models are loaded.
  ///   - progress: told of each form.
  /// - Returns: model after model.
  /// - Throws: `CommandError`, `ModelError`.
  func derived(
    of models: [ModelOptions.Chosen], twins: [ModelOptions.Chosen], seed: UInt64?,
    _ loading: LoadingOptions, _ progress: ProgressLine
  ) throws -> [ModelOptions.Chosen] {
    guard swap.isEmpty || (seed != nil && loading.randomWeights == nil) else {
      throw CommandError(
        "--swap \(swap[0]): expected --untrained SEED and no --random-weights; a module is swapped between a trained network and its untrained twin",
        code: 64)
    }
    let surgeries = try surgeries()
    var found: [ModelOptions.Chosen] = []
    for chosen in models + twins {
      for surgery in surgeries {
        found.append(try operated(chosen, surgery))
        progress.note("made \(found[found.count - 1].model.name)")
      }
    }
    guard let seed else { return found }
    for module in swap {
      for (own, isIntoUntrained) in [(models, false), (twins, true)] {
        for chosen in own {
          found.append(try swapped(chosen, module, seed, isIntoUntrained, loading))
          progress.note("made \(found[found.count - 1].model.name)")
        }
      }
    }
    return found
  }

  private func operated(
    _ chosen: ModelOptions.Chosen, _ surgery: Surgery
  ) throws -> ModelOptions.Chosen {
    let own = chosen.model
    let size = try Preprocessing(own)
    let model: WithoutParts
    do {
      model = try WithoutParts(
        own.model, surgery, height: size.height, width: size.width, device: own.device)
    } catch ModelError.address(let part, let problem) {
      throw CommandError("--remove \(part): \(own.name): \(problem)", code: 64)
    }
    var other = chosen
    other.model = own.derived("\(own.name)-\(surgery.suffix)", model, change: surgery.change)
    return other
  }

  private func swapped(
    _ chosen: ModelOptions.Chosen, _ module: String, _ seed: UInt64, _ isIntoUntrained: Bool,
    _ loading: LoadingOptions
  ) throws -> ModelOptions.Chosen {
    let made: LoadedModel
    do {
      made = try loading.sized(
        Catalog.load(
          ModelReference(parsing: chosen.reference), device: Device(loading.device),
          swap: ModuleSwap(module, seed: seed, isIntoUntrained: isIntoUntrained)))
    } catch ModelError.address(let text, let problem) {
      throw CommandError("--swap \(text): \(problem)", code: 64)
    }
    let word = isIntoUntrained ? "trained" : "untrained"
    var other = chosen
    other.model = made.derived(
      "\(chosen.model.name)-\(word)-\(module)", made.model, change: "\(word) \(module)")
    other.model.derivation = LoadedModel.Derivation(
      base: chosen.model.name, change: "\(word) \(module)")
    return other
  }
}
