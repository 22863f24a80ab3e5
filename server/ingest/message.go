package ingest

import (
	"bytes"
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/goalgraph/goalgraph/model"
)

// MaxMessageBytes is the longest message that is taken.
const MaxMessageBytes = 32 << 10

// Envelope is what is known of a message besides itself. Messages from a file
// have the zero Envelope.
type Envelope struct {
	// Received is when the message arrived, or zero where that does not matter. It
	// is the time of a message that has none, and what the sender's clock is
	// corrected by: a message's time is moved by Received less sentAt.
	Received model.Millis
	// SentAt is the batch's sentAt, for messages that have none themselves; zero
	// is none.
	SentAt model.Millis
	// Type is the type of a message that has none; the path of a request names it.
	Type string
	// IP is the address of a message that names none, and is not a server's.
	IP string
}

// wire holds the members of a message that mean something.
type wire struct {
	kind                                 string
	messageID                            value
	userID, anonymousID, previousID      value
	timestamp, originalTimestamp, sentAt value
	event, name                          value
	path, url, propertyReferrer          value
	value, revenue                       value
	experiment, variant                  experimentWire
	propertyName, propertyTags           value
	traits                               value
	context                              wireContext
}

// experimentWire holds the names that SDKs give an experiment or a variant, the
// one that counts most first.
type experimentWire struct{ id, key, name value }

func (e *experimentWire) text() string {
	return firstOf(clean(e.id.scalar()), clean(e.key.scalar()), clean(e.name.scalar()))
}

// experimentViewed is the event that assigns a visitor to a variant.
const experimentViewed = "Experiment Viewed"

// wireContext holds those of its member context.
type wireContext struct {
	userAgent, locale, ip, sessionID, tags, traits   value
	pagePath, pageURL, pageReferrer                  value
	location, library                                value
	source, medium, campaignName, campaign, term, ad value
}

