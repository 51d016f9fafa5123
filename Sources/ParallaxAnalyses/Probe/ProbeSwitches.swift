import ParallaxMeasures
import ParallaxResults

/// Every choice that changes the numbers of the probes, and whether the paper makes it.
enum ProbeSwitches {
  static func list(_ options: ProbeAnalysis.Options, _ result: ProbeResult) -> [Switch] {
    var list: [Switch] = []
    func add(_ name: String, _ value: String, paper: Bool = false) {
      list.append(Switch(name, value, origin: paper ? "paper" : "reconstruction"))
    }
    add(
      "probe",
      "regularised least squares to −1 and +1, one class against the rest, closed form; arg-max accuracy",
      paper: true)
    add(
      "features",
      "standardised by the shots' mean and population deviation + 10⁻⁵, a constant 100 beside them (big_vision)"
    )
    add(
      "inputs",
      "class token, first token, mean of all, mean of all but the class token, single tokens",
      paper: true)
    add(
      "shots",
      "\(result.shots.map(String.init).joined(separator: ", ")) a class; the paper shows 10 of ImageNet's 1000 classes"
    )
    add("draws", "\(result.draws); big_vision has 3")
    add("λ is tuned on held-out training images", "where each class has some left", paper: true)
    add(
      "λ",
      "the pool without the shots decides among \(result.penalties.count) from 2^−10 to 2^20 unless asked otherwise; of equals the nearest to 2^10; 2^10 where nothing is held out"
    )
    if let all = result.all {
      add(
        "all training images",
        "one fit to \(all.training), λ tuned on \(all.validation) others: 45 000 and 5000 of CIFAR",
        paper: true)
      add(
        "images to tune with",
        "the last tenth of each class in the split's order, as many as test images a class at most; the paper takes the last 5000 of the file"
      )
    }
    add("split", result.split)
    add(
      "images a class", "\(options.trainingLimit) to fit and \(options.testLimit) to test at most")
    if result.models.contains(where: { $0.design == "convolutional" }) {
      add(
        "convolutional networks",
        options.flattensPatches
          ? "mean of positions; beside it patches flattened before pooling, as the paper does"
          : "mean of positions; the paper flattens patches first, which it calls a very minor gain")
      if result.tokenShots > 0 {
        add("positions of maps as tokens", "averaged to the size of the last map", paper: true)
      }
    }
    if result.tokenShots > 0 {
      add(
        "single tokens",
        "\(result.tokenShots) shots; at most \(options.tokenTrainingLimit) images a class to fit and \(options.tokenTestLimit) to test; \(options.tokenSites) sites a model"
      )
    }
    add(
      "neighbours",
      "cosine, the whole pool; majority of 1, 5, 10, 20; weighted by exp(cos/0.07) of 20 (DINO)")
    if let penalty = options.logistic {
      add(
        "logistic regression",
        "multinomial, ½·\(penalty)·‖W‖², standardised features, the most shots")
    }
    add(
      "intervals",
      "95 %: √(a² + b²) of Student's t over draws"
        + (result.groups > 0
          ? " and a jackknife over \(result.groups) groups of test images"
          : "; too few test images for a jackknife"))
    add("relative depth", "place among the sites asked for, from 0 to 1")
    add("middle of a network", "relative depths from 0.25 to 0.75")
    return list
  }
}
