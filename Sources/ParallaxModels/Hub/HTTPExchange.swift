import Foundation
import Synchronization

#if canImport(FoundationNetworking)
  import FoundationNetworking
#endif

/// One HTTP request, waited for. Bytes are handed over as they come, and a redirect is an answer like any other.
final class HTTPExchange: NSObject, URLSessionDataDelegate, Sendable {
  /// The status line and the headers, their names in small letters.
  struct Answer: Sendable {
    var status: Int
    var headers: [String: String]
    /// Where it came from.
    var url: URL
  }

  /// Why there is no answer, or not all of it.
  struct Problem: Error {
    var text: String
    /// Whether trying again might help.
    var isPassing: Bool
  }

  private struct State {
    var answer: Answer?
    var chunks: [Data] = []
    var failure: Problem?
    var isDone = false
    /// Whether bytes of a body have come: before that, a task must not be cancelled.
    var isFlowing = false
    var isUnwanted = false
  }

  private let state = Mutex(State())
  private let news = DispatchSemaphore(value: 0)
  private let stall: Double
  private let session: Mutex<URLSession?> = Mutex(nil)

  private init(stall: Double) { self.stall = stall }

  /// Sends a request.
  static func begin(_ request: URLRequest, stall: Double) -> HTTPExchange {
    let exchange = HTTPExchange(stall: stall)
    let configuration = URLSessionConfiguration.ephemeral
    configuration.urlCache = nil
    configuration.httpCookieStorage = nil
    configuration.httpShouldSetCookies = false
    configuration.requestCachePolicy = .reloadIgnoringLocalCacheData
    configuration.timeoutIntervalForRequest = max(1, stall * 2)
    let queue = OperationQueue()
    queue.maxConcurrentOperationCount = 1
    let session = URLSession(configuration: configuration, delegate: exchange, delegateQueue: queue)
    exchange.session.withLock { $0 = session }
    session.dataTask(with: request).resume()
    return exchange
  }

  /// Gives the request up; what has come already is dropped.
  ///
  /// Foundation on Linux ends the process when a task is cancelled while the answer to one of its questions (how to go
  /// on after a response or a redirect) is under way. So it is cancelled only once bytes flow, or when nothing
  /// has happened for long.
  func end() {
    let isSafe = state.withLock { state in
      state.isUnwanted = true
      state.chunks = []
      return state.isFlowing || state.isDone
    }
    close(cancelling: isSafe)
  }

  private func close(cancelling: Bool) {
    session.withLock { session in
      if cancelling {
        session?.invalidateAndCancel()
        session = nil
      } else {
        session?.finishTasksAndInvalidate()
      }
    }
  }

  /// The status line and headers.
  ///
  /// - Parameter atEnd: waits for the end of the body, too.
  /// - Returns: them.
  /// - Throws: `Problem` where none come.
  func answer(atEnd: Bool = false) throws(Problem) -> Answer {
    while true {
      let (answer, failure, isDone) = state.withLock { ($0.answer, $0.failure, $0.isDone) }
      if let answer, isDone || !atEnd { return answer }
      if let failure { throw failure }
      if isDone { throw Problem(text: "the server closed the connection", isPassing: true) }
      try wait()
    }
  }

  /// The next bytes of the body; nil at its end.
  ///
  /// - Throws: `Problem` where the connection breaks or nothing comes for too long.
  func next() throws(Problem) -> Data? {
    while true {
      let (chunk, failure, isDone) = state.withLock { state in
        (state.chunks.isEmpty ? nil : state.chunks.removeFirst(), state.failure, state.isDone)
      }
      if let chunk { return chunk }
      if let failure { throw failure }
      if isDone { return nil }
      try wait()
    }
  }

  private func wait() throws(Problem) {
    guard news.wait(timeout: .now() + stall) == .success else {
      state.withLock { $0.isUnwanted = true }
      close(cancelling: true)
      let seconds = stall < 1 ? "\(stall)" : "\(Int(stall))"
      throw Problem(text: "nothing came for \(seconds) seconds", isPassing: true)
    }
  }

  // MARK: What the session tells

  func urlSession(
    _ session: URLSession, task: URLSessionTask,
    willPerformHTTPRedirection response: HTTPURLResponse,
    newRequest request: URLRequest, completionHandler: @escaping @Sendable (URLRequest?) -> Void
  ) {
    take(response)
    completionHandler(nil)
  }

  func urlSession(
    _ session: URLSession, dataTask: URLSessionDataTask, didReceive response: URLResponse,
    completionHandler: @escaping @Sendable (URLSession.ResponseDisposition) -> Void
  ) {
    take(response)
    completionHandler(.allow)
  }

  func urlSession(_ session: URLSession, dataTask: URLSessionDataTask, didReceive data: Data) {
    let isUnwanted = state.withLock { state in
      state.isFlowing = true
      if !state.isUnwanted { state.chunks.append(data) }
      return state.isUnwanted
    }
    if isUnwanted { close(cancelling: true) } else { news.signal() }
  }

  func urlSession(
    _ session: URLSession, task: URLSessionTask, didCompleteWithError error: (any Error)?
  ) {
    if let response = task.response { take(response) }
    state.withLock { state in
      guard !state.isDone else { return }
      state.isDone = true
      if let error { state.failure = Self.problem(error) }
    }
    news.signal()
  }

  private func take(_ response: URLResponse) {
    guard let response = response as? HTTPURLResponse, let url = response.url else { return }
    var headers: [String: String] = [:]
    for (name, value) in response.allHeaderFields {
      headers["\(name)".lowercased()] = "\(value)"
    }
    let answer = Answer(status: response.statusCode, headers: headers, url: url)
    state.withLock { if $0.answer == nil { $0.answer = answer } }
    news.signal()
  }

  private static func problem(_ error: any Error) -> Problem {
    guard let error = error as? URLError else {
      return Problem(text: error.localizedDescription, isPassing: true)
    }
    switch error.code {
    case .cannotFindHost, .dnsLookupFailed:
      return Problem(text: "the host is not found", isPassing: false)
    case .cannotConnectToHost:
      return Problem(text: "the connection is refused", isPassing: true)
    case .timedOut: return Problem(text: "the connection timed out", isPassing: true)
    case .networkConnectionLost:
      return Problem(text: "the connection was cut", isPassing: true)
    case .badURL, .unsupportedURL:
      return Problem(text: "the address cannot be read", isPassing: false)
    case .secureConnectionFailed, .serverCertificateUntrusted, .serverCertificateHasBadDate,
      .serverCertificateHasUnknownRoot, .serverCertificateNotYetValid:
      return Problem(text: "no secure connection: its certificate is not trusted", isPassing: false)
    default: return Problem(text: error.localizedDescription, isPassing: true)
    }
  }
}
