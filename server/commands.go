package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/netip"
	"os"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/plugins/host"
	"github.com/goalgraph/goalgraph/server/app"
)

type serveCommand struct {
	GeoIP          string   `name:"geoip" env:"GOALGRAPH_GEOIP" placeholder:"FILE" help:"A country or city database in MaxMind format (.mmdb), to look up where senders are. It is reloaded when it changes."`
	TrustedProxies []string `env:"GOALGRAPH_TRUSTED_PROXIES" placeholder:"NETWORK" help:"Trusted proxies, as addresses or networks (10.0.0.0/8) separated by commas. Only their X-Forwarded-For, -Proto and -Host headers are used. Default: none."`
	PublicURL      string   `name:"public-url" env:"GOALGRAPH_PUBLIC_URL" placeholder:"URL" help:"The address by which people reach the server, like https://stats.example. Requests to other hosts are refused. Default: http:// and --listen."`
	AllowedOrigins []string `env:"GOALGRAPH_ALLOWED_ORIGINS" placeholder:"ORIGIN" help:"Other origins, like https://app.example, separated by commas, whose pages may use /graphql and log in. Default: none."`
	AdminListen    string   `env:"GOALGRAPH_ADMIN_LISTEN" placeholder:"HOST:PORT" help:"The address for /metrics, /healthz, /readyz and /debug/pprof/, which are then nowhere else. Default: none; all but profiles are on --listen."`
	TLSCert        string   `name:"tls-cert" env:"GOALGRAPH_TLS_CERT" placeholder:"FILE" help:"A certificate with its chain (PEM), to serve HTTPS. It is loaded again when it changes. Default: none."`
	TLSKey         string   `name:"tls-key" env:"GOALGRAPH_TLS_KEY" placeholder:"FILE" help:"The certificate's key (PEM)."`
	TLSDomain      []string `name:"tls-domain" env:"GOALGRAPH_TLS_DOMAIN" placeholder:"DOMAIN" help:"Domains of this server, separated by commas, to get a certificate for from Let's Encrypt. They must lead to port 443 of --listen. Default: none."`
	TLSAuthority   string   `name:"tls-authority" env:"GOALGRAPH_TLS_AUTHORITY" default:"${tlsAuthority}" placeholder:"URL" help:"The ACME directory of another authority for --tls-domain. Default: that of Let's Encrypt."`
	KeyRate        uint     `env:"GOALGRAPH_KEY_RATE" default:"20000" placeholder:"N" help:"The messages per second that the server takes from one key; 0 takes any number. Default: ${default}."`
	MaxConnections int      `env:"GOALGRAPH_MAX_CONNECTIONS" default:"20000" placeholder:"N" help:"The maximum number of open WebSockets and event streams, which carry subscriptions. Default: ${default}."`
	Points         uint     `env:"GOALGRAPH_POINTS" placeholder:"N" help:"The points that a caller has for queries each second: every field of an answer takes one. Default: ${points}; with --auth none, no limit."`
	Documents      string   `env:"GOALGRAPH_DOCUMENTS" placeholder:"FOLDER" help:"A folder of manifests (*.json) of trusted documents, as graphql-codegen and relay-compiler write them. Clients ask for one by its documentId."`
	OnlyDocuments  bool     `env:"GOALGRAPH_ONLY_DOCUMENTS" help:"Carry out nothing but trusted documents for those who may only read. Needs --documents."`
	ColumnMemory   uint32   `env:"GOALGRAPH_COLUMN_MEMORY" default:"${columnMemory}" placeholder:"MIB" help:"The memory for columns, in MiB, 32 to 1048575. What does not fit is loaded from the database again and again: give 64 MiB for each million sessions that are asked about. Default: ${default}."`
	MinVisitors    uint     `env:"GOALGRAPH_MIN_VISITORS" default:"${minVisitors}" placeholder:"N" help:"The visitors that each variant of an experiment needs before a decision, at least 1. Default: ${default}."`
	MinDays        uint     `env:"GOALGRAPH_MIN_DAYS" default:"${minDays}" placeholder:"N" help:"The days that an experiment must run before a decision. Default: ${default}, which covers each weekday."`
	loginFlags
}

