//go:build system

// The tests in this file run the server, so they have the tag system: see main_test.go.
package main

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/migrations"
	"github.com/goalgraph/goalgraph/model/store/storetest"
)

// unused returns a loopback address where nobody listens.
func unused(tb testing.TB) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	defer listener.Close()
	return listener.Addr().String()
}

func TestWrongUsage(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		args string
		env  string
		says string
	}{
		{args: "bogus", says: "bogus"},
		{args: "--bogus", says: "--bogus"},
		{args: "serve extra", says: "extra"},
		{args: "import", says: "<file>"},
		{args: "import --format xml a.log", says: `"combined"`},
		{args: "import --bots some a.log", says: `"exclude","include"`},
		{args: "import --site", says: "--site"},
		{args: "import --site bad_site! -", says: "--site"},
		{args: "import - -", says: "only once"},
		{args: "migrate", says: `"up", "down", "status"`},
		{args: "migrate sideways", says: "sideways"},
		{args: "plugin", says: `"list", "lock", "check"`},
		{args: "plugin check", says: "<file>"},
		{args: "schema extra", says: "extra"},
		{args: "--auth", says: "--auth"},
		{args: "--auth some", says: `"keys","none"`},
		{env: "GOALGRAPH_AUTH=some", says: `"keys","none"`},
		{args: "serve --public-url stats.example", says: "--public-url \"stats.example\" is not an origin"},
		{args: "serve --public-url https://stats.example/path", says: "without a path"},
		{args: "serve --allowed-origins *", says: "--allowed-origins \"*\" is not an origin"},
		{args: "serve --allowed-origins https://a.example,https://*.b.example", says: "https://*.b.example"},
		{args: "serve --key-rate -1", says: "--key-rate"},
		{args: "serve --admin-listen 9090", says: "--admin-listen"},
		{args: "serve --tls-cert cert.pem", says: "--tls-key"},
		{args: "serve --tls-cert cert.pem --tls-key key.pem --tls-domain stats.example", says: "--tls-domain"},
		{args: "serve --tls-domain https://stats.example", says: "write it like stats.example"},
		{args: "serve --tls-authority https://acme.example/directory", says: "--tls-domain"},
		{args: "serve --listen 127.0.0.1:9090 --admin-listen :9090", says: "is taken by --listen"},
		{args: "key", says: `"create", "list", "rotate", "revoke"`},
		{args: "key create Key", says: "--scope"},
		{args: "key create --scope all Key", says: `"write","read","edit","admin"`},
		{args: "key create --scope read --expires 1y Key", says: "write it like 90d"},
		{args: "key create --scope read --expires 0d Key", says: "write it like 90d"},
		{args: "key create --scope read --expires 36501d Key", says: "over 36500d"},
		{args: "key rotate --overlap soon 1", says: "write it like 90d"},
		{args: "erase --site a.example", says: "--visitor"},
		{args: "erase --visitor ann", says: "--site"},
		{args: "erase --site a.example --visitor ann --user ann", says: "--user"},
		{args: "--auth none --listen 0.0.0.0:0", says: "loopback"},
		{args: "--auth none --listen :0", says: "loopback"},
		{args: "--auth none --listen [::]:0", says: "loopback"},
		{args: "--auth none --listen example.org:0", says: "loopback"},
		{args: "--auth none --listen 8080", says: "--listen"},
		{args: "serve --min-visitors 0 --auth none", says: "--min-visitors is 0"},
		{args: "serve --column-memory 31 --auth none", says: "--column-memory is 31; give 32 to 1048575, in MiB"},
		{args: "serve --column-memory 1048576 --auth none", says: "--column-memory is 1048576"},
		{args: "serve --column-memory -1 --auth none", says: "--column-memory"},
		{env: "GOALGRAPH_COLUMN_MEMORY=0", args: "serve --auth none", says: "--column-memory is 0"},
		{args: "serve --min-days 1000000 --auth none", says: "--min-days is 1000000"},
		{args: "serve --min-days -1 --auth none", says: "--min-days"},
		{args: "--auth none --redis http://user:secret@host", says: "--redis"},
		{args: "--database bogus migrate status", says: "sqlite:FILE or postgres://"},
		{args: "--database /var/lib/goalgraph.db migrate status", says: "did you mean sqlite:/var/lib/goalgraph.db?"},
		{args: "--database= migrate status", says: "sqlite:FILE or postgres://"},
		{args: "--database mysql://user:secret@host/name migrate status", says: "sqlite:FILE or postgres://"},
		{args: "--database postgres://user:secret%zz@host/name migrate status", says: "postgres://user:password@host"},
		{args: "--database sqlite: migrate status", says: "sqlite:"},
		{env: "DATABASE_URL=bogus", args: "migrate status", says: "sqlite:FILE or postgres://"},
	} {
		t.Run(test.env+" "+test.args, func(t *testing.T) {
			t.Parallel()
			p := program(t, strings.Fields(test.args)...)
			if test.env != "" {
				p.Env = append(p.Env, test.env)
			}
			p.mustRun(t, wrongUsage)
			if said := p.stderr.String(); !strings.Contains(said, test.says) || strings.Contains(said, "secret") {
				t.Errorf("it says %q, want something about %q", said, test.says)
			}
			if p.stdout.String() != "" {
				t.Errorf("standard output: %q", &p.stdout)
			}
			if made, err := filepath.Glob(filepath.Join(p.Dir, "data", "*")); err != nil || len(made) > 0 && !strings.HasPrefix(test.args, "import --site") {
				t.Errorf("it made %v; %v", made, err)
			}
		})
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for args, says := range map[string][]string{
		"--help": {"serve ", "import ", "migrate up", "migrate down", "migrate status", "plugin list", "plugin lock", "plugin check", "schema ",
			"--database=URL", "sqlite:data/goalgraph.db", "$DATABASE_URL", "--redis=URL", "$REDIS_URL", "--listen=HOST:PORT", "127.0.0.1:8080",
			"$GOALGRAPH_LISTEN", "--plugins=FOLDER", "plugins.d", "$GOALGRAPH_PLUGINS", "--auth=HOW", "$GOALGRAPH_AUTH", "--sample"},
		"import --help": {"goalgraph import <file> ...", "--site=DOMAIN", "--format=", "messages", "--bots=", "include", "--geoip=FILE", "standard input", "goalgraph import --site shop.example"},
		"serve --help": {"--public-url=URL", "$GOALGRAPH_PUBLIC_URL", "--allowed-origins=ORIGIN", "$GOALGRAPH_ALLOWED_ORIGINS", "--key-rate=N", "--admin-listen=HOST:PORT",
			"--tls-cert=FILE", "--tls-key=FILE", "--tls-domain=DOMAIN", "--tls-authority=URL", "--geoip=FILE", "--trusted-proxies=NETWORK", "--max-connections=N", "$GOALGRAPH_MAX_CONNECTIONS", "20000",
			"--min-visitors=N", "100 ($GOALGRAPH_MIN_VISITORS)", "--min-days=N", "Default: 7", "$GOALGRAPH_MIN_DAYS", "--column-memory=MIB", "$GOALGRAPH_COLUMN_MEMORY", "Default: 608",
			"--oidc-issuer=URL", "--oidc-roles=", "$GOALGRAPH_OIDC_CLIENT_SECRET", "--login-idle=TIME"},
		"user --help":         {"user create", "user list", "user roles", "user reset", "user disable", "user enable"},
		"key create --help":   {"--scope=SCOPE", "--site=DOMAIN", "--site-origins=ORIGIN", "--expires=TIME"},
		"key rotate --help":   {"--overlap=TIME", "Default: 24h"},
		"migrate down --help": {"goalgraph migrate down"},
		"erase --help":        {"--site=DOMAIN", "--visitor=ID", "--user=ID"},
		"plugin check --help": {"goalgraph plugin check <file>"},
		"help":                {"goalgraph serve --help", "--database=URL"},
		"help key create":     {"--scope=SCOPE"},
		"--version":           {"goalgraph ", "go1."},
		"version":             {"goalgraph ", "go1."},
	} {
		p := program(t, strings.Fields(args)...).mustRun(t, done)
		help := strings.Join(strings.Fields(p.stdout.String()), " ") // lines end where the width wants it
		for _, text := range says {
			if !strings.Contains(help, text) {
				t.Errorf("%s does not say %q:\n%s", args, text, &p.stdout)
			}
		}
		if p.stderr.String() != "" {
			t.Errorf("%s: standard error: %s", args, &p.stderr)
		}
	}
}

