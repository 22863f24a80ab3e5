package view

import (
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/host"
)

// MergedSegment is what the filters of an active segment and a goal of a site were merged to.
type MergedSegment struct {
	*host.Merged
	Site         int64
	Active, Goal []model.FilterSpec
}

// FilterArgument says what completes the values of an argument of a filter type. What does not is nil.
type FilterArgument struct {
	// Type is the name of the filter type.
	Type, Path               string
	Suggest                  *plugins.Suggestion
	ValuesKey, ValuesKeyPath *string
}

// SchemaChange names a schema.
type SchemaChange struct{ Version string }
