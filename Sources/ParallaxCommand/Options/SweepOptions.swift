import ArgumentParser
import Foundation
import Parallax

/// Several models along one axis.
struct SweepOptions: ParsableArguments {
  @Option(
    parsing: .upToNextOption,
    help: ArgumentHelp(
      "Checkpoints of the one architecture that is named, in the order of the axis.",
      valueName: "file"))
  var checkpoints: [String] = []

  @Option(
    help: ArgumentHelp(
      "The models' places on an axis, with commas: training steps, widths.", valueName: "x,x"))
  var at: String?

  @Option(help: "What the axis is, for the figures.")
  var axis: String?

  func validate() throws {
    guard axis == nil || at != nil else {
      throw ValidationError("--axis \(axis ?? ""): expected --at with the models' places on it")
    }
    if let twice = checkpoints.indices.first(where: {
      checkpoints[..<$0].contains(checkpoints[$0])
    }) {
      throw ValidationError("--checkpoints \(checkpoints[twice]): expected each file once")
    }
  }

  /// The addresses of the checkpoints, where there are any.
  ///
  /// - Throws: `CommandError` where not one architecture is named.
  func expanded(_ addresses: [String]) throws -> [String] {
    guard !checkpoints.isEmpty else { return addresses }
    let address = try addresses.first.map { try Address(parsing: $0) }
    guard addresses.count == 1, let address,
      case .name(let name) = try ModelReference(parsing: address.model)
    else {
      throw CommandError(
        "--checkpoints: expected the name of one architecture before it, such as vit_tiny_patch16_224, found \(addresses.joined(separator: " "))",
        code: 64)
    }
    let sites = addresses[0].dropFirst(address.model.count)
    return checkpoints.map { "\(name)=\($0)\(sites)" }
  }

  /// The checkpoints' file names without what all share; empty without checkpoints, or where two are alike.
  func names(_ addresses: [String]) throws -> [String] {
    guard !checkpoints.isEmpty else { return [] }
    return checkpoints.map { URL(filePath: $0).deletingPathExtension().lastPathComponent }
  }

  /// The axis; nil where none was given.
  ///
  /// - Throws: `CommandError` where there is not one number a model.
  func axis(of addresses: [String]) throws -> InversionAxis? {
    guard let at else { return nil }
    let models = try addresses.map { try Address(parsing: $0).model }
    let places = try Self.places(at, count: Set(models).count, of: "model")
    return InversionAxis(axis ?? "", places: places)
  }

  /// The numbers after `--at`.
  ///
  /// - Parameters:
  ///   - text: with commas.
  ///   - count: how many there should be.
  ///   - noun: what stands at them.
  /// - Returns: them.
  /// - Throws: `CommandError` where there is not one each, or all are one place: there is no curve over that.
  static func places(_ text: String, count: Int, of noun: String) throws -> [Double] {
    let found = text.split(separator: ",", omittingEmptySubsequences: false)
    let places = try found.map { word in
      guard let place = Double(word.trimmingCharacters(in: .whitespaces)), place.isFinite else {
        throw CommandError("--at \(text): '\(word)' is no number", code: 64)
      }
      return place
    }
    guard places.count == count else {
      throw CommandError(
        "--at \(text): expected \(count) number\(count == 1 ? "" : "s"), one for each \(noun), found \(places.count)",
        code: 64)
    }
    guard Set(places).count > 1 else {
      throw CommandError(
        "--at \(text): expected \(noun)s at two different places at least, there is no curve over one",
        code: 64)
    }
    return places
  }
}
