import ParallaxModels
import ParallaxTensors

/// The Jacobian J = ∂f/∂x `[features, inputs]` of what a layer holds of an image at that image, known by its products.
///
/// J is never formed unless somebody asks for ``matrix(of:)``, and nothing of the size of inputs × inputs ever is. Products go both
/// ways, ``times(_:at:)`` and ``transposedTimes(_:at:)``, several at once: a row is a direction at one of the images. The pass
/// that leads back is kept until it is asked for at other images, so that many products cost one forward pass.
///
/// ```swift
/// let jacobian = try LayerJacobian("head", at: image) { model.embedding(of: $0) }
/// let spectrum = try jacobian.singularValues(leading: 16)
/// ```
///
/// Products are those of `torch.func.jvp` and `vjp` to 1e-10 in float64.
public final class LayerJacobian {
  /// What errors call the layer.
  public let name: String
  /// Where the derivative is taken, `[images, …]`.
  public let points: Tensor
  /// f at the images, `[images, features]`.
  public let values: Tensor
  /// Rows that go through the network at once.
  public let batchSize: Int
  private let function: (Tensor) throws -> Tensor
  private var kept: (rows: [Int], pullback: Pullback)?

  /// Images of the batch.
  public var images: Int { points.shape[0] }
  /// n, the numbers of an image.
  public var inputs: Int { points.shape.dropFirst().reduce(1, *) }
  /// D, the numbers of one image's embedding.
  public var features: Int { values.shape[1] }

  /// The Jacobian of a function at some images.
  ///
  /// - Parameters:
  ///   - name: what errors call the function.
  ///   - points: the images, `[images, …]`, of floating-point numbers.
  ///   - batchSize: rows that go through the function at once; memory grows with it.
  ///   - function: from images `[batch, …]` to embeddings `[batch, features]`, image by image.
  /// - Throws: `AnalysisError.site` where the embeddings are none of these images or hold NaN or infinity, and what the
  ///   function throws.
  public init(
    _ name: String, at points: Tensor, batchSize: Int = 8,
    of function: @escaping (Tensor) throws -> Tensor
  ) throws {
    (self.name, self.points, self.function) = (name, points, function)
    let size = max(1, batchSize)
    self.batchSize = size
    guard points.rank > 1, points.count > 0, points.dtype.isFloatingPoint else {
      throw AnalysisError.site(
        name,
        problem: "a Jacobian needs images [images, …] of floating-point numbers, found \(points)")
    }
    let values = try Self.joined(stride(from: 0, to: points.shape[0], by: size)) {
      try function(points.sliced(0, $0, min($0 + size, points.shape[0]))).detached()
    }
    guard values.rank == 2, values.shape[0] == points.shape[0], values.shape[1] > 0,
      values.dtype.isFloatingPoint
    else {
      throw AnalysisError.site(
        name,
        problem: "a Jacobian needs embeddings [images, features], found \(values) of \(points)")
    }
    guard values.isFinite() else {
      throw AnalysisError.site(name, problem: "NaN or infinity in the embedding")
    }
    self.values = values
  }

  /// J·v for rows of directions.
  ///
  /// - Parameters:
  ///   - directions: v, `[rows, inputs]`.
  ///   - rows: the image of each row; nil for one row an image, or for all rows at the only image.
  /// - Returns: `[rows, features]`.
  /// - Throws: what the function throws, among it an imported graph's error where an operator has no forward derivative.
  /// - Complexity: about two forward passes of each row.
  public func times(_ directions: Tensor, at rows: [Int]? = nil) throws -> Tensor {
    let rows = places(directions, inputs, rows, "times")
    let shape = Array(points.shape.dropFirst())
    let directions = directions.to(points.dtype).to(points.device)
    return try Self.joined(stride(from: 0, to: rows.count, by: batchSize)) { first in
      let part = rows[first..<min(first + batchSize, rows.count)]
      let along = directions.sliced(0, first, first + part.count).reshaped([part.count] + shape)
      return try Tensor.jacobianVectorProduct(at: [at(Array(part))], directions: [along]) {
        try function($0[0])
      }.product
    }
  }

