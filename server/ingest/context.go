package ingest

import (
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// MaxContextBytes is the longest evaluation context that is read.
const MaxContextBytes = MaxMessageBytes

// Evaluation is what an evaluation context of OpenFeature tells: who asks for variants, and what is known of the session.
type Evaluation struct {
	// Key is the targetingKey: an anonymousId or a userId.
	Key string
	// Host is that of the page that is told of; empty without any.
	Host string
	// IsBot tells that the visitor's user agent is a bot's.
	IsBot bool
	// Hit is a page view with the origin, as far as the context knows it. Its properties are all that the context tells besides.
	Hit model.Hit
}

// Surroundings are what a visitor's own request tells where the context does not. A server's request tells nothing of its
// visitors: the zero Surroundings.
type Surroundings struct {
	IP, UserAgent, AcceptLanguage, Referer string
}

// contextOrigins are the members of a context that are parts of the origin, and which part they are.
var contextOrigins = map[string]struct {
	of    func(*model.Origin) *string
	knows model.Knowledge
	form  func(string) string
}{
	"country":  {func(o *model.Origin) *string { return &o.Country }, model.KnowsAddress, countryCode},
	"region":   {func(o *model.Origin) *string { return &o.Region }, model.KnowsAddress, clean},
	"city":     {func(o *model.Origin) *string { return &o.City }, model.KnowsAddress, clean},
	"browser":  {func(o *model.Origin) *string { return &o.Browser }, model.KnowsAgent, clean},
	"os":       {func(o *model.Origin) *string { return &o.OS }, model.KnowsAgent, clean},
	"device":   {func(o *model.Origin) *string { return (*string)(&o.Device) }, model.KnowsAgent, deviceOf},
	"hostname": {func(o *model.Origin) *string { return &o.Hostname }, model.KnowsPage, model.Host},
}

// contextCampaign are members of a context that are parts of the campaign, and their names in context.campaign of a message.
var contextCampaign = map[string]string{
	"utm_source": "source", "utm_medium": "medium", "utm_campaign": "name", "utm_term": "term", "utm_content": "content",
}

// Evaluation reads an evaluation context, which is a JSON object. It has the members targetingKey, ip, userAgent, locale (or
// language), url, referrer, utm_source and so on, country, region, city, browser, os, device, hostname and entryPage; those of
// a message's context (page, campaign, location) mean what they do there. Other strings, numbers and booleans are properties.
//
// The error is a BadInput for what is no JSON object, and about targetingKey where that is missing.
func (d *Decoder) Evaluation(raw []byte, around Surroundings) (e Evaluation, err error) {
	root, err := parseValue(raw)
	if err != nil {
		return e, model.Invalid("context", "is not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	if !root.isObject() {
		return e, model.Invalid("context", "is not an object; send {\"targetingKey\": …}")
	}
	w, told, entryPage := wire{}, model.Origin{}, ""
	properties := map[string]string{}
	var knows model.Knowledge
	root.members(func(name []byte, v value) {
		if v.isMissing() {
			return
		}
		member := string(name)
		place, isOrigin := contextOrigins[member]
		part, isCampaign := contextCampaign[member]
		switch {
		case member == "targetingKey":
			e.Key = clean(v.scalar())
		case isOrigin:
			if text := place.form(v.scalar()); text != "" {
				*place.of(&told) = text
				knows |= place.knows
			}
		case isCampaign:
			w.context.tellsPage = true
			w.context.readCampaign([]byte(part), v)
		case member == "url":
			w.context.readPage([]byte("url"), v)
		case member == "referrer":
			w.context.readPage([]byte("referrer"), v)
		case member == "entryPage":
			entryPage = model.Path(v.text())
		case member == "language":
			w.context.locale = v
		case isMessageContext[member]:
			w.context.read(name, v)
		case v.isString() || v.isNumber() || v.isBool():
			if key := clean(member); key != "" && len(properties) < model.MaxProperties {
				properties[key] = clean(v.scalar())
				if v.isBool() {
					properties[key] = string(v)
				}
			}
		}
	})
	if e.Key == "" {
		return e, model.Invalid("targetingKey", "is missing; give the anonymousId or the userId by which the visitor's events are sent")
	}
	d.surround(&w, around)
	e.IsBot = d.isBot(&w)
	e.Hit = model.Hit{Kind: model.Event, Properties: properties}
	if path := firstOf(entryPage, w.urlPath()); path != "" {
		e.Hit.Kind, e.Hit.Name = model.PageView, path
	}
	d.readOrigin(&w, &e.Hit, Envelope{IP: around.IP})
	// Of the page that asks, browsers tell no more than the host.
	if host := hostOf(around.Referer); told.Hostname == "" && e.Hit.Kind != model.PageView && host != "" {
		told.Hostname = host
		knows |= model.KnowsPage
	}
	for _, place := range contextOrigins {
		if text := *place.of(&told); text != "" {
			*place.of(&e.Hit.Origin) = text
		}
	}
	e.Hit.Knows |= knows
	e.Host = firstOf(told.Hostname, hostOf(w.context.pageURL.address()))
	return e, nil
}

// isMessageContext has the members of a message's context that a context of an evaluation may have too.
var isMessageContext = map[string]bool{"userAgent": true, "locale": true, "ip": true, "page": true, "campaign": true, "location": true, "library": true}

// surround fills in what the context does not tell. The name of a library is no visitor's.
func (d *Decoder) surround(w *wire, around Surroundings) {
	c := &w.context
	if c.userAgent.isMissing() && !d.agents.Agent(around.UserAgent).Library {
		c.userAgent = jsonString(around.UserAgent)
	}
	if c.locale.isMissing() {
		language, _, _ := strings.Cut(around.AcceptLanguage, ",")
		language, _, _ = strings.Cut(language, ";")
		c.locale = jsonString(strings.TrimSpace(language))
	}
}

// deviceOf returns a kind of device in its one form, and the empty string for what is none.
func deviceOf(text string) string {
	switch device := model.Device(strings.ToUpper(text)); device {
	case model.Desktop, model.Mobile, model.Tablet, model.OtherDevice:
		return string(device)
	}
	return ""
}
