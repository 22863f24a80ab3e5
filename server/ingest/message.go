package ingest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// MaxMessageBytes is the longest message that is taken.
const MaxMessageBytes = 32 << 10

// Envelope is what is known of a message besides itself. Messages from a file
// have the zero Envelope.
type Envelope struct {
	// Received is when the message arrived, or zero where that does not matter. It
	// is the time of a message that has none or one that is yet to come, and what the
	// sender's clock is corrected by: a message's time is moved by Received less sentAt.
	Received model.Millis
	// SentAt is the batch's sentAt, for messages that have none themselves; zero
	// is none.
	SentAt model.Millis
	// Type is the type of a message that has none; the path of a request names it.
	Type string
	// IP is the address of a message that names none, and is not a server's.
	IP string
	// Bots says whether messages of bots are kept; they are where it is empty.
	Bots model.BotPolicy
	// context is the batch's, of which a message has the members that it does not give itself.
	context value
}

// Message reads one message of the Segment tracking spec: page, screen, track,
// identify, alias or group, in any case. isKept is false for a bot's where those are
// excluded, and for what is well formed and tells nothing that is counted: a group that links no
// user to a device, and an alias of a name to itself.
//
// An error is a *model.Error whose text may be shown to the sender.
func (d *Decoder) Message(raw []byte, envelope Envelope) (message model.Message, isKept bool, err error) {
	message, is, err := d.messageLine(raw, envelope)
	return message, is == kept, err
}

// messageLine reads a message, and tells what becomes of it.
func (d *Decoder) messageLine(raw []byte, envelope Envelope) (message model.Message, is fate, err error) {
	root, err := parseValue(raw)
	if err != nil {
		return message, rejected, model.Errorf(model.BadInput, "not JSON: %s", strings.TrimPrefix(err.Error(), "json: "))
	}
	return d.message(root, envelope)
}

// message reads a message whose JSON has been checked. An error goes with rejected, and
// only with it.
func (d *Decoder) message(root value, envelope Envelope) (message model.Message, is fate, err error) {
	if len(root) > MaxMessageBytes {
		return message, rejected, model.Errorf(model.BadInput, "the message is larger than %d KiB", MaxMessageBytes>>10)
	}
	if !root.isObject() {
		return message, rejected, model.Errorf(model.BadInput, "not a JSON object")
	}
	w := readWire(root, envelope.context)
	if w.kind == "" {
		w.kind = strings.ToLower(envelope.Type)
	}
	hit := &message.Hit
	if err := w.readKind(hit); err != nil {
		return message, rejected, err
	}
	if counts, err := w.readWho(&message); err != nil {
		return message, rejected, err
	} else if !counts {
		return message, ignored, nil
	}
	timed, err := w.readTime(hit, envelope)
	if err != nil {
		return message, rejected, err
	}
	if envelope.Bots == model.ExcludeBots && d.isBot(&w) {
		return message, bot, nil
	}
	hit.ID = w.id(root, hit.At, timed)
	hit.SessionKey = clean(w.context.sessionID.scalar())
	hit.Tags = readTags(w.propertyTags, w.context.tags)
	d.readOrigin(&w, hit, envelope)
	return message, kept, nil
}

// readKind fills in what the visitor did.
func (w *wire) readKind(hit *model.Hit) error {
	switch w.kind {
	case "page", "screen":
		hit.Kind = model.PageView
		hit.Name = firstOf(w.ownPath(), w.urlPath(), w.pageName())
		if hit.Name == "" {
			return model.Invalid("properties.path", "a %s needs a path, url or name", w.kind)
		}
	case "track":
		hit.Kind = model.Event
		if hit.Name = clean(w.event.text()); hit.Name == "" {
			return model.Invalid("event", "a track needs the name of the event")
		}
		for _, property := range []struct {
			name string
			value
		}{{"value", w.value}, {"revenue", w.revenue}} {
			if property.isMissing() {
				continue
			}
			number, err := readValue(property.value)
			if err != nil {
				return model.Invalid("properties."+property.name, "%v", err)
			}
			hit.Value, hit.HasValue = number, true
			break
		}
		if hit.Name == ExperimentViewed {
			if experiment, variant := w.experiment.text(), w.variant.text(); experiment != "" && variant != "" {
				hit.Experiment, hit.Variant = experiment, variant
			}
		}
	case "identify":
		hit.Kind = model.Traits
		hit.Properties = readTraits(w.traits, w.context.traits)
	case "alias", "group": // they link, and are no hits
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

// ownPath returns the path that the message names itself.
func (w *wire) ownPath() string {
	text := w.path.address()
	if path, ok := pathOf(text); ok {
		return path
	}
	return model.Path(text)
}

// urlPath returns the path of the page's URL.
func (w *wire) urlPath() string {
	for _, url := range []value{w.url, w.context.pageURL} {
		if path, ok := pathOf(url.address()); ok {
			return path
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

// readValue reads the value of an event: a number, or a string that is one.
func readValue(v value) (model.Decimal, error) {
	if !v.isNumber() && !v.isString() {
		return 0, fmt.Errorf("%s is not a number; write one like 49.99", clip(string(v)))
	}
	return model.ParseDecimal(v.scalar())
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
	if w.kind == "group" {
		return message.UserID != "" && message.AnonymousID != "", nil
	}
	if message.UserID == "" && message.AnonymousID == "" {
		return false, model.Invalid("anonymousId", "anonymousId and userId are both missing; give at least one")
	}
	return true, nil
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

// readTraits returns the strings, numbers and booleans of two objects, of which the first
// wins.
func readTraits(first, second value) map[string]string {
	properties := map[string]string{}
	read := func(into map[string]string) func([]byte, value) {
		return func(name []byte, v value) {
			key, text := clean(string(name)), clean(v.scalar())
			switch {
			case key == "", !v.isString() && !v.isNumber() && !v.isBool():
				return
			case v.isBool():
				text = string(v)
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
