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
	"sync"
	"time"

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
	// Site is a domain; empty for the sites of the hosts that lines name, or else the only
	// site.
	Site      string
	Format    string
	LogFormat string
	KeepGoing bool
	// DryRun writes a report to Stdout, and nothing else.
	DryRun      bool
	IncludeBots bool
	// GeoIP is a location database file, or empty.
	GeoIP  string
	Files  []string
	Stdin  io.Reader
	Stdout io.Writer
	Stderr io.Writer
}

// Import loads files into the database and returns what happened to their lines. The
// summary's visitors and sessions are those of the sites after the import. The database is
// opened once the files are known to be readable, and not at all by a dry run.
func Import(ctx context.Context, o Options, i ImportOptions) (summary ingest.Summary, err error) {
	var locations *ingest.Locations
	if i.GeoIP != "" {
		if locations, err = ingest.OpenLocations(i.GeoIP); err != nil {
			return summary, err
		}
	}
	into := &importSites{}
	options := ingest.Options{
		Files: i.Files, Stdin: i.Stdin, Format: ingest.Format(i.Format), LogFormat: i.LogFormat, KeepGoing: i.KeepGoing,
		IncludeBots: i.IncludeBots, Locations: locations, Notes: i.Stderr, Write: into.write,
	}
	if i.Site == "" {
		options.Route = into.route
	}
	if file, ok := i.Stderr.(*os.File); ok && term.IsTerminal(int(file.Fd())) {
		options.Progress = file
	}
	plan, err := ingest.NewPlan(ctx, options)
	if err != nil {
		return summary, err
	}
	defer plan.Close()
	if i.DryRun {
		report, err := plan.DryRun(ctx)
		if err != nil {
			return report.Summary, err
		}
		return report.Summary, report.Write(i.Stdout)
	}

	if into.store, err = OpenStore(ctx, o); err != nil {
		return summary, err
	}
	defer func() { err = errors.Join(err, into.store.Close()) }()
	if plan.NeedsSite() {
		site, err := namedSite(ctx, into.store, i.Site)
		if err != nil {
			return summary, err
		}
		plan.SetBots(cmp.Or(site.Bots, model.ExcludeBots))
		into.standard = into.add(site)
	}
	if summary, err = plan.Run(ctx); err != nil {
		return summary, err
	}
	totals, err := into.seal(ctx, o)
	summary.Visitors, summary.Sessions = totals.Visitors, totals.Sessions
	return summary, err
}

// importSites are the sites that an import writes to. Hosts are looked up while batches are
// written.
type importSites struct {
	store *store.Store
	// standard is the site of lines that name no host; nil where there are none.
	standard *importSite

	mu    sync.Mutex
	sites []*importSite
}

// importSite is a site, made with its first message: files that turn out to hold nothing
// for it leave none behind.
type importSite struct {
	of   *importSites
	site *model.Site // its id is 0 until it is made; guarded by of.mu
}

func (s *importSite) create(ctx context.Context) (id int64, err error) {
	s.of.mu.Lock()
	defer s.of.mu.Unlock()
	if s.site.ID == 0 {
		made, err := createSite(ctx, s.of.store, s.site)
		if err != nil {
			return 0, err
		}
		s.site = made
	}
	return s.site.ID, nil
}

func (s *importSite) write(ctx context.Context, batch []model.Message) (store.Written, error) {
	id, err := s.create(ctx)
	if err != nil {
		return store.Written{}, err
	}
	return s.of.store.Write(ctx, id, batch)
}

// add returns the entry of a site, which is the same for the same site.
func (s *importSites) add(site *model.Site) *importSite {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, known := range s.sites {
		if known.site.ID == site.ID && known.site.Name == site.Name {
			return known
		}
	}
	known := &importSite{s, site}
	s.sites = append(s.sites, known)
	return known
}

func (s *importSites) write(ctx context.Context, batch []model.Message) (store.Written, error) {
	return s.standard.write(ctx, batch)
}

// route finds the site of a host, with or without www.
func (s *importSites) route(ctx context.Context, host string, mayCreate bool) (*ingest.Target, error) {
	site, err := siteOfHost(ctx, s.store, host)
	switch {
	case err == nil:
		return &ingest.Target{Site: site.Name, Write: s.add(site).write}, nil
	case model.CodeOf(err) != model.NotFound:
		return nil, err
	case !mayCreate:
		return nil, nil
	}
	bare := bareHost(host)
	site = &model.Site{Name: bare, Domains: []string{bare}, Timezone: "UTC"}
	if site.Validate() != nil {
		return nil, nil
	}
	return &ingest.Target{Site: bare, IsNew: true, Write: s.add(site).write}, nil
}

func bareHost(host string) string { return strings.TrimPrefix(model.DomainOf(host), "www.") }

