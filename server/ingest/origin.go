package ingest

import (
	"regexp"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// isBot tells whether the message is a bot's, by the visitor's user agent. A server that
// sends none is no bot, however its own requests look.
func (d *Decoder) isBot(w *wire) bool {
	userAgent := w.context.userAgent
	return userAgent.isString() && d.agents.Agent(userAgent.text()).Bot
}

// readOrigin fills in where the visitor comes from, and which parts of it the message knows.
func (d *Decoder) readOrigin(w *wire, hit *model.Hit, envelope Envelope) {
	c := &w.context
	origin := &hit.Origin
	if hit.Kind == model.PageView || c.tellsPage {
		hit.Knows |= model.KnowsAcquisition
		origin.Referrer = firstOf(hostOf(c.pageReferrer.address()), hostOf(w.propertyReferrer.address()))
		origin.UTM = w.utm(hit.Kind)
	}
	if hit.Kind == model.PageView {
		hit.Knows |= model.KnowsPage
		origin.EntryPage, origin.Hostname = hit.Name, firstOf(hostOf(w.url.address()), hostOf(c.pageURL.address()))
	}
	// A library's name would be taken for the visitor's browser.
	if userAgent := c.userAgent.text(); userAgent != "" {
		if agent := d.agents.Agent(userAgent); !agent.Library {
			hit.Knows |= model.KnowsAgent
			origin.Browser, origin.OS, origin.Device = agent.Browser, agent.OS, agent.Device
		}
	}
	if origin.Language = languageOf(c.locale.text()); origin.Language != "" {
		hit.Knows |= model.KnowsLanguage
	}
	d.readAddress(c, hit, envelope)
}

// readAddress fills in where the client is.
func (d *Decoder) readAddress(c *wireContext, hit *model.Hit, envelope Envelope) {
	readLocation(&hit.Origin, c.location)
	addresses := []string{c.ip.text(), envelope.IP}
	if isServerLibrary(c.library.text()) {
		addresses = addresses[:1]
	}
	for _, text := range addresses {
		if address, ok := parseAddress(text); ok {
			d.locate(&hit.Origin, address)
			break
		}
	}
	if o := &hit.Origin; o.IP != "" || o.Country != "" || o.Region != "" || o.City != "" {
		hit.Knows |= model.KnowsAddress
	}
}

// utm returns the campaign of the context, and where that says nothing, what the URL of the
// page says. The URL among the properties of an event may be a link's.
func (w *wire) utm(kind model.HitKind) model.UTM {
	c := &w.context
	utm := model.UTM{
		Source:   clean(c.source.scalar()),
		Medium:   clean(c.medium.scalar()),
		Campaign: firstOf(clean(c.campaignName.scalar()), clean(c.campaign.scalar())),
		Term:     clean(c.term.scalar()),
		Content:  clean(c.ad.scalar()),
	}
	urls := []value{w.url, c.pageURL}
	if kind != model.PageView {
		urls = urls[1:]
	}
	for _, url := range urls {
		of := utmOf(url.text())
		utm = model.UTM{
			Source:   firstOf(utm.Source, of.Source),
			Medium:   firstOf(utm.Medium, of.Medium),
			Campaign: firstOf(utm.Campaign, of.Campaign),
			Term:     firstOf(utm.Term, of.Term),
			Content:  firstOf(utm.Content, of.Content),
		}
	}
	return utm
}

// serverLibrary is what names of libraries that run on servers have in them: their
// requests come from the sender's own machine, and not from the visitor.
var serverLibrary = regexp.MustCompile(`(?i)(node|python|ruby|php|dotnet|\.net|rust|elixir)|java($|[^s])|[-.]go($|[^a-z])`)

func isServerLibrary(name string) bool { return len(name) < 200 && serverLibrary.MatchString(name) }

// languageOf returns a language tag in lower case ("en-us" for "en_US"), and the
// empty string for what is none.
func languageOf(locale string) string {
	const longest = 35 // RFC 5646, 4.4.1
	if len(locale) > longest {
		return ""
	}
	for i := range len(locale) {
		c := locale[i]
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && !('0' <= c && c <= '9') && c != '-' && c != '_' {
			return ""
		}
	}
	return strings.ReplaceAll(strings.ToLower(locale), "_", "-")
}
