package ingest

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

// prefixed are what programs that carry logs make of a line.
var prefixed = map[string]func(line string) string{
	"Docker's JSON": func(line string) string {
		text, _ := json.Marshal(line + "\n")
		return `{"log":` + string(text) + `,"stream":"stdout","time":"2024-05-17T12:00:00.123456789Z"}`
	},
	"Kubernetes' prefix": func(line string) string { return "2024-05-17T12:00:00.123456789Z stdout F " + line },
	"a syslog prefix (RFC 5424)": func(line string) string {
		return `<190>1 2024-05-17T12:00:00.123Z web1 nginx 71 - [x@1 a="b\]c"] ` + line
	},
	"a syslog prefix (RFC 3164)": func(line string) string { return "May 17 12:00:00 web1 nginx[71]: " + line },
	"Docker Compose's prefix":    func(line string) string { return "web_1     | " + line },
}

// Each format is detected, bare and behind each prefix, and gives the same messages.
func TestDetect(t *testing.T) {
	decoder := newTestDecoder(t)
	for _, sample := range logSamples {
		nginx := mustNginx(t, sample.nginx)
		format := Auto
		if nginx != nil {
			format = Nginx
		}
		text := strings.TrimPrefix(sample.before+"\n"+sample.line, "\n")
		read := func(name string, around func(string) string) (ids []model.MessageID) {
			var head []headLine
			for line := range strings.SplitSeq(text, "\n") {
				head = append(head, headLine{text: []byte(around(line))})
			}
			found := detect(decoder, format, nginx, head)
			got := ""
			if found.prefix != nil {
				got = found.prefix.text
			}
			if found.format != sample.format || got != name {
				t.Errorf("%s in %q: read as %s", sample.name, name, found.text())
				return nil
			}
			d := newTestLineDecoder(decoder, found)
			d.parse = found.format.newParser(nginx)
			for _, line := range head {
				out, is, err := d.decode(line.text, false)
				if err != nil {
					t.Errorf("%s in %q: %v", sample.name, name, err)
				}
				if is == kept {
					ids = append(ids, out.message.Hit.ID)
				}
			}
			return ids
		}
		bare := read("", func(line string) string { return line })
		for name, around := range prefixed {
			if got := read(name, around); !slices.Equal(got, bare) {
				t.Errorf("%s in %q: %d messages, want those of the bare line", sample.name, name, len(got))
			}
		}
	}
}

func TestDetectsWhatFilesAre(t *testing.T) {
	combined := `203.0.113.%d - - [17/May/2024:12:00:00 +0000] "GET /p HTTP/1.1" 200 12 "-" "Firefox"`
	page := `{"type":"page","messageId":"%d","anonymousId":"a","timestamp":"2024-05-17T12:00:00Z","properties":{"path":"/"}}`
	for name, test := range map[string]struct {
		text string
		want string
	}{
		"messages":                 {page, "a file with one JSON message per line"},
		"users with spaces":        {`203.0.113.%d - John Doe [17/May/2024:12:00:00 +0000] "GET /p HTTP/1.1" 200 12 "-" "Firefox"`, "an access log in the combined format"},
		"priority":                 {"<134>" + "May  7 12:00:00 web1 nginx: " + combined, "an access log in the combined format, in a syslog prefix (RFC 3164)"},
		"no host":                  {"<134>" + "May  7 12:00:00 nginx: " + combined, "an access log in the combined format, in a syslog prefix (RFC 3164)"},
		"rsyslog's newer format":   {"2024-05-17T12:00:00.123456+02:00 web1 nginx: " + combined, "an access log in the combined format, in a syslog prefix (RFC 3164)"},
		"syslog with a mark":       {"<165>1 2024-05-17T12:00:00Z h app - ID47 - \ufeff" + combined, "an access log in the combined format, in a syslog prefix (RFC 5424)"},
		"Caddy in Docker":          {prefixed["Docker's JSON"](`{"ts":1646861401.5,"request":{"remote_ip":"203.0.113.%d","method":"GET","host":"a.example","uri":"/"},"status":200}`), "an access log of JSON lines, in Docker's JSON"},
		"messages in Kubernetes":   {prefixed["Kubernetes' prefix"](page), "a file with one JSON message per line, in Kubernetes' prefix"},
		"vhost_combined in syslog": {prefixed["a syslog prefix (RFC 3164)"]("shop.example:80 " + combined), "an access log in the vhost_combined format, in a syslog prefix (RFC 3164)"},
	} {
		var text strings.Builder
		for i := range 5 {
			fmt.Fprintf(&text, test.text+"\n", i)
		}
		p, err := NewPlan(t.Context(), Options{Files: []string{writeFile(t, "a.log", text.String())}})
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if got := p.files[0].dialect.text(); got != test.want {
			t.Errorf("%s: read as %s, want %s", name, got, test.want)
		}
		p.Close()
	}
}

func TestStripCompose(t *testing.T) {
	for line, want := range map[string]string{
		"web-1  | GET /": "GET /",
		"web-1  | 2024-05-17T12:00:00.123456789Z GET /": "GET /",
		"web-1 | 2024-05-17T12:00:00+00:00 GET /":       "2024-05-17T12:00:00+00:00 GET /", // the program's own time
		"a | b | c":            "b | c",
		"  | GET /":            "",
		"two words | GET /":    "",
		"web-1  |GET /":        "",
		`"quoted" | "GET | /"`: "",
	} {
		c, ok := stripCompose([]byte(line))
		if ok != (want != "") || string(c.text) != want {
			t.Errorf("%q: %q, %v; want %q", line, c.text, ok, want)
		}
	}
}
