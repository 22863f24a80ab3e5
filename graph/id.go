package graph

import (
	"encoding/base64"
	"fmt"
	"strconv"
	"strings"

	"github.com/goalgraph/goalgraph/model"
)

// noun is the kind of object that an id names.
type noun string

const (
	siteNoun       noun = "Site"
	segmentNoun    noun = "Segment"
	goalNoun       noun = "Goal"
	experimentNoun noun = "Experiment"
	sessionNoun    noun = "Session"
	keyNoun        noun = "ApiKey"
	userNoun       noun = "User"
	loginNoun      noun = "Login"
	auditNoun      noun = "AuditEntry"
)

var idEncoding = base64.RawURLEncoding

// encodeID returns the opaque id of a numbered object.
func encodeID(noun noun, id int64) string {
	return idEncoding.EncodeToString(fmt.Appendf(nil, "%s:%d", noun, id))
}

// encodeTextID is encodeID for what has no number.
func encodeTextID(noun noun, name string) string {
	return idEncoding.EncodeToString(fmt.Appendf(nil, "%s:%s", noun, name))
}

func encodeSessionID(id model.SessionID) string {
	return encodeTextID(sessionNoun, sessionText(id))
}

// splitID returns what an id names; ok is false where it is no id of ours.
func splitID(id string) (noun, string, bool) {
	text, err := idEncoding.DecodeString(id)
	if err != nil {
		return "", "", false
	}
	kind, rest, ok := strings.Cut(string(text), ":")
	return noun(kind), rest, ok
}

// decodeID returns the number of an object of the kind, or a NotFound about the
// input field.
func decodeID(want noun, id, field string) (int64, error) {
	kind, rest, ok := splitID(id)
	n, err := strconv.ParseInt(rest, 10, 64)
	if !ok || kind != want || err != nil || n <= 0 {
		e := model.Errorf(model.NotFound, "there is no %s with the id %.40q", strings.ToLower(string(want)), id)
		e.Field = field
		return 0, e
	}
	return n, nil
}

func decodeIDs(want noun, ids []string, field string) ([]int64, error) {
	numbers := make([]int64, len(ids))
	for i, id := range ids {
		var err error
		if numbers[i], err = decodeID(want, id, fmt.Sprintf("%s[%d]", field, i)); err != nil {
			return nil, err
		}
	}
	return numbers, nil
}

// sessionText is what decodeSessionID reads.
func sessionText(id model.SessionID) string {
	return fmt.Sprintf("%d/%d/%d", id.Site, id.Partition, id.Ordinal)
}

// decodeSessionID is decodeID for sessions, whose ids are three numbers.
func decodeSessionID(rest string) (id model.SessionID, ok bool) {
	parts := strings.Split(rest, "/")
	if len(parts) != 3 {
		return id, false
	}
	var numbers [3]int64
	for i, size := range [...]int{64, 64, 32} {
		var err error
		if numbers[i], err = strconv.ParseInt(parts[i], 10, size); err != nil {
			return id, false
		}
	}
	return model.SessionID{Site: numbers[0], Partition: numbers[1], Ordinal: int32(numbers[2])}, true
}
