import COpenSSL

/// The SHA-256 of some content, as 64 hexadecimal digits; git's SHA-1 where that is what a file is known by.
@safe public struct ContentHash {
  private let context: OpaquePointer

  private let size: Int

  private init(git: Bool = false) {
    guard let made = unsafe EVP_MD_CTX_new() else { fatalError("ContentHash: out of memory") }
    unsafe context = made
    size = git ? 20 : 32
    unsafe EVP_DigestInit_ex(context, git ? EVP_sha1() : EVP_sha256(), nil)
  }

  private func finish() -> String {
    var digest = [UInt8](repeating: 0, count: size)
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
    try digest(of: MappedFile(path), ContentHash())
  }

  /// git's name for a file's content: the SHA-1 of `blob`, a space, the size, a zero byte and the bytes, as 40
  /// hexadecimal digits.
  ///
  /// - Throws: `TensorError.file`.
  public static func gitBlob(ofFile path: String) throws(TensorError) -> String {
    let file = try MappedFile(path)
    let hash = ContentHash(git: true)
    let head = Array("blob \(file.count)\0".utf8)
    unsafe EVP_DigestUpdate(hash.context, head, head.count)
    return digest(of: file, hash)
  }

  private static func digest(of file: MappedFile, _ hash: ContentHash) -> String {
    unsafe file.withBytes(0..<file.count) { bytes in
      _ = unsafe EVP_DigestUpdate(hash.context, bytes.baseAddress, bytes.count)
    }
    return hash.finish()
  }
}