  /// Jᵀ·u for rows of vectors of the layer.
  ///
  /// - Parameters:
  ///   - seeds: u, `[rows, features]`.
  ///   - rows: the image of each row; nil for one row an image, or for all rows at the only image.
  /// - Returns: `[rows, inputs]`.
  /// - Throws: `AnalysisError.site` where an operator has no derivative, and what the function throws.
  /// - Complexity: a backward pass of each row, and a forward pass of those that were not kept.
  public func transposedTimes(_ seeds: Tensor, at rows: [Int]? = nil) throws -> Tensor {
    let rows = places(seeds, features, rows, "transposedTimes")
    let seeds = seeds.to(values.dtype).to(values.device)
    // Parts of one size, so that the pass of the first serves them all.
    let parts = (rows.count + batchSize - 1) / batchSize
    let size = (rows.count + parts - 1) / parts
    return try Self.joined(stride(from: 0, to: rows.count, by: size)) { first in
      var part = Array(rows[first..<min(first + size, rows.count)])
      var seed = seeds.sliced(0, first, first + part.count)
      let (count, missing) = (part.count, size - part.count)
      if missing > 0, images == 1 {
        part += Array(repeating: 0, count: missing)
        seed = Tensor.concatenated(
          [seed, seed.sliced(0, 0, 1).zerosLike().expanded(missing, features)], 0)
      }
      let found: Tensor?
      do {
        found = try pullback(part).products(of: 0, with: seed)[0]
      } catch let error as TensorError {
        throw AnalysisError.site(name, problem: "it has no derivative: \(error)")
      }
      return (found ?? points.gathered(0, part).zerosLike()).reshaped(part.count, inputs)
        .sliced(0, 0, count)
    }
  }

  /// Lets go of the pass that leads back.
  public func release() { kept = nil }

  private func pullback(_ rows: [Int]) throws -> Pullback {
    if let kept, kept.rows == rows { return kept.pullback }
    kept = nil
    let pullback = try Tensor.pullback(at: [at(rows)]) { [try function($0[0])] }
    kept = (rows, pullback)
    return pullback
  }

  private func at(_ rows: [Int]) -> Tensor {
    rows == Array(0..<images) ? points : points.gathered(0, rows)
  }

  private static func joined(_ starts: StrideTo<Int>, _ part: (Int) throws -> Tensor) rethrows
    -> Tensor
  {
    let parts = try starts.map(part)
    return parts.count == 1 ? parts[0] : Tensor.concatenated(parts, 0)
  }

  private func places(_ vectors: Tensor, _ width: Int, _ rows: [Int]?, _ caller: String) -> [Int] {
    precondition(
      vectors.rank == 2 && vectors.shape[1] == width && vectors.shape[0] > 0,
      "LayerJacobian.\(caller): expected rows of \(width) numbers, found \(vectors)")
    let count = vectors.shape[0]
    let rows = rows ?? (images == 1 ? Array(repeating: 0, count: count) : Array(0..<images))
    precondition(
      rows.count == count && rows.allSatisfy { (0..<images).contains($0) },
      "LayerJacobian.\(caller): \(count) vectors at the images \(rows) of \(images)")
    return rows
  }

  /// f at other images, `[images, features]`, a batch at a time.
  ///
  /// - Parameter points: of the shape of the Jacobian's own.
  /// - Returns: the embeddings.
  /// - Throws: what the function throws.
  public func values(at points: Tensor) throws -> Tensor {
    try Self.joined(stride(from: 0, to: points.shape[0], by: batchSize)) {
      try function(points.sliced(0, $0, min($0 + batchSize, points.shape[0]))).detached()
    }
  }

