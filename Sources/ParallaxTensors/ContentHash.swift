import COpenSSL

/// The SHA-256 of some content, as 64 hexadecimal digits.
@safe public struct ContentHash {
  private let context: OpaquePointer

  private init() {
    guard let made = unsafe EVP_MD_CTX_new() else { fatalError("SHA-256: out of memory") }
    unsafe context = made
    unsafe EVP_DigestInit_ex(context, EVP_sha256(), nil)
  }

  private func finish() -> String {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe EVP_DigestFinal_ex(context, &digest, nil)
    unsafe EVP_MD_CTX_free(context)
    let digits = Array("0123456789abcdef".utf8)
    return String(
      decoding: digest.flatMap { [digits[Int($0 >> 4)], digits[Int($0 & 15)]] }, as: UTF8.self)
  }

  /// The hash of bytes in memory.
  public static func sha256(_ bytes: some Sequence<UInt8>) -> String {
    let hash = ContentHash()
    let all = Array(bytes)
    unsafe EVP_DigestUpdate(hash.context, all, all.count)
    return hash.finish()
  }

  /// The hash of a text's UTF-8.
  public static func sha256(_ text: String) -> String { sha256(text.utf8) }

  /// The hash of a file's bytes.
  ///
  /// - Throws: `TensorError.file`.
  public static func sha256(ofFile path: String) throws(TensorError) -> String {
    let file = try MappedFile(path)
    let hash = ContentHash()
    unsafe file.withBytes(0..<file.count) { bytes in
      _ = unsafe EVP_DigestUpdate(hash.context, bytes.baseAddress, bytes.count)
    }
    return hash.finish()
  }
}
