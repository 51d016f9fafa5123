// swift-tools-version: 6.2
import PackageDescription

// libtorch is reached through the git-ignored folder `.libtorch` that `make setup` fills (links to
// `include` and `lib`, and a `libtorch.pc`). SwiftPM drops `-rpath` from a `.pc` file, so as the root
// package we name the folder ourselves; as a dependency nothing unsafe is used, pkg-config finds
// libtorch, and whoever builds the executable gives the run path.
let isRoot = !Context.packageDirectory.contains("/checkouts/")
let libraries = Context.packageDirectory + "/.libtorch/lib"
let libtorchHeaders: [CXXSetting] = [
  .headerSearchPath("../../.libtorch/include"),
  .headerSearchPath("../../.libtorch/include/torch/csrc/api/include"),
]
let libtorchLinkage: [LinkerSetting] =
  [.linkedLibrary("torch"), .linkedLibrary("torch_cpu"), .linkedLibrary("c10")]
  + (isRoot
    ? [.unsafeFlags(["-L\(libraries)", "-Xlinker", "-rpath", "-Xlinker", libraries])] : [])

let argumentParser = Target.Dependency.product(
  name: "ArgumentParser", package: "swift-argument-parser")

let package = Package(
  name: "Parallax",
  platforms: [.macOS(.v15)],
  products: [
    .executable(name: "parallax", targets: ["ParallaxCommand"]),
    .library(name: "Parallax", targets: ["Parallax"]),
    .library(name: "ParallaxTensors", targets: ["ParallaxTensors"]),
    .library(name: "ParallaxModels", targets: ["ParallaxModels"]),
    .library(name: "ParallaxMeasures", targets: ["ParallaxMeasures"]),
    .library(name: "ParallaxImages", targets: ["ParallaxImages"]),
    .library(name: "ParallaxAnalyses", targets: ["ParallaxAnalyses"]),
    .library(name: "ParallaxResults", targets: ["ParallaxResults"]),
    .library(name: "ParallaxReport", targets: ["ParallaxReport"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"),
  ],
  targets: [
    // The boundary to C: libtorch, hashing, and the image codecs.
    .systemLibrary(name: "CLibTorch", pkgConfig: isRoot ? nil : "libtorch"),
    .target(
      name: "CTorch", dependencies: ["CLibTorch"], cxxSettings: libtorchHeaders,
      linkerSettings: libtorchLinkage),
    .systemLibrary(name: "COpenSSL", pkgConfig: "libcrypto", providers: [.apt(["libssl-dev"])]),
    .target(
      name: "CImageCodecs",
      linkerSettings: [
        .linkedLibrary("jpeg"), .linkedLibrary("png"), .linkedLibrary("webp"),
      ]),

    // The library, arrows one way.
    .target(name: "ParallaxTensors", dependencies: ["CTorch", "COpenSSL"]),
    .target(
      name: "ParallaxModels",
      dependencies: [
        "ParallaxTensors",
        .product(name: "SwiftProtobuf", package: "swift-protobuf"),
      ], exclude: ["Readers/ONNX/Schema/proto"]),
    .target(name: "ParallaxMeasures", dependencies: ["ParallaxTensors"]),
    .target(
      name: "ParallaxImages",
      dependencies: ["ParallaxTensors", "CImageCodecs"]),
    .target(name: "ParallaxResults"),
    .target(
      name: "ParallaxAnalyses",
      dependencies: [
        "ParallaxModels", "ParallaxMeasures", "ParallaxImages", "ParallaxResults",
      ]),
    .target(name: "ParallaxReport", dependencies: ["ParallaxResults"]),
    .target(
      name: "Parallax",
      dependencies: [
        "ParallaxTensors", "ParallaxModels", "ParallaxMeasures", "ParallaxImages",
        "ParallaxResults", "ParallaxAnalyses", "ParallaxReport",
      ]),
    .executableTarget(
      name: "ParallaxCommand", dependencies: ["Parallax", "Yams", argumentParser]),

    // Our side of `Benchmarks/forward.py` and `Benchmarks/compare.py`.
    .executableTarget(
      name: "ParallaxBenchmark",
      dependencies: ["ParallaxModels", "ParallaxMeasures", "ParallaxAnalyses"],
      path: "Benchmarks/ParallaxBenchmark"),

    // Tests; what several of them share stands in ParallaxTestSupport.
    .target(
      name: "ParallaxTestSupport", dependencies: ["Parallax"], path: "Tests/ParallaxTestSupport"),
    .testTarget(name: "ParallaxTensorsTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(name: "ParallaxModelsTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(name: "ParallaxMeasuresTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(name: "ParallaxImagesTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(name: "ParallaxAnalysesTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(name: "ParallaxReportTests", dependencies: ["ParallaxTestSupport"]),
    .testTarget(
      name: "ParallaxCommandTests", dependencies: ["ParallaxTestSupport", "ParallaxCommand"]),
  ],
  cxxLanguageStandard: .cxx20
)

// The fuzz targets (Fuzz/README.md) link libFuzzer's `main`, so that no other build may know of them.
if Context.environment["PARALLAX_FUZZ"] != nil {
  package.targets.append(
    .executableTarget(
      name: "FuzzTargets", dependencies: ["Parallax"], path: "Fuzz/Sources",
      swiftSettings: [.swiftLanguageMode(.v6), .unsafeFlags(["-parse-as-library"])]))
}

// One loop gives every Swift target its settings.
for target in package.targets where target.name.hasPrefix("Parallax") {
  target.swiftSettings = [
    .swiftLanguageMode(.v6), .strictMemorySafety(), .treatAllWarnings(as: .error),
  ]
}
