package bots

import (
	"maps"
	"regexp"
	"slices"
	"testing"
)

func load(tb testing.TB) *List {
	tb.Helper()
	list, err := Load()
	if err != nil {
		tb.Fatal(err)
	}
	return list
}

func TestListHasEveryInstanceThatItNames(t *testing.T) {
	list := load(t)
	entries, err := entries()
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) < 600 || len(list.exact) != len(entries) {
		t.Fatalf("%d entries gave %d patterns", len(entries), len(list.exact))
	}
	for _, e := range entries {
		own := regexp.MustCompile(e.Pattern)
		for _, instance := range e.Instances {
			if !own.MatchString(instance) {
				t.Errorf("pattern %q does not match its own instance %q", e.Pattern, instance)
			}
			if list.Kind(instance) == Person {
				t.Errorf("%q is told to be a person", instance)
			}
		}
	}
}

// What is left out of the list stands in it: a new version may have lost it.
func TestPeopleAreOfTheList(t *testing.T) {
	for _, pattern := range slices.Sorted(maps.Keys(people)) {
		if !regexp.MustCompile(`"pattern": "` + regexp.QuoteMeta(regexp.MustCompile(`\\`).ReplaceAllString(pattern, `\\`)) + `"`).Match(listJSON) {
			t.Errorf("the list has no pattern %s", pattern)
		}
	}
}

func TestKind(t *testing.T) {
	list := load(t)
	for kind, userAgents := range map[Kind][]string{
		Person: {
			"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36",
			"Mozilla/5.0 (Macintosh; Intel Mac OS X 10.9; rv:27.0) Gecko/20100101 Firefox/27.0",
			"Mozilla/5.0 (iPhone; CPU iPhone OS 17_2 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.2 Mobile/15E148 Safari/604.1",
			"Mozilla/5.0 (compatible; MSIE 9.0; Windows NT 6.1; WOW64; Trident/5.0)",
			"Mozilla/5.0 (linux) AppleWebKit/537.36 (KHTML, like Gecko) jsdom/29.1.1",
			"Mozilla/5.0 (Linux; Android 11; CUBOT X50) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Mobile Safari/537.36",
			"Mozilla/5.0 (Linux; Android 15; CPH2557 Build/AP3A.240617.008; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/142.0.7444.142 Mobile Safari/537.36 Instagram 406.0.0.58.159 Android",
			"Mozilla/5.0 (Linux; Android 16; Pixel 10 Pro XL; wv) AppleWebKit/537.36 (KHTML, like Gecko) Version/4.0 Chrome/146.0.7680.174 Mobile Safari/537.36 MetaIAB Facebook",
			"Opera/9.80 (J2ME/MIDP; Opera Mini/9.80 (S60; SymbOS; Opera Mobi/23.348; U; en) Presto/2.5.25 Version/10.54",
			"Dalvik/2.1.0 (Linux; U; Android 9; SM-G960F Build/PPR1)",
			"Lynx/2.8.9rel.1 libwww-FM/2.14", "w3m/0.5.3", "Firefox/120.0", "Firefox", "MyApp/1.0", "agent 7", "UA",
		},
		Robot: {
			"", "-",
			"Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
			"Mozilla/5.0 (compatible; Unheard-Of-Bot/0.1)", "somecrawler", "Mozilla/5.0 (compatible; Ezooms/1.0; help@moz.com)",
			"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) HeadlessChrome/120.0.0.0 Safari/537.36",
			"kube-probe/1.27", "ELB-HealthChecker/2.0", "GoogleHC/1.0", "Amazon-Route53-Health-Check-Service (ref abc)", "Envoy/HC", "Consul Health Check",
			"Apache/2.4 (Ubuntu) (internal dummy connection)", "DigitalOcean Uptime Probe 0.22", "GCE-LoadBalancer", "Edge Health Probe",
			"Mozilla/5.0+(compatible; UptimeRobot/2.0; http://www.uptimerobot.com/)", "Pingdom.com_bot_version_1.4_(http://www.pingdom.com/)",
			"StatusCake", "Site24x7", "Datadog/Synthetics", "NewRelicPinger/1.0", "check_http/v2.3 (monitoring-plugins 2.3)", "Prometheus/2.45", "Blackbox Exporter/0.24",
			"UniversalFeedParser/5.1", "ApacheBench/2.3",
		},
		Library: {
			"curl/8.4.0", "Wget/1.21", "python-requests/2.31.0", "Python-urllib/3.11", "python-httpx/0.25", "aiohttp/3.9", "Go-http-client/1.1", "okhttp/4.9.3",
			"axios/1.6.0", "node-fetch/1.0", "node", "undici", "Java/17.0.1", "Apache-HttpClient/4.5.13 (Java/11)", "libwww-perl/6.05", "PostmanRuntime/7.32",
			"Ruby", "GuzzleHttp/7", "Faraday v2.7", "RestSharp/106", "HTTPie/3.2", "superagent", "reqwest/0.11", "hackney/1.18", "Dart/3.2 (dart:io)",
			"got (https://github.com/sindresorhus/got)", "PHP/8.2", "Scrapy/2.11 (+https://scrapy.org)",
		},
	} {
		for _, userAgent := range userAgents {
			if got := list.Kind(userAgent); got != kind {
				t.Errorf("%q is of kind %d, want %d", userAgent, got, kind)
			}
		}
	}
}

func BenchmarkKindOfPerson(b *testing.B) {
	list := load(b)
	const people = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0.0.0 Safari/537.36"
	for b.Loop() {
		list.Kind(people)
	}
}