  /// Jᵀ·u at other images, a forward and a backward pass for each.
  ///
  /// - Parameters:
  ///   - points: of the shape of the Jacobian's own, `[rows, …]`.
  ///   - seeds: u, `[rows, features]`.
  /// - Returns: `[rows, inputs]`.
  /// - Throws: `AnalysisError.site` where an operator has no derivative, and what the function throws.
  public func gradients(at points: Tensor, _ seeds: Tensor) throws -> Tensor {
    precondition(
      points.shape[0] == seeds.shape[0] && seeds.shape[1] == features,
      "LayerJacobian.gradients: expected rows of \(features) numbers, one a picture, found \(seeds)"
    )
    return try Self.joined(stride(from: 0, to: points.shape[0], by: batchSize)) { first in
      let end = min(first + batchSize, points.shape[0])
      let part = points.sliced(0, first, end)
      let found: Tensor?
      do {
        let back = try Tensor.pullback(at: [part]) { [try function($0[0])] }
        found = try back.products(
          of: 0, with: seeds.sliced(0, first, end).to(values.dtype).to(values.device))[0]
      } catch let error as TensorError {
        throw AnalysisError.site(name, problem: "it has no derivative: \(error)")
      }
      return (found ?? part.zerosLike()).reshaped(end - first, inputs)
    }
  }

  /// The same function at other images.
  ///
  /// - Parameter points: of the shape of the Jacobian's own.
  /// - Returns: its Jacobian there.
  /// - Throws: what the initialiser throws.
  public func moved(to points: Tensor) throws -> LayerJacobian {
    try LayerJacobian(name, at: points, batchSize: batchSize, of: function)
  }

  /// The same function at one of the images.
  public func at(image: Int) throws -> LayerJacobian {
    try LayerJacobian(
      name, at: points.sliced(0, image, image + 1), batchSize: batchSize, of: function)
  }
}

extension LayerJacobian {
  /// Bytes that ``matrix(of:)`` holds at most.
  public static let memoryLimit = 1 << 31

  /// The whole J of one image: by products with unit vectors, on whichever side there are fewer.
  ///
  /// - Parameters:
  ///   - image: which.
  ///   - isInterrupted: asked before each batch of products.
  /// - Returns: `[features, inputs]` in the function's element type.
  /// - Throws: `AnalysisError.interrupted`, `AnalysisError.site` where it would hold more than ``memoryLimit``, and what products
  ///   throw.
  /// - Complexity: min(features, inputs) products.
  public func matrix(of image: Int = 0, isInterrupted: () -> Bool = { false }) throws -> Tensor {
    let bytes = Double(features) * Double(inputs) * Double(values.dtype.byteCount)
    guard bytes <= Double(Self.memoryLimit) else {
      throw AnalysisError.site(
        name,
        problem:
          "its Jacobian of \(features) × \(inputs) numbers does not fit into \(Self.memoryLimit >> 20) MiB; ask for leading singular values"
      )
    }
    let isWide = features <= inputs
    let count = min(features, inputs)
    let size = max(1, min(count, batchSize))
    var parts: [Tensor] = []
    for first in stride(from: 0, to: count, by: size) {
      if isInterrupted() { throw AnalysisError.interrupted }
      let end = min(first + size, count)
      let units = Self.units(first..<end, of: count, values.dtype)
      let rows = Array(repeating: image, count: end - first)
      parts.append(try isWide ? transposedTimes(units, at: rows) : times(units, at: rows))
    }
    let joined = Tensor.concatenated(parts, 0)
    return isWide ? joined : joined.transposed()
  }

  /// Rows of the identity.
  private static func units(_ rows: Range<Int>, of size: Int, _ dtype: DType) -> Tensor {
    let count = rows.count
    let square = Tensor.identity(count, dtype)
    return square.padded([rows.lowerBound, size - rows.upperBound])
  }

  /// J·Jᵀ `[features, features]` in float64.
  ///
  /// - Parameter matrix: J, `[features, inputs]`.
  /// - Returns: the Gram matrix, summed over parts of the inputs.
  public static func gram(_ matrix: Tensor) -> Tensor {
    let width = matrix.shape[1]
    let part = max(1, min(width, (1 << 24) / max(1, matrix.shape[0])))
    var sum: Tensor?
    for first in stride(from: 0, to: width, by: part) {
      let columns = matrix.sliced(1, first, min(first + part, width)).to(.float64)
      let product = columns.times(columns.transposed())
      sum = sum.map { $0 + product } ?? product
    }
    return sum ?? Tensor.zeros([matrix.shape[0], matrix.shape[0]], .float64)
  }
}
