import ArgumentParser

extension Table.Format: ExpressibleByArgument {}

/// What standard output is for.
struct OutputOptions: ParsableArguments {
  @Option(help: "Print a table as csv or json.")
  var format: Table.Format?

  @Flag(help: "Print json, the same as --format json.")
  var json = false

  var chosen: Table.Format? { json ? .json : format }
}
