extension Neighbours {
  /// The label overlap: the share of an image's k nearest that are of its class, averaged over the images.
  ///
  /// (1/(Nk)) Σ_i #{j ∈ kNN(i): label_j = label_i}. Of one representation, where ``NeighbourhoodOverlap`` is of two. DADApy
  /// takes k = 30 and Euclidean distances. By chance it is Σ_c (N_c/N)·(N_c − 1)/(N − 1). The formula is DADApy's
  /// `return_label_overlap` without its class fractions.
  ///
  /// > Source: Doimo et al., 2020, arXiv 2007.03506, section 2, overlap with the ground truth.
  ///
  /// - Parameter labels: the class of each image.
  /// - Returns: 0 where no neighbour is of an image's class, 1 where all are.
  /// - Precondition: one label an image.
  public func labelOverlap(labels: [Int]) -> Double {
    precondition(labels.count == images, "one label an image")
    var alike = 0
    for image in 0..<images {
      for other in list(image) where labels[Int(other)] == labels[image] { alike += 1 }
    }
    return Double(alike) / Double(images * count)
  }
}
