package document

// Bounds are what a document may have at most. Fragments count wherever they are spread.
type Bounds struct {
	// Bytes is the length of the text, and Tokens how many names, numbers, strings, punctuators and comments are in it.
	Bytes, Tokens int
	// Nodes are selections, directives and values, over all operations and fragments together.
	Nodes int
	// Name is the length of a name in bytes.
	Name int
	// Depth is how many fields stand in one another, and Nesting how many lists and objects of a value do.
	Depth, Nesting int
	// Aliases and Directives are those of one operation.
	Aliases, Directives int
	// Roots is how many fields an operation has at its root.
	Roots int
	// Repeats is how often one pair of braces has fields of the same name in the answer, or spreads the same fragment.
	Repeats int
	// Operations and Fragments are how many the document defines.
	Operations, Fragments int
	// Errors is how many errors are told.
	Errors int
}

// Default are the bounds of depth, aliases, directives, root fields and repeats that leave room for two more than any
// query of the documentation has, and of what no written query comes near.
var Default = Bounds{
	Bytes: 256 << 10, Tokens: 20_000, Nodes: 20_000, Name: 128,
	Depth: 17, Nesting: 50, Aliases: 30, Directives: 10, Roots: 12, Repeats: 3,
	Operations: 20, Fragments: 100, Errors: 20,
}
