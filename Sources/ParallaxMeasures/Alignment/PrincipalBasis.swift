import ParallaxTensors

/// An orthonormal basis of what a representation spans over the images, by singular value decomposition.
///
/// X = U·diag(s)·Vᵀ; directions with s at or below a tolerance times the largest are rounding and are left
/// out. Of second moments M = V·diag(s²)·Vᵀ, U is XV·diag(1/s), of which the weights V·diag(1/s) are kept; directions
/// below the rounding of the sums (s² at or below 8·width·2⁻⁵² of the largest) are left out too. Always float64. U alone decides every canonical correlation: they are the singular values of
/// UᵀU′. Takes 8 bytes for each image and direction.
public struct PrincipalBasis: Sendable {
  /// The number of images.
  public let images: Int
  /// The number of neurons.
  public let width: Int
  /// The number of directions that are kept.
  public let rank: Int
  /// The number of neurons that are the same for every image; they span nothing.
  public let deadNeurons: Int
  /// Singular values of the directions that are kept, in descending order.
  public let singularValues: [Double]
  /// Σs² over all directions, kept or not.
  public let squaredNorm: Double
  /// U, orthonormal columns over the images.
  let vectors: Columns
  /// UᵀX, `[rank, width]`, where it was asked for.
  let loadings: Tensor?
  let isCentred: Bool
  let recipe: Recipe

  /// Singular values at or below this share of the largest count as zero: 1e-10 for float64 features,
  /// 1e-5 for all others, whose own rounding is near 1e-7.
  public static func rankTolerance(for precision: DType) -> Double {
    precision == .float64 ? 1e-10 : 1e-5
  }

  /// - Parameters:
  ///   - features: `[images, width]`.
  ///   - isCentred: whether the columns' means are taken off.
  ///   - fewest: the number of images that is needed whatever the width.
  ///   - measure: the name in errors.
  /// - Throws: `MeasureError.shape`, `.tooFew`, `.notFinite`, `.constant`.
  init(
    _ features: Tensor, centred isCentred: Bool = true, atLeast fewest: Int = 2, measure: String
  ) throws {
    try self.init(
      CheckedFeatures(features, atLeast: fewest, measure: measure), centred: isCentred)
  }

