import ParallaxResults
public enum Report {
  public static func html(of run: RunFolder, javaScript: String) throws -> String { "" }
}
