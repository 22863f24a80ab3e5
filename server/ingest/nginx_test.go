package ingest

import (
	"strings"
	"testing"

	"github.com/goalgraph/goalgraph/model"
)

func TestLogFormatRefuses(t *testing.T) {
	for text, reason := range map[string]string{
		``:                                      "no address",
		`$remote_addr`:                          "no time",
		`$remote_addr [$time_local]`:            "no request",
		`$remote_addr [$time_local] "$request"`: "no status",
		`$remote_addr $time_local $request_method $status`: "no request",
		`$remote_addr$time_local "$request" $status`:       "between $remote_addr and $time_local",
		`$ $status`:                         "without the name",
		`${status`:                          "without }",
		`log_format a $status;`:             "unquoted",
		`log_format a '$status`:             "without end",
		strings.Repeat("x", maxLogFormat+1): "longer than",
	} {
		if _, err := newNginxFormat(text); err == nil || !strings.Contains(err.Error(), reason) || model.CodeOf(err) != model.BadInput {
			t.Errorf("%s: %v, want something about %q", clip(text), err, reason)
		}
	}
}

// FuzzLogFormat compiles any log_format, and reads any line by it.
func FuzzLogFormat(f *testing.F) {
	for _, sample := range logSamples {
		if sample.nginx != "" {
			f.Add(sample.nginx, sample.line)
		}
	}
	f.Fuzz(func(t *testing.T, format, line string) {
		compiled, err := newNginxFormat(format)
		if err != nil {
			return
		}
		if l, err := compiled.parse(line); err == nil && (l.Address == "" || l.At == 0) {
			t.Errorf("%q by %q: %+v", line, format, l)
		}
	})
}