  /// The same of features that are checked already.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  init(_ checked: CheckedFeatures, centred isCentred: Bool = true) throws {
    (images, width) = (checked.images, checked.width)
    let x = isCentred ? checked.centred : checked.values
    let (u, s, _) = try Decomposition.singular(try x.withoutIdleColumns())
    let all = s.doubles
    let smallest = Self.rankTolerance(for: checked.precision) * all[0]
    rank = all.prefix { $0 > smallest }.count
    squaredNorm = all.reduce(0) { $0 + $1 * $1 }
    singularValues = Array(all.prefix(rank))
    vectors = .rows(u.sliced(1, 0, rank).contiguous())
    (loadings, self.isCentred) = (nil, isCentred)
    deadNeurons = checked.centred.norm(over: [0]).doubles.filter { $0 == 0 }.count
    recipe = Recipe(
      precision: checked.precision, treatment: isCentred ? "centred" : "not centred")
  }

  /// The same from second moments that are checked already.
  ///
  /// - Throws: `TensorError.operation` where LAPACK does not converge.
  init(_ moments: Moments, centred isCentred: Bool = true) throws {
    (images, width, self.isCentred) = (moments.images, moments.width, isCentred)
    let matrix = isCentred ? moments.centred : moments.raw
    let (values, vectors) = try Decomposition.eigen(matrix)
    let squares: [Double] = values.doubles.reversed()
    let tolerance = Self.rankTolerance(for: moments.precision)
    let smallest = max(tolerance * tolerance, moments.noise) * squares[0]
    let rank = squares.prefix { $0 > smallest }.count
    self.rank = rank
    squaredNorm = matrix.diagonal().sum().item(Double.self)
    let s = squares.prefix(rank).map { $0.squareRoot() }
    singularValues = s
    let v = vectors.sliced(1, squares.count - rank).flipped(1)
    self.vectors = .weights(v.columns(times: s.map { 1 / $0 }))
    loadings = v.columns(times: s).transposed().contiguous()
    deadNeurons = moments.centred.diagonal().doubles.filter { $0 == 0 }.count
    recipe = Recipe(
      precision: moments.precision,
      treatment: "\(isCentred ? "centred" : "not centred"), of moments")
  }

  /// The fewest directions that hold a share of Σs².
  func holding(_ share: Double) -> PrincipalBasis {
    var held = 0.0
    let enough = singularValues.firstIndex { value in
      held += value * value
      return held >= share * squaredNorm
    }
    let kept = min(rank, (enough ?? rank - 1) + 1)
    return PrincipalBasis(
      self, vectors.first(kept), Array(singularValues.prefix(kept)), nil,
      "\(recipe.treatment), \(share) of the variance")
  }

  /// With the loadings of the features that it is the basis of: UᵀX.
  ///
  /// - Parameter x: the features; nil where the moments have given the loadings already.
  /// - Returns: the same directions.
  func withLoadings(of x: Tensor?) -> PrincipalBasis {
    PrincipalBasis(
      self, vectors, singularValues,
      x.flatMap { x in vectors.rows.map { $0.transposed().times(x) } } ?? loadings,
      recipe.treatment)
  }

  /// The basis of the same representation with its images in another order; nil where images are left out.
  func selected(_ images: ImageSelection) -> PrincipalBasis? {
    guard images.isWhole else { return nil }
    return PrincipalBasis(
      self, vectors.selected(images), singularValues, loadings, recipe.treatment)
  }

  private init(
    _ other: PrincipalBasis, _ vectors: Columns, _ singularValues: [Double], _ loadings: Tensor?,
    _ treatment: String
  ) {
    (images, width, rank) = (other.images, other.width, singularValues.count)
    (deadNeurons, squaredNorm) = (other.deadNeurons, other.squaredNorm)
    isCentred = other.isCentred
    (self.vectors, self.singularValues, self.loadings) = (vectors, singularValues, loadings)
    recipe = Recipe(precision: other.recipe.precision, treatment: treatment)
  }

  /// UᵀU′, `[rank, other's rank]`: cosines between the directions of both sides.
  ///
  /// - Throws: `MeasureError.unequalCounts`, `MeasureError.summaries`.
  func cosines(_ other: PrincipalBasis, _ cross: CrossMoment?, measure: String) throws -> Tensor {
    try recipe.check(other.recipe, images: (images, other.images), measure: measure)
    if let cross, cross.isOwn { return .identity(rank, .float64).to(cross.centred.device) }
    return try vectors.products(
      other.vectors, isCentred ? cross?.centred : cross?.raw, measure: measure)
  }

  /// EᵀE of E = U′ − U·UᵀU′, what of the other side's directions lies outside this one's: `[other's rank, other's rank]`.
  func outside(_ other: PrincipalBasis, cosines: Tensor) -> Tensor {
    guard let a = vectors.rows, let b = other.vectors.rows else {
      return Tensor.identity(other.rank, .float64).to(cosines.device)
        - cosines.transposed().times(cosines)
    }
    let rest = b - a.times(cosines)
    return rest.transposed().times(rest)
  }

  /// Refuses centred directions that are all there are: n images leave n − 1, and whatever lies among them is
  /// then matched perfectly by anything.
  ///
  /// - Throws: `MeasureError.tooFew`.
  func checkSpan(measure: String) throws {
    guard rank < images - 1 else {
      throw MeasureError.tooFew(measure: measure, images: images, needed: width + 2)
    }
  }
}

extension SharedPart {
  /// The centred basis.
  static let basis = SharedPart("basis")
}

extension SharedParts {
  /// The centred basis, once for all measures.
  ///
  /// - Throws: `MeasureError`.
  func basis(atLeast fewest: Int, measure: String) throws -> PrincipalBasis {
    if let moments {
      let checked = try moments.checked(atLeast: fewest, measure: measure)
      return try part("basis") { try PrincipalBasis(checked) }
    }
    let checked = try checked(atLeast: fewest, measure: measure)
    return try part("basis") { try PrincipalBasis(checked) }
  }

  /// The centred basis with the loadings of the features, once for all measures.
  ///
  /// - Throws: `MeasureError`.
  func weightedBasis(atLeast fewest: Int, measure: String) throws -> PrincipalBasis {
    let basis = try basis(atLeast: fewest, measure: measure)
    let centred =
      moments == nil ? try checked(atLeast: fewest, measure: measure).centred : nil
    return part("loadings") { basis.withLoadings(of: centred) }
  }

  /// The features in float64, checked once.
  ///
  /// - Throws: `MeasureError`.
  func checked(atLeast fewest: Int, measure: String) throws -> CheckedFeatures {
    let checked = try part("checked") {
      try CheckedFeatures(features, atLeast: fewest, measure: measure)
    }
    guard checked.images >= fewest else {
      throw MeasureError.tooFew(measure: measure, images: checked.images, needed: fewest)
    }
    return checked
  }
}
