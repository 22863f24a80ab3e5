package transport

import (
	"net/http"
	"testing"
)

func TestAccept(t *testing.T) {
	t.Parallel()
	const urql = "application/graphql-response+json, application/graphql+json, application/json, text/event-stream, multipart/mixed"
	for _, test := range []struct {
		method, header string
		want           accepted
		refused        bool
	}{
		{"POST", "", accepted{json: plainType}, false},
		{"POST", "*/*", accepted{json: plainType}, false},
		{"POST", "text/html, application/xhtml+xml, */*;q=0.8", accepted{json: plainType}, false},
		{"POST", "application/*", accepted{json: plainType}, false},
		{"POST", "application/json; charset=utf-8", accepted{json: plainType}, false},
		{"POST", "application/graphql-response+json, application/json;q=0.9", accepted{json: responseType}, false},
		{"POST", "application/json, application/graphql-response+json", accepted{json: plainType}, false},
		{"POST", "application/json;q=0.8, application/graphql-response+json", accepted{json: responseType}, false},
		{"POST", "application/*;q=0.2, application/graphql-response+json;q=0.1", accepted{json: plainType}, false},
		{"POST", "application/json;q=0, */*", accepted{json: responseType}, false},
		{"POST", urql, accepted{json: responseType, namesEvents: true}, false},
		{"GET", "application/json, text/event-stream", accepted{json: plainType, namesEvents: true}, false},
		{"POST", "application/json, text/event-stream;q=0.9", accepted{json: plainType, namesEvents: true}, false},
		{"POST", "text/event-stream;q=0, application/json", accepted{json: plainType}, false},
		{"POST", "text/event-stream; q=0.000, */*", accepted{json: plainType}, false},
		{"POST", "text/event-stream, application/json", accepted{json: plainType, events: true, namesEvents: true}, false},
		{"GET", "TEXT/Event-Stream, application/json", accepted{json: plainType, events: true, namesEvents: true}, false},
		{"POST", "application/json;q=0.5, text/event-stream;q=0.6", accepted{json: plainType, events: true, namesEvents: true}, false},
		{"POST", "text/event-stream, multipart/mixed", accepted{events: true, namesEvents: true}, false},
		{"GET", "text/event-stream", accepted{events: true, namesEvents: true}, false},
		{"GET", "text/*", accepted{events: true}, false},
		{"HEAD", "text/event-stream, application/json;q=0.1", accepted{json: plainType, namesEvents: true}, false},
		{"HEAD", "text/event-stream", accepted{}, true},
		{"POST", "text/html", accepted{}, true},
		{"POST", "*/*;q=0", accepted{}, true},
		{"POST", "application/json;q=2, nonsense, ,", accepted{}, true},
		{"POST", "application/json;q=NaN", accepted{}, true},
	} {
		got, err := accept(&http.Request{Method: test.method, Header: http.Header{"Accept": {test.header}}})
		if (err != nil) != test.refused || !test.refused && got != test.want {
			t.Errorf("%s %q: %+v, %v; want %+v", test.method, test.header, got, err, test.want)
		}
	}
	// Several lines say what one does.
	got, err := accept(&http.Request{Method: "POST", Header: http.Header{"Accept": {"application/json;q=0.5", "text/event-stream"}}})
	if err != nil || !got.events {
		t.Errorf("two lines: %+v, %v", got, err)
	}
}

func TestEncoding(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"": "", "gzip": "gzip", "gzip, deflate, br, zstd": "br", "br;q=0.5, gzip": "gzip", "gzip;q=0": "", "*": "br", "br;q=0, *": "gzip", "*;q=0": "", "deflate": "",
		"identity, gzip;q=0.5": "", "identity;q=0.5, gzip": "gzip", "GZIP": "gzip", "gzip;q=x": "",
	} {
		if got := encoding(&http.Request{Header: http.Header{"Accept-Encoding": {header}}}); got != want {
			t.Errorf("%q: %q, want %q", header, got, want)
		}
	}
}
