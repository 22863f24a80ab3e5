// Package sample is a real site's access log, with segments and goals on it: what
// a newcomer's first query is answered from. README.md says where it is from.
package sample

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"log/slog"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/ingest"
)

//go:embed apache_logs.gz
var accessLog []byte

// Domain is the sample site's.
const Domain = "www.semicomplete.com"

// Load loads the sample into an empty database. What a load that was cut off has
// left is completed: the definitions come last, and tell that it was done.
func Load(ctx context.Context, st *store.Store, log *slog.Logger) error {
	site, err := begin(ctx, st)
	if err != nil || site == nil {
		return err
	}
	summary, err := ingest.Import(ctx, ingest.Options{
		Files:       []string{"-"},
		Stdin:       bytes.NewReader(accessLog),
		Format:      ingest.Combined,
		IncludeBots: true,
		Write: func(ctx context.Context, batch []model.Message) (int, error) {
			written, err := st.Write(ctx, site.ID, batch)
			return written.Duplicates, err
		},
	})
	if err != nil {
		return err
	}
	for _, segment := range segments {
		segment.SiteID = site.ID
		if err := st.CreateSegment(ctx, &segment); err != nil {
			return err
		}
	}
	for _, goal := range goals {
		goal.SiteID = site.ID
		if err := st.CreateGoal(ctx, &goal); err != nil && model.CodeOf(err) != model.Conflict {
			return err
		}
	}
	log.InfoContext(ctx, "the sample was loaded", "site", Domain, "page views", summary.Messages)
	return nil
}

// begin returns the site to load into, nil where there is nothing to be done.
func begin(ctx context.Context, st *store.Store) (*model.Site, error) {
	sites, err := st.Sites(ctx)
	switch {
	case err != nil || len(sites) > 1:
		return nil, err
	case len(sites) == 0:
		site := &model.Site{Name: "semicomplete.com (sample)", Domains: []string{Domain}, Timezone: "UTC"}
		return site, st.CreateSite(ctx, site)
	case len(sites[0].Domains) != 1 || sites[0].Domains[0] != Domain:
		return nil, nil
	}
	defined, err := st.CountSegments(ctx, store.SegmentQuery{Site: sites[0].ID})
	if err != nil || defined > 1 {
		return nil, err
	}
	return &sites[0], nil
}

func filterOf(name, args string) []model.FilterSpec {
	return []model.FilterSpec{{Type: name, Args: json.RawMessage(args)}}
}

var segments = []model.Segment{
	{Name: "From Google", Active: true, Filters: filterOf("referrer", `{"is":["*google*"]}`)},
	{Name: "Direct", Active: true, Filters: filterOf("referrer", `{"is":["(direct)"]}`)},
	{Name: "5 to 30 seconds", Active: false, Filters: filterOf("sessionLength", `{"max":30,"min":5}`)},
}

var goals = []model.Goal{
	{Key: "xdotool", Name: "Read about xdotool", Description: "A page of the xdotool project was viewed.", Filters: filterOf("pages", `{"all":["/projects/xdotool*"]}`)},
	{Key: "blog", Name: "Read the blog", Description: "A blog post, or a list of them, was viewed.", Filters: filterOf("pages", `{"all":["/blog/*"]}`)},
	{Key: "home", Name: "Saw the home page", Filters: filterOf("pages", `{"all":["/"]}`)},
}
