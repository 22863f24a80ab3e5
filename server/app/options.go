package app

import (
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/engine"
	"github.com/goalgraph/goalgraph/server/access"
	"github.com/goalgraph/goalgraph/server/login"
)

// Options are the settings of the program. Only package main reads flags and environment
// variables.
type Options struct {
	// Version is that of the program.
	Version string
	// Database is sqlite:FILE or postgres://….
	Database string
	// Replica is a PostgreSQL that follows the database, or empty. Columns are loaded from it.
	Replica string
	// Redis is a redis:// address, or empty. Without it, caches and notices of changes
	// stay in the process.
	Redis string
	// Listen is the address of the HTTP server, host:port. Port 0 picks a free port.
	Listen string
	// AdminListen is the address for operators, host:port, or empty: metrics, health and profiles are there and nowhere else.
	AdminListen string
	// TLSCert and TLSKey are the files of a certificate and its key, or empty.
	TLSCert, TLSKey string
	// TLSDomains are the domains that an authority is asked to certify. TLSAuthority is the URL of its ACME directory.
	TLSDomains   []string
	TLSAuthority string
	// Plugins is the folder of filter plugins.
	Plugins string
	// Auth is AuthNone or AuthKeys.
	Auth string
	// PublicURL is the address by which people reach the server, like https://stats.example; empty for that of Listen.
	PublicURL string
	// AllowedOrigins are other origins whose pages may ask and log in.
	AllowedOrigins []string
	// LoginIdle and LoginLifetime are how long a login lasts that is not used, and any; 0 for the defaults.
	LoginIdle, LoginLifetime time.Duration
	// OIDC is the OpenID provider that people log in at; nil for none. OIDCOnly switches passwords off.
	OIDC     *login.OIDC
	OIDCOnly bool
	// GeoIP is a location database file, or empty.
	GeoIP string
	// MaxValues is the maximum number of distinct values per site and dimension; 0 for
	// the store's default.
	MaxValues int
	// MaxConnections is the maximum number of open WebSockets and event streams; 0 for
	// the graph's default.
	MaxConnections int
	// Points is how many points a second a caller has for queries, one for each field of an answer; 0 for DefaultPoints,
	// or with AuthNone, where all are one caller, for no bound.
	Points int
	// Documents is the folder of manifests of trusted documents, or empty. OnlyDocuments has nothing else carried out.
	Documents     string
	OnlyDocuments bool
	// ColumnMemory bounds the columns in memory, in MiB, about.
	ColumnMemory int
	// MinVisitors and MinDays are what an experiment needs before a decision: visitors
	// per variant, at least 1, and days.
	MinVisitors, MinDays int
	// TrustedProxies are the networks whose X-Forwarded-For, -Proto and -Host headers are
	// used.
	TrustedProxies []netip.Prefix
	// KeyRate is how many messages per second the server takes from one key; 0 for any number.
	KeyRate int
	// Sample loads the bundled sample into an empty database.
	Sample bool
	Log    *slog.Logger
	// Terminal takes what the operator of a new database must know; nobody does by default.
	Terminal io.Writer
	// Notes take what a command has to tell beside its result, a line each; nobody does by default.
	Notes io.Writer
	// StopTimeout limits how long Stop waits for running requests; 10 s by default.
	StopTimeout time.Duration
}

// DefaultDatabase and DefaultTLSAuthority are what Database and TLSAuthority are where nobody says otherwise.
const (
	DefaultDatabase     = "sqlite:data/goalgraph.db"
	DefaultTLSAuthority = "https://acme-v02.api.letsencrypt.org/directory"
)

// DefaultColumnMemory is a ColumnMemory that suits a small machine.
const DefaultColumnMemory = engine.DefaultColumnBytes >> 20

// DefaultPoints is a Points that takes a quarter of a core, about.
const DefaultPoints = 100_000

// The bounds of ColumnMemory: less does not hold a busy day, and no server has more.
const (
	leastColumnMemory = 32
	mostColumnMemory  = 1<<20 - 1
)

// mostMinDays keeps MinDays well below the limit of a duration.
const mostMinDays = 3650

// Ways in which clients authenticate.
const (
	AuthNone = "none"
	AuthKeys = "keys"
)

