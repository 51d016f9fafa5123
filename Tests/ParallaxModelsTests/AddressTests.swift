import Foundation
import Parallax
import Testing

@testable import ParallaxModels

@Suite("Addresses of representations")
struct AddressTests {
  private func site(_ name: String, block: Bool = false) -> Site {
    Site(name: name, kind: .tokens, shape: [7, 24], isBlock: block)
  }

  private var sites: [Site] {
    ["input", "patch_embed.proj", "patch_embed"].map { site($0) }
      + (0..<12).flatMap {
        [
          site("blocks.\($0).attn.qkv"), site("blocks.\($0).attn"), site("blocks.\($0).mlp"),
          site("blocks.\($0)", block: true),
        ]
      } + ["norm", "head"].map { site($0) }
  }

  private func names(_ pattern: String) throws -> [String] {
    try SitePattern(parsing: pattern).expanded(among: sites, of: "vit").map(\.name)
  }

  @Test("an address or a reference without a model is refused with a sentence")
  func empty() {
    let error = #expect(throws: ModelError.self) { try Address(parsing: "") }
    #expect(error?.description.contains("an empty address") == true)
    for text in ["@blocks.0", "#cls", "@blocks.0#cls"] {
      let error = #expect(throws: ModelError.self) { try Address(parsing: text) }
      #expect(error?.description.contains("no model") == true)
    }
    for text in ["=", "a=", "=a", "hf-hub:", "hf-hub:/", "hf-hub:a/", "hf-hub:/a", "hf-hub:a/.."] {
      let error = #expect(throws: ModelError.self) { try ModelReference(parsing: text) }
      #expect(error?.description.contains("expected") == true)
    }
  }

  @Test(
    "an address is read and written the same",
    arguments: [
      "clip-vit-base-patch16", "clip-vit-base-patch16@blocks.5#cls", "resnet50#avg",
      "efficientnet-lite0@blocks.11#grid:4", "resnet50=/a#b/w@2.pth@layer1.*,fc#flat",
      "hf-hub:org/name@blocks.-1", "hf-hub:org/name@main", "hf-hub:org/name@dev@",
      "hf-hub:org/name@v1.0@blocks.3#cls", "hf-hub:org/name@refs/pr/1#avg",
      "ViT-B-32,laion2b_s34b_b79k@blocks.3#cls", "resnet50.a1_in1k@layer1.*,fc",
    ])
  func roundTrip(text: String) throws {
    #expect(try Address(parsing: text).description == text)
  }

  @Test(
    "of a single @ after a model of the hub, sites follow, unless it can only be a revision",
    arguments: [
      ("hf-hub:a/b@blocks.3#cls", "hf-hub:a/b", "blocks.3"),
      ("hf-hub:a/b@head", "hf-hub:a/b", "head"),
      ("hf-hub:a/b@main", "hf-hub:a/b@main", nil), ("a/b@v1.0", "a/b@v1.0", nil),
      ("hf-hub:a/b@visual", "hf-hub:a/b", "visual"), ("a/b@blocks.*", "a/b", "blocks.*"),
      ("hf-hub:a/b@refs/pr/2", "hf-hub:a/b@refs/pr/2", nil),
      (
        "hf-hub:a/b@0123456789abcdef0123456789abcdef01234567",
        "hf-hub:a/b@0123456789abcdef0123456789abcdef01234567", nil
      ),
      ("hf-hub:a/b@dev@", "hf-hub:a/b@dev", nil), ("hf-hub:a/b@dev@head", "hf-hub:a/b@dev", "head"),
      ("hf-hub:a/b@main@head#avg", "hf-hub:a/b@main", "head"), ("x=a/b@main", "x=a/b", "main"),
    ] as [(String, String, String?)])
  func revisions(text: String, model: String, sites: String?) throws {
    let address = try Address(parsing: text)
    #expect(address.model == model && address.sites?.description == sites)
    #expect(try Address(parsing: address.description) == address)
  }

