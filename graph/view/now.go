package view

import (
	"github.com/goalgraph/goalgraph/graph/scalar"
	"github.com/goalgraph/goalgraph/model/count"
)

// Now is who is there.
type Now struct {
	Last5Minutes, Last30Minutes ActiveVisitors
	ComputedAt                  scalar.Moment
}

// ActiveVisitors are those of the sessions that Query asks for.
type ActiveVisitors struct{ Query count.BreakdownQuery }

// ActivePage is a page, and how many visitors viewed it last.
type ActivePage struct {
	Path     string
	Visitors int
}
