import ArgumentParser
import Foundation
import Parallax

struct ReportCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "report", abstract: "Draw a run's report again.",
    discussion: "Example:  parallax report runs/study")

  @Argument(help: ArgumentHelp("The run folder.", valueName: "run"))
  var path: String

  func run() throws {
    let folder = RunFolder(URL(filePath: path))
    _ = try folder.provenance()
    try folder.write(html: Report.html(of: folder, javaScript: Runs.javaScript()))
    print("report: \(folder.report.path)")
  }
}
