import Testing

@testable import ParallaxReport

@Suite("Numbers on the page")
struct ScriptJSONTests {
  @Test(
    "four decimals, of large numbers five digits or the whole part, of small ones four digits",
    arguments: [
      (0.123456789, 0.1235), (-0.123456789, -0.1235), (0.0123456789, 0.0123), (1.23456789, 1.2346),
      (12.3456789, 12.346),
      (1234567.89, 1234568), (1_281_167, 1_281_167), (4.3512345e-4, 4.351e-4),
      (1.7412345e-7, 1.741e-7), (3.14159e-30, 3.142e-30), (0, 0), (0.1, 0.1), (0.0003, 0.0003),
      (-9.99999e-5, -1e-4),
    ])
  func digits(_ value: Double, _ expected: Double) {
    #expect(ScriptJSON.short(value) == expected)
  }

  @Test("what is no number is none")
  func none() {
    #expect(ScriptJSON.short(.nan) == nil && ScriptJSON.short(.infinity) == nil)
    #expect(ScriptJSON.short(nil) == nil)
  }
}
