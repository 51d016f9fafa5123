import ParallaxMeasures
import ParallaxTensors

/// The gathered features that can be measured, and what is wrong with the others, in words that name the images.
struct PreparedFeatures {
  /// A representation without values, and why.
  struct Refused: Error {
    let index: Int
    let reason: String
  }

  /// Representations, by their places among the wanted ones, after the preprocessing.
  private(set) var usable: [(index: Int, features: Tensor)] = []
  /// What holds NaN or infinity, or what the preprocessing refuses.
  private(set) var unusable: [Refused] = []
  /// The element type of the activations.
  let dtype: DType
  /// Where outliers were cut off, by the representation's place; none where they were not.
  private(set) var limits: [Int: (low: Double, high: Double)] = [:]
  /// How many images there are.
  let images: Int
  /// The images' names, in the order of the rows.
  let names: [String]

  /// - Parameters:
  ///   - gathered: the features of the pass.
  ///   - preprocessing: what is done to each representation first.
  ///   - ids: the images' names by their places in the data set; without them they are counted.
  ///   - isPrepared: whether it is done to the representation at a place.
  init(
    _ gathered: GatheredFeatures, _ preprocessing: FeaturePreprocessing, ids: [String],
    isPrepared: (Int) -> Bool = { _ in true }
  ) {
    names = gathered.samples.map { ids.indices.contains($0) ? ids[$0] : "image \($0)" }
    images = names.count
    var dtype = DType.float32
    // One after the other, so that no more than one is there both before and after.
    for index in 0..<gathered.count {
      let whole = gathered.whole(index)
      if index == 0 { dtype = whole.dtype }
      do throws(Refused) {
        let wanted = isPrepared(index) ? preprocessing : FeaturePreprocessing()
        usable.append((index, try Self.prepared(index, whole, wanted, names)))
        limits[index] = wanted.limits(of: whole)
      } catch { unusable.append(error) }
    }
    self.dtype = dtype
  }

  private static func prepared(
    _ index: Int, _ features: Tensor, _ preprocessing: FeaturePreprocessing, _ names: [String]
  ) throws(Refused) -> Tensor {
    let bad = InputProblem.rowsNotFinite(features)
    guard bad.isEmpty else {
      throw Refused(
        index: index, reason: "NaN or infinity in the activations of \(list(bad, names))")
    }
    guard !preprocessing.isNone else { return features }
    do { return try preprocessing(features) } catch let error as MeasureError {
      throw Refused(index: index, reason: reason(error, features, names))
    } catch { throw Refused(index: index, reason: "\(error)") }
  }

  /// A measure's refusals of usable representations, and those that were unusable, in order.
  func refused(_ refusals: [MeasureMatrix.Refusal]) -> [Refused] {
    let more = refusals.map { refusal in
      let site = usable[refusal.index]
      return Refused(
        index: site.index, reason: Self.reason(refusal.error, site.features, names))
    }
    return (unusable + more).sorted { $0.index < $1.index }
  }

  /// An error's sentence about some features, with the images' names where it has rows.
  func reason(_ error: MeasureError, _ features: Tensor) -> String {
    Self.reason(error, features, names)
  }

  private static func reason(
    _ error: MeasureError, _ features: Tensor, _ names: [String]
  ) -> String {
    switch error {
    case .duplicates(let measure, let rows):
      let groups = InputProblem.equalRows(features)
      let found = groups.isEmpty ? [rows] : groups
      let shown = found.prefix(2).map { "\(list($0, names)) have the same activations" }
      let more = found.count > 2 ? ", and so have \(found.count - 2) more groups of images" : ""
      return
        "\(measure): \(shown.joined(separator: "; "))\(more); duplicates have no order among neighbours"
    case .row(let measure, let row, let problem):
      return "\(measure): \(list([row], names)) \(problem)"
    default: return "\(error)"
    }
  }

  /// The images of some rows: at most three names, then a count.
  private static func list(_ rows: [Int], _ names: [String]) -> String {
    let more = rows.count - 3
    return rows.prefix(3).map { names[$0] }.joined(separator: ", ")
      + (more > 0 ? " and \(more) more" : "")
  }
}
