package transport

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"github.com/vektah/gqlparser/v2/gqlerror"

	"github.com/goalgraph/goalgraph/model"
)

// reply is an answer in one part.
type reply struct {
	status    int
	mediaType string
	text      []byte
	// kept tells that the client may keep it, and ask whether it still holds. Others may not, by themselves or on the way.
	kept bool
}

// send answers a request with a reply.
//
// What is kept is compared by the hash of the text, so that a client which has it already is sent nothing. It is asked for
// each time: counts are live, and a client that has lost its access gets the refusal. What an answer depends on beside the
// address is listed in Vary, the principal too, for browsers in which people log in one after another.
func (p packer) send(w http.ResponseWriter, r *http.Request, answer reply) {
	header := w.Header()
	coding := coding(r, answer.text)
	header.Add("Vary", "Accept, Accept-Encoding, Authorization, Cookie")
	header.Set("Cache-Control", "no-store")
	if answer.kept {
		tag := tagOf(answer.text, coding)
		header.Set("Cache-Control", "private, no-cache")
		header.Set("ETag", tag)
		if hasTag(r.Header, tag) {
			w.WriteHeader(http.StatusNotModified)
			return
		}
	}
	text := answer.text
	if coding != "" {
		text = p.pack(text, coding)
		header.Set("Content-Encoding", coding)
	}
	header.Set("Content-Type", answer.mediaType)
	header.Set("Content-Length", strconv.Itoa(len(text)))
	w.WriteHeader(answer.status)
	// What fails here is the client's connection. The body of a HEAD is left out by the library.
	_, _ = w.Write(text)
}

// tagOf returns the strong ETag of a text: another one for each content coding, as these are other bytes.
func tagOf(text []byte, coding string) string {
	sum := sha256.Sum256(text)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + coding + `"`
}

// hasTag tells whether the client of a request has what has the ETag.
func hasTag(header http.Header, tag string) bool {
	for given := range strings.SplitSeq(strings.Join(header.Values("If-None-Match"), ","), ",") {
		given = strings.TrimSpace(given)
		if given == "*" || strings.TrimPrefix(given, "W/") == tag {
			return true
		}
	}
	return false
}

// problem returns the reply to a request that holds no operation that could be carried out.
func problem(status int, err error) reply {
	return refusal(status, plainType, gqlerror.List{{Message: err.Error(), Extensions: map[string]any{"code": string(model.CodeOf(err))}}})
}

// refusal returns the reply that has errors and no data.
func refusal(status int, mediaType string, problems gqlerror.List) reply {
	text, err := json.Marshal(map[string]gqlerror.List{"errors": problems})
	if err != nil { // errors hold texts and numbers
		panic(err)
	}
	return reply{status: status, mediaType: mediaType, text: text}
}
