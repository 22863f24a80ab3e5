package main

import (
	"context"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/app"
)

type keyCommand struct {
	Create keyCreate `cmd:"" help:"Create a key and print it, once."`
	List   keyList   `cmd:"" help:"List the keys, without their secrets."`
	Rotate keyRotate `cmd:"" help:"Give a key a successor, and have it expire."`
	Revoke keyRevoke `cmd:"" help:"Revoke a key."`
}

type keyCreate struct {
	Scope       string   `enum:"write,read,edit,admin" required:"" placeholder:"SCOPE" help:"What the key may do. write: send events; it may stand in a web page. read: query and subscribe. edit: that, and change segments, goals and experiments. admin: everything."`
	Site        []string `placeholder:"DOMAIN" help:"A domain of a site that the key is of; may be given several times. A site is created if it does not exist. Without any, a write key is of the only site, and others are of all sites."`
	SiteOrigins []string `placeholder:"ORIGIN" help:"Of a write key: the origins of the pages that may use it, like https://shop.example, separated by commas. Requests that no browser sends have none, and are let in. Default: any."`
	Expires     lifetime `placeholder:"TIME" help:"How long the key holds: 90d, 12h, or 30m. Default: for ever."`
	Name        string   `arg:"" help:"A name that tells people what the key is for."`
}

// Run creates a key and prints it.
func (c keyCreate) Run(ctx context.Context, s streams, o app.Options) error {
	secret, err := app.CreateKey(ctx, o, app.NewKey{
		Name: c.Name, Scope: model.Scope(strings.ToUpper(c.Scope)), Domains: c.Site, Origins: c.SiteOrigins, Lifetime: time.Duration(c.Expires),
	})
	if err == nil {
		_, err = fmt.Fprintln(s.out, secret)
	}
	return err
}

// lifetime is a duration with days, which time.ParseDuration does not know.
type lifetime time.Duration

var inDays = regexp.MustCompile(`^([1-9][0-9]{0,5})d$`)

// UnmarshalText reads a lifetime: days, or what time.ParseDuration takes.
func (l *lifetime) UnmarshalText(text []byte) error {
	const day, most = 24 * time.Hour, 36500
	if parts := inDays.FindSubmatch(text); parts != nil {
		n, err := strconv.Atoi(string(parts[1]))
		if err != nil {
			return err
		}
		if n > most {
			return fmt.Errorf("%s is over %dd", text, most)
		}
		*l = lifetime(time.Duration(n) * day)
		return nil
	}
	d, err := time.ParseDuration(string(text))
	switch {
	case err != nil || d <= 0:
		return fmt.Errorf("%.40q is no time; write it like 90d, 12h or 30m", text)
	case d > most*day:
		return fmt.Errorf("%s is over %dd", text, most)
	}
	*l = lifetime(d)
	return nil
}

type keyList struct{}

// Run lists the keys as a table.
func (keyList) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		keys, err := st.Keys(ctx)
		if err != nil {
			return err
		}
		domains, err := siteDomains(ctx, st)
		if err != nil {
			return err
		}
		table := tabwriter.NewWriter(s.out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(table, "ID\tNAME\tSCOPE\tSITES\tORIGINS\tSECRET\tCREATED\tBY\tEXPIRES\tLAST USED\tREVOKED")
		for _, key := range keys {
			fmt.Fprintf(table, "%d\t%s\t%s\t%s\t%s\t%s…\t%s\t%s\t%s\t%s\t%s\n", key.ID, key.Name, strings.ToLower(string(key.Scope)), sitesText(key, domains),
				strings.Join(key.Origins, ","), key.Prefix, timeText(key.CreatedAt), key.CreatedBy, timeText(key.ExpiresAt), timeText(key.LastUsedAt), timeText(key.RevokedAt))
		}
		return table.Flush()
	})
}

// siteDomains returns the first domain of each site, by its id. It is what --site takes.
func siteDomains(ctx context.Context, st *store.Store) (map[int64]string, error) {
	sites, err := st.Sites(ctx)
	domains := make(map[int64]string, len(sites))
	for _, site := range sites {
		domains[site.ID] = site.Domains[0]
	}
	return domains, err
}

// timeText is a time in UTC, to a second; empty for 0, which stands for never.
func timeText(at model.Millis) string {
	if at == 0 {
		return ""
	}
	return at.Time().Format(time.DateTime)
}

// sitesText lists the sites of a key.
func sitesText(key model.Key, domains map[int64]string) string {
	if key.AllSites {
		return "all"
	}
	list := make([]string, len(key.Sites))
	for i, site := range key.Sites {
		list[i] = domains[site]
	}
	return strings.Join(list, ",")
}

type keyRotate struct {
	ID      int64    `arg:"" help:"The id of the key, from key list."`
	Overlap lifetime `placeholder:"TIME" default:"24h" help:"How long the key still holds beside its successor: 7d, 24h, or 30m. Default: ${default}."`
}

// Run makes a successor of a key and prints it.
func (c keyRotate) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		successor, secret, err := st.RotateKey(ctx, c.ID, model.Millis(time.Duration(c.Overlap).Milliseconds()), anyKey)
		if err != nil {
			return err
		}
		key, err := st.Key(ctx, c.ID)
		if err != nil {
			return err
		}
		fmt.Fprintf(s.out, "key %d is the successor of key %d, which expires at %s UTC\n", successor.ID, key.ID, timeText(key.ExpiresAt))
		_, err = fmt.Fprintln(s.out, secret)
		return err
	})
}

// anyKey allows to change every key: who runs commands on the server's machine has its database.
func anyKey(*model.Key) error { return nil }

type keyRevoke struct {
	ID int64 `arg:"" help:"The id of the key, from key list."`
}

// Run revokes a key.
func (c keyRevoke) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		key, err := st.RevokeKey(ctx, c.ID, anyKey)
		if err == nil {
			fmt.Fprintf(s.out, "revoked %s\n", key.Name)
		}
		return err
	})
}