// validate returns a BadInput error that names the flag at fault.
func (o *Options) validate() error {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.StopTimeout == 0 {
		o.StopTimeout = 10 * time.Second
	}
	host, port, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return model.Invalid("--listen", "%q is not an address; write it like 127.0.0.1:8080", o.Listen)
	}
	if o.MinVisitors < 1 {
		return model.Invalid("--min-visitors", "is %d; give at least 1, as nothing is known about a variant without visitors", o.MinVisitors)
	}
	if o.MinDays < 0 || o.MinDays > mostMinDays {
		return model.Invalid("--min-days", "is %d; give 0 to %d", o.MinDays, mostMinDays)
	}
	if o.OnlyDocuments && o.Documents == "" {
		return model.Invalid("--only-documents", "needs the documents that may run; name their folder with --documents")
	}
	if o.Points < 0 {
		return model.Invalid("--points", "is %d; give at least 1", o.Points)
	}
	if o.ColumnMemory < leastColumnMemory || o.ColumnMemory > mostColumnMemory {
		return model.Invalid("--column-memory", "is %d; give %d to %d, in MiB", o.ColumnMemory, leastColumnMemory, mostColumnMemory)
	}
	if err := o.validateOrigins(); err != nil {
		return err
	}
	if err := o.validateTLS(); err != nil {
		return err
	}
	if err := o.validateAdmin(host, port); err != nil {
		return err
	}
	switch o.Auth {
	case AuthNone:
		if !access.IsLoopback(host) {
			return model.Invalid("--auth", "none admits everyone who can reach %s, so it needs a loopback address like 127.0.0.1:8080", o.Listen)
		}
	case AuthKeys:
	default:
		return model.Invalid("--auth", "is %q; use none or keys", o.Auth)
	}
	return nil
}

// validateAdmin checks the address for operators beside the host and the port of the server.
func (o *Options) validateAdmin(host, port string) error {
	if o.AdminListen == "" {
		return nil
	}
	admin, adminPort, err := net.SplitHostPort(o.AdminListen)
	if err != nil {
		return model.Invalid("--admin-listen", "%q is not an address; write it like 127.0.0.1:9090", o.AdminListen)
	}
	if adminPort == port && port != "0" && (admin == host || isAny(admin) || isAny(host)) {
		return model.Invalid("--admin-listen", "%s is taken by --listen %s; give it another port", o.AdminListen, o.Listen)
	}
	return nil
}

// note tells something beside a command's result.
func (o *Options) note(format string, args ...any) {
	if o.Notes != nil {
		// Whoever has closed it does not want to know.
		_, _ = fmt.Fprintf(o.Notes, format+"\n", args...)
	}
}

// validateOrigins brings the public URL and the allowed origins into one form.
func (o *Options) validateOrigins() (err error) {
	if o.PublicURL != "" {
		if o.PublicURL, err = model.WebOrigin(o.PublicURL); err != nil {
			return model.Invalid("--public-url", "%v, without a path", err)
		}
	}
	for i, text := range o.AllowedOrigins {
		if o.AllowedOrigins[i], err = model.WebOrigin(text); err != nil {
			return model.Invalid("--allowed-origins", "%v", err)
		}
	}
	return nil
}

func (o *Options) validateTLS() error {
	switch {
	case (o.TLSCert == "") != (o.TLSKey == ""):
		return model.Invalid("--tls-cert", "and --tls-key go together; give both")
	case o.TLSCert != "" && len(o.TLSDomains) > 0:
		return model.Invalid("--tls-domain", "asks for a certificate, and --tls-cert is one; give one of them")
	case o.TLSAuthority != "" && o.TLSAuthority != DefaultTLSAuthority && len(o.TLSDomains) == 0:
		return model.Invalid("--tls-authority", "is asked for the certificates of --tls-domain, which is missing; give both")
	}
	for i, text := range o.TLSDomains {
		origin, err := model.WebOrigin("https://" + text)
		if err != nil || strings.ContainsAny(text, ":/[") {
			return model.Invalid("--tls-domain", "%q is not a domain; write it like stats.example", text)
		}
		o.TLSDomains[i] = strings.TrimPrefix(origin, "https://")
	}
	return nil
}
