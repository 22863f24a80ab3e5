// Command goalgraph counts sessions by segment and goal, and serves the results as
// one GraphQL API. This package reads flags and environment variables, and sets the
// exit code: 0 success, 1 failure, 2 wrong usage.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"os/user"
	"runtime/debug"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/alecthomas/kong"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/stats"
	"github.com/goalgraph/goalgraph/plugins/builtin"
	"github.com/goalgraph/goalgraph/server/app"
)

func main() {
	builtin.ServeIfAsked()
	limitMemory(app.DefaultColumnMemory)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// otherMemory is what a server takes beside columns, in MiB: other caches are bounded by about 130 MiB, and the rest is
// room for requests.
const otherMemory = 372

// limitMemory sets the soft memory limit of the Go runtime, for columns of so many MiB. The variable GOMEMLIMIT overrides
// it.
func limitMemory(columns int) {
	if os.Getenv("GOMEMLIMIT") == "" {
		debug.SetMemoryLimit(int64(columns+otherMemory) << 20)
	}
}

// The exit codes.
const (
	done = iota
	failed
	wrongUsage
)

// cli is the command line. Common flags may come before or after the command.
type cli struct {
	Database  string           `group:"common" env:"DATABASE_URL" default:"${database}" placeholder:"URL" help:"The database: sqlite:FILE or postgres://USER:PASSWORD@HOST/NAME. Default: ${default}."`
	Replica   string           `group:"common" name:"database-replica" env:"GOALGRAPH_DATABASE_REPLICA" placeholder:"URL" help:"A PostgreSQL that follows the database, to load columns from. It may lag, and is never required. Default: none."`
	Redis     string           `group:"common" env:"REDIS_URL" placeholder:"URL" help:"A Redis server, redis://HOST:PORT. It makes answers faster and live updates sooner, and is never required. Default: none."`
	Listen    string           `group:"common" env:"GOALGRAPH_LISTEN" default:"127.0.0.1:8080" placeholder:"HOST:PORT" help:"The address to serve HTTP on. Port 0 picks a free port. Default: ${default}."`
	Plugins   string           `group:"common" env:"GOALGRAPH_PLUGINS" default:"plugins.d" placeholder:"FOLDER" help:"The folder with filter plugins. Every executable in it is one. Default: ${default}."`
	Auth      string           `group:"common" env:"GOALGRAPH_AUTH" default:"keys" enum:"keys,none" placeholder:"HOW" help:"Who may do what. keys: what their key or login allows. none: everyone everything, which needs a loopback address. Default: ${default}."`
	MaxValues uint             `group:"common" env:"GOALGRAPH_MAX_VALUES" default:"100000" placeholder:"N" help:"The maximum number of distinct values per site and dimension, for example pages, tags or event names. Further values count as (other). Default: ${default}."`
	Sample    bool             `group:"common" help:"Load the bundled sample if the database is empty."`
	Verbose   bool             `group:"common" short:"v" help:"Log more."`
	Version   kong.VersionFlag `group:"common" help:"Print the version and exit."`

	Serve   serveCommand   `cmd:"" default:"withargs" help:"Migrate the database and serve the API. The default command. goalgraph serve --help lists its flags."`
	Import  importCommand  `cmd:"" help:"Load access logs or messages into the database."`
	Migrate migrateCommand `cmd:"" help:"Migrate the database's schema, or show its state."`
	Key     keyCommand     `cmd:"" help:"Create, list, rotate or revoke API keys."`
	Audit   auditCommand   `cmd:"" help:"Print who changed what, as JSON lines."`
	Erase   eraseCommand   `cmd:"" help:"Erase all that is kept of a visitor."`
	User    userCommand    `cmd:"" help:"Create, list, change, reset or disable the people who log in."`
	Plugin  pluginCommand  `cmd:"" help:"List, pin or check filter plugins."`
	Schema  schemaCommand  `cmd:"" help:"Print the GraphQL schema, including the loaded plugins, for code generators."`
}

// streams are what a command reads and writes.
type streams struct {
	in       io.Reader
	out, err io.Writer
}

// run runs one command line and returns the exit code.
func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	var c cli
	exited := false
	parser, err := kong.New(&c,
		kong.Name("goalgraph"),
		kong.Description("Counts sessions by segment and goal, and serves the results as one GraphQL API."),
		kong.Vars{
			"version": version(), "database": app.DefaultDatabase, "tlsAuthority": app.DefaultTLSAuthority, "columnMemory": strconv.Itoa(app.DefaultColumnMemory), "points": strconv.Itoa(app.DefaultPoints), "minVisitors": strconv.Itoa(stats.DefaultMinVisitors),
			"minDays": strconv.Itoa(int(stats.DefaultMinDuration / (24 * time.Hour))),
		},
		kong.ExplicitGroups([]kong.Group{{Key: "common", Title: "Flags of every command. A flag overrides its environment variable:"}}),
		kong.Writers(stdout, stderr),
		kong.Exit(func(int) { exited = true }),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true}),
	)
	if err != nil {
		fmt.Fprintln(stderr, "goalgraph:", err)
		return failed
	}
	command, err := parser.Parse(asFlags(args))
	if exited { // --help and --version
		return done
	}
	if err != nil {
		fmt.Fprintf(stderr, "goalgraph: %v\nRun goalgraph --help for usage.\n", err)
		return wrongUsage
	}
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer cancel()
	context.AfterFunc(ctx, cancel) // a second signal ends the process at once
	command.BindTo(model.WithActor(ctx, model.Actor{Principal: operator()}), (*context.Context)(nil))
	err = command.Run(streams{stdin, stdout, stderr}, c.options(stderr))
	if err == nil {
		return done
	}
	fmt.Fprintln(stderr, "goalgraph:", message(err))
	if model.CodeOf(err) == model.BadInput {
		return wrongUsage
	}
	return failed
}

