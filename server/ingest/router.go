package ingest

import (
	"context"
	"fmt"
	"strings"
)

// minHostShare is the share of the page views of the first lines that must name a host for a
// site to be made of it: what clients send as a host is theirs to choose, and a site for
// each would be without bounds.
const minHostShare = 0.01

// maxRoutes bounds how many hosts are remembered.
const maxRoutes = 10_000

// router finds where the page views of an import go.
type router struct {
	plan *Plan
	// standard is where those go that no host decides.
	standard Target
	routes   map[string]*Target
	// homeless are the hosts that no site has.
	homeless *top
}

func newRouter(p *Plan) *router {
	return &router{plan: p, standard: Target{Write: p.options.Write}, routes: map[string]*Target{}, homeless: newTop(topKept)}
}

// begin decides about the hosts of the first lines, and tells what it decides.
func (r *router) begin(ctx context.Context) error {
	const most = 20
	hosts := r.plan.hosts.all()
	total := 0
	for _, h := range hosts {
		total += h.count
	}
	for i, h := range hosts {
		target, err := r.plan.options.Route(ctx, h.text, float64(h.count) >= minHostShare*float64(total))
		if err != nil {
			return err
		}
		r.routes[h.text] = target
		if r.plan.options.Notes == nil || i > most {
			continue
		}
		where := "no site has it: its lines are ignored"
		switch {
		case i == most:
			fmt.Fprintf(r.plan.options.Notes, "and %d more hosts\n", len(hosts)-most)
			continue
		case target != nil && target.IsNew:
			where = "to a new site, " + target.Site
		case target != nil:
			where = "to the site " + target.Site
		}
		fmt.Fprintf(r.plan.options.Notes, "host %s, %d of the first %d page views: %s\n", h.text, h.count, total, where)
	}
	return nil
}

// target returns where a page view goes; nil where no site has the host that it names.
func (r *router) target(ctx context.Context, f *plannedFile, host string) (*Target, error) {
	if !f.namesHosts {
		return &r.standard, nil
	}
	target, ok := r.routes[host]
	if !ok && isHostName(host) {
		var err error
		if target, err = r.plan.options.Route(ctx, host, false); err != nil {
			return nil, err
		}
		if len(r.routes) < maxRoutes {
			r.routes[strings.Clone(host)] = target
		}
	}
	if target == nil {
		r.homeless.add(host)
	}
	return target, nil
}

// end tells of the hosts that no site has.
func (r *router) end() {
	hosts := r.homeless.all()
	if len(hosts) == 0 || r.plan.options.Notes == nil {
		return
	}
	const most = 10
	list := make([]string, 0, most)
	for _, h := range hosts[:min(most, len(hosts))] {
		if h.text == "" {
			h.text = "no host"
		}
		list = append(list, fmt.Sprintf("%s (%d)", printable(clip(h.text)), h.count))
	}
	if len(hosts) > most {
		list = append(list, "and others")
	}
	fmt.Fprintf(r.plan.options.Notes, "ignored page views of hosts that no site has: %s; create their sites, or choose one with --site\n", strings.Join(list, ", "))
}
