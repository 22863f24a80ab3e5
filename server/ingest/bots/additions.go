package bots

// What the list lacks, as expressions over user agents in lower case.
var (
	crawlers = []string{
		`(^|[^u]|[^c]u)bots?(\b|_)`, // Cubot makes telephones
		`crawl`, `spider`, `scrape`, `headless`,
		// Browsers give no address to complain to.
		`https?://`, `@[a-z][\w-]+\.`,
		`feed ?(fetcher|parser|reader|validator)`, `link ?(check|validator)`,
	}
	monitors = []string{
		`kube-probe`, `googlehc`, `health ?-?(check|probe)`, `^envoy/hc`, `^haproxy`, `^varnish`, `^nginx`, `load-?balancer`,
		`internal dummy connection`, `^prometheus`, `^grafana`, `^monit/`, `nagios`, `icinga`, `^check_`, `^datadog`, `synthetic`,
		`new ?relic`, `uptime`, `pinger`, `^alwayson`, `insights availability`, `traffic manager`, `\bmonitor(ing)?\b`,
		`^apachebench`, `^ab/`, `^wrk`, `^hey/`, `^k6/`, `vegeta`, `jmeter`, `^locust`, `^siege`, `gatling`, `^artillery`,
	}
	libraries = []string{
		`^java/`, `^ruby(/|$)`, `^php`, `^python`, `^perl`, `^node(\.js)?(/|$)`, `^undici`, `^deno/`, `^bun/`, `^dart/`, `^lua`, `^erlang`,
		`guzzle`, `^faraday`, `typhoeus`, `^rest-?(sharp|client)`, `^unirest`, `superagent`, `^got `, `^ky/`, `^needle`, `^jersey/`, `apache-cxf`,
		`^apache-http`, `http[-_ ]?(client|request)`, `^winhttp`, `^wininet`, `^libcurl`, `libfetch`, `^lwp`, `^mojolicious`, `^reqwest`, `^ureq`,
		`^hyper/`, `^isahc`, `^hackney`, `^tesla/`, `^finch/`, `^cpp-httplib`, `^ktor`, `^vert\.x`, `go-resty`, `^fasthttp`, `^symfony`, `^zend`,
		`^snoopy`, `^postman`, `^insomnia`, `powershell/`, `^aws-sdk`, `^boto`,
	}
)

// people are patterns of the list that browsers of people have too: a telephone's build
// number, browsers within apps and editors.
var people = map[string]bool{
	`AP3A\.240617\.008`: true, `MetaIAB Facebook`: true, `Code\/1\.`: true, `Trae\/`: true, `Fluid`: true,
}
