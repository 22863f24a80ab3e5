package plugins

import (
	"context"
	"time"

	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"github.com/goalgraph/goalgraph/plugins/pb"
)

// Computer is a Filter that looks at sessions one by one, for what no predicate can
// say: pages in an order, a score. Compile then returns what every session satisfies
// that can match at all, filter.Bool(true) where there is nothing: Compute is asked
// about these alone, and decides.
//
// It is asked once about each session, and again when the session has changed: the
// answers are kept, also beyond the process, under the plugin's name and version.
// A plugin whose answers change must have another version. A new filter is asked
// about all sessions of the past, so Compute should take microseconds.
type Computer[A any] interface {
	// Compute tells whether the visit matches. It is a function of args, which Compile
	// accepts, and the visit alone: no clock, no chance, nothing that was seen before.
	// An error is the plugin's failure, and the filter cannot be counted until it is
	// gone.
	Compute(ctx context.Context, args A, visit Visit) (bool, error)
}

// Visit is a session with its hits. Empty strings stand for what is unknown, or none.
type Visit struct {
	// Visitor is what the site's messages call the visitor. Addresses are not told.
	Visitor string
	// First tells that the visitor had no session before.
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
	// Texts holds what else the session has of one text, by the names that predicates call
	// it: Texts["hostname"] and so on.
	Texts map[string]string
	// Hits are page views and events in the order of time. Of a session that has very
	// many they are the first 10,000.
	Hits []Hit
}

// Hit is a page view or an event.
type Hit struct {
	Kind HitKind
	// Name is a page view's path or an event's name.
	Name string
	At   time.Time
	// Value is an event's number, where HasValue tells that it has one.
	Value    float64
	HasValue bool
}

// HitKind says what a Hit is.
type HitKind int

const (
	// PageView is a page or a screen that was shown.
	PageView HitKind = iota + 1
	// Event is something tracked by name.
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