func TestMigrateCommands(t *testing.T) {
	t.Parallel()
	all, err := migrations.All(migrations.SQLite)
	if err != nil {
		t.Fatal(err)
	}
	names := make([]string, len(all))
	for i, m := range all {
		names[i] = fmt.Sprintf("%03d_%s", m.Version, m.Name)
	}
	status := func(applied int) (lines string) {
		for i, name := range names {
			lines += name + "\t" + map[bool]string{true: "applied", false: "pending"}[i < applied] + "\n"
		}
		return lines
	}
	storetest.Databases(t, func(t *testing.T, database string) {
		t.Parallel()
		for _, step := range []struct{ command, want string }{
			{"status", status(0)},
			{"down", "nothing to undo\n"},
			{"up", fmt.Sprintf("applied %d\n", len(all))},
			{"up", "applied 0\n"},
			{"status", status(len(all))},
			{"down --yes", fmt.Sprintf("undid %s\n", names[len(all)-1])},
			{"status", status(len(all) - 1)},
			{"up", "applied 1\n"},
		} {
			p := program(t, append([]string{"migrate"}, strings.Fields(step.command)...)...)
			p.Env = append(p.Env, "DATABASE_URL="+database)
			if p.mustRun(t, done); p.stdout.String() != step.want {
				t.Errorf("migrate %s: %q, want %q", step.command, &p.stdout, step.want)
			}
		}
	})
}

