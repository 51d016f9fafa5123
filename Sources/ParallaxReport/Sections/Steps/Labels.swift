/// Labels that stand beside what they name.
enum Labels {
  /// A name within an expression of Vega's, with the signs that stand between names.
  static func quoted(_ text: String) -> String {
    let plain = text.filter { $0.isLetter || $0.isNumber || "._-+:@/ #–→|·,()÷²".contains($0) }
    return "\"\(plain)\""
  }

  /// A heading in as many lines as it needs in so many pixels: a letter takes about 8.
  static func lines(_ text: String, room: Double) -> [String] {
    var lines: [String] = []
    for word in text.split(separator: " ").map(String.init) {
      if let last = lines.last, Double(last.count + 1 + word.count) * 8 <= room {
        lines[lines.count - 1] = "\(last) \(word)"
      } else {
        lines.append(word)
      }
    }
    return lines.isEmpty ? [text] : lines
  }

  /// Places as near to those wanted as may be, at least `gap` apart and, where there is room, within a range.
  static func spread(_ wanted: [Double], gap: Double, within range: ClosedRange<Double>) -> [Double]
  {
    // Neighbours that are too near form a block round the mean of what its members want.
    var blocks: [(members: [Int], centre: Double)] = []
    func half(_ block: (members: [Int], centre: Double)) -> Double {
      Double(block.members.count - 1) * gap / 2
    }
    for index in wanted.indices.sorted(by: { wanted[$0] < wanted[$1] }) {
      blocks.append(([index], wanted[index]))
      while true {
        let last = blocks.count - 1
        blocks[last].centre = max(
          min(blocks[last].centre, range.upperBound - half(blocks[last])),
          range.lowerBound + half(blocks[last]))
        guard last > 0,
          blocks[last].centre - half(blocks[last])
            < blocks[last - 1].centre + half(blocks[last - 1]) + gap
        else { break }
        let members = blocks[last - 1].members + blocks[last].members
        blocks.removeLast()
        blocks[last - 1] = (
          members, members.reduce(0) { $0 + wanted[$1] } / Double(members.count)
        )
      }
    }
    var places = wanted
    for block in blocks {
      for (place, member) in block.members.enumerated() {
        places[member] = block.centre - half(block) + Double(place) * gap
      }
    }
    return places
  }
}
