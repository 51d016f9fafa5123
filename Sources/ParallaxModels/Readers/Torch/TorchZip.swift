import ParallaxTensors

/// A checkpoint in torch's zip format (`torch.save` since 1.6): a pickle, and one entry a storage.
///
/// The tensors are views of the mapped file. Which of the pickle's tensors count, and under which names,
/// is said at `TorchCheckpoint`.
struct TorchZip {
  let tensors: TorchTensors

  init(_ file: MappedFile) throws(ModelError) {
    func bad(_ problem: String) -> ModelError { .checkpoint(file: file.path, problem: problem) }
    do {
      tensors = try Self.read(file)
    } catch let problem as ZipArchive.Problem {
      throw bad(problem.text)
    } catch let problem as PickleProblem {
      throw bad(problem.text)
    } catch {
      throw bad("\(error)")
    }
  }

  private static func read(_ file: MappedFile) throws -> TorchTensors {
    let archive = try ZipArchive(file)
    // All entries lie in one folder, named as the file was when it was saved.
    let folders = archive.names.filter { $0.hasSuffix("/data.pkl") }
      .map { String($0.dropLast("data.pkl".count)) }
      .filter { $0.filter { $0 == "/" }.count == 1 }
    if archive.names.contains(where: { $0.hasSuffix("/constants.pkl") }),
      archive.names.contains(where: { $0.contains("/code/") })
    {
      throw PickleProblem(
        "a TorchScript archive, which holds a program; expected a checkpoint (save the model's state_dict())"
      )
    }
    if archive.names.contains(where: {
      $0.hasSuffix("archive_format") || $0.hasSuffix("serialized_exported_program.json")
    }) {
      throw PickleProblem(
        "a graph saved by torch.export (.pt2), expected a checkpoint of parameters")
    }
    guard folders.count == 1, let folder = folders.first else {
      throw PickleProblem("a zip archive without torch's data.pkl, expected a checkpoint")
    }
    if let order = try archive.range(folder + "byteorder") {
      let text = String(
        decoding: file.bytes(order.lowerBound..<order.lowerBound + min(16, order.count)),
        as: UTF8.self)
      guard text == "little" else {
        throw PickleProblem("its numbers are in byte order '\(text)', expected 'little'")
      }
    }
    guard let pickle = try archive.range(folder + "data.pkl") else {
      throw PickleProblem("a zip archive without torch's data.pkl, expected a checkpoint")
    }
    var unpickler = Unpickler(file, pickle)
    let root = try unpickler.load()
    let state = try StateDict(root, in: unpickler)
    return try TorchTensors(state, storages: unpickler.storages, file: file) {
      storage throws(PickleProblem) in
      let name = folder + "data/" + storage.key
      let range: Range<Int>?
      do throws(ZipArchive.Problem) {
        range = try archive.range(name)
      } catch {
        throw PickleProblem(error.text)
      }
      guard let range else { throw PickleProblem("the zip archive lacks the storage '\(name)'") }
      let (size, overflow) = storage.count.multipliedReportingOverflow(by: storage.elementSize)
      guard !overflow, size <= range.count else {
        throw PickleProblem(
          "storage '\(name)' should hold \(storage.count) elements, found \(range.count) bytes")
      }
      return range.lowerBound..<range.lowerBound + size
    }
  }
}
