package plugins

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Computer is a Filter that looks at sessions one by one, for what no predicate can
// say: pages in a given order, or a score. Compile then returns a predicate that
// matches every session the filter could match; filter.Bool(true) is always right.
// The host calls Compute for these sessions only, and Compute decides.
//
// The host calls it once per session, and again after the session has changed. It
// keeps the answers in the database, under the plugin's name and version, so a plugin
// whose answers change needs a new version. A new filter is computed for all past
// sessions, so Compute should take microseconds.
type Computer[A any] interface {
	// Compute tells whether the visit matches. It depends on args, which Compile
	// accepts, and on the visit only: no clock, no randomness, no memory. An error is
	// the plugin's failure, and the filter cannot be counted as long as it returns one.
	Compute(ctx context.Context, args A, visit Visit) (bool, error)
}

// Visit is a session with its hits. An empty string means unknown or none.
type Visit struct {
	// Visitor is the visitor, as the site's messages name it. Addresses are not passed on.
	Visitor string
	// First tells that this is the visitor's first session.
	First bool
	// Start and End are the times of the first and of the last hit.
	Start, End time.Time
	// Country is ISO 3166-1 alpha-2, in upper case.
	Country string
	// Referrer is the host of the page that the visitor came from.
	Referrer                                               string
	EntryPage, ExitPage                                    string
	Browser, OS                                            string
	Device                                                 string // DESKTOP, MOBILE, TABLET or OTHER
	Language                                               string // BCP 47, in lower case
	UTMSource, UTMMedium, UTMCampaign, UTMTerm, UTMContent string
	Tags                                                   []string
	Properties                                             map[string]string
	// Texts holds the session's other single texts, by the names that predicates use: Texts["hostname"] and so on.
	Texts map[string]string
	// Hits are the page views and events in order of time, at most the first 10,000.
	Hits []Hit
}

// Hit is a page view or an event.
type Hit struct {
	Kind HitKind
	// Name is a page view's path or an event's name.
	Name string
	At   time.Time
	// Value is the double nearest to an event's value, if HasValue.
	Value    float64
	HasValue bool
}

// HitKind is the kind of a Hit.
type HitKind int

const (
	// PageView is the view of a page or a screen.
	PageView HitKind = iota + 1
	// Event is a tracked event.
	Event
)

// computer returns what answers the protocol's Compute for a Computer.
func computer[A any](c Computer[A]) func(ctx context.Context, args []byte, visits []*pb.Visit) ([]bool, error) {
	return func(ctx context.Context, raw []byte, visits []*pb.Visit) ([]bool, error) {
		args, err := Decode[A](raw)
		if err != nil {
			return nil, err
		}
		matches := make([]bool, len(visits))
		for i, visit := range visits {
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			if matches[i], err = c.Compute(ctx, args, visitOf(visit)); err != nil {
				return nil, err
			}
		}
		return matches, nil
	}
}

func visitOf(v *pb.Visit) Visit {
	visit := Visit{
		Visitor: v.GetVisitor(), First: v.GetFirst(), Start: timeOf(v.GetStart()), End: timeOf(v.GetEnd()),
		Country: v.GetCountry(), Referrer: v.GetReferrer(), EntryPage: v.GetEntryPage(), ExitPage: v.GetExitPage(),
		Browser: v.GetBrowser(), OS: v.GetOs(), Device: v.GetDevice(), Language: v.GetLanguage(),
		UTMSource: v.GetUtmSource(), UTMMedium: v.GetUtmMedium(), UTMCampaign: v.GetUtmCampaign(), UTMTerm: v.GetUtmTerm(), UTMContent: v.GetUtmContent(),
		Tags: v.GetTags(), Properties: v.GetProperties(), Texts: v.GetTexts(), Hits: make([]Hit, len(v.GetHits())),
	}
	for i, hit := range v.GetHits() {
		visit.Hits[i] = Hit{Kind: HitKind(hit.GetKind()), Name: hit.GetName(), At: timeOf(hit.GetAt()), Value: hit.GetValue(), HasValue: hit.Value != nil}
	}
	return visit
}

func timeOf(millis int64) time.Time { return time.UnixMilli(millis).UTC() }

// Compute answers the protocol's Compute.
func (s *server) Compute(ctx context.Context, request *pb.ComputeRequest) (*pb.ComputeResponse, error) {
	t, known := s.types[request.GetType()]
	if !known {
		return nil, status.Errorf(codes.NotFound, "there is no filter type %q", request.GetType())
	}
	if t.compute == nil {
		return nil, status.Errorf(codes.Unimplemented, "filter type %q is not computed", request.GetType())
	}
	matches, err := t.compute(ctx, []byte(request.GetArgs()), request.GetVisits())
	if e := argumentError(err); e != nil {
		return &pb.ComputeResponse{Result: &pb.ComputeResponse_Error{Error: e}}, nil
	}
	if err != nil {
		return nil, err
	}
	return &pb.ComputeResponse{Result: &pb.ComputeResponse_Computed{Computed: &pb.Computed{Matches: matches}}}, nil
}
