package access

import (
	"cmp"
	"fmt"
	"net/http"
)

// AnyOrigin lets pages of any origin send requests: what they may do is the key's.
type AnyOrigin struct {
	// Headers are those that requests may have, where a browser does not say which it means to send.
	Headers string
	// Exposed are those of answers that pages may read besides the usual ones; empty for none.
	Exposed string
	// Refuse answers a request by another method.
	Refuse func(w http.ResponseWriter, status int, reason string)
}

// Handler returns a handler of requests by a method.
func (o AnyOrigin) Handler(method string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("Access-Control-Allow-Origin", "*")
		if o.Exposed != "" {
			header.Set("Access-Control-Expose-Headers", o.Exposed)
		}
		switch r.Method {
		case http.MethodOptions:
			header.Set("Access-Control-Allow-Methods", method+", OPTIONS")
			// Each SDK has headers of its own.
			header.Set("Access-Control-Allow-Headers", cmp.Or(r.Header.Get("Access-Control-Request-Headers"), o.Headers))
			header.Set("Access-Control-Max-Age", "86400")
			header.Add("Vary", "Access-Control-Request-Headers")
			w.WriteHeader(http.StatusNoContent)
		case method:
			next.ServeHTTP(w, r)
		default:
			header.Set("Allow", method+", OPTIONS")
			o.Refuse(w, http.StatusMethodNotAllowed, fmt.Sprintf("%s is not allowed here; use %s", r.Method, method))
		}
	})
}
