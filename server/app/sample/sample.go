// Package sample is the site behind a newcomer's first query: a real site's access
// log, with segments and goals. README.md tells where the log comes from.
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

// The site is renamed when all is there: so a load that was cut off is known from
// a finished one that somebody has changed since.
const (
	name             = "semicomplete.com (sample)"
	nameWhileLoading = name + ", being loaded"
)

// Load loads the sample into an empty database. A load that was cut off is begun
// anew. Where several processes load at once, the last to begin does it.
func Load(ctx context.Context, st *store.Store, log *slog.Logger) error {
	site, err := begin(ctx, st)
	if err != nil || site == nil {
		return err
	}
	summary, err := load(ctx, st, site.ID)
	if _, gone := st.Site(ctx, site.ID); model.CodeOf(gone) == model.NotFound {
		log.InfoContext(ctx, "another process is loading the sample")
		return nil
	}
	if err == nil {
		log.InfoContext(ctx, "loaded the sample", "site", Domain, "page views", summary.Messages)
	}
	return err
}

// begin returns the site to load into, nil where there is nothing to be done.
func begin(ctx context.Context, st *store.Store) (*model.Site, error) {
	sites, err := st.Sites(ctx)
	if err != nil || len(sites) > 1 || len(sites) == 1 && sites[0].Name != nameWhileLoading {
		return nil, err
	}
	if len(sites) == 1 {
		if err := st.DeleteSite(ctx, sites[0].ID, nil); err != nil && model.CodeOf(err) != model.NotFound {
			return nil, err
		}
	}
	site := &model.Site{Name: nameWhileLoading, Domains: []string{Domain}, Timezone: "UTC"}
	err = st.CreateSite(ctx, site)
	if model.CodeOf(err) == model.Conflict { // another process was faster, and loads it
		return nil, nil
	}
	return site, err
}

func load(ctx context.Context, st *store.Store, site int64) (ingest.Summary, error) {
	summary, err := ingest.Import(ctx, ingest.Options{
		Files:       []string{"-"},
		Stdin:       bytes.NewReader(accessLog),
		Format:      ingest.Combined,
		IncludeBots: true,
		Write: func(ctx context.Context, batch []model.Message) (store.Written, error) {
			return st.Write(ctx, site, batch)
		},
	})
	if err != nil {
		return summary, err
	}
	for _, segment := range segments {
		segment.SiteID = site
		if err := st.CreateSegment(ctx, &segment); err != nil {
			return summary, err
		}
	}
	for _, goal := range goals {
		goal.SiteID = site
		if err := st.CreateGoal(ctx, &goal); err != nil {
			return summary, err
		}
	}
	_, err = st.UpdateSite(ctx, site, func(site *model.Site) error {
		site.Name = name
		return nil
	})
	return summary, err
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
