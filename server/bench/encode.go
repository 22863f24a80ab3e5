package main

import (
	"slices"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/model"
	"github.com/goalgraph/goalgraph/model/dimension"
)

// encoder writes sessions in the format that each system loads fastest: text for COPY in PostgreSQL, tab-separated numbers
// for DuckDB. No value of the vocabulary needs an escape in either.
type encoder struct {
	*generator
	site int64
}

// chunk holds the encoded sessions of one day.
type chunk struct {
	day                               int
	sessions, visitors, plain, duckdb []byte
	events                            map[int]*eventTotals
}

type eventTotals struct {
	count       int
	first, last model.Millis
}

// drawnColumns are the columns of Goalgraph's table that sessions are drawn for, in the order in which encoder.product
// writes them.
const drawnColumns = "site_id, partition_id, ordinal, revision, write_id, visitor_id, session_key, first_visit, started_at, ended_at, hits, knows, page_views, " +
	"ip, country, referrer, entry_page, exit_page, browser, os, device, language, " +
	"utm_source, utm_medium, utm_campaign, utm_term, utm_content, pages, tags, events, properties"

// emptyColumns are the other ones that a session's first hit fills.
var emptyColumns = func() (columns []string) {
	drawn := strings.Split(drawnColumns, ", ")
	for _, d := range dimension.Origins() {
		if !slices.Contains(drawn, d.SQL[0]) {
			columns = append(columns, d.SQL[0])
		}
	}
	return columns
}()

// sessionColumns are both.
var sessionColumns = strings.Join(append([]string{drawnColumns}, emptyColumns...), ", ")

const visitorColumns = "id, site_id, visitor, first_at"

func (e *encoder) chunk(day int) chunk {
	sessions := e.day(day)
	c := chunk{
		day: day, events: map[int]*eventTotals{},
		sessions: make([]byte, 0, len(sessions)*450), visitors: make([]byte, 0, len(sessions)*30),
		plain: make([]byte, 0, len(sessions)*320), duckdb: make([]byte, 0, len(sessions)*90),
	}
	firsts := make([]model.Millis, e.newOn[day])
	for ordinal := range sessions {
		s := &sessions[ordinal]
		c.sessions = e.product(c.sessions, s, model.SessionID{Site: e.site, Partition: partitionID(day), Ordinal: int32(ordinal)})
		c.plain = e.plain(c.plain, s, day, ordinal)
		c.duckdb = e.duckdb(c.duckdb, s, day)
		if s.first {
			firsts[s.visitor-int64(e.newBefore[day])-1] = s.start
		}
		for i, event := range s.events {
			seen := c.events[event]
			if seen == nil {
				seen = &eventTotals{first: s.start, last: s.start}
				c.events[event] = seen
			}
			seen.count += s.counts[i]
			seen.first, seen.last = min(seen.first, s.start), max(seen.last, s.start+s.length)
		}
	}
	for i, first := range firsts {
		id := int64(e.newBefore[day]) + int64(i) + 1
		b := integer(c.visitors, id)
		b = integer(append(b, '\t'), e.site)
		b = append(append(append(b, '\t'), visitorKey(id)...), '\t')
		c.visitors = append(integer(b, first), '\n')
	}
	return c
}

// partitionID is the id of a day's partition.
func partitionID(day int) int64 { return int64(day) + 1 }

