package ingest

import (
	"cmp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/goalgraph/goalgraph/model"
)

const firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:120.0) Gecko/20100101 Firefox/120.0"

const nginxMain = `$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for"`

func mustMillis(tb testing.TB, text string) model.Millis {
	tb.Helper()
	moment, err := time.Parse(time.RFC3339, text)
	if err != nil {
		tb.Fatal(err)
	}
	return model.MillisOf(moment)
}

// logSamples are lines of each producer as it writes them, and what they tell.
var logSamples = []struct {
	name   string
	format Format
	nginx  string // a log_format
	before string // lines before it
	line   string
	time   string
	want   LogLine // but for At
}{
	{
		name: "Apache common", format: Common,
		line: `203.0.113.7 - frank [10/Oct/2023:13:55:36 -0700] "GET /apache.html?a=b HTTP/1.0" 200 2326`,
		time: "2023-10-10T20:55:36Z",
		want: LogLine{Address: "203.0.113.7", Method: "GET", Target: "/apache.html?a=b", Status: 200, NoAgent: true},
	}, {
		name: "Apache common and the time taken", format: Common,
		line: `2001:db8::7 - - [10/Oct/2023:13:55:36 +0000] "POST /a HTTP/2.0" 302 - 1523`,
		time: "2023-10-10T13:55:36Z",
		want: LogLine{Address: "2001:db8::7", Method: "POST", Target: "/a", Status: 302, NoAgent: true},
	}, {
		name: "Debian's other_vhosts_access.log", format: VhostCombined,
		line: `shop.example:443 203.0.113.1 - - [17/May/2024:12:00:00 +0000] "GET /p HTTP/1.1" 200 12 "-" "Firefox"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Host: "shop.example:443", Address: "203.0.113.1", Method: "GET", Target: "/p", Status: 200, Referrer: "-", UserAgent: "Firefox"},
	}, {
		name: "a virtual host without a port", format: VhostCombined,
		line: `shop.example crawl-7.test - - [17/May/2024:12:00:00 +0000] "GET /p HTTP/1.1" 304 - "http://a.test/" "` + firefox + `"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Host: "shop.example", Address: "crawl-7.test", Method: "GET", Target: "/p", Status: 304, Referrer: "http://a.test/", UserAgent: firefox},
	}, {
		name: "Traefik's common format", format: Combined,
		line: `203.0.113.9 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/2.0" 200 1203 "-" "` + firefox + `" 1201 "web@docker" "http://172.18.0.3:80" 3ms`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: firefox},
	}, {
		name: "nginx's image behind a proxy", format: Combined,
		line: `172.17.0.1 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "` + firefox + `" "198.51.100.4, 203.0.113.9"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: firefox},
	}, {
		name: "a public client that says it is another", format: Combined,
		line: `203.0.113.9 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "` + firefox + `" "198.51.100.4"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: firefox},
	}, {
		name: "Apache with X-Forwarded-For for the address", format: Combined,
		line: `203.0.113.9, 10.0.0.2 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "` + firefox + `"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: firefox},
	}, {
		name: "an address with a port", format: Combined,
		line: `203.0.113.9:51234 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "` + firefox + `"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, Referrer: "-", UserAgent: firefox},
	}, {
		name: "Caddy", format: JSON,
		line: `{"level":"info","ts":1646861401.5241024,"logger":"http.log.access.log0","msg":"handled request","request":{"remote_ip":"10.0.0.1","remote_port":"41342","client_ip":"203.0.113.5","proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/p?utm_source=a","headers":{"User-Agent":["` + firefox + `"],"Accept":["*/*"],"Referer":["https://www.google.com/"],"Status":["500"],"Clientip":["1.1.1.1"]},"tls":{"resumed":false,"version":772,"server_name":"x.example"}},"bytes_read":0,"user_id":"","duration":0.000929675,"size":10900,"status":200,"resp_headers":{"Server":["Caddy"],"Status":["404"]}}`,
		time: "2022-03-09T21:30:01.524Z",
		want: LogLine{Host: "shop.example", Address: "203.0.113.5", Method: "GET", Target: "/p?utm_source=a", Status: 200, Referrer: "https://www.google.com/", UserAgent: firefox},
	}, {
		name: "Caddy before 2.5, of a client without a user agent", format: JSON,
		line: `{"level":"info","ts":"2022/03/09 21:30:01","logger":"http.log.access","msg":"handled request","request":{"remote_addr":"203.0.113.5:41342","proto":"HTTP/1.1","method":"GET","host":"shop.example:8443","uri":"/","headers":{"Accept":["*/*"]}},"duration":0.0009,"size":10900,"status":200}`,
		time: "2022-03-09T21:30:01Z",
		want: LogLine{Host: "shop.example:8443", Address: "203.0.113.5", Method: "GET", Target: "/", Status: 200},
	}, {
		name: "Traefik", format: JSON,
		line: `{"ClientAddr":"203.0.113.6:47506","ClientHost":"203.0.113.6","ClientPort":"47506","ClientUsername":"-","DownstreamContentSize":19,"DownstreamStatus":200,"Duration":1203,"OriginStatus":201,"RequestAddr":"shop.example","RequestHost":"shop.example","RequestMethod":"GET","RequestPath":"/p?a=b","RequestPort":"-","RequestProtocol":"HTTP/2.0","RequestScheme":"https","RouterName":"web@docker","StartLocal":"2024-05-17T14:00:00.25+02:00","StartUTC":"2024-05-17T12:00:00.25Z","entryPointName":"web","level":"info","msg":"","request_Referer":"https://t.co/","request_User-Agent":"` + firefox + `","time":"2024-05-17T12:00:01Z"}`,
		time: "2024-05-17T12:00:00.25Z",
		want: LogLine{Host: "shop.example", Address: "203.0.113.6", Method: "GET", Target: "/p?a=b", Status: 200, Referrer: "https://t.co/", UserAgent: firefox},
	}, {
		name: "Traefik without headers, as it is set at first", format: JSON,
		line: `{"ClientHost":"203.0.113.6","DownstreamStatus":200,"RequestHost":"shop.example","RequestMethod":"GET","RequestPath":"/","StartUTC":"2024-05-17T12:00:00Z","level":"info","msg":"","time":"2024-05-17T12:00:01Z"}`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Host: "shop.example", Address: "203.0.113.6", Method: "GET", Target: "/", Status: 200, NoAgent: true},
	}, {
		name: "nginx with escape=json", format: JSON,
		line: `{"time_local":"17/May/2024:12:00:00 +0000","remote_addr":"203.0.113.6","request":"GET /a\"b HTTP/1.1","status": "200","body_bytes_sent":"5","http_referer":"","http_user_agent":"` + firefox + `","http_host":"shop.example"}`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Host: "shop.example", Address: "203.0.113.6", Method: "GET", Target: `/a"b`, Status: 200, UserAgent: firefox},
	}, {
		name: "nginx with parts of the request", format: JSON,
		line: `{"@timestamp":"2024-05-17T12:00:00+00:00","remote_addr":"10.1.2.3","x_forwarded_for":"198.51.100.9","method":"GET","uri":"/p","args":"utm_medium=b","status":304,"userAgent":"` + firefox + `","vhost":"shop.example"}`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Host: "shop.example", Address: "198.51.100.9", Method: "GET", Target: "/p?utm_medium=b", Status: 304, UserAgent: firefox},
	}, {
		name: "milliseconds since 1970", format: JSON,
		line: `{"msec":"1715947200.123","ip":"203.0.113.6","request_method":"GET","request_uri":"/p","status":200}`,
		time: "2024-05-17T12:00:00.123Z",
		want: LogLine{Address: "203.0.113.6", Method: "GET", Target: "/p", Status: 200, NoAgent: true},
	}, {
		name: "IIS", format: W3C,
		before: "#Software: Microsoft Internet Information Services 10.0\n#Version: 1.0\n#Date: 2024-05-17 12:00:00\n#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) cs(Referer) sc-status sc-substatus sc-win32-status time-taken",
		line:   `2024-05-17 12:00:03 10.0.0.4 GET /p a=b&c=d 443 - 203.0.113.8 Mozilla/5.0+(X11;+Linux+x86_64;+rv:120.0)+Gecko/20100101+Firefox/120.0 https://www.bing.com/ 200 0 0 31`,
		time:   "2024-05-17T12:00:03Z",
		want:   LogLine{Address: "203.0.113.8", Method: "GET", Target: "/p?a=b&c=d", Status: 200, Referrer: "https://www.bing.com/", UserAgent: firefox},
	}, {
		name: "IIS with the date in a directive", format: W3C,
		before: "#Date: 2024-05-17 11:00:00\n#Fields: time c-ip cs-method cs-host cs-uri-stem sc-status",
		line:   `12:00:03 203.0.113.8 GET shop.example / 304`,
		time:   "2024-05-17T12:00:03Z",
		want:   LogLine{Host: "shop.example", Address: "203.0.113.8", Method: "GET", Target: "/", Status: 304, NoAgent: true},
	}, {
		name: "CloudFront", format: W3C,
		before: "#Version: 1.0\n#Fields: date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header cs-protocol cs-bytes time-taken x-forwarded-for",
		line:   "2024-05-17\t12:00:03\tFRA2-C1\t2390282\t203.0.113.8\tGET\td111111abcdef8.cloudfront.net\t/caf%C3%A9\t200\thttps://www.google.com/\tMozilla/5.0%20(X11;%20Linux%20x86_64;%20rv:120.0)%20Gecko/20100101%20Firefox/120.0\tutm_source=a\t-\tHit\tMRVMF7KydIvxMWfJIglgwHQwZsbG2IhRJ07sn9AkKUFSHS9EXAMPLE==\tshop.example\thttps\t23\t0.001\t-",
		time:   "2024-05-17T12:00:03Z",
		want:   LogLine{Host: "shop.example", Address: "203.0.113.8", Method: "GET", Target: "/caf%C3%A9?utm_source=a", Status: 200, Referrer: "https://www.google.com/", UserAgent: firefox},
	}, {
		name: "CloudFront, escaped twice", format: W3C,
		before: "#Fields: date time c-ip cs-method cs-uri-stem sc-status cs(User-Agent)",
		line:   "2024-05-17\t12:00:03\t2001:db8::1\tGET\t/\t200\tMozilla/5.0%2520(X11)",
		time:   "2024-05-17T12:00:03Z",
		want:   LogLine{Address: "2001:db8::1", Method: "GET", Target: "/", Status: 200, UserAgent: "Mozilla/5.0 (X11)"},
	}, {
		name: "Application Load Balancer", format: ALB,
		line: `https 2018-07-02T22:23:00.186641Z app/my-loadbalancer/50dc6c495c0c9188 203.0.113.4:2817 10.0.0.1:80 0.086 0.048 0.037 200 200 0 57 "GET https://www.example.com:443/p?a=b HTTP/1.1" "` + firefox + `" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/my-targets/73e2d6bc24d8a067 "Root=1-58337281-1d84f3d73c47ec4e58577259" "www.example.com" "arn:aws:acm:us-east-2:123456789012:certificate/12345678" 1 2018-07-02T22:22:48.364000Z "authenticate,forward" "-" "-" "10.0.0.1:80" "200" "-" "-" TID_dc57cebed65b444ebc8177bb698fe166`,
		time: "2018-07-02T22:23:00.186Z",
		want: LogLine{Host: "www.example.com", Address: "203.0.113.4", Method: "GET", Target: "https://www.example.com:443/p?a=b", Status: 200, UserAgent: firefox},
	}, {
		name: "Application Load Balancer, no target, by IPv6", format: ALB,
		line: `http 2018-11-30T22:23:00.186641Z app/my-lb/50dc6c495c0c9188 [2001:db8::4]:2817 - 0.000 0.001 0.000 502 - 34 366 "GET http://www.example.com:80/ HTTP/1.1" "curl/7.46.0" - - arn:x "Root=1-5" "-" "-" 0 2018-11-30T22:22:48.364000Z "forward" "-" "LambdaInvalidResponse" "-" "-" "-" "-"`,
		time: "2018-11-30T22:23:00.186Z",
		want: LogLine{Host: "www.example.com", Address: "2001:db8::4", Method: "GET", Target: "http://www.example.com:80/", Status: 502, UserAgent: "curl/7.46.0"},
	}, {
		name: "Classic Load Balancer", format: ALB,
		line: `2015-05-13T23:39:43.945958Z my-loadbalancer 203.0.113.4:2817 10.0.0.1:80 0.000086 0.001048 0.001337 200 200 0 57 "GET https://www.example.com:443/ HTTP/1.1" "curl/7.38.0" DHE-RSA-AES128-SHA TLSv1.2`,
		time: "2015-05-13T23:39:43.945Z",
		want: LogLine{Host: "www.example.com", Address: "203.0.113.4", Method: "GET", Target: "https://www.example.com:443/", Status: 200, UserAgent: "curl/7.38.0"},
	}, {
		name: "log_format main", format: Nginx, nginx: nginxMain,
		line: `172.17.0.1 - jane doe [17/May/2024:12:00:00 +0000] "GET /a\x22b HTTP/1.1" 200 615 "-" "` + firefox + `" "203.0.113.9"`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: `/a"b`, Status: 200, UserAgent: firefox},
	}, {
		name: "a whole directive of several strings", format: Nginx,
		nginx: "log_format  mine  escape=json '$time_iso8601|${remote_addr}|$scheme://$host$request_uri|'\n  '$request_method|$status|'\n  \"$http_user_agent|$request_time\";",
		line:  `2024-05-17T14:00:00+02:00|203.0.113.9|https://shop.example/p?a=b|GET|304|` + firefox + `|0.001`,
		time:  "2024-05-17T12:00:00Z",
		want:  LogLine{Host: "shop.example", Address: "203.0.113.9", Method: "GET", Target: "/p?a=b", Status: 304, UserAgent: firefox},
	}, {
		name: "msec, and the query beside the path", format: Nginx, nginx: `$msec $time_local $remote_addr $request_method $uri$is_args$args $status $server_name`,
		line: `1715947200.123 17/May/2024:12:00:00 +0000 203.0.113.9 GET /p?utm_source=x 200 shop.example`,
		time: "2024-05-17T12:00:00.123Z",
		want: LogLine{Host: "shop.example", Address: "203.0.113.9", Method: "GET", Target: "/p?utm_source=x", Status: 200, NoAgent: true},
	}, {
		name: "a request without quotes", format: Nginx, nginx: `$remote_addr [$time_local] $request $status`,
		line: `203.0.113.9 [17/May/2024:12:00:00 +0000] GET /a 300 b HTTP/1.1 200`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/a 300 b", Status: 200, NoAgent: true},
	}, {
		name: "JSON by log_format", format: Nginx, nginx: `{"t":"$time_iso8601","c":"$http_x_forwarded_for","r":"$request","s":$status,"a":"$http_user_agent","x":"$other"}`,
		line: `{"t":"2024-05-17T12:00:00+00:00","c":"203.0.113.9, 10.0.0.1","r":"GET /a\"b\u0020c HTTP/1.1","s":200,"a":"` + firefox + `","x":"1"}`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: `/a"b c`, Status: 200, UserAgent: firefox},
	}, {
		name: "cut in the last field that is read", format: Nginx, nginx: nginxMain[:strings.Index(nginxMain, ` "$http_x`)],
		line: `203.0.113.9 - - [17/May/2024:12:00:00 +0000] "GET / HTTP/1.1" 200 615 "-" "Mozilla/5.0 (X11`,
		time: "2024-05-17T12:00:00Z",
		want: LogLine{Address: "203.0.113.9", Method: "GET", Target: "/", Status: 200, UserAgent: "Mozilla/5.0 (X11", Cut: true},
	},
}