// Run serves until the process is told to stop.
func (c serveCommand) Run(ctx context.Context, s streams, o app.Options) error {
	if c.MaxConnections < 1 {
		return model.Invalid("--max-connections", "is %d; it must be at least 1", c.MaxConnections)
	}
	o.ColumnMemory, o.Points = int(c.ColumnMemory), int(min(c.Points, math.MaxInt32))
	limitMemory(o.ColumnMemory)
	o.PublicURL, o.AllowedOrigins, o.KeyRate = c.PublicURL, c.AllowedOrigins, int(min(c.KeyRate, math.MaxInt32))
	o.AdminListen, o.TLSCert, o.TLSKey, o.TLSDomains, o.TLSAuthority = c.AdminListen, c.TLSCert, c.TLSKey, c.TLSDomain, c.TLSAuthority
	o.Terminal = s.out
	if err := c.loginFlags.apply(&o); err != nil {
		return err
	}
	o.Documents, o.OnlyDocuments = c.Documents, c.OnlyDocuments
	o.GeoIP, o.MaxConnections, o.MinVisitors, o.MinDays = c.GeoIP, c.MaxConnections, int(c.MinVisitors), int(c.MinDays)
	for _, text := range c.TrustedProxies {
		network, err := networkOf(text)
		if err != nil {
			return err
		}
		o.TrustedProxies = append(o.TrustedProxies, network)
	}
	a, err := app.New(ctx, o)
	if err != nil {
		return err
	}
	return a.Run(ctx)
}

// networkOf parses a network, or an address as a network of one.
func networkOf(text string) (netip.Prefix, error) {
	text = strings.TrimSpace(text)
	if address, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(address.Unmap(), address.Unmap().BitLen()), nil
	}
	network, err := netip.ParsePrefix(text)
	if err != nil {
		return network, model.Invalid("--trusted-proxies", "%q is neither an address nor a network; write it like 10.0.0.1 or 10.0.0.0/8", text)
	}
	return network.Masked(), nil
}

type importCommand struct {
	Site      string   `placeholder:"DOMAIN" help:"A domain of the site to load into. The site is created if it does not exist. Default: the site of the host that a line names; if lines name none, the only site."`
	Format    string   `enum:"auto,combined,common,vhost_combined,json,w3c,alb,messages" default:"auto" placeholder:"NAME" help:"The format of the lines. auto: detected from a file's first lines. combined, common, vhost_combined: access logs of Apache and nginx. json: JSON lines of Caddy, Traefik or nginx. w3c: W3C extended logs of IIS and CloudFront. alb: AWS load balancers. messages: one JSON message of a tracking SDK per line. Default: ${default}."`
	LogFormat string   `name:"log-format" placeholder:"NGINX" help:"The log_format of nginx that the lines are in, instead of --format."`
	Bots      string   `enum:"exclude,include" default:"exclude" placeholder:"WHAT" help:"Whether to exclude or include what crawlers, monitors and HTTP libraries did, by their user agent. Messages are excluded only where the site excludes bots. Default: ${default}."`
	GeoIP     string   `name:"geoip" placeholder:"FILE" help:"A country or city database in MaxMind format (.mmdb), to look up where addresses are."`
	DryRun    bool     `help:"Write nothing, and need no database: print what the files would become."`
	KeepGoing bool     `help:"Load files too of which over 10 percent of the first thousand lines cannot be read."`
	Files     []string `arg:"" name:"file" help:"The files to load, plain or gzipped; - is standard input."`
}

// Help ends the text of --help.
func (importCommand) Help() string {
	return `What each file is read as is told on standard error, before anything is written. Lines behind the prefix of Docker, Kubernetes or syslog are read without it.

The last output is one line of JSON on standard output. It counts what happened to the lines, and the visitors and sessions that the site now has. Lines imported before do not count again, so after a failure you can run the same command again.

  goalgraph import --site shop.example access.log access.log.1.gz
  zcat logs/*.gz | goalgraph import --site shop.example -
  goalgraph import --dry-run access.log
  goalgraph import --log-format '$remote_addr [$time_local] "$request" $status "$http_user_agent"' access.log`
}

// Validate refuses to read standard input twice, and two formats.
func (c importCommand) Validate() error {
	if first := slices.Index(c.Files, "-"); first >= 0 && slices.Contains(c.Files[first+1:], "-") {
		return errors.New("- appears twice, but standard input can be read only once")
	}
	if c.LogFormat != "" && c.Format != "auto" {
		return errors.New("--log-format and --format cannot be given together")
	}
	return nil
}

// Run loads the files, or reports on them, and prints a summary as one line of JSON.
func (c importCommand) Run(ctx context.Context, s streams, o app.Options) error {
	summary, err := app.Import(ctx, o, app.ImportOptions{
		Site: c.Site, Format: c.Format, LogFormat: c.LogFormat, KeepGoing: c.KeepGoing, DryRun: c.DryRun,
		IncludeBots: c.Bots == "include", GeoIP: c.GeoIP, Files: c.Files, Stdin: s.in, Stdout: s.out, Stderr: s.err,
	})
	if err != nil {
		if summary.Messages > 0 && !c.DryRun {
			o.Log.InfoContext(ctx, "the lines read so far are kept; run the import again to add the rest", "lines", summary.Lines, "messages", summary.Messages)
		}
		return err
	}
	return json.NewEncoder(s.out).Encode(summary)
}

type migrateCommand struct {
	Up     migrateUp     `cmd:"" help:"Migrate the schema to the newest version."`
	Down   migrateDown   `cmd:"" help:"Undo the newest migration and delete the data it introduced."`
	Status migrateStatus `cmd:"" help:"Show which migrations are applied."`
}