// product writes a row of Goalgraph's table of sessions. A test compares it with the session that Goalgraph reads.
func (e *encoder) product(b []byte, s *codedSession, id model.SessionID) []byte {
	b = integer(b, id.Site)
	b = integer(append(b, '\t'), id.Partition)
	b = integer(append(b, '\t'), id.Ordinal)
	b = append(b, "\t1\t1\t"...) // the first write to the partition, whose id is 1
	b = integer(b, s.visitor)
	b = append(b, "\t\t"...)
	b = append(boolean(b, s.first), '\t')
	b = integer(b, s.start)
	b = integer(append(b, '\t'), s.start+s.length)
	b = integer(append(b, '\t'), s.hits())
	b = integer(append(b, '\t'), int(model.KnowsAll))
	b = integer(append(b, '\t'), s.pageViews)
	b = texts(b, address(s.visitor), e.countries[s.country], nameAt(e.referrers, s.referrer), e.pages[s.pages[0]], e.pages[s.pages[len(s.pages)-1]],
		e.browsers[s.browser], e.systems[s.system], devices[s.device], e.languages[s.language],
		nameAt(utmSources, s.source), nameAt(utmMediums, s.medium), nameAt(e.campaigns, s.campaign), "", "")
	b = list(append(b, '\t'), e.vocabulary.pages, s.pages, `["`, `","`, `"]`)
	b = list(append(b, '\t'), e.vocabulary.tags, s.tags, `["`, `","`, `"]`)
	b = append(b, '\t')
	for i, event := range s.events {
		b = append(b, ",{\"name\":\""...)
		if i == 0 {
			b[len(b)-len(",{\"name\":\"")] = '['
		}
		b = append(b, e.vocabulary.events[event]...)
		b = append(b, `","count":`...)
		b = integer(b, s.counts[i])
		if s.values[i] != 0 {
			b = append(b, `,"values":1,"sum":`...)
			b = append(b, s.values[i].String()...)
		}
		b = append(b, '}')
	}
	if len(s.events) > 0 {
		b = append(b, ']')
	}
	b = append(b, '\t')
	for range emptyColumns {
		b = append(b, '\t')
	}
	return append(b, '\n')
}

// plain writes a row of plainColumns.
func (e *encoder) plain(b []byte, s *codedSession, day, ordinal int) []byte {
	b = integer(b, day)
	b = integer(append(b, '\t'), ordinal)
	b = append(append(b, '\t'), s.start.Time().Format("2006-01-02 15:04:05.000Z")...)
	b = integer(append(b, '\t'), s.length)
	b = integer(append(b, '\t'), s.pageViews)
	b = texts(b, e.countries[s.country], nameAt(e.referrers, s.referrer), e.browsers[s.browser], e.systems[s.system], devices[s.device], e.languages[s.language],
		nameAt(utmSources, s.source), nameAt(utmMediums, s.medium), nameAt(e.campaigns, s.campaign))
	for _, set := range []struct {
		names   []string
		numbers []int
	}{{e.vocabulary.pages, s.pages}, {e.vocabulary.tags, s.tags}, {e.vocabulary.events, s.events}} {
		b = append(b, "\t{"...)
		b = list(b, set.names, set.numbers, `"`, `","`, `"`)
		b = append(b, '}')
	}
	return append(b, '\n')
}

// duckdb writes a row of duckdbTable.
func (e *encoder) duckdb(b []byte, s *codedSession, day int) []byte {
	for i, n := range []int{day, int(s.length), s.pageViews, s.country, s.referrer, s.browser, s.system, s.device, s.language, s.source, s.medium, s.campaign} {
		if i > 0 {
			b = append(b, '\t')
		}
		b = integer(b, n)
	}
	for _, set := range [][]int{s.pages, s.tags, s.events} {
		b = append(b, "\t["...)
		for i, n := range set {
			if i > 0 {
				b = append(b, ',')
			}
			b = integer(b, n)
		}
		b = append(b, ']')
	}
	return append(b, '\n')
}

func integer[N ~int | ~int32 | ~int64](b []byte, n N) []byte {
	return strconv.AppendInt(b, int64(n), 10)
}

func boolean(b []byte, yes bool) []byte {
	if yes {
		return append(b, 't')
	}
	return append(b, 'f')
}

func texts(b []byte, values ...string) []byte {
	for _, value := range values {
		b = append(append(b, '\t'), value...)
	}
	return b
}

// list writes the names of numbers between open and end; nothing if there are no numbers.
func list(b []byte, names []string, numbers []int, open, comma, end string) []byte {
	for i, n := range numbers {
		if i == 0 {
			b = append(b, open...)
		} else {
			b = append(b, comma...)
		}
		b = append(b, names[n]...)
	}
	if len(numbers) > 0 {
		b = append(b, end...)
	}
	return b
}