// Message reads one message of the Segment tracking spec: page, screen, track,
// identify, alias or group, in any case. kept is false for what is well formed
// and tells nothing that is counted: a group, and an alias of a name to itself.
//
// An error is a *model.Error whose text may be shown to the sender.
func (d *Decoder) Message(raw []byte, envelope Envelope) (message model.Message, kept bool, err error) {
	root, err := parseValue(raw)
	if err != nil {
		return message, false, model.Errorf(model.BadInput, "not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return d.message(root, envelope)
}

// message reads a message whose JSON has been checked.
func (d *Decoder) message(root value, envelope Envelope) (message model.Message, kept bool, err error) {
	if len(root) > MaxMessageBytes {
		return message, false, model.Errorf(model.BadInput, "the message is larger than %d KiB", MaxMessageBytes>>10)
	}
	if !root.isObject() {
		return message, false, model.Errorf(model.BadInput, "not a JSON object")
	}
	w := readWire(root)
	if w.kind == "" {
		w.kind = strings.ToLower(envelope.Type)
	}
	if w.kind == "group" {
		return message, false, nil
	}
	hit := &message.Hit
	if err := w.readKind(hit); err != nil {
		return message, false, err
	}
	if kept, err = w.readWho(&message); err != nil || !kept {
		return message, false, err
	}
	timed, err := w.readTime(hit, envelope)
	if err != nil {
		return message, false, err
	}
	hit.ID = w.id(root, hit.At, timed)
	hit.SessionKey = clean(w.context.sessionID.scalar())
	hit.Tags = readTags(w.propertyTags, w.context.tags)
	d.readOrigin(&w, hit, envelope)
	return message, true, nil
}

func readWire(root value) (w wire) {
	root.members(func(name []byte, v value) {
		switch string(name) {
		case "type":
			w.kind = strings.ToLower(v.text())
		case "messageId":
			w.messageID = v
		case "userId":
			w.userID = v
		case "anonymousId":
			w.anonymousID = v
		case "previousId":
			w.previousID = v
		case "timestamp":
			w.timestamp = v
		case "originalTimestamp":
			w.originalTimestamp = v
		case "sentAt":
			w.sentAt = v
		case "event":
			w.event = v
		case "name":
			w.name = v
		case "properties":
			v.members(w.readProperty)
		case "traits":
			w.traits = v
		case "context":
			v.members(w.context.read)
		}
	})
	return w
}

func (w *wire) readProperty(name []byte, v value) {
	switch string(name) {
	case "path":
		w.path = v
	case "url":
		w.url = v
	case "referrer":
		w.propertyReferrer = v
	case "value":
		w.value = v
	case "revenue":
		w.revenue = v
	case "name":
		w.propertyName = v
	case "tags":
		w.propertyTags = v
	case "experiment_id":
		w.experiment.id = v
	case "experimentKey":
		w.experiment.key = v
	case "experiment_name":
		w.experiment.name = v
	case "variation_id":
		w.variant.id = v
	case "variantKey":
		w.variant.key = v
	case "variation_name":
		w.variant.name = v
	}
}

func (c *wireContext) read(name []byte, v value) {
	switch string(name) {
	case "userAgent":
		c.userAgent = v
	case "locale":
		c.locale = v
	case "ip":
		c.ip = v
	case "sessionId":
		c.sessionID = v
	case "tags":
		c.tags = v
	case "traits":
		c.traits = v
	case "page":
		v.members(c.readPage)
	case "campaign":
		v.members(c.readCampaign)
	case "location":
		c.location = v
	case "library":
		v.members(func(name []byte, v value) {
			if string(name) == "name" {
				c.library = v
			}
		})
	}
}

func (c *wireContext) readPage(name []byte, v value) {
	switch string(name) {
	case "path":
		c.pagePath = v
	case "url":
		c.pageURL = v
	case "referrer":
		c.pageReferrer = v
	}
}

func (c *wireContext) readCampaign(name []byte, v value) {
	switch string(name) {
	case "source":
		c.source = v
	case "medium":
		c.medium = v
	case "name":
		c.campaignName = v
	case "campaign":
		c.campaign = v
	case "term":
		c.term = v
	case "content":
		c.ad = v
	}
}

// readKind fills in what the visitor did.
func (w *wire) readKind(hit *model.Hit) error {
	switch w.kind {
	case "page", "screen":
		hit.Kind = model.PageView
		hit.Name = firstOf(clean(w.path.text()), w.urlPath(), w.pageName())
		if hit.Name == "" {
			return model.Invalid("properties.path", "a %s needs a path, url or name", w.kind)
		}
	case "track":
		hit.Kind = model.Event
		if hit.Name = clean(w.event.text()); hit.Name == "" {
			return model.Invalid("event", "a track needs the name of the event")
		}
		for _, property := range []struct {
			name  string
			value value
		}{{"value", w.value}, {"revenue", w.revenue}} {
			var err error
			if hit.Value, hit.HasValue, err = decimalOf(property.value); err != nil {
				return model.Invalid("properties."+property.name, "%v", err)
			}
			if hit.HasValue {
				break
			}
		}
		if hit.Name == experimentViewed {
			if experiment, variant := w.experiment.text(), w.variant.text(); experiment != "" && variant != "" {
				hit.Experiment, hit.Variant = experiment, variant
			}
		}
	case "identify":
		hit.Kind = model.Traits
		hit.Properties = readTraits(w.traits, w.context.traits)
	case "alias":
	case "":
		return model.Invalid("type", "is missing; use page, screen, track, identify, alias or group")
	default:
		return model.Invalid("type", "unknown type %q; use page, screen, track, identify, alias or group", clip(w.kind))
	}
	return nil
}

func (w *wire) pageName() string {
	return firstOf(clean(w.name.text()), clean(w.propertyName.text()))
}

// urlPath returns the path of the page's URL.
func (w *wire) urlPath() string {
	for _, url := range []value{w.url, w.context.pageURL} {
		if path, ok := pathOf(url.text()); ok {
			return clean(path)
		}
	}
	return ""
}

func firstOf(texts ...string) string {
	for _, text := range texts {
		if text != "" {
			return text
		}
	}
	return ""
}

// decimalOf returns what a JSON number, or a string that is a number, says; ok is false where
// v is neither a number nor a string. The error says that it is too large, or no number.
func decimalOf(v value) (d model.Decimal, ok bool, err error) {
	if !v.isNumber() && !v.isString() {
		return 0, false, nil
	}
	d, err = model.ParseDecimal(v.scalar())
	return d, err == nil, err
}

// readWho fills in the visitor's names; kept is false where they say nothing.
func (w *wire) readWho(message *model.Message) (kept bool, err error) {
	message.UserID = clean(w.userID.scalar())
	if w.kind == "alias" {
		message.AnonymousID = clean(w.previousID.scalar())
		if message.UserID == "" || message.AnonymousID == "" {
			return false, model.Invalid("previousId", "an alias needs previousId and userId")
		}
		// Browser SDKs do alias a user to himself. Taken at its word, that would
		// forget which anonymous visitor he was.
		return message.UserID != message.AnonymousID, nil
	}
	message.AnonymousID = clean(w.anonymousID.scalar())
	if message.UserID == "" && message.AnonymousID == "" {
		return false, model.Invalid("anonymousId", "anonymousId and userId are both missing; give at least one")
	}
	return true, nil
}

// readTime fills in the time; timed is false where the message had none.
func (w *wire) readTime(hit *model.Hit, envelope Envelope) (timed bool, err error) {
	sent, sentErr := timeOf("sentAt", w.sentAt)
	if sentErr != nil || sent == 0 {
		sent = envelope.SentAt
	}
	for _, field := range []struct {
		name string
		value
	}{{"timestamp", w.timestamp}, {"originalTimestamp", w.originalTimestamp}, {"sentAt", w.sentAt}} {
		if hit.At, err = timeOf(field.name, field.value); err != nil {
			return false, err
		}
		if hit.At != 0 {
			break
		}
	}
	if hit.At == 0 {
		hit.At = sent
	}
	if hit.At == 0 {
		if hit.At = envelope.Received; hit.At == 0 {
			return false, model.Invalid("timestamp", "is missing, and so are originalTimestamp and sentAt; give one of them")
		}
		return false, nil
	}
	if envelope.Received != 0 && sent != 0 {
		hit.At += envelope.Received - sent
		if hit.At < earliest || hit.At >= latest {
			return false, outOfRange("timestamp", hit.At.Time())
		}
	}
	return true, nil
}

// timeOf reads a time: a date and time by RFC 3339, or a number of milliseconds
// since 1970. It returns zero where there is none.
func timeOf(field string, v value) (model.Millis, error) {
	switch {
	case v.isMissing():
		return 0, nil
	case v.isNumber():
		number, err := strconv.ParseFloat(string(v), 64)
		if err != nil || number < float64(earliest) || number >= float64(latest) {
			return 0, model.Invalid(field, "%s is not a time in milliseconds between the years 1990 and 2199", clip(string(v)))
		}
		return model.Millis(number), nil
	case v.isString():
		text := v.text()
		if text == "" {
			return 0, nil
		}
		// The second layout is RFC 3339 but for the colon in the zone.
		for _, layout := range []string{time.RFC3339, "2006-01-02T15:04:05Z0700"} {
			if t, err := time.Parse(layout, text); err == nil {
				return checkTime(field, t)
			}
		}
		return 0, model.Invalid(field, "%q is not a time; write it like 2006-01-02T15:04:05Z", clip(text))
	}
	return 0, model.Invalid(field, "must be a string or a number")
}

// id returns the message's id. A message without messageId is named by what it
// says, without what differs when it is sent once more; where it does not say
// when, by the time of receipt too, since two such messages are two events.
func (w *wire) id(root value, at model.Millis, timed bool) model.MessageID {
	if id := w.messageID.scalar(); id != "" {
		return model.MessageIDOf(id)
	}
	var members map[string]any
	decoder := json.NewDecoder(bytes.NewReader(root))
	decoder.UseNumber()
	content := string(root)
	if decoder.Decode(&members) == nil {
		delete(members, "sentAt")
		delete(members, "writeKey")
		if canonical, err := json.Marshal(members); err == nil {
			content = string(canonical)
		}
	}
	if timed {
		return model.MessageIDOf("", content)
	}
	return model.MessageIDOf("", content, strconv.FormatInt(int64(at), 10))
}

// readTags returns the distinct tags of lists and of single strings.
func readTags(lists ...value) []string {
	var tags []string
	add := func(v value) {
		if tag := clean(v.scalar()); tag != "" && len(tags) < model.MaxTags && !slices.Contains(tags, tag) {
			tags = append(tags, tag)
		}
	}
	for _, list := range lists {
		if list.isString() {
			add(list)
			continue
		}
		list.elements(add)
	}
	return tags
}

// readTraits returns the strings and numbers of two objects, of which the first
// wins.
func readTraits(first, second value) map[string]string {
	properties := map[string]string{}
	read := func(into map[string]string) func([]byte, value) {
		return func(name []byte, v value) {
			key, text := clean(string(name)), clean(v.scalar())
			if key == "" || !(v.isString() || v.isNumber()) {
				return
			}
			if _, known := into[key]; known || len(into) < model.MaxProperties {
				into[key] = text
			}
		}
	}
	first.members(read(properties))
	if second.isObject() {
		// Over what context.traits says go the traits, and they have the room first.
		own := maps.Clone(properties)
		second.members(read(properties))
		maps.Copy(properties, own)
	}
	if len(properties) == 0 {
		return nil
	}
	return properties
}

// readOrigin fills in where the visitor comes from.
func (d *Decoder) readOrigin(w *wire, hit *model.Hit, envelope Envelope) {
	c := &w.context
	agent := d.agents.Agent(c.userAgent.text())
	hit.Origin = model.Origin{
		Referrer: firstOf(hostOf(c.pageReferrer.text()), hostOf(w.propertyReferrer.text())),
		Browser:  agent.Browser,
		OS:       agent.OS,
		Device:   agent.Device,
		Language: languageOf(c.locale.text()),
		UTM: model.UTM{
			Source:   clean(c.source.scalar()),
			Medium:   clean(c.medium.scalar()),
			Campaign: firstOf(clean(c.campaignName.scalar()), clean(c.campaign.scalar())),
			Term:     clean(c.term.scalar()),
			Content:  clean(c.ad.scalar()),
		},
	}
	readLocation(&hit.Origin, c.location)
	hit.Origin.Hostname = hostOf(c.pageURL.text())
	if hit.Kind == model.PageView {
		hit.Origin.EntryPage, hit.Origin.Hostname = hit.Name, firstOf(hostOf(w.url.text()), hit.Origin.Hostname)
	} else if hit.Origin.EntryPage = clean(c.pagePath.text()); hit.Origin.EntryPage == "" {
		if path, ok := pathOf(c.pageURL.text()); ok {
			hit.Origin.EntryPage = clean(path)
		}
	}
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