// siteOfHost returns the site of a host, with or without www., or NotFound.
func siteOfHost(ctx context.Context, st *store.Store, host string) (site *model.Site, err error) {
	bare := bareHost(host)
	for _, domain := range []string{bare, "www." + bare} {
		if site, err = st.SiteByDomain(ctx, domain); model.CodeOf(err) != model.NotFound {
			break
		}
	}
	return site, err
}

// seal stores the columns of the imported sessions, so that the first question finds them. It
// returns what the sites hold now, together.
func (s *importSites) seal(ctx context.Context, o Options) (totals engine.Totals, err error) {
	if s.standard != nil {
		if _, err := s.standard.create(ctx); err != nil {
			return totals, err
		}
	}
	sealed := map[int64]bool{0: true} // a site that got nothing was not made
	for _, site := range s.sites {
		id := site.site.ID
		if sealed[id] {
			continue
		}
		sealed[id] = true
		one, err := sealImported(ctx, s.store, id, o)
		if err != nil {
			return totals, err
		}
		totals.Visitors += one.Visitors
		totals.Sessions += one.Sessions
	}
	return totals, nil
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

// NewKey is what a key is to be.
type NewKey struct {
	Name  string
	Scope model.Scope
	// Domains name the sites, which are created if they do not exist. Without any, a key that sends events is of the only
	// site, and others are of all sites.
	Domains []string
	// Origins are the pages that may use the key; any by default.
	Origins []string
	// Lifetime is how long the key holds; for ever by default.
	Lifetime time.Duration
}

// keyFlags are the flags and arguments of key create that give the fields of a key.
var keyFlags = map[string]string{"name": "NAME", "scope": "--scope", "sites": "--site", "origins": "--site-origins", "expiresAt": "--expires"}

// byFlag returns an error about a key's field, as one about the flag that gave it.
func byFlag(err error) error {
	e, ok := errors.AsType[*model.Error](err)
	if !ok {
		return err
	}
	field, _, _ := strings.Cut(e.Field, "[")
	if flag, known := keyFlags[field]; known {
		return model.Invalid(flag, "%s", e.Message)
	}
	return err
}

// CreateKey creates a key and returns its secret. It notes the sites that it creates.
func CreateKey(ctx context.Context, o Options, n NewKey) (secret string, err error) {
	err = withNotedStore(ctx, o, func(st *store.Store) error {
		if _, err := st.Migrate(ctx); err != nil {
			return err
		}
		key := model.Key{Name: n.Name, Scope: n.Scope, Origins: n.Origins}
		if n.Lifetime != 0 {
			key.ExpiresAt = model.MillisOf(time.Now().Add(n.Lifetime))
		}
		if len(n.Domains) == 0 && n.Scope == model.WriteScope {
			n.Domains = []string{""} // the only one
		}
		sites := make([]*model.Site, len(n.Domains))
		for i, domain := range n.Domains {
			if sites[i], err = namedSite(ctx, st, domain); err != nil {
				return err
			}
			if sites[i].ID == 0 && domain == "" {
				return model.Invalid("--site", "is required, because there is no site yet; give its domain, like shop.example")
			}
			key.Sites = append(key.Sites, max(sites[i].ID, 1)) // a new one has no id yet
		}
		key.AllSites = len(sites) == 0
		if err := key.Validate(model.MillisOf(time.Now())); err != nil { // before a site is created for it
			return byFlag(err)
		}
		key.Sites = nil
		for _, site := range sites {
			if site.ID == 0 {
				if site, err = createSite(ctx, st, site); err != nil {
					return err
				}
				o.note("created the site %s", site.Domains[0])
			}
			key.Sites = append(key.Sites, site.ID)
		}
		secret = key.NewSecret()
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
			domains := make([]string, len(sites))
			for i, site := range sites {
				domains[i] = site.Domains[0]
			}
			return nil, model.Invalid("--site", "is required, because there are several sites (%s)", strings.Join(domains, ", "))
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

// WithStore calls do with the database, without migrating it. The error is NotFound where there is none: whoever has not
// the server's environment would have another one made.
func WithStore(ctx context.Context, o Options, do func(*store.Store) error) error {
	return withStore(ctx, o, true, do)
}

// WithNewStore calls do with the database, without migrating it. There may be none yet.
func WithNewStore(ctx context.Context, o Options, do func(*store.Store) error) error {
	return withStore(ctx, o, false, do)
}

// withNotedStore is WithNewStore, and notes that there was no database.
func withNotedStore(ctx context.Context, o Options, do func(*store.Store) error) error {
	return withStore(ctx, o, false, func(st *store.Store) error {
		isNew, err := st.IsNew(ctx)
		if err != nil {
			return err
		}
		if isNew {
			o.note("%s is a new database; if the server has another one, pass --database as the server has it", store.Redacted(o.Database))
		}
		return do(st)
	})
}

func withStore(ctx context.Context, o Options, mustExist bool, do func(*store.Store) error) (err error) {
	st, err := store.Open(ctx, o.Database, store.Options{Replica: o.Replica, Log: o.Log, MustExist: mustExist})
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
