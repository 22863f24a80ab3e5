package ofrep

import (
	"context"
	"errors"
	"net/http"

	"github.com/maypok86/otter/v2"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/server/ingest"
)

const (
	// maxExposed is how many exposures are known to be written, so that they are not written again.
	maxExposed = 100_000
	// exposureBytes is about what an exposure takes in memory until it is written, without its texts.
	exposureBytes = 1 << 10
)

// exposures writes that visitors have seen variants.
type exposures struct {
	pipeline *ingest.Pipeline
	written  *otter.Cache[model.MessageID, struct{}]
}

func newExposures(pipeline *ingest.Pipeline) (*exposures, error) {
	written, err := otter.New(&otter.Options[model.MessageID, struct{}]{MaximumSize: maxExposed})
	return &exposures{pipeline, written}, err
}

// write returns when it is committed that who asks has seen a variant of a flag. The errors are those of the pipeline, and a
// refusal where that takes too long: then it may be committed all the same, and counts once with the next time.
func (x *exposures) write(ctx context.Context, a *asking, f *flag, variant string, id model.MessageID) error {
	// Who is given the variant for the first time may have been erased since it was written.
	_, isFirst := a.given[run{f.ID, f.StartedAt}]
	if _, written := x.written.GetIfPresent(id); written && !isFirst {
		return nil
	}
	hit := a.told.Hit
	hit.ID, hit.At = id, a.now
	hit.Kind, hit.Name = model.Event, ingest.ExperimentViewed
	hit.Experiment, hit.Variant = f.Key, variant
	hit.Knows &^= model.KnowsPage // the page is viewed when it is
	hit.Origin.EntryPage, hit.Origin.Hostname = "", ""
	hit.Properties = propertiesOf(f.audience, hit.Properties)
	// Who is named as a user alone is the visitor whom the links tell, and without links, so is a device.
	message := model.Message{UserID: a.told.Key, Hit: hit}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	if err := x.pipeline.Submit(ctx, f.SiteID, []model.Message{message}, bytesOf(message)); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return refusef(http.StatusTooManyRequests, "", "the exposure was not written within %v; ask again", patience)
		}
		return err
	}
	x.written.Set(id, struct{}{})
	return nil
}

// propertiesOf returns those of the properties that an audience looks at: the session is to match it by them.
func propertiesOf(audience filter.Expr, all map[string]string) map[string]string {
	var some map[string]string
	for _, field := range filter.Fields(audience) {
		if value, found := all[field.Key]; found && field == filter.Property(field.Key) {
			if some == nil {
				some = map[string]string{}
			}
			some[field.Key] = value
		}
	}
	return some
}

// bytesOf is about what an exposure takes in memory until it is written.
func bytesOf(m model.Message) int64 {
	const property = 64 // a property without its texts
	return int64(exposureBytes + len(m.UserID) + m.Hit.TextBytes() + property*len(m.Hit.Properties))
}