type migrateUp struct{}

// Run migrates to the newest version.
func (migrateUp) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithNewStore(ctx, o, func(st *store.Store) error {
		applied, err := st.Migrate(ctx)
		if err == nil {
			fmt.Fprintf(s.out, "applied %d\n", applied)
		}
		return err
	})
}

type migrateDown struct {
	Yes bool `help:"Do not ask first."`
}

// Help ends the text of --help.
func (migrateDown) Help() string {
	return `The data goes with the tables and columns that the migration introduced, and no later migration brings it back: make a backup first. On a terminal the command asks before it does so; a script is not asked.`
}

// Run undoes one migration.
func (c migrateDown) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithNewStore(ctx, o, func(st *store.Store) error {
		if !c.Yes && isTerminal(s.in) {
			if err := confirmDown(ctx, s, st); err != nil {
				return err
			}
		}
		undone, err := st.MigrateDown(ctx)
		switch {
		case err != nil:
			return err
		case undone == nil:
			fmt.Fprintln(s.out, "nothing to undo")
		default:
			fmt.Fprintf(s.out, "undid %03d_%s\n", undone.Version, undone.Name)
		}
		return nil
	})
}

// confirmDown asks whether the newest migration is to be undone. The error says that it is not.
func confirmDown(ctx context.Context, s streams, st *store.Store) error {
	migrations, err := st.Migrations(ctx)
	if err != nil {
		return err
	}
	for _, m := range slices.Backward(migrations) {
		if !m.Applied {
			continue
		}
		fmt.Fprintf(s.err, "This undoes %03d_%s and deletes the data that it introduced. Type yes to go on: ", m.Version, m.Name)
		answer, err := bufio.NewReader(s.in).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) || strings.TrimSpace(answer) != "yes" {
			return errors.New("nothing was undone")
		}
		return nil
	}
	return nil
}

// isTerminal tells whether somebody types what a command reads.
func isTerminal(in io.Reader) bool {
	file, isFile := in.(*os.File)
	return isFile && term.IsTerminal(int(file.Fd()))
}

type migrateStatus struct{}

// Run lists the migrations.
func (migrateStatus) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithNewStore(ctx, o, func(st *store.Store) error {
		migrations, err := st.Migrations(ctx)
		for _, m := range migrations {
			state := "pending"
			if m.Applied {
				state = "applied"
			}
			fmt.Fprintf(s.out, "%03d_%s\t%s\n", m.Version, m.Name, state)
		}
		return err
	})
}

type pluginCommand struct {
	List  pluginList  `cmd:"" help:"List the plugins and their filter types."`
	Lock  pluginLock  `cmd:"" help:"Pin the plugins now in the folder, so that a server runs no others."`
	Check pluginCheck `cmd:"" help:"Start one plugin and check it against the rules that every plugin must keep."`
}

type pluginList struct{}

// Run lists the plugins as a table.
func (pluginList) Run(ctx context.Context, s streams, o app.Options) error {
	plugins, err := app.Plugins(ctx, o)
	if err != nil {
		return err
	}
	table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "PLUGIN\tVERSION\tSTATUS\tFILTER TYPES")
	for _, plugin := range plugins {
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", plugin.Name, plugin.Version, plugin.Status, app.TypeNames(plugin))
		if plugin.Reason != "" {
			fmt.Fprintf(table, "\t\t\t%s\n", plugin.Reason)
		}
	}
	return table.Flush()
}

type pluginLock struct{}

// Run writes the lock file and prints what it pins.
func (pluginLock) Run(s streams, o app.Options) error {
	names, err := host.Lock(o.Plugins)
	if err != nil {
		return err
	}
	for _, name := range names {
		fmt.Fprintln(s.out, name)
	}
	return nil
}

type pluginCheck struct {
	JSON bool   `name:"json" help:"Print the report as one JSON object."`
	File string `arg:"" help:"The plugin's executable."`
}

// Run checks one plugin and prints the report. Any finding is an error.
func (c pluginCheck) Run(ctx context.Context, s streams) error {
	report, err := app.CheckPlugin(ctx, c.File)
	if err != nil {
		return err
	}
	if c.JSON {
		err = json.NewEncoder(s.out).Encode(report)
	} else {
		err = report.Write(s.out)
	}
	switch n := report.Findings(); {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return errors.New("the check was interrupted")
	case n == 1:
		return fmt.Errorf("%s breaks a rule; the report says what to do", c.File)
	case n > 1:
		return fmt.Errorf("%s breaks the rules in %d cases; the report says what to do", c.File, n)
	}
	return nil
}

type schemaCommand struct{}

// Run prints the schema.
func (schemaCommand) Run(ctx context.Context, s streams, o app.Options) error {
	sdl, err := app.Schema(ctx, o)
	if err != nil {
		return err
	}
	_, err = fmt.Fprint(s.out, sdl)
	return err
}
