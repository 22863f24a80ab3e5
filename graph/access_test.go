package graph_test

import (
	"fmt"

	"github.com/goalgraph/goalgraph/model"
)

// keyOf returns the bearer of a key with a scope on sites.
func keyOf(id int64, scope model.Scope, sites ...int64) *model.Principal {
	p := &model.Principal{Kind: model.KeyPrincipal, ID: id, Name: fmt.Sprint("key ", id)}
	for _, site := range sites {
		p.Grants = append(p.Grants, model.Grant{Site: site, Scope: scope})
	}
	return p
}
