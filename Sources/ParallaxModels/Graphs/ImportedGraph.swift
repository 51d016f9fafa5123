import ParallaxTensors

/// A graph from a file as a model: an interpreter over libtorch's operators.
///
/// Its sites are the paths of the modules that the graph was exported from, each module's output; a module
/// that runs again gets `_1`, `_2`. On request every node is a site too, under the module that it belongs to.
/// Whatever the graph's numbers are (float16, bfloat16), images come as float32.
public struct ImportedGraph: Model {
  /// The file that it was read from.
  public var file: String { program.file }
  /// How token sites are laid out, as far as parameters' names and shapes tell; nil where they don't.
  public let tokenLayout: TokenLayout?
  let program: GraphProgram
  private let probed: (height: Int, width: Int)?
  /// Where tokens lie of attention that is kept inside windows, by its site.
  private var windows: [String: AttentionPlaces] = [:]

  /// A graph that has not run yet; `probe` finds out what its sites are.
  init(_ program: GraphProgram, tokenLayout: TokenLayout? = nil) {
    (self.program, self.tokenLayout, probed) = (program, tokenLayout, nil)
  }

  private init(
    _ program: GraphProgram, _ layout: TokenLayout?, probed: (height: Int, width: Int)
  ) {
    (self.program, tokenLayout, self.probed) = (program, layout, probed)
  }

  /// The only size of images that it takes; nil where it was exported for more than one.
  public var fixedImageSize: (height: Int, width: Int)? {
    guard let height = program.input.height, let width = program.input.width else { return nil }
    return (height, width)
  }

  /// The only number of images that it takes at a time; nil where any will do.
  public var fixedBatch: Int? { program.input.batch }

  /// Whether it has attention, be it in a form that is no site, such as inside windows.
  public var attends: Bool { program.attends }

  /// Its sites, once it has run.
  var places: [GraphProgram.Place] { program.places }

  /// What its residual branches do.
  package var parts: Set<ResidualConnection.Part> { Set(program.sums.values.map(\.part)) }

  /// The images that it takes, in words.
  var images: String {
    let input = program.input
    func word(_ size: Int?) -> String { size.map(String.init) ?? "any" }
    let sides = [word(input.height), word(input.width)]
    let shape = input.isChannelsLast ? sides + ["3"] : ["3"] + sides
    return ([input.batch.map(String.init) ?? "any number"] + shape).joined(separator: " × ")
      + ", \(input.dtype)"
  }

  /// Images through the graph, each site shown to the tap.
  ///
  /// - Precondition: the graph takes images of this size and number, `check` tells, and none of its nodes depends on
  ///   them in a way that fails; `run` throws instead.
  public func callAsFunction(_ images: Tensor, _ tap: Tap) -> Tensor {
    do {
      return try run(images, tap)
    } catch {
      fatalError("\(error)")
    }
  }

  /// Images through the graph, each site shown to the tap.
  ///
  /// - Throws: `ModelError.graph`, with the node that fails.
  public func run(_ images: Tensor, _ tap: Tap) throws -> Tensor { try program.run(images, tap) }

  /// Runs images of that size through the graph where that has not been done yet.
  ///
  /// - Throws: `ModelError.graph` with the node that fails.
  public func check(height: Int, width: Int, device: Device) throws {
    if let probed, probed == (height, width) { return }
    let images = zeros(height, width, device)
    _ = try GraphLimits.$largest.withValue(GraphLimits.trial) { try program.run(images, .off) }
  }

  /// The sites in execution order; what was found when the graph was read, where the size is the same.
  public func sites(height: Int, width: Int, device: Device) -> [Site] {
    guard let probed, probed == (height, width) else {
      return recordedSites(height: height, width: width, device: device)
    }
    let input = Site(name: "input", kind: .map, shape: [3, height, width], isBlock: false)
    return [input]
      + program.places.filter { $0.role != .heads }.map {
        Site(name: $0.name, kind: $0.kind ?? .vector, shape: $0.shape, isBlock: $0.isBlock)
      }
  }

  /// The steps that add a branch to what goes past it, inside blocks; without modules, all of them.
  public func connections(
    height: Int, width: Int, device: Device
  ) throws -> [ResidualConnection] {
    var found: [ResidualConnection] = []
    let blocks = Dictionary(
      program.sums.values.map { ($0.name, $0.block) }, uniquingKeysWith: { first, _ in first })
    let tap = Tap.connections { name, part, _, value in
      let shape = Array(value.shape.dropFirst())
      found.append(
        ResidualConnection(
          name: name, block: blocks[name] ?? name, part: part,
          kind: kind(shape, height: height, width: width), shape: shape))
    } block: { _ in
    }
    _ = try run(zeros(height, width, device), tap)
    return found
  }

  private func zeros(_ height: Int, _ width: Int, _ device: Device) -> Tensor {
    Tensor.zeros([fixedBatch ?? 2, 3, height, width]).to(device)
  }

