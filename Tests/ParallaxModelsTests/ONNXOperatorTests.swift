import Foundation
import Parallax
import ParallaxTestSupport
import Testing

@testable import ParallaxModels

/// One case of an operator: a graph of it, inputs, and what comes out.
private struct Case: Decodable {
  var op: String
  var domain: String
  var opset: Int
  var inputs: [String]
  var outputs: [String]
  var rtol: Double
  var atol: Double
}

@Suite("ONNX operators and the ONNX project's own cases")
struct ONNXOperatorTests {
  static let groups = [
    "arithmetic", "attention-1", "attention-2", "attention-3", "convolutions", "functions",
    "indices", "logic", "norms", "pools", "products", "quantised", "reductions", "resizing",
    "shapes",
  ]

  private func file(_ group: String) throws -> (Safetensors, [String: Case]) {
    let file = try Safetensors(fixtures.appending(path: "onnx/operators-\(group).safetensors").path)
    let cases = try JSONDecoder().decode(
      [String: Case].self, from: Data(#require(file.metadata["cases"]).utf8))
    return (file, cases)
  }

  /// What a graph gives for values of its inputs; everything is known, so it is computed at once.
  private func outputs(
    _ path: String, _ names: [String], _ inputs: [(String, Tensor)], asShipped: Bool = true
  ) throws -> [Tensor?] {
    let file = try ONNXFile(path)
    let options = GraphOptions(asShipped: asShipped)
    var compiler = try ONNXCompiler(file, device: .cpu, options: options)
    for (name, value) in inputs { try compiler.give(name, value) }
    try compiler.compile(file.model.graph.node)
    guard compiler.missing.isEmpty else {
      throw ModelError.missingOperators(names: compiler.missing.sorted(), file: path)
    }
    return try names.map { compiler.known[try compiler.slot($0)]?.tensor }
  }

  @Test("every case gives what is expected", arguments: groups)
  func cases(group: String) throws {
    let (file, cases) = try file(group)
    let folder = try TemporaryFolder()
    #expect(!cases.isEmpty)
    for (name, entry) in cases.sorted(by: { $0.key < $1.key }) {
      let model = try #require(file["\(name)/model"])
      let path = folder.file("\(name).onnx")
      try Data(model.bytes()).write(to: URL(filePath: path))
      var inputs: [(String, Tensor)] = []
      for (index, input) in entry.inputs.enumerated() {
        guard let value = file["\(name)/in/\(index)"] else { continue }
        inputs.append((input, value))
      }
      do {
        let found = try outputs(path, entry.outputs, inputs)
        for (index, output) in found.enumerated() {
          guard let expected = file["\(name)/out/\(index)"] else { continue }
          guard let output else {
            Issue.record("\(name): no output \(index)")
            continue
          }
          #expect(
            output.shape == expected.shape && output.dtype == expected.dtype,
            "\(name): output \(index) is \(output), expected \(expected)")
          #expect(
            Self.agree(output, expected, entry),
            "\(name): \(output.scalars(Double.self).prefix(8)), expected \(expected.scalars(Double.self).prefix(8))"
          )
        }
      } catch {
        Issue.record("\(name): \(error)")
      }
    }
  }

  /// Whether numbers agree within the case's tolerances; what is no number must be none.
  private static func agree(_ a: Tensor, _ b: Tensor, _ entry: Case) -> Bool {
    let (found, expected) = (a.scalars(Double.self), b.scalars(Double.self))
    return found.count == expected.count
      && zip(found, expected).allSatisfy { x, y in
        if x == y || x.isNaN && y.isNaN { return true }
        guard x.isFinite, y.isFinite else { return false }
        return abs(x - y) <= entry.atol + entry.rtol * abs(y)
      }
  }

  @Test("in float32 a quantised value is what it was before it was rounded")
  func unrounded() throws {
    let (file, cases) = try file("quantised")
    let folder = try TemporaryFolder()
    var tried = 0
    for (name, entry) in cases
    where ["QLinearConv", "QLinearMatMul", "QuantizeLinear"].contains(entry.op) {
      guard let expected = file["\(name)/out/0"], let model = file["\(name)/model"],
        expected.dtype == .uint8 || expected.dtype == .int8
      else { continue }
      let path = folder.file("\(name).onnx")
      try Data(model.bytes()).write(to: URL(filePath: path))
      let inputs = entry.inputs.enumerated().compactMap { index, input in
        file["\(name)/in/\(index)"].map { (input, $0) }
      }
      let found = try #require(try outputs(path, entry.outputs, inputs, asShipped: false)[0])
      #expect(found.dtype.isFloatingPoint, "\(name)")
      let gap = (found.to(.float64) - expected.to(.float64)).absolute().maximum().item(Double.self)
      #expect(gap < 0.5001, "\(name): \(gap)")
      tried += 1
    }
    #expect(tried > 5)
  }

  @Test("no operator is without a case")
  func coverage() throws {
    var seen: Set<String> = ["If"]
    for group in Self.groups {
      for entry in try file(group).1.values {
        seen.insert(
          ONNXOperators.isStandard(entry.domain) ? entry.op : "\(entry.domain).\(entry.op)")
      }
    }
    let untried = Set(ONNXOperators.table.keys).subtracting(seen).sorted()
    #expect(untried.isEmpty, "\(untried)")
    let unknown = seen.subtracting(ONNXOperators.table.keys).subtracting(["If"]).sorted()
    #expect(unknown.isEmpty, "\(unknown)")
  }
}
