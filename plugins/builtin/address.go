package builtin

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins"
)

// paths are globs over paths, which may be written in any form that model.Path reads. Names
// of screens are among what they look at. They are no paths, so a glob that does not
// begin with a slash matches both what it says and the path that it is a form of.
type paths struct{ plugins.Globs }

func (p paths) Normal(value string) (string, error) {
	value, err := p.Globs.Normal(value)
	if scheme.MatchString(value) {
		return "", errors.New("it is a whole address, which no page is; write the path alone, like /pricing")
	}
	if strings.HasPrefix(value, "/") {
		value = model.Path(value)
	}
	return value, err
}

// scheme begins the addresses of web pages.
var scheme = regexp.MustCompile(`(?i)^https?://`)

// Doubt warns of what no path begins with, too.
func (p paths) Doubt(value string) (plugins.Warning, bool) {
	if w, ok := p.Globs.Doubt(value); ok || strings.HasPrefix(value, "/") || strings.HasPrefix(value, "*") {
		return w, ok
	}
	return plugins.Warning{
		Code: plugins.NoLeadingSlash, Message: fmt.Sprintf("paths begin with a slash, and only screens of apps have names without one; perhaps /%s", value),
	}, true
}

// forms returns the globs that a normal value stands for.
func (paths) forms(value string) []string {
	if path := model.Path(value); path != value && path != "" {
		return []string{value, path}
	}
	return []string{value}
}

func (p paths) Expr(field filter.Field, value string) filter.Expr {
	forms := p.forms(value)
	if len(forms) == 1 {
		return p.Globs.Expr(field, value)
	}
	either := make(filter.Or, len(forms))
	for i, form := range forms {
		either[i] = p.Globs.Expr(field, form)
	}
	return either
}

func (p paths) Relate(a, b string) plugins.Relation {
	own, other := p.forms(a), p.forms(b)
	if a == b || len(own)+len(other) == 2 {
		return p.Globs.Relate(a, b)
	}
	for _, x := range own {
		for _, y := range other {
			if p.Globs.Relate(x, y) != plugins.Disjoint {
				return plugins.Overlapping
			}
		}
	}
	return plugins.Disjoint
}

// hosts are globs over hosts, which may be written in any form that model.Host reads.
type hosts struct{ plugins.Globs }

func newHosts(none string) hosts { return hosts{plugins.Globs{None: none, Lower: true}} }

func (h hosts) Normal(value string) (string, error) {
	value, err := h.Globs.Normal(value)
	switch {
	case err != nil || value == h.None:
		return value, err
	case strings.ContainsAny(value, "/?#@ "):
		return "", errors.New("no host has a slash, a space or one of ?#@ in its name; write the host alone, like www.shop.example, or a glob like *.shop.example")
	}
	if value = model.Host(value); value == "" {
		return "", errors.New("it is no name of a host; write one like www.shop.example or *.shop.example")
	}
	return value, nil
}
