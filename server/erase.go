package main

import (
	"context"
	"encoding/json"

	"github.com/goalgraph/goalgraph/model/store"
	"github.com/goalgraph/goalgraph/server/app"
)

type eraseCommand struct {
	Site    string `required:"" placeholder:"DOMAIN" help:"A domain of the site."`
	Visitor string `required:"" xor:"who" placeholder:"ID" help:"The visitor, as sessions name it: an anonymousId or a userId."`
	User    string `required:"" xor:"who" placeholder:"ID" help:"The user, by the userId. It erases every device that the user was ever linked with, and so does --visitor with a userId."`
}

// Help ends the text of --help.
func (eraseCommand) Help() string {
	return `It erases for good, also while servers run, and prints how many sessions were erased as one line of JSON. If it is stopped, run it again, or leave the rest to the next server.`
}

// Run erases a visitor.
func (c eraseCommand) Run(ctx context.Context, s streams, o app.Options) error {
	return app.WithStore(ctx, o, func(st *store.Store) error {
		site, err := st.SiteByDomain(ctx, c.Site)
		if err != nil {
			return err
		}
		erased, err := st.EraseVisitor(ctx, site.ID, c.Visitor+c.User) // one of them is given
		if err != nil {
			return err
		}
		return json.NewEncoder(s.out).Encode(map[string]int{"sessions": erased})
	})
}
