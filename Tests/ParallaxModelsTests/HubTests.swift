import Foundation
import Parallax
import ParallaxTestSupport
import Synchronization
import Testing

@testable import ParallaxModels

/// A server, and a client with a cache of its own that does not wait long.
struct HubSetting {
  let server: HubServer
  let folder: TemporaryFolder
  var hub: Hub
  let model = HubModel("someone/model")
  /// The bytes of the repository's weights.
  let weights: [UInt8]

  /// `model_type` or anything else as `config.json`, and weights of so many bytes.
  init(bytes: Int = 300_000, token: String? = nil) throws {
    server = try HubServer()
    folder = try TemporaryFolder()
    weights = (0..<bytes).map { UInt8(truncatingIfNeeded: ($0 * 2_654_435_761) >> 7) }
    try server.add("config.json", Array(#"{"architecture": "resnet18"}"#.utf8))
    try server.add("model.safetensors", weights)
    var environment = ["HF_ENDPOINT": server.endpoint + "/", "HF_HUB_CACHE": folder.path]
    environment["HF_TOKEN"] = token
    environment["HF_HOME"] = folder.file("home")
    hub = Hub(environment: environment)
    hub.patience.wait = 0.01
    hub.patience.stall = 5
  }

  /// The weights as they lie in the snapshot.
  func downloaded(_ model: HubModel? = nil) throws -> [UInt8] {
    let found = try hub.snapshot(of: model ?? self.model)
    return [UInt8](try Data(contentsOf: found.folder.appending(path: "model.safetensors")))
  }

  /// What stops the download, as one line.
  func problem(_ model: HubModel? = nil) -> String {
    let error = #expect(throws: (any Error).self) { try hub.snapshot(of: model ?? self.model) }
    let text = error.map { "\($0)" } ?? ""
    #expect(!text.contains("\n") && !text.isEmpty)
    return text
  }

  var blobs: [String] { folder.names("models--someone--model/blobs") }
  var contentRequests: [HubServer.Request] {
    server.requests.filter { $0.method == "GET" && $0.path.hasPrefix("/cdn/") }
  }
}

@Suite("Downloads from the hub")
struct HubTests {
  @Test(
    "a model is downloaded into the layout of the official client, and then found without a request"
  )
  func layout() throws {
    let setting = try HubSetting()
    #expect(try setting.downloaded() == setting.weights)
    // What huggingface_hub 2.4.0 wrote of the same repository: Oracles/hub.py.
    let expected = try JSONDecoder().decode(
      [String: String].self,
      from: Data(contentsOf: fixtures.appending(path: "hub/layout.json")))
    let root = setting.folder.url
    var found: [String: String] = [:]
    let files = FileManager.default
    for path in try files.subpathsOfDirectory(atPath: root.path) {
      let place = root.appending(path: path).path
      if let target = try? files.destinationOfSymbolicLink(atPath: place) {
        found[path] = "link to \(target)"
      } else if let type = try files.attributesOfItem(atPath: place)[.type] as? FileAttributeType,
        type == .typeRegular
      {
        let bytes = try setting.folder.bytes(path)
        found[path] =
          bytes.count > 100 ? "\(bytes.count) bytes" : String(decoding: bytes, as: UTF8.self)
      }
    }
    #expect(found == expected)
    let count = setting.server.requests.count
    #expect(count == 5)
    #expect(try setting.downloaded() == setting.weights)
    #expect(setting.server.requests.count == count)
    var offline = setting
    offline.hub.isOffline = true
    #expect(try offline.downloaded() == setting.weights)
  }

  @Test("offline, what the cache lacks is said to be missing, and nothing is asked or written")
  func offline() throws {
    var setting = try HubSetting()
    setting.hub.isOffline = true
    #expect(setting.problem().contains("HF_HUB_OFFLINE forbids"))
    #expect(setting.server.requests.isEmpty && setting.folder.names().isEmpty)
  }

  @Test("a connection that is cut is taken up again where it ended, also by the next run")
  func cut() throws {
    let setting = try HubSetting()
    try setting.server.behave(
      #"[{"path": "/cdn/", "do": "cut", "bytes": 100000, "times": 2}]"#)
    #expect(try setting.downloaded() == setting.weights)
    #expect(setting.contentRequests.map(\.range) == [nil, "bytes=100000-", "bytes=200000-"])

    let other = try HubSetting()
    try other.server.behave(#"[{"path": "/cdn/", "do": "cut", "bytes": 1000, "times": 4}]"#)
    #expect(other.problem().contains("4 times in a row"))
    #expect(other.blobs.count { $0.hasSuffix(".incomplete") } == 1)
    #expect(try other.downloaded() == other.weights)
    #expect(other.contentRequests.last?.range == "bytes=4000-")
    #expect(other.blobs.allSatisfy { !$0.hasSuffix(".incomplete") })
  }

  @Test("a mirror that gives large files itself, without a redirect, is as good")
  func mirror() throws {
    let setting = try HubSetting()
    try setting.server.behave(
      """
      [{"path": "model.safetensors", "method": "HEAD", "do": "direct"},
       {"path": "model.safetensors", "method": "GET", "do": "direct"}]
      """)
    #expect(try setting.downloaded() == setting.weights)
    #expect(setting.contentRequests.isEmpty)
    // An ETag that is no checksum: the size alone is checked.
    let other = try HubSetting()
    try other.server.behave(
      #"[{"path": "config.json", "do": "etag", "etag": "5f-17"}]"#)
    #expect(try other.downloaded() == other.weights)
    #expect(other.blobs.contains("5f-17"))
  }

  @Test("weights in several files are fetched as their index says, all of one commit")
  func shards() throws {
    let setting = try HubSetting()
    try FileManager.default.removeItem(
      atPath: setting.server.root.file("someone/model/model.safetensors"))
    let names = ["model-1.safetensors", "model-2.safetensors"]
    try setting.server.add(
      "model.safetensors.index.json",
      Array(
        #"{"weight_map": {"a": "\#(names[0])", "b": "\#(names[1])", "c": "\#(names[0])"}}"#.utf8))
    try setting.server.add(names[0], [1, 2, 3])
    #expect(setting.problem().contains("lacks model-2.safetensors"))
    try setting.server.add(names[1], [4, 5])
    try FileManager.default.removeItem(
      atPath: setting.folder.file("models--someone--model/.no_exist"))
    let found = try setting.hub.snapshot(of: setting.model)
    let files = try FileManager.default.contentsOfDirectory(atPath: found.folder.path).sorted()
    #expect(files == ["config.json"] + names + ["model.safetensors.index.json"])
    let count = setting.server.requests.count
    _ = try setting.hub.snapshot(of: setting.model)
    #expect(setting.server.requests.count == count)
    // One of them gone: that one alone is fetched again.
    try FileManager.default.removeItem(at: found.folder.appending(path: names[1]))
    _ = try setting.hub.snapshot(of: setting.model)
    #expect(!setting.server.requests.dropFirst(count).contains { $0.path.contains(names[0]) })
  }

  @Test("a server that does not know ranges sends the whole file again, and it is whole")
  func ranges() throws {
    let setting = try HubSetting()
    try setting.server.behave(
      #"[{"path": "/cdn/", "do": "cut", "bytes": 70000, "times": 1}, {"path": "/cdn/", "do": "no range"}]"#
    )
    #expect(try setting.downloaded() == setting.weights)
    #expect(setting.contentRequests.map(\.range) == [nil, "bytes=70000-"])
  }

  @Test(
    "a wrong checksum is refused and the bytes deleted; remains that do not fit are replaced once")
  func checksum() throws {
    let setting = try HubSetting()
    try setting.server.behave(#"[{"path": "/cdn/", "do": "corrupt", "times": 1}]"#)
    let text = setting.problem()
    #expect(text.contains("model.safetensors") && text.contains("has the checksum"))
    #expect(setting.blobs.count == 1)
    #expect(try setting.downloaded() == setting.weights)

    let other = try HubSetting()
    try other.server.behave(#"[{"path": "/cdn/", "do": "cut", "bytes": 1000}]"#)
    _ = other.problem()
    let name = try #require(other.blobs.first { $0.hasSuffix(".incomplete") })
    try other.folder.write([1, 2, 3, 4], "models--someone--model/blobs/\(name)")
    try other.server.behave("[]")
    #expect(try other.downloaded() == other.weights)
    // A small file has git's checksum.
    let small = try HubSetting()
    try small.server.behave(#"[{"path": "config.json", "method": "GET", "do": "corrupt"}]"#)
    #expect(small.problem().contains("config.json: not downloaded: has the checksum"))
    #expect(small.blobs.isEmpty)
  }

  @Test("the token goes to the endpoint and to no other host")
  func token() throws {
    let setting = try HubSetting(token: "hf_secret")
    #expect(try setting.downloaded() == setting.weights)
    let requests = setting.server.requests
    let own = requests.filter { $0.host.hasPrefix("127.0.0.1") }
    #expect(own.count == 4 && own.allSatisfy { $0.authorization == "Bearer hf_secret" })
    let others = requests.filter { $0.host.hasPrefix("localhost") }
    #expect(others.count == 1 && others.allSatisfy { $0.authorization == nil })
    #expect(try HubSetting().hub.token == nil)
  }

  @Test(
    "what the hub says no to is told in its words",
    arguments: [
      ("nobody/model", "main", "is not at 127.0.0.1", "[]"),
      ("someone/model", "nope", "has no revision 'nope'", "[]"),
      (
        "someone/model", "main", "is gated; accept its terms at",
        #"[{"do": "status", "status": 403, "headers": {"X-Error-Code": "GatedRepo"}}]"#
      ),
      (
        "someone/model", "main", "or is private: a token by HF_TOKEN",
        #"[{"do": "status", "status": 401}]"#
      ),
      (
        "someone/model", "main", "is forbidden",
        #"[{"do": "status", "status": 403, "headers": {"X-Error-Message": "no way"}}]"#
      ),
      ("someone/model", "main", "answers 500", #"[{"do": "status", "status": 500}]"#),
      ("someone/model", "main", "answers 418", #"[{"do": "status", "status": 418}]"#),
      (
        "someone/model", "main", "asks to wait 3600 seconds",
        #"[{"do": "status", "status": 429, "headers": {"Retry-After": "3600"}}]"#
      ),
      ("someone/model", "main", "redirects more than", #"[{"do": "loop"}]"#),
      ("someone/model", "main", "redirects more than", #"[{"path": "/cdn/", "do": "loop"}]"#),
      (
        "someone/model", "main", "redirects to no web address",
        #"[{"do": "status", "status": 302, "headers": {"Location": "file:///etc/passwd"}}]"#
      ),
      (
        "someone/model", "main", "no usable ETag",
        #"[{"path": "config", "do": "etag", "etag": "../../../evil"}]"#
      ),
      (
        "someone/model", "main", "names no commit",
        #"[{"do": "status", "status": 200, "headers": {"ETag": "abc"}}]"#
      ),
      (
        "someone/model", "main", "more than the 300000 bytes",
        #"[{"path": "/cdn/", "do": "more", "bytes": 50000}]"#
      ),
    ])
  func refused(id: String, revision: String, part: String, rules: String) throws {
    let setting = try HubSetting()
    try setting.server.behave(rules)
    let found = setting.problem(HubModel(id, revision: revision))
    #expect(found.contains(part), "\(found)")
    #expect(setting.server.requests.count <= 24)
    // Nothing that looks finished is left.
    #expect(setting.blobs.allSatisfy { $0.count == 40 || $0.hasSuffix(".incomplete") })
  }

  @Test("a repository without weights, or with an index that points elsewhere, is refused")
  func contents() throws {
    let setting = try HubSetting()
    try FileManager.default.removeItem(
      atPath: setting.server.root.file("someone/model/model.safetensors"))
    #expect(setting.problem().contains("has no weights: none of model.safetensors"))
    try setting.server.add(
      "model.safetensors.index.json",
      Array(#"{"weight_map": {"a": "../../evil.safetensors"}}"#.utf8))
    // What was not there an hour ago is remembered for a commit; a new cache knows nothing.
    let again = try TemporaryFolder()
    var hub = setting.hub
    hub.cache = again.url
    #expect(throws: ModelError.self) { try hub.snapshot(of: setting.model) }
    #expect(!setting.server.requests.contains { $0.path.contains("evil") })
    try FileManager.default.removeItem(
      atPath: setting.server.root.file("someone/model/config.json"))
    hub.cache = again.url.appending(path: "third")
    let error = #expect(throws: ModelError.self) { try hub.snapshot(of: setting.model) }
    #expect(error?.description.contains("has no config.json") == true)
  }

  @Test(
    "a server in trouble is asked again: 500, 429 with Retry-After, a connection that says nothing")
  func patience() throws {
    var setting = try HubSetting()
    setting.hub.patience.stall = 0.5
    try setting.server.behave(
      """
      [{"path": "config", "do": "status", "status": 500, "times": 2},
       {"path": "resolve", "do": "status", "status": 429, "headers": {"Retry-After": "1"}, "times": 1},
       {"path": "/cdn/", "do": "stall", "bytes": 5000, "seconds": 3, "times": 1}]
      """)
    let start = Date()
    #expect(try setting.downloaded() == setting.weights)
    let seconds = Date().timeIntervalSince(start)
    #expect(seconds > 1.4 && seconds < 20, "\(seconds)")
    #expect(setting.contentRequests.map(\.range) == [nil, "bytes=5000-"])
    try setting.server.behave(#"[{"do": "hang", "seconds": 3}]"#)
    setting.hub.cache = try TemporaryFolder().url
    #expect(setting.problem().contains("nothing came for 0.5 seconds"))
    // Nobody listens there.
    setting.hub.endpoint = "http://127.0.0.1:1"
    #expect(setting.problem().contains("refused"))
    setting.hub.endpoint = "nonsense"
    #expect(setting.problem().contains("no web address"))
  }

  @Test("slow bytes are no failure as long as they come, and progress is told while they do")
  func slow() throws {
    var setting = try HubSetting()
    setting.hub.patience.stall = 1
    try setting.server.behave(#"[{"path": "/cdn/", "do": "slow", "bytes": 30000, "seconds": 0.2}]"#)
    let told = Mutex<[Hub.Progress]>([])
    let start = Date()
    _ = try setting.hub.snapshot(of: setting.model) { progress in
      told.withLock { $0.append(progress) }
    }
    #expect(Date().timeIntervalSince(start) > 1.5)
    let weights = told.withLock { $0.filter { $0.file == "model.safetensors" } }
    #expect(weights.count >= 8)
    #expect(weights.allSatisfy { $0.total == 300_000 && $0.model == "someone/model" })
    #expect(weights.map(\.done) == weights.map(\.done).sorted() && weights.last?.done == 300_000)
    #expect(weights.contains { $0.done > 0 && $0.done < 300_000 })
  }

  @Test("two downloads of one file at once fetch it once, and both have it")
  func together() async throws {
    let setting = try HubSetting()
    try setting.server.behave(#"[{"path": "/cdn/", "do": "slow", "bytes": 60000, "seconds": 0.1}]"#)
    let (hub, model, weights) = (setting.hub, setting.model, setting.weights)
    try await withThrowingTaskGroup(of: [UInt8].self) { group in
      for _ in 0..<2 {
        group.addTask {
          let found = try hub.snapshot(of: model)
          return [UInt8](
            try Data(contentsOf: found.folder.appending(path: "model.safetensors")))
        }
      }
      for try await bytes in group { #expect(bytes == weights) }
    }
    #expect(setting.contentRequests.count == 1)
  }

  @Test("a revision has its own reference, and a commit needs none")
  func revisions() throws {
    let setting = try HubSetting()
    for revision in ["dev", "refs/pr/1"] {
      _ = try setting.downloaded(HubModel("someone/model", revision: revision))
    }
    let root = "models--someone--model"
    let commit = String(decoding: try setting.folder.bytes("\(root)/refs/dev"), as: UTF8.self)
    #expect(commit.count == 40)
    #expect(try setting.folder.bytes("\(root)/refs/refs/pr/1") == Array(commit.utf8))
    #expect(setting.server.requests.contains { $0.path.contains("/resolve/refs%2Fpr%2F1/") })
    let count = setting.server.requests.count
    _ = try setting.downloaded(HubModel("someone/model", revision: commit))
    #expect(setting.server.requests.count == count)
    #expect(setting.folder.names("\(root)/refs") == ["dev", "refs"])
  }
}