func TestAFlagWinsOverItsVariable(t *testing.T) {
	t.Parallel()
	p := program(t, "--database", "sqlite:flag.db", "migrate", "up")
	p.Env = append(p.Env, "DATABASE_URL=sqlite:variable.db")
	p.mustRun(t, done)
	if _, err := os.Stat(filepath.Join(p.Dir, "flag.db")); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(filepath.Join(p.Dir, "variable.db")); err == nil {
		t.Error("the variable won")
	}
	behind := program(t, "migrate", "up", "--database", "sqlite:behind.db").mustRun(t, done)
	if _, err := os.Stat(filepath.Join(behind.Dir, "behind.db")); err != nil {
		t.Error(err)
	}
	byDefault := program(t, "migrate", "up").mustRun(t, done)
	if _, err := os.Stat(filepath.Join(byDefault.Dir, "data", "goalgraph.db")); err != nil {
		t.Error(err)
	}
}

func TestDatabasesThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	text := mustWriteFile(t, "text.db", strings.Repeat("no database\n", 1000))
	for _, test := range []struct{ database, says string }{
		{"postgres://user:secret@" + unused(t) + "/name", "postgres://user:xxxxx@"},
		{"postgres://user@" + unused(t) + "/name?password=secret", "cannot be reached"},
		{"sqlite:" + text, "is not a SQLite database"},
		{"sqlite:" + t.TempDir(), "cannot be opened"},
		{"sqlite:" + text + "/folder.db", "folder for the database"},
	} {
		for _, args := range [][]string{{"import", mustAbs(t, sampleFile)}, {"migrate", "status"}, {"migrate", "up"}, {"serve", "--auth", "none", "--listen", "127.0.0.1:0"}} {
			p := program(t, append([]string{"--database", test.database}, args...)...).mustRun(t, failed)
			if said := p.stderr.String(); !strings.Contains(said, test.says) || strings.Contains(said, "secret") || p.stdout.String() != "" {
				t.Errorf("%s %v says %q, want something about %q", test.database, args, said, test.says)
			}
		}
	}
	if content, err := os.ReadFile(text); err != nil || !strings.HasPrefix(string(content), "no database\n") {
		t.Errorf("the file was changed; %v", err)
	}
}

func TestPluginCommands(t *testing.T) {
	t.Parallel()
	script := mustWriteFile(t, "broken", "#!/bin/sh\necho this is no plugin >&2\nexit 3\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	list := program(t, "plugin", "list").mustRun(t, done)
	if out := list.stdout.String(); !strings.HasPrefix(out, "PLUGIN") || !strings.Contains(out, "RUNNING") || !strings.Contains(out, "sessionLength") {
		t.Errorf("plugin list: %s", out)
	}
	list = program(t, "plugin", "list", "--plugins", filepath.Dir(script)).mustRun(t, done)
	if out := list.stdout.String(); !strings.Contains(out, "broken") || !strings.Contains(out, "FAILED") || !strings.Contains(out, "this is no plugin") {
		t.Errorf("plugin list: %s", out)
	}
	lock := program(t, "plugin", "lock", "--plugins", filepath.Dir(script)).mustRun(t, done)
	if out := lock.stdout.String(); !strings.Contains(out, "broken") {
		t.Errorf("plugin lock: %s", out)
	}
	if text, err := os.ReadFile(filepath.Join(filepath.Dir(script), "plugins.lock")); err != nil || !strings.Contains(string(text), "  broken\n") {
		t.Errorf("plugins.lock: %s, %v", text, err)
	}
	for file, says := range map[string]string{
		script:                           "this is no plugin",
		filepath.Join(t.TempDir(), "no"): "no such file",
		t.TempDir():                      "not an executable",
		mustAbs(t, "main.go"):            "not an executable",
		binary:                           "plugin",
	} {
		if p := program(t, "plugin", "check", file).mustRun(t, failed); !strings.Contains(p.stdout.String()+p.stderr.String(), says) {
			t.Errorf("plugin check %s says %s%s", file, &p.stdout, &p.stderr)
		}
	}
	program(t, "plugin", "list", "--plugins", script).mustRun(t, failed)
}

func TestSchemaCommand(t *testing.T) {
	t.Parallel()
	p := program(t, "schema").mustRun(t, done)
	for _, text := range []string{"type Query", "input FilterInput @oneOf", "sessionLength:"} {
		if !strings.Contains(p.stdout.String(), text) {
			t.Errorf("the schema has no %q", text)
		}
	}
}