// asFlags returns a command line whose command is help or version, as many programs have it, as the flag of that name.
func asFlags(args []string) []string {
	switch {
	case len(args) > 0 && args[0] == "help":
		return append(slices.Clone(args[1:]), "--help")
	case len(args) == 1 && args[0] == "version":
		return []string{"--version"}
	}
	return args
}

// operator is who runs the program.
func operator() *model.Principal {
	name := strconv.Itoa(os.Getuid())
	if account, err := user.Current(); err == nil {
		name = account.Username
	}
	return &model.Principal{Kind: model.CommandPrincipal, Name: name, Grants: []model.Grant{{Site: model.AllSites, Scope: model.AdminScope}}}
}

// message is an error as people see it: what is wrong with the command line, or else
// where it happened, what to do, and the cause.
func message(err error) string {
	text := err.Error()
	if e, ok := errors.AsType[*model.Error](err); ok {
		switch {
		case e.Code == model.BadInput && e.Field != "":
			text = e.Field + " " + e.Message
		case e.Code == model.BadInput:
			text = e.Message
		case e.Cause != nil && e.Code != model.Conflict: // what is taken is said
			text += " (" + e.Cause.Error() + ")"
		}
	}
	return strings.Join(strings.Fields(text), " ") // drivers' errors have many lines
}

func (c *cli) options(stderr io.Writer) app.Options {
	level := slog.LevelInfo
	if c.Verbose {
		level = slog.LevelDebug
	}
	return app.Options{
		Version: version(), Database: c.Database, Replica: c.Replica, Redis: c.Redis, Listen: c.Listen, Plugins: c.Plugins, Auth: c.Auth, Sample: c.Sample, MaxValues: int(c.MaxValues),
		Notes: stderr, Log: slog.New(slog.NewTextHandler(stderr, &slog.HandlerOptions{Level: level})),
	}
}

func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "goalgraph (unknown version)"
	}
	text := "goalgraph " + info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" {
			text += " " + setting.Value
		}
	}
	return text + " " + info.GoVersion
}