func mustNginx(tb testing.TB, text string) *nginxFormat {
	tb.Helper()
	if text == "" {
		return nil
	}
	f, err := newNginxFormat(text)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func TestParseLines(t *testing.T) {
	for _, sample := range logSamples {
		parse := sample.format.newParser(mustNginx(t, sample.nginx))
		if sample.before != "" {
			for line := range strings.SplitSeq(sample.before, "\n") {
				if _, err := parse(line); err != errNoRequest {
					t.Errorf("%s: %q: %v", sample.name, line, err)
				}
			}
		}
		got, err := parse(sample.line)
		want := sample.want
		want.At = mustMillis(t, sample.time)
		if err != nil || got != want {
			t.Errorf("%s: %v\ngot  %+v\nwant %+v", sample.name, err, got, want)
		}
	}
}

// FuzzLines reads any line in each format, behind each prefix.
func FuzzLines(f *testing.F) {
	for i, sample := range logSamples {
		f.Add(sample.line, i)
		for _, around := range prefixed {
			f.Add(around(sample.line), i)
		}
	}
	decoder := newTestDecoder(f)
	f.Fuzz(func(t *testing.T, line string, which int) {
		sample := logSamples[uint(which)%uint(len(logSamples))]
		for _, p := range append([]*prefix{nil}, prefixes...) {
			d := newTestLineDecoder(decoder, dialect{p, sample.format})
			if sample.nginx != "" {
				d.parse = mustNginx(t, sample.nginx).parse
			}
			if sample.before != "" {
				for before := range strings.SplitSeq(sample.before, "\n") {
					d.parse(before)
				}
			}
			for range 2 {
				out, is, err := d.decode([]byte(line), false)
				if (is == rejected) != (err != nil) || err != nil && !utf8.ValidString(err.Error()) {
					t.Errorf("%v, error %q", is, err)
				}
				if is == kept {
					checkSane(t, out.message)
				}
			}
		}
	})
}

func TestClientBehind(t *testing.T) {
	for _, test := range []struct{ remote, forwarded, want string }{
		{"203.0.113.1", "", "203.0.113.1"},
		{"203.0.113.1", "198.51.100.1", "203.0.113.1"},
		{"10.0.0.1", "-", "10.0.0.1"},
		{"10.0.0.1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1", "1.2.3.4, 198.51.100.1, 10.9.9.9", "198.51.100.1"},
		{"10.0.0.1", "10.1.1.1, 10.2.2.2", "10.1.1.1"},
		{"10.0.0.1", "unknown, 198.51.100.1:4711", "198.51.100.1"},
		{"10.0.0.1", "nonsense", "10.0.0.1"},
		{"unix:", "1.2.3.4, 198.51.100.1", "198.51.100.1"},
		{"", "198.51.100.1, 203.0.113.7", "198.51.100.1"},
		{"host.example", "198.51.100.1", "host.example"},
		{"::1", "2001:db8::7", "2001:db8::7"},
	} {
		if got := clientBehind(test.remote, test.forwarded); got != test.want {
			t.Errorf("%s behind %q: %s, want %s", test.remote, test.forwarded, got, test.want)
		}
	}
}

func TestParseTime(t *testing.T) {
	const want = "2024-05-17T12:00:00"
	for _, text := range []string{
		"2024-05-17T12:00:00Z", "2024-05-17T14:00:00+02:00", "2024-05-17T14:00:00+0200", "17/May/2024:14:00:00 +0200", "2024-05-17T12:00:00", "2024-05-17 12:00:00",
		"2024/05/17 12:00:00", "1715947200", "1715947200.0", "1715947200000", "1715947200000000", "1715947200000000000", "2024-05-17T12:00:00.000000Z",
	} {
		if got, ok := parseTime(text); !ok || got.UTC().Format("2006-01-02T15:04:05") != want {
			t.Errorf("%s: %v, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "-", "x", "-1", "NaN", "1e300", "2024-13-01T00:00:00Z", "17/May/2024"} {
		if got, ok := parseTime(text); ok {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// BenchmarkFormats shows what a line of each format takes.
func BenchmarkFormats(b *testing.B) {
	decoder := newTestDecoder(b)
	for _, sample := range logSamples {
		b.Run(strings.ReplaceAll(cmp.Or(string(sample.format), "auto")+"/"+sample.name, " ", "_"), func(b *testing.B) {
			d := newTestLineDecoder(decoder, dialect{format: sample.format})
			if sample.nginx != "" {
				d.parse = mustNginx(b, sample.nginx).parse
			}
			if sample.before != "" {
				for line := range strings.SplitSeq(sample.before, "\n") {
					d.parse(line)
				}
			}
			line := []byte(sample.line)
			b.ReportAllocs()
			for b.Loop() {
				d.decode(line, false)
			}
		})
	}
}
