package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/goalgraph/goalgraph/graph"
	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/plugins/check"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/ingest"
)

// ImportOptions are the settings of Import.
type ImportOptions struct {
	// Site is a domain; empty for the only site.
	Site        string
	Format      string
	IncludeBots bool
	// GeoIP is a location database file, or empty.
	GeoIP  string
	Files  []string
	Stdin  io.Reader
	Stderr io.Writer
}

// Import loads files into the database and returns what happened to their lines. The
// summary's visitors and sessions are the site's after the import.
func Import(ctx context.Context, o Options, i ImportOptions) (summary ingest.Summary, err error) {
	var locations *ingest.Locations
	if i.GeoIP != "" {
		if locations, err = ingest.OpenLocations(i.GeoIP); err != nil {
			return summary, err
		}
	}
	st, err := OpenStore(ctx, o)
	if err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	site, err := namedSite(ctx, st, i.Site)
	if err != nil {
		return summary, err
	}
	// Files that turn out to hold nothing leave no site behind.
	create := func(ctx context.Context) (err error) {
		if site.ID == 0 {
			site, err = createSite(ctx, st, site)
		}
		return err
	}
	options := ingest.Options{
		Files: i.Files, Stdin: i.Stdin, Format: ingest.Format(i.Format), IncludeBots: i.IncludeBots, Bots: cmp.Or(site.Bots, model.ExcludeBots), Locations: locations, Rejects: i.Stderr,
		Write: func(ctx context.Context, batch []model.Message) (int, error) {
			if err := create(ctx); err != nil {
				return 0, err
			}
			written, err := st.Write(ctx, site.ID, batch)
			return written.Duplicates, err
		},
	}
	if file, ok := i.Stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		options.Progress = file
	}
	if summary, err = ingest.Import(ctx, options); err != nil {
		return summary, err
	}
	if err := create(ctx); err != nil {
		return summary, err
	}
	totals, err := sealImported(ctx, st, site.ID, o)
	summary.Visitors, summary.Sessions = totals.Visitors, totals.Sessions
	return summary, err
}

// sealImported stores the columns of the imported sessions, so that the first question finds them. It returns what the
// site holds now.
func sealImported(ctx context.Context, st *store.Store, site int64, o Options) (totals engine.Totals, err error) {
	// Each partition is sealed and hardly asked again.
	const bytes = 32 << 20
	e, err := engine.New(st, engine.Options{ColumnBytes: bytes, Log: o.Log})
	if err != nil {
		return totals, err
	}
	defer e.Close()
	if _, err := e.SealBehind(ctx, site, model.Open); err != nil {
		return totals, err
	}
	return e.Totals(ctx, site)
}

// CreateKey creates a key and returns its secret. domain names the key's site, which is
// created if it does not exist. An empty domain means the only site, or all sites for
// keys that cannot write.
func CreateKey(ctx context.Context, o Options, name string, scope model.KeyScope, domain string) (secret string, err error) {
	err = WithStore(ctx, o, func(st *store.Store) error {
		if _, err := st.Migrate(ctx); err != nil {
			return err
		}
		var site *model.Site
		if domain != "" || scope == model.WriteScope {
			if site, err = namedSite(ctx, st, domain); err != nil {
				return err
			}
			if site.ID == 0 && domain == "" {
				return model.Invalid("--site", "is required, because there is no site yet; give its domain, like shop.example")
			}
		}
		key, made, err := model.NewKey(name, scope)
		if err != nil {
			return err
		}
		if site != nil && site.ID == 0 {
			if site, err = createSite(ctx, st, site); err != nil {
				return err
			}
		}
		if site != nil {
			key.SiteID = site.ID
		}
		secret = made
		return st.CreateKey(ctx, &key)
	})
	return secret, err
}

// namedSite returns the site of a domain. If it does not exist yet, its id is 0.
// Without a domain it returns the only site.
func namedSite(ctx context.Context, st *store.Store, domain string) (*model.Site, error) {
	if domain == "" {
		sites, err := st.Sites(ctx)
		switch {
		case err != nil:
			return nil, err
		case len(sites) == 1:
			return &sites[0], nil
		case len(sites) > 1:
			names := make([]string, len(sites))
			for i, site := range sites {
				names[i] = site.Name
			}
			return nil, model.Invalid("--site", "is required, because there are several sites (%s)", strings.Join(names, ", "))
		}
		domain = "localhost"
	}
	site := &model.Site{Name: domain, Domains: []string{domain}, Timezone: "UTC"}
	if err := site.Validate(); err != nil {
		return nil, model.Invalid("--site", "%q is not a host name; write it like shop.example", domain)
	}
	found, err := st.SiteByDomain(ctx, site.Domains[0])
	if model.CodeOf(err) == model.NotFound {
		return site, nil
	}
	return found, err
}

func createSite(ctx context.Context, st *store.Store, site *model.Site) (*model.Site, error) {
	err := st.CreateSite(ctx, site)
	if model.CodeOf(err) == model.Conflict { // another process was faster
		return st.SiteByDomain(ctx, site.Domains[0])
	}
	return site, err
}

// WithStore calls do with the database, without migrating it.
func WithStore(ctx context.Context, o Options, do func(*store.Store) error) (err error) {
	st, err := store.Open(ctx, o.Database, store.Options{Replica: o.Replica, Log: o.Log})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, st.Close()) }()
	return do(st)
}

// Plugins starts the plugins and returns their states.
func Plugins(ctx context.Context, o Options) (list []host.Plugin, err error) {
	h, err := StartPlugins(ctx, o)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	return h.Plugins(), nil
}

// CheckPlugin checks a plugin's executable with the package check, as if the built-in
// plugin were loaded. It returns an error if the file cannot run.
func CheckPlugin(ctx context.Context, file string) (*check.Report, error) {
	path, err := filepath.Abs(file)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s cannot be read: %w", file, errors.Unwrap(err))
	case !info.Mode().IsRegular() || info.Mode()&0o111 == 0:
		return nil, fmt.Errorf("%s is not an executable file; make it executable with chmod +x", file)
	}
	taken := func(name string) bool {
		return slices.ContainsFunc(builtin.Types(), func(t plugins.Type) bool { return t.Name() == name })
	}
	return check.Plugin(ctx, check.Executable(path), check.Options{TakenType: taken, TakenName: graph.HasType}), nil
}

// TypeNames lists the filter types that a plugin offers.
func TypeNames(plugin host.Plugin) string {
	names := make([]string, len(plugin.Types))
	for i, t := range plugin.Types {
		names[i] = t.Name
	}
	return strings.Join(names, " ")
}

// Schema returns the schema with the loaded plugins, in the schema definition
// language.
func Schema(ctx context.Context, o Options) (sdl string, err error) {
	h, err := StartPlugins(ctx, o)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, h.Close()) }()
	set := h.Acquire()
	defer set.Release()
	return graph.SDL(set.Types())
}
