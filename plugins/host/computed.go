package host

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
	"github.com/goalgraph/goalgraph/model/filter"
	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Limits of one call to compute.
const (
	maxVisits      = 1000
	maxVisitsBytes = 4 << 20
	// Of a session with very many hits, those that are told.
	maxHits      = 10_000
	maxHitsBytes = 1 << 20
)

// computationKey names what the type's plugin computes with canonical arguments: the
// type's name, a space, and everything the answers depend on.
func computationKey(t *Type, args string) string {
	return t.Name + " " + t.Plugin + "@" + t.version + " " + args
}

// Computation is what a filter computes per session.
type Computation struct {
	// Type is the name of the filter type, Plugin its plugin's with the version
	// ("journey@1.0.0"), Args the arguments.
	Type, Plugin, Args string
	// Loaded tells that this version of the plugin is loaded.
	Loaded bool
}

// Computation reads the key of a filter.Computed.
func (h *Host) Computation(key string) Computation {
	if s, t, args, err := h.acquireFor(key); err == nil {
		s.Release()
		return Computation{t.Name, t.Plugin + "@" + t.version, args, true}
	}
	name, rest, _ := strings.Cut(key, " ")
	for at := 0; at < len(rest); at++ {
		// The version of a plugin that is not there may hold anything.
		if plugin, args := rest[:at], rest[at:]; strings.HasPrefix(args, " {") && json.Valid([]byte(args)) {
			return Computation{Type: name, Plugin: plugin, Args: args[1:]}
		}
	}
	return Computation{Type: name, Args: "{}"}
}

// acquireFor returns the newest set in use that has the plugin of a key in that
// version, with its type and the arguments. So an operation that began before the
// plugin was replaced finishes with the plugin it began with. The error is Unavailable
// if no set has the plugin. Otherwise the caller releases the set.
func (h *Host) acquireFor(key string) (s *Set, t *Type, args string, err error) {
	name, _, _ := strings.Cut(key, " ")
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, s := range slices.Backward(h.sets) {
		if t, found := s.byName[name]; found && t.Computed {
			if args, found := strings.CutPrefix(key, computationKey(t, "")); found {
				s.users++
				return s, t, args, nil
			}
		}
	}
	if _, found := h.current.byName[name]; found {
		return nil, nil, "", model.Errorf(model.Unavailable, "filter type %s now comes from another plugin or another version; ask again", clean(name, maxName))
	}
	return nil, nil, "", model.Errorf(model.Unavailable, "filter type %s is not loaded", clean(name, maxName))
}

// Condition returns a predicate that matches every session which the computation of a
// filter.Computed could match. The errors are those of Compile.
func (h *Host) Condition(ctx context.Context, key string) (filter.Expr, error) {
	s, t, args, err := h.acquireFor(key)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	compiled, err := s.compile(ctx, t, args)
	return compiled.condition, err
}

// Compute asks the plugin of a filter.Computed which of the visits match. The error is
// that of ctx, or Unavailable if the plugin cannot answer.
func (h *Host) Compute(ctx context.Context, key string, visits []model.Visit) ([]bool, error) {
	s, t, args, err := h.acquireFor(key)
	if err != nil {
		return nil, err
	}
	defer s.Release()
	matches := make([]bool, 0, len(visits))
	var batch []*pb.Visit
	bytes := 0
	ask := func() error {
		answers, err := h.computeBatch(ctx, t, args, batch)
		matches = append(matches, answers...)
		batch, bytes = nil, 0
		return err
	}
	for i := range visits {
		visit := visitOf(&visits[i])
		size := proto.Size(visit)
		if len(batch) == maxVisits || len(batch) > 0 && bytes+size > maxVisitsBytes {
			if err := ask(); err != nil {
				return nil, err
			}
		}
		batch, bytes = append(batch, visit), bytes+size
	}
	if len(batch) > 0 {
		if err := ask(); err != nil {
			return nil, err
		}
	}
	return matches, nil
}

func (h *Host) computeBatch(ctx context.Context, t *Type, args string, visits []*pb.Visit) ([]bool, error) {
	response, err := callWithin(ctx, t.worker, h.options.ComputeTimeout,
		func(c pb.FilterPluginClient, ctx context.Context, q *pb.ComputeRequest) (*pb.ComputeResponse, error) {
			return c.Compute(ctx, q)
		}, &pb.ComputeRequest{Type: t.Name, Args: args, Visits: visits})
	if err != nil {
		return nil, err
	}
	if refused := response.GetError(); refused != nil {
		return nil, t.worker.nonsense("Compute of %s refused arguments that Compile accepts: %v", t.Name, argumentError(t, refused))
	}
	matches := response.GetComputed().GetMatches()
	if len(matches) != len(visits) {
		return nil, t.worker.nonsense("Compute of %s answered about %d sessions; it was asked about %d", t.Name, len(matches), len(visits))
	}
	return matches, nil
}

// ownFields are the dimensions of a first hit that have fields of their own in pb.Visit,
// and the address, which plugins are not told.
var ownFields = []string{
	"ip", "country", "referrer", "entryPage", "browser", "os", "device", "language", "utmSource", "utmMedium", "utmCampaign", "utmTerm", "utmContent",
}

// otherTexts are the dimensions that stand in pb.Visit.Texts.
var otherTexts = slices.DeleteFunc(dimension.Origins(), func(d *dimension.Dimension) bool { return slices.Contains(ownFields, d.Name) })

// visitOf returns a visit as the protocol writes it.
func visitOf(v *model.Visit) *pb.Visit {
	s := &v.Session
	visit := &pb.Visit{
		Visitor: s.VisitorKey, First: s.First, Start: int64(s.Start), End: int64(s.End),
		Country: s.Country, Referrer: s.Referrer, EntryPage: s.EntryPage, ExitPage: s.ExitPage,
		Browser: s.Browser, Os: s.OS, Device: string(s.Device), Language: s.Language,
		UtmSource: s.UTM.Source, UtmMedium: s.UTM.Medium, UtmCampaign: s.UTM.Campaign, UtmTerm: s.UTM.Term, UtmContent: s.UTM.Content,
		Tags: s.Tags, Properties: s.Properties,
	}
	for _, d := range otherTexts {
		if text := d.Text(s); text != "" {
			if visit.Texts == nil {
				visit.Texts = make(map[string]string, len(otherTexts))
			}
			visit.Texts[d.Name] = text
		}
	}
	bytes := 0
	for i := range v.Hits {
		hit := &v.Hits[i]
		if bytes += len(hit.Name); i == maxHits || bytes > maxHitsBytes {
			break
		}
		told := &pb.Hit{Kind: pb.HitKind_HIT_KIND_EVENT, Name: hit.Name, At: int64(hit.At)}
		if hit.Kind == model.PageView {
			told.Kind = pb.HitKind_HIT_KIND_PAGE_VIEW
		}
		if hit.HasValue {
			told.Value = proto.Float64(hit.Value.Float64())
		}
		visit.Hits = append(visit.Hits, told)
	}
	return visit
}
