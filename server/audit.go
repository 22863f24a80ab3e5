package main

import (
	"context"
	"encoding/json"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/app"
)

type auditCommand struct {
	Since string `placeholder:"TIME" help:"Print what happened from then on: a date like 2026-05-17, which is midnight UTC, a time like 2026-05-17T10:05:03Z, or how long ago, like 90m, 24h or 7d. Default: everything."`
	Site  string `placeholder:"DOMAIN" help:"A domain of the site whose changes to print. Default: all sites, and what is of none."`
}

// Help ends the text of --help.
func (auditCommand) Help() string {
	return `Each line is one change as a JSON object: at, site, actor (kind, id, name), address, action, object (kind, id, name), before and after. The oldest comes first.`
}

// auditLine is a change as a line of JSON.
type auditLine struct {
	At      time.Time       `json:"at"`
	Site    int64           `json:"site,omitempty"`
	Actor   auditActor      `json:"actor"`
	Address string          `json:"address,omitempty"`
	Action  model.Action    `json:"action"`
	Object  auditObject     `json:"object"`
	Before  json.RawMessage `json:"before,omitempty"`
	After   json.RawMessage `json:"after,omitempty"`
}

type auditActor struct {
	Kind model.PrincipalKind `json:"kind"`
	ID   int64               `json:"id,omitempty"`
	Name string              `json:"name,omitempty"`
}

type auditObject struct {
	Kind model.ObjectKind `json:"kind"`
	ID   int64            `json:"id"`
	Name string           `json:"name"`
}

// auditPage is how many changes are read at once.
const auditPage = 1000

// Run prints the audit log.
func (c auditCommand) Run(ctx context.Context, s streams, o app.Options) error {
	since, err := timeOf(c.Since, time.Now())
	if err != nil {
		return err
	}
	return app.WithStore(ctx, o, func(st *store.Store) error {
		query := store.AuditQuery{Since: since}
		if c.Site != "" {
			site, err := st.SiteByDomain(ctx, c.Site)
			if err != nil {
				return err
			}
			query.Site = &site.ID
		}
		lines := json.NewEncoder(s.out)
		for page := (store.Page{Limit: auditPage}); ; {
			changes, err := st.Changes(ctx, query, page)
			if err != nil {
				return err
			}
			for _, change := range changes {
				if err := lines.Encode(lineOf(change)); err != nil {
					return err
				}
				page.After.ID = change.ID
			}
			if len(changes) < auditPage {
				return nil
			}
		}
	})
}

func lineOf(c model.Change) auditLine {
	return auditLine{
		At: c.At.Time(), Site: c.Site, Actor: auditActor{c.ActorKind, c.ActorID, c.ActorName}, Address: c.Address, Action: c.Action,
		Object: auditObject{c.Kind, c.Object, c.Name}, Before: json.RawMessage(c.Before), After: json.RawMessage(c.After),
	}
}

// timeOf reads the time that --since gives; 0 where it gives none.
func timeOf(text string, now time.Time) (model.Millis, error) {
	text = strings.TrimSpace(text)
	if text == "" {
		return 0, nil
	}
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if at, err := time.Parse(layout, text); err == nil {
			return model.MillisOf(at), nil
		}
	}
	var ago lifetime
	if ago.UnmarshalText([]byte(text)) != nil {
		return 0, model.Invalid("--since", "%q is not a time; write it like 2026-05-17, 2026-05-17T10:05:03Z, 24h or 7d", text)
	}
	return model.MillisOf(now.Add(-time.Duration(ago))), nil
}