  /// The graph with its sites known: it runs once, and places that hold no activation of each image go.
  ///
  /// - Throws: `ModelError.graph` with the node that fails.
  func probe(height: Int, width: Int, device: Device) throws -> ImportedGraph {
    var program = program
    var kept: [GraphProgram.Place] = []
    program.usesChannelsLast = program.isConvolutional && !program.input.isChannelsLast
    let images = zeros(height, width, device)
    do {
      kept = try shown(by: program, images)
    } catch  where program.usesChannelsLast {
      // A view that counts on the ordinary order of values.
      program.usesChannelsLast = false
      kept = try shown(by: program, images)
    }
    let best = kept.reduce(into: [String: Int]()) { ranks, place in
      ranks[place.name] = min(ranks[place.name] ?? Int.max, place.rank)
    }
    var taken: Set<String> = []
    kept = kept.filter { $0.rank == best[$0.name] && taken.insert($0.name).inserted }
    let found = windowed(of: program, besides: taken, images.sliced(0, 0, 1))
    let inside = program.places.filter { $0.heads != nil && !taken.contains($0.name) }
      .compactMap { place in
        found[place.name].map { own in
          var known = place
          (known.kind, known.shape) = (.windows, own.shape)
          return known
        }
      }
    if !inside.isEmpty {
      // In execution order again.
      let order = Dictionary(
        program.places.enumerated().map { ($1.name, $0) }, uniquingKeysWith: { first, _ in first })
      kept = (kept + inside).enumerated().sorted {
        (order[$0.element.name] ?? 0, $0.offset) < (order[$1.element.name] ?? 0, $1.offset)
      }.map(\.element)
    }
    let heads = Set(kept.compactMap(\.heads))
    kept += program.places.filter { $0.role == .heads && heads.contains($0.name) }
    var graph = ImportedGraph(program.showing(kept), tokenLayout, probed: (height, width))
    graph.windows = found.mapValues(\.places)
    return graph
  }

  /// Where tokens lie of a graph's attention, where some of it is kept inside windows and they could be followed; nothing where
  /// one image is not taken by itself.
  private func windowed(
    of program: GraphProgram, besides taken: Set<String>, _ image: Tensor
  ) -> [String: (places: AttentionPlaces, shape: [Int])] {
    let patterns = program.places.filter { $0.heads != nil }
    guard patterns.contains(where: { !taken.contains($0.name) }), !program.sums.isEmpty,
      (fixedBatch ?? 1) == 1
    else { return [:] }
    let probe = GraphWindows(
      program, patterns, height: image.shape[2], width: image.shape[3])
    // What cannot be followed stays unknown, as it was.
    return GraphLimits.$largest.withValue(GraphLimits.trial) {
      (try? probe.places(image)) ?? [:]
    }
  }

  /// Where tokens lie: as they were followed when the graph was read, else as `tokenLayout` says.
  public func attentionPlaces(at site: Site, height: Int, width: Int) -> AttentionPlaces? {
    if let probed, probed == (height, width), let own = windows[site.name] { return own }
    return site.kind == .windows ? nil : placesInRow(at: site, height: height, width: width)
  }

  /// The places that hold an activation of each image, whatever their number.
  ///
  /// A first dimension of 2 may be another's, such as keys and values: with one image it shows.
  private func shown(
    by program: GraphProgram, _ images: Tensor
  ) throws -> [GraphProgram.Place] {
    guard fixedBatch == nil else { return try places(of: program, images) }
    let two = try shapes(of: program, images)
    let one = Set(try places(of: program, images.sliced(0, 0, 1)))
    return two.filter(one.contains)
  }

  /// The places that hold an activation of each image, without computing any where that can be.
  private func shapes(
    of program: GraphProgram, _ images: Tensor
  ) throws -> [GraphProgram.Place] {
    if program.isBlind,
      let found = try? places(
        of: program.onlyShapes(.shapesOnly), images.to(.shapesOnly))
    {
      return found
    }
    return try places(of: program, images)
  }

  /// The places that hold an activation of each image.
  private func places(
    of program: GraphProgram, _ images: Tensor
  ) throws -> [GraphProgram.Place] {
    let batch = images.shape[0]
    var kept: [GraphProgram.Place] = []
    let watch = { (place: GraphProgram.Place, value: Tensor) in
      let shape = value.shape
      guard value.dtype.isFloatingPoint, shape.count > 1, shape[0] == batch,
        place.heads == nil || shape.count == 4
      else { return }
      var place = place
      place.shape = Array(shape.dropFirst())
      place.kind =
        place.heads != nil
        ? .pattern : kind(place.shape, height: images.shape[2], width: images.shape[3])
      kept.append(place)
    }
    _ = try GraphLimits.$largest.withValue(GraphLimits.trial) {
      try program.run(images, .off, watch: watch)
    }
    return kept
  }

  /// What an activation of that shape is.
  private func kind(_ shape: [Int], height: Int, width: Int) -> SiteKind {
    switch shape.count {
    case 1: return .vector
    case 2:
      guard let layout = tokenLayout else { return .tokens }
      let patches = (height / layout.patch) * (width / layout.patch)
      return shape[0] == patches && layout.prefix > 0 ? .patches : .tokens
    case 3:
      // Channels last where the first two sides are the image's and the last two are not.
      let isMap = shape[1] * width == shape[2] * height
      let isLast = shape[0] * width == shape[1] * height
      return isLast && !isMap ? .positions : .map
    // Of more dimensions nothing is known; it can be taken whole.
    default: return .pattern
    }
  }
}
