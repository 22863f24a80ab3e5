package transport

import (
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// Media types of answers.
const (
	plainType    = "application/json"
	responseType = "application/graphql-response+json"
	eventType    = "text/event-stream"
)

// preference is an element of an Accept or Accept-Encoding header (RFC 9110, section 12.5).
type preference struct {
	// pattern is what it is about, in lower case: a name, or all of a kind (text/*), or all (*/* or *).
	pattern string
	// weight is 0, not wanted, to 1.
	weight float64
}

// preferencesOf returns the elements of a header in their order, without those that cannot be read.
func preferencesOf(header http.Header, name string) (preferences []preference) {
	for element := range strings.SplitSeq(strings.Join(header.Values(name), ","), ",") {
		pattern, params, err := mime.ParseMediaType(element)
		if err != nil {
			continue
		}
		weight := 1.0
		if q, given := params["q"]; given {
			if weight, err = strconv.ParseFloat(q, 64); err != nil || !(weight >= 0 && weight <= 1) {
				continue
			}
		}
		preferences = append(preferences, preference{pattern, weight})
	}
	return preferences
}

// exactness tells how exactly a pattern names an offer: 0 for not at all, and the most for its own name.
func exactness(pattern, offer string) int {
	kind, _, _ := strings.Cut(offer, "/")
	return 1 + slices.Index([]string{"*", "*/*", kind + "/*", offer}, pattern)
}

// rank is how much an offer is wanted: by the weight first, and then by the place of the element that gives it.
type rank struct {
	weight float64
	place  int
}

// rankOf returns the rank of an offer, which the element gives that names it most exactly. The weight is 0 where none does.
func rankOf(offer string, preferences []preference) (r rank) {
	most := 0
	for place, p := range preferences {
		if exact := exactness(p.pattern, offer); exact > most {
			most, r = exact, rank{p.weight, place}
		}
	}
	return r
}

// accepted is what a client takes.
type accepted struct {
	// json is the media type of an answer in one part; empty where the client takes none.
	json string
	// events tells that the client prefers server-sent events to JSON, and namesEvents that it takes them by their name. By
	// */*, which programs send that know nothing of streams, they are not named.
	events, namesEvents bool
}

// accept returns what the client of a request takes, by the weights of its Accept header, and by its order among equal
// weights. The error says that the client takes nothing that there is.
func accept(r *http.Request) (a accepted, err error) {
	preferences := preferencesOf(r.Header, "Accept")
	if strings.TrimSpace(strings.Join(r.Header.Values("Accept"), "")) == "" {
		preferences = []preference{{"*/*", 1}}
	}
	offers := []string{plainType, responseType, eventType}
	if r.Method == http.MethodHead { // which no events can follow
		offers = offers[:2]
	}
	var best rank
	for _, offer := range offers {
		rank := rankOf(offer, preferences)
		if rank.weight == 0 || rank.weight < best.weight || rank.weight == best.weight && rank.place >= best.place {
			continue
		}
		best = rank
		if a.events = offer == eventType; !a.events {
			a.json = offer
		}
	}
	a.namesEvents = slices.ContainsFunc(preferences, func(p preference) bool { return p.pattern == eventType && p.weight > 0 })
	if best.weight == 0 {
		return a, model.Errorf(model.BadInput, "answers come as %s, %s or %s, and the Accept header of this request takes none of them", responseType, plainType, eventType)
	}
	return a, nil
}

// encoding returns the content coding in which the answer to a request is sent; empty for none. Of equal weights the one
// that packs better is taken, whatever the order, in which browsers say nothing.
func encoding(r *http.Request) string {
	preferences := preferencesOf(r.Header, "Accept-Encoding")
	best, weight := "", rankOf("identity", preferences).weight
	for _, offer := range []string{"gzip", "br"} {
		if given := rankOf(offer, preferences).weight; given > 0 && given >= weight {
			best, weight = offer, given
		}
	}
	return best
}
