/// How CKA of all pairs is computed.
public enum CKARoute: String, Sendable, Hashable, Codable {
  /// Gram matrices of each block: minibatch CKA.
  case minibatch
  /// The features' cross products over the whole set: exact CKA.
  case exact

  /// A route, why it was taken, and what both would have cost.
  public struct Choice: Sendable, Hashable {
    /// The route.
    public let route: CKARoute
    /// Why, in one sentence.
    public let reason: String
    /// Multiply-adds an image by Gram matrices: b·(P + L²/4).
    public let minibatchCost: Double
    /// Multiply-adds an image by cross products: P²/2, and as much again for what moves in memory.
    public let exactCost: Double
    /// Bytes that the Gram matrices and their sums take.
    public let minibatchMemory: Int
    /// Bytes that the cross products take.
    public let exactMemory: Int
  }

  /// The cheaper route that fits.
  ///
  /// With P = Σ widths, L representations and blocks of b images:
  ///
  /// - minibatch: a Gram matrix a representation, b²P a block, and V·Vᵀ of the packed triangles, half of
  ///   L²·b²/2: an image costs b·(P + L²/4); memory 4·L·b²/2 and the group sums 8·(G+1)·L²;
  /// - exact: the upper triangle of ZᵀZ, P²/2 an image, and its addition in float64 every
  ///   `ExactCKA.rowsPerProduct` rows, about P²·16/rows moved bytes, counted as four multiply-adds each;
  ///   memory 4·P².
  ///
  /// So minibatches win as soon as P is larger than about 2b. The exact route has no block size in its
  /// value, and one block that holds all images is as exact; `freeCost` says how many multiply-adds an
  /// image may be spent on that before cheapness decides.
  ///
  /// - Parameters:
  ///   - images: how many there are.
  ///   - blockSize: images a block.
  ///   - widths: of each representation.
  ///   - memoryLimit: bytes that the exact route may take.
  ///   - freeCost: multiply-adds an image that do not count, such as a hundredth of a forward pass.
  /// - Returns: the route, with its reason and the cost and memory of both.
  public static func choose(
    images: Int, blockSize: Int, widths: [Int], memoryLimit: Int = 1 << 30, freeCost: Double = 0
  ) -> Choice {
    let (p, l, b) = (
      Double(widths.reduce(0, +)), Double(widths.count), Double(min(blockSize, max(images, 1)))
    )
    let minibatch = b * (p + l * l / 4)
    let exact = p * p / 2 + 64 * p * p / Double(ExactCKA.rowsPerProduct)
    let exactMemory = ExactCKA.memory(widths: widths)
    func choice(_ route: CKARoute, _ reason: String) -> Choice {
      Choice(
        route: route, reason: reason, minibatchCost: minibatch, exactCost: exact,
        minibatchMemory: MinibatchCKA.memory(count: widths.count, blockSize: Int(b)),
        exactMemory: exactMemory)
    }
    let (here, there) = (Self.short(exact), Self.short(minibatch))
    if images <= blockSize {
      return choice(
        .minibatch, "one block holds all \(images) images, so its Gram matrices are exact")
    }
    if blockSize < 4 {
      return choice(.exact, "blocks of \(blockSize) images are too small for Gram matrices")
    }
    if exactMemory > memoryLimit {
      return choice(
        .minibatch,
        "the cross products of \(Int(p)) features need \(exactMemory >> 20) MiB, the limit is \(memoryLimit >> 20) MiB"
      )
    }
    if exact <= minibatch {
      return choice(.exact, "\(here) multiply-adds an image against \(there) by minibatches")
    }
    if exact <= freeCost {
      return choice(
        .exact,
        "\(here) multiply-adds an image are within the \(Self.short(freeCost)) allowed for it"
      )
    }
    return choice(
      .minibatch, "\(there) multiply-adds an image against \(here) over the whole set")
  }

  private static func short(_ number: Double) -> String {
    let units = [(1e12, "trillion"), (1e9, "billion"), (1e6, "million"), (1e3, "thousand")]
    for (unit, name) in units where number >= unit {
      return "\((number / unit * 10).rounded() / 10) \(name)"
    }
    return "\(Int(number))"
  }
}
