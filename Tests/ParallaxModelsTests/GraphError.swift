import Parallax

/// What is said of a graph's file; `no error` where it is a model, `another error` where it is none that users are shown.
func graphError(_ path: String) -> String {
  do {
    _ = try Catalog.load(.graph(path))
    return "no error"
  } catch let error as ModelError {
    return error.description
  } catch let error as TensorError {
    return error.description
  } catch {
    return "another error: \(error)"
  }
}
