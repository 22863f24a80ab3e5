package ingest

import "strings"

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

// ExperimentViewed is the event that assigns a visitor to a variant.
const ExperimentViewed = "Experiment Viewed"

// wireContext holds those of its member context.
type wireContext struct {
	userAgent, locale, ip, sessionID, tags, traits   value
	pageURL, pageReferrer                            value
	location, library                                value
	source, medium, campaignName, campaign, term, ad value
	// tellsPage says that the message has the context of a page or a campaign.
	tellsPage bool
}

// readWire reads a message, with the members of its batch's context that it does not give
// itself.
func readWire(root, context value) (w wire) {
	context.members(w.context.read)
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

// read takes a member of the context. One that is an object takes the place of the
// batch's as a whole.
func (c *wireContext) read(name []byte, v value) {
	if v.isMissing() {
		return
	}
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
		c.pageURL, c.pageReferrer = nil, nil
		v.members(c.readPage)
	case "campaign":
		c.source, c.medium, c.campaignName, c.campaign, c.term, c.ad = nil, nil, nil, nil, nil, nil
		v.members(c.readCampaign)
	case "location":
		c.location = v
	case "library":
		c.library = nil
		v.members(func(name []byte, v value) {
			if string(name) == "name" {
				c.library = v
			}
		})
	}
}

func (c *wireContext) readPage(name []byte, v value) {
	c.tellsPage = true
	switch string(name) {
	case "url":
		c.pageURL = v
	case "referrer":
		c.pageReferrer = v
	}
}

func (c *wireContext) readCampaign(name []byte, v value) {
	c.tellsPage = true
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