  @Test("the parts of an address are what stands between @ and #")
  func parts() throws {
    let address = try Address(parsing: "a=/x@y/w.pth@blocks.0...2,head#token:3")
    #expect(address.model == "a=/x@y/w.pth")
    #expect(address.sites?.description == "blocks.0...2,head")
    #expect(address.tokens == .token(3))
    #expect(try Address(parsing: "m") == Address(model: "m"))
    #expect(try Address(parsing: "a=/x#y/w.pth").model == "a=/x#y/w.pth")
  }

  @Test(
    "what cannot be read is refused",
    arguments: [
      "", "@blocks.0", "#cls", "m@", "m@a,,b", "m@blocks..0", "m@blocks.0...5...9",
      "m@blocks.a...b",
      "m@blocks.-x", "m@bl*cks.0", "m@.", "m@blocks.0#nothing", "m@blocks.0#", "m#grid:0", "m@...",
      "m@blocks.99999999999999999999...",
    ])
  func unreadable(text: String) {
    #expect(throws: ModelError.self) {
      let address = try Address(parsing: text)
      _ = try sites.matching(address.sites, of: "m")
    }
  }

  @Test("a path is one site, and its children are not in it")
  func path() throws {
    #expect(try names("blocks.3") == ["blocks.3"])
    #expect(try names("blocks.3.attn") == ["blocks.3.attn"])
  }

  @Test("a star is one part, two stars any number")
  func wildcards() throws {
    #expect(try names("blocks.*") == (0..<12).map { "blocks.\($0)" })
    #expect(try names("blocks.*.mlp") == (0..<12).map { "blocks.\($0).mlp" })
    #expect(try names("**.qkv") == (0..<12).map { "blocks.\($0).attn.qkv" })
    #expect(try names("**") == sites.map(\.name))
    #expect(
      try names("blocks.1.**")
        == ["blocks.1.attn.qkv", "blocks.1.attn", "blocks.1.mlp", "blocks.1"])
  }

  @Test("ranges hold both ends, and may be open")
  func ranges() throws {
    #expect(try names("blocks.0...2") == ["blocks.0", "blocks.1", "blocks.2"])
    #expect(try names("blocks.10...") == ["blocks.10", "blocks.11"])
    #expect(try names("blocks.-2...-1.attn") == ["blocks.10.attn", "blocks.11.attn"])
    #expect(try names("blocks.9...99") == ["blocks.9", "blocks.10", "blocks.11"])
  }

  @Test("a negative index counts from the end of what the path has")
  func negative() throws {
    #expect(try names("blocks.-1") == ["blocks.11"])
    #expect(try names("blocks.-12.mlp") == ["blocks.0.mlp"])
    let stages = ["layer1.0", "layer1.1", "layer2.0", "layer2.1", "layer2.2"].map { site($0) }
    let last = try SitePattern(parsing: "*.-1").expanded(among: stages, of: "resnet")
    #expect(last.map(\.name) == ["layer1.1", "layer2.2"])
  }

  @Test("a list comes in execution order, each site once")
  func list() throws {
    #expect(
      try names("head, blocks.1 ,blocks.0...1,input") == ["input", "blocks.0", "blocks.1", "head"])
  }

  @Test("without a pattern all blocks are meant")
  func byDefault() throws {
    #expect(try sites.matching(nil, of: "vit").map(\.name) == (0..<12).map { "blocks.\($0)" })
  }

  @Test("a path that matches nothing is refused with the nearest sites, even beside one that does")
  func nothing() {
    #expect {
      _ = try names("blocks.0,block.3")
    } throws: { error in
      guard case .noSuchSite("block.3", "vit", let candidates)? = error as? ModelError else {
        return false
      }
      return candidates.first == "blocks.3"
    }
    for pattern in ["blocks.12", "blocks.-13", "blocks.5...3", "attn.*", "blocks.*.*.*.*"] {
      #expect(throws: ModelError.self, "\(pattern)") { try names(pattern) }
    }
  }
}
