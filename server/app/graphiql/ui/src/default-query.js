// What a first visitor sees and runs. Everything is in the one text, because variables given here would replace those that
// the browser remembers.
export const defaultQuery = `# Welcome to Goalgraph.
#
# Ctrl-Enter (⌘-Enter on a Mac) runs this query,
# Ctrl-Space completes, and the sidebar documents
# every type and every filter.
#
# A goal card counts the sessions of each active
# segment, and of that segment merged with the goal.

query Welcome {
  sites {
    name
    segments(active: true) {
      nodes {
        name
        sessionCount(range: { from: "2000-01-01T00:00:00Z" })
      }
    }
    goalCards(range: { from: "2000-01-01T00:00:00Z" }) {
      goal { name }
      cells {
        segment { name }
        sessions
        conversions
        conversionRate
      }
    }
  }
}
`;
